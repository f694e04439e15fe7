//===- Loops.cpp - Generator of fused elementwise and movement kernels ----===//
//
// One loop nest over the result: rows (all dims but the last, flattened) and vectors along the last
// dim, a scalar loop for the rest of it. Each element is pulled through the kernel's ops.
//
//   for row in [begin, end)
//     for j = 0; j + V <= n; j += V    y[row, j..] = f(x[row, j..], ...)
//     for the rest                     y[row, j]   = f(x[row, j], ...)
//
// A result of one dim is cut into chunks of kChunk elements instead of rows. A result that lies across its operand
// goes by squares (TransposeLoops.cpp).
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Generators.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/TensorEmitter.h"
#include "codegen/kernel/Kernel.h"
#include <numeric>

using namespace mlir;
using namespace optc;

/// True when an index tensor holds an index out of range: ORed over all gathers. Null without gathers.
static Value checkIndices(KernelFunction &f, TensorEmitter &emitter) {
  Value error;
  f.kernel.getBody().walk([&](GatherOp op) {
    auto type = tensorOf(op.getIndices());
    Value n = f.size(numElements(dimsOf(type))), size = f.size(dimsOf(op.getX())[op.getAxis()]);
    // Indices that the kernel computes are checked as it computes them.
    Value start = f.b.create<arith::ConstantIntOp>(f.loc, 0, 1);
    Value bad = f.loop(f.index(0), n, f.index(1), start, [&](Value i, ValueRange carried) {
      TensorEmitter::Scope scope(emitter);
      LaneIndices index;
      SmallVector<Value> sizes = emitter.sizesOf(type);
      Value rest = i;
      index.resize(sizes.size());
      for (size_t d = sizes.size(); d-- > 0;) {
        index[d] = {d == 0 ? rest : f.modulo(rest, sizes[d]), 0};
        rest = d == 0 ? rest : f.divide(rest, sizes[d]);
      }
      Value x = emitter.at(op.getIndices(), index, 1);
      if (x.getType() != f.b.getI64Type())
        x = f.b.create<arith::ExtSIOp>(f.loc, f.b.getI64Type(), x);
      // -size <= x < size
      Value shifted = f.b.create<arith::AddIOp>(f.loc, x, size), twice = f.b.create<arith::AddIOp>(f.loc, size, size);
      Value outside = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::uge, shifted, twice);
      return SmallVector<Value>{f.b.create<arith::OrIOp>(f.loc, carried[0], outside)};
    })[0];
    error = error ? f.b.create<arith::OrIOp>(f.loc, error, bad) : bad;
  });
  return error;
}

/// Lanes of a vector along the last dim, at most `widest`: as many as leave few steps for rows of a known length, and
/// end where the parts of a concatenation do.
static int64_t lanesFor(KernelFunction &f, YieldOp yield, int64_t widest) {
  int64_t lanes = widest, best = INT64_MAX;
  Dims dims = dimsOf(yield.getValues().front());
  auto row = dims.empty() ? std::nullopt : dims.back().constant();
  for (int64_t l = widest; row && l > 1; l /= 2)
    if (int64_t steps = *row / l + *row % l; steps < best) {
      best = steps;
      lanes = l;
    }
  f.kernel.getBody().walk([&](ConcatOp op) {
    Dims joined = dimsOf(op.getY());
    if (int64_t(op.getAxis()) + 1 != int64_t(joined.size()) || dims.empty() || joined.back() != dims.back())
      return;
    int64_t common = lanes;
    for (Value x : op.getXs())
      common = std::gcd(common, dimsOf(x).back().constant().value_or(1));
    // A few lanes are no better than one.
    if (common >= 4)
      lanes = common;
  });
  return lanes;
}

LogicalResult optc::generateLoops(KernelFunction &f) {
  if (auto loop = readTransposeLoop(f.kernel)) {
    generateTransposeLoop(f, *loop);
    return success();
  }
  TensorEmitter emitter(f);
  auto yield = cast<YieldOp>(f.kernel.getBody().front().getTerminator());
  Dims dims = dimsOf(yield.getValues().front());
  // The widest element decides the lanes, so that no vector needs more than one register.
  unsigned bytes = 1;
  f.kernel.getBody().walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      bytes = std::max(bytes, registerType(cast<RankedTensorType>(type).getElementType()).getIntOrFloatBitWidth() / 8);
  });
  for (Value result : yield.getValues())
    bytes = std::max(bytes, registerType(elementOf(result)).getIntOrFloatBitWidth() / 8);
  int64_t lanes = lanesFor(f, yield, std::max<int64_t>(1, f.target.lanes(bytes)));

  Value error = checkIndices(f, emitter);
  Value end = f.end;
  if (error)
    end = f.b.create<arith::SelectOp>(f.loc, error, f.begin, end);

  auto storeAt = [&](const LaneIndices &index, int64_t n) {
    TensorEmitter::Scope scope(emitter);
    emitter.storeResults(index, n);
  };
  auto along = [&](LaneIndices index, Value from, Value to) {
    Value main = from;
    if (lanes > 1) {
      Value length = f.sub(to, from);
      main = f.add(from, f.mul(f.divide(length, f.index(lanes)), f.index(lanes)));
      f.loop(from, main, f.index(lanes), {}, [&](Value j, ValueRange) {
        index.back() = {j, 1};
        emitter.setAligned(j);
        storeAt(index, lanes);
        return SmallVector<Value>{};
      });
    }
    f.loop(main, to, f.index(1), {}, [&](Value j, ValueRange) {
      index.back() = {j, 0};
      storeAt(index, 1);
      return SmallVector<Value>{};
    });
  };

  SmallVector<Value> sizes = emitter.sizesOf(yield.getValues().front().getType());
  f.loop(f.begin, end, f.index(1), {}, [&](Value tile, ValueRange) {
    if (dims.empty()) {
      storeAt({}, 1);
    } else if (dims.size() == 1) {
      Value from = f.mul(tile, f.index(kLoopChunk));
      along(LaneIndices(1), from, f.min(sizes[0], f.add(from, f.index(kLoopChunk))));
    } else {
      LaneIndices index(dims.size());
      Value rest = tile;
      for (size_t d = dims.size() - 1; d-- > 0;) {
        index[d] = {d == 0 ? rest : f.modulo(rest, sizes[d]), 0};
        rest = d == 0 ? rest : f.divide(rest, sizes[d]);
      }
      along(index, f.index(0), sizes.back());
    }
    return SmallVector<Value>{};
  });
  f.finish(error);
  return success();
}
