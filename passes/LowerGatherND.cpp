//===- LowerGatherND.cpp - Index tuples become one index ------------------===//
//
//   gather_nd x [A, B, C], i [n, 2]  =>  gather (reshape x [A * B, C]), i[:, 0] * B + i[:, 1]
//
// Kernels read rows by one index. Tuples count from the end where they are negative; one with a part out of range becomes the index
// A * B, which is out of range as well, so that the run still says so.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "passes/Passes.h"

namespace optc {
#define GEN_PASS_DEF_LOWERGATHERND
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

class Lowering {
public:
  Lowering(GatherNDOp op, int64_t parts) : op(op), parts(parts), b(op), loc(op.getLoc()) {
    dims = dimsOf(op.getIndices());
    dims.pop_back();
    type = tensorType(dims, b.getI64Type());
    bools = tensorType(dims, b.getI1Type());
  }

  void run() {
    Dims x = dimsOf(op.getX()), rows{numElements(ArrayRef(x).take_front(parts))};
    Value index, isOutside;
    for (int64_t i = 0; i < parts; ++i) {
      Value at = part(i), size = number(x[i]);
      Value fromEnd = b.create<AddOp>(loc, type, at, size), isNegative = compared(at, number(0), "lt");
      at = b.create<SelectOp>(loc, type, isNegative, fromEnd, at);
      Value outside = b.create<OrOp>(loc, bools, compared(at, number(0), "lt"), compared(at, size, "ge"));
      isOutside = isOutside ? Value(b.create<OrOp>(loc, bools, isOutside, outside)) : outside;
      index = index ? Value(b.create<AddOp>(loc, type, b.create<MulOp>(loc, type, index, size), at)) : at;
    }
    index = b.create<SelectOp>(loc, type, isOutside, number(rows[0]), index);
    rows.append(x.begin() + parts, x.end());
    Value table = b.create<ReshapeOp>(loc, tensorType(rows, elementOf(op.getX())), op.getX());
    op.getY().replaceAllUsesWith(b.create<GatherOp>(loc, table, index, 0).getY());
    op.erase();
  }

private:
  /// One index of each tuple.
  Value part(int64_t i) {
    Value indices = op.getIndices();
    Dims one = dims;
    one.push_back(DimExpr(1));
    SmallVector<DimExpr> starts(one.size(), DimExpr(0)), strides(one.size(), DimExpr(1));
    starts.back() = DimExpr(i);
    auto attribute = [&](ArrayRef<DimExpr> list) { return DimsAttr::get(b.getContext(), list); };
    Value slice = b.create<SliceOp>(loc, tensorType(one, elementOf(indices)), indices, attribute(starts), attribute(strides));
    slice = b.create<ReshapeOp>(loc, tensorType(dims, elementOf(indices)), slice);
    return slice.getType() == type ? slice : Value(b.create<CastOp>(loc, type, slice));
  }
  Value number(const DimExpr &size) {
    Value one;
    if (auto known = size.constant())
      one = b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get({}, b.getI64Type()), *known));
    else
      one = b.create<ReshapeOp>(loc, RankedTensorType::get({}, b.getI64Type()),
                                b.create<FromDimsOp>(loc, RankedTensorType::get({1}, b.getI64Type()), DimsAttr::get(b.getContext(), ArrayRef<DimExpr>{size})));
    return one.getType() == type ? one : Value(b.create<BroadcastOp>(loc, type, one));
  }
  Value compared(Value x, Value y, StringRef how) { return b.create<CompareOp>(loc, bools, x, y, how); }

  GatherNDOp op;
  int64_t parts;
  OpBuilder b;
  Location loc;
  Dims dims;
  Type type, bools;
};

struct LowerGatherND : optc::impl::LowerGatherNDBase<LowerGatherND> {
  void runOnOperation() override {
    SmallVector<std::pair<GatherNDOp, int64_t>> ops;
    getOperation().walk([&](GatherNDOp op) {
      auto parts = dimsOf(op.getIndices()).back().constant();
      if (op.getBatchDims() == 0 && parts && *parts > 0 && !isa<StringType>(elementOf(op.getX())))
        ops.push_back({op, *parts});
    });
    for (auto [op, parts] : ops)
      Lowering(op, parts).run();
  }
};

} // namespace
