//===- UnpackingGemv.cpp - Products of a few rows with weights in few bits ===//
//
// A part of a warp has a column: its threads unpack the column's table row, up to 16 elements at a time, in registers, multiply them with all
// rows of the left operand and meet by shuffles.
//
//   for (k = 16 * lane; k < depth; k += 16 * group)     sum[r] += x[r, k .. k+16] * unpack(row n, k .. k+16)
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Generators.h"
#include "codegen/gpu/ProductEpilogue.h"
#include "codegen/kernel/TensorEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

void optc::generateDeviceUnpackingGemv(DeviceFunction &f, const ContractionKernel &c) {
  auto contract = cast<ContractOp>(c.root);
  Value table = contract.getRhs();
  int64_t rows = *c.m.constant(), depth = *c.k.constant(), lanes = dividingLanes(c.k, 16), group = 32;
  // Short columns leave threads to others.
  while (group > 1 && (group / 2) * lanes >= depth)
    group /= 2;
  f.items = c.n;
  f.itemsPerBlock = f.threads / group;
  Type f32 = f.b.getF32Type(), vector = withLanes(f32, lanes), element = elementOf(c.lhs);
  Value thread = f.thread(), lane = f.named(f.modulo(thread, f.index(group)), "lane");
  Value column = f.named(f.add(f.mul(f.block(), f.index(f.itemsPerBlock)), f.divide(thread, f.index(group))), "column");
  f.when(f.less(column, f.size(c.n)), [&] {
    TensorEmitter emitter(f);
    SmallVector<Value> zeros(rows, buildConstant(f.b, f.loc, vector, 0));
    SmallVector<Value> sums =
        f.loop(f.mul(lane, f.index(lanes)), f.index(depth), f.index(group * lanes), zeros, [&](Value k, ValueRange in) {
          TensorEmitter::Scope scope(emitter);
          emitter.setAligned(k);
          Value w = emitter.at(table, {{column, 0}, {k, lanes > 1}}, lanes);
          SmallVector<Value> next;
          for (int64_t r = 0; r < rows; ++r) {
            Value at = f.pointerTo(f.input(c.lhs.getArgNumber()), f.add(f.index(r * depth), k), element);
            next.push_back(f.b.create<math::FmaOp>(f.loc, f.load(at, element, lanes), w, in[r]));
          }
          return next;
        });
    SmallVector<Value> totals;
    for (Value sum : sums) {
      Value total = lanes == 1 ? sum : Value(f.b.create<vector::ExtractOp>(f.loc, sum, int64_t(0)));
      for (int64_t i = 1; i < lanes; ++i)
        total = f.b.create<arith::AddFOp>(f.loc, total, f.b.create<vector::ExtractOp>(f.loc, sum, i));
      for (int64_t offset = group / 2; offset > 0; offset /= 2)
        total = f.b.create<arith::AddFOp>(f.loc, total, f.shuffleXor(total, f.b.create<arith::ConstantIntOp>(f.loc, offset, 32), group));
      totals.push_back(total);
    }
    f.when(f.less(lane, f.index(1)), [&] {
      for (int64_t r = 0; r < rows; ++r) {
        TensorEmitter result(f);
        result.define(c.product, [&](const LaneIndices &, int64_t, Value) { return totals[r]; });
        LaneIndices index = {{f.index(r), 0}, {column, 0}};
        result.storeResults(index, 1);
      }
    });
  });
  f.finish();
}
