//===- Transposes.cpp - Loops over a turned operand on a device -----------===//
//
// A result that lies across its operand goes by squares through shared memory, so that both are read and
// written along their rows:
//
//   block -> (outer dims, a square)
//     square[c][r ..] = x[.., column c, rows r ..]        32 threads along the operand's innermost dim
//     barrier
//     y[row r, columns c ..] = f(square[c ..][r])         32 threads along the result's
//
// A thread takes 4 bytes at a time: a square has 32, 64 or 128 rows.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Generators.h"
#include "codegen/kernel/TensorEmitter.h"
#include "codegen/kernel/TransposeLoop.h"

using namespace mlir;
using namespace optc;

namespace {

constexpr int64_t kWarp = 32, kThreads = 256, kWarps = kThreads / kWarp;

class DeviceTranspose {
public:
  DeviceTranspose(DeviceFunction &f, const TransposeLoop &loop)
      : f(f), loop(loop), op(loop.op), emitter(f),
        result(cast<YieldOp>(f.kernel.getBody().front().getTerminator()).getValues().front()) {}
  void run();

private:
  int64_t chooseLanes() const;
  void read(Value shared, Value r, Value c);
  void write(Value shared, Value r, Value c);
  Value slot(Value shared, Value c, Value r) {
    return f.pointerTo(shared, f.add(f.mul(c, f.index(side + 1)), r), register_);
  }

  DeviceFunction &f;
  const TransposeLoop &loop;
  TransposeOp op;
  TensorEmitter emitter;
  Value result;
  Type register_; // of an element
  int64_t lanes = 1, side = kWarp;
  LaneIndices outer; // rows and columns are open
  Value firstRow, firstColumn;
};

/// Of 4 bytes, where they divide rows and columns.
int64_t DeviceTranspose::chooseLanes() const {
  int64_t bytes = 1;
  for (TypeRange types : {TypeRange(f.kernel.getOperandTypes()), TypeRange(f.kernel.getResultTypes())})
    for (Type type : types)
      bytes = std::max<int64_t>(
          bytes, memoryType(cast<RankedTensorType>(type).getElementType()).getIntOrFloatBitWidth() / 8);
  int64_t n = std::max<int64_t>(1, 4 / bytes);
  auto divides = [&](const DimExpr &d) { return d.constant() && *d.constant() % n == 0; };
  // Sides are at most what shared memory holds as registers.
  n = std::min<int64_t>(n, 2);
  while (n > 1 && !(divides(loop.dims[loop.rowDim]) && divides(loop.dims.back())))
    n /= 2;
  return n;
}

/// Rows [r, r + lanes) of column c, both counted from the square's first.
void DeviceTranspose::read(Value shared, Value r, Value c) {
  LaneIndices index = outer;
  index[loop.rowDim] = {f.add(firstRow, r), lanes > 1};
  index.back() = {f.add(firstColumn, c), 0};
  TensorEmitter::Scope scope(emitter);
  LaneIndices turned(index.size());
  for (auto [i, p] : llvm::enumerate(op.getPermutation()))
    turned[p] = index[i];
  Value x = emitter.at(op.getX(), turned, lanes);
  for (int64_t l = 0; l < lanes; ++l) {
    Value element = lanes > 1 ? Value(f.b.create<vector::ExtractOp>(f.loc, x, l)) : x;
    f.b.create<LLVM::StoreOp>(f.loc, element, slot(shared, c, f.add(r, f.index(l))));
  }
}

/// Columns [c, c + lanes) of row r.
void DeviceTranspose::write(Value shared, Value r, Value c) {
  LaneIndices index = outer;
  index[loop.rowDim] = {f.add(firstRow, r), 0};
  index.back() = {f.add(firstColumn, c), lanes > 1};
  TensorEmitter::Scope scope(emitter);
  Value x = lanes > 1 ? buildConstant(f.b, f.loc, withLanes(register_, lanes), 0) : Value();
  for (int64_t l = 0; l < lanes; ++l) {
    Value element = f.b.create<LLVM::LoadOp>(f.loc, register_, slot(shared, f.add(c, f.index(l)), r));
    x = lanes > 1 ? Value(f.b.create<vector::InsertOp>(f.loc, element, x, l)) : element;
  }
  emitter.define(op.getY(), [x](const LaneIndices &, int64_t, Value) { return x; });
  Value value = emitter.at(result, index, lanes);
  emitter.undefine(op.getY());
  auto offset = emitter.offsetOf(tensorOf(result), index);
  f.store(value, f.pointerTo(f.output(0), offset.base, elementOf(result)), elementOf(result));
}

void DeviceTranspose::run() {
  lanes = chooseLanes();
  side = kWarp * lanes;
  register_ = registerType(elementOf(op.getX()));
  f.threads = kThreads;
  const Dims &dims = loop.dims;
  DimExpr rowSquares = DimExpr::ceildiv(dims[loop.rowDim], side),
          columnSquares = DimExpr::ceildiv(dims.back(), side);
  DimExpr squares = rowSquares * columnSquares;
  for (size_t d = 0; d + 1 < dims.size(); ++d)
    if (d != loop.rowDim)
      squares = squares * dims[d];
  f.items = squares;

  // Neighbouring blocks write neighbouring squares.
  Value rest = f.block();
  auto take = [&](const DimExpr &size) {
    Value at = f.modulo(rest, f.size(size));
    rest = f.divide(rest, f.size(size));
    return at;
  };
  firstColumn = f.named(f.mul(take(columnSquares), f.index(side)), "first_column");
  firstRow = f.named(f.mul(take(rowSquares), f.index(side)), "first_row");
  outer.assign(dims.size(), LaneIndex{f.index(0), 0});
  for (size_t d = dims.size() - 1; d-- > 0;)
    if (d != loop.rowDim)
      outer[d].base = take(dims[d]);

  Value lane = f.named(f.mul(f.modulo(f.thread(), f.index(kWarp)), f.index(lanes)), "lane");
  Value warp = f.named(f.divide(f.thread(), f.index(kWarp)), "warp");
  Value rows = f.size(dims[loop.rowDim]), columns = f.size(dims.back());
  Value shared = f.shared(register_, side * (side + 1), "square");
  auto inside = [&](Value r, Value c) {
    return f.b.create<arith::AndIOp>(f.loc, f.less(f.add(firstRow, r), rows),
                                     f.less(f.add(firstColumn, c), columns));
  };
  auto each = [&](llvm::function_ref<void(Value)> body) {
    f.shortLoop(0, side / kWarps, "step", {}, [&](Value step, ValueRange) {
      body(f.add(f.mul(f.resize(step, f.indexType()), f.index(kWarps)), warp));
      return SmallVector<Value>{};
    });
  };
  each([&](Value c) { f.when(inside(lane, c), [&] { read(shared, lane, c); }); });
  f.barrier();
  each([&](Value r) { f.when(inside(r, lane), [&] { write(shared, r, lane); }); });
  f.finish();
}

} // namespace

bool optc::generateDeviceTranspose(DeviceFunction &f) {
  std::optional<TransposeLoop> loop = readTurned(f.kernel);
  if (!loop)
    return false;
  // A square may not be mostly empty.
  constexpr int64_t kFew = 8;
  auto isFew = [&](const DimExpr &d) { return d.constant() && *d.constant() < kFew; };
  if (isFew(loop->dims[loop->rowDim]) || isFew(loop->dims.back()))
    return false;
  DeviceTranspose(f, *loop).run();
  return true;
}
