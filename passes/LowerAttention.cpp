//===- LowerAttention.cpp - Attention as products and a softmax -----------===//
//
// For GPUs, what no kernel computes as one (codegen/gpu/Attention.cpp):
//
//   attention q, k, v, mask  =>  contract (softmax (scale * contract q, k + mask)), v
//
// Grouped queries are rows of their group. All is in f32; a row whose scores are all -inf gives 0, as the op says.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Attention.h"
#include "ir/Shape.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "passes/QuantizedTensors.h"

namespace optc {
#define GEN_PASS_DEF_LOWERATTENTION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

class Lowering {
public:
  explicit Lowering(AttentionOp op) : op(op), b(op), loc(op.getLoc()), f32(b.getF32Type()) {}

  void run() {
    Dims q = dimsOf(op.getQ()), k = dimsOf(op.getK()), y = dimsOf(op.getY());
    DimExpr batch = q[0], heads = q[1], groups = k[1], queries = q[2], keys = k[2], depth = q[3], width = y[3];
    DimExpr rows = groups == heads ? queries : *DimExpr::divideExactly(heads, *groups.constant()) * queries;
    Value rhs = wide(op.getK()), lhs = reshaped(wide(op.getQ()), {batch, groups, rows, depth});
    const int64_t both[] = {0, 1};
    Value scores = b.create<ContractOp>(loc, lhs, rhs, ArrayRef(both), ArrayRef(both), ArrayRef<int64_t>{3}, ArrayRef<int64_t>{3});
    scores = reshaped(scores, {batch, heads, queries, keys});
    scores = make<MulOp>(scores, full(scores, op.getScale().convertToDouble()));
    if (double cap = op.getSoftcap().convertToDouble(); cap > 0)
      scores = make<MulOp>(make<TanhOp>(make<DivOp>(scores, full(scores, cap))), full(scores, cap));
    if (op.getMask())
      scores = make<AddOp>(scores, repeated(wide(op.getMask()), dimsOf(scores)));
    if (op.getCausal())
      scores = causal(scores, keys - queries);
    Value weights = b.create<SoftmaxOp>(loc, scores.getType(), scores, 3, false);
    if (op.getMask() || op.getCausal())
      weights = withoutEmptyRows(weights, scores);
    Value sums = b.create<ContractOp>(loc, reshaped(weights, {batch, groups, rows, keys}), wide(op.getV()), ArrayRef(both), ArrayRef(both), ArrayRef<int64_t>{3},
                                      ArrayRef<int64_t>{2});
    sums = reshaped(sums, {batch, heads, queries, width});
    Type element = elementOf(op.getY());
    op.getY().replaceAllUsesWith(element == f32 ? sums : Value(b.create<CastOp>(loc, op.getY().getType(), sums)));
    op.erase();
  }

private:
  template <typename OpT, typename... Args> Value make(Value x, Args... args) { return b.create<OpT>(loc, x.getType(), x, args...); }
  Value wide(Value x) { return elementOf(x) == f32 ? x : Value(b.create<CastOp>(loc, tensorType(dimsOf(x), f32), x)); }
  Value reshaped(Value x, Dims dims) {
    Type type = tensorType(dims, elementOf(x));
    return x.getType() == type ? x : Value(b.create<ReshapeOp>(loc, type, x));
  }
  Value repeated(Value x, Dims dims) {
    Type type = tensorType(dims, elementOf(x));
    return x.getType() == type ? x : Value(b.create<BroadcastOp>(loc, type, x));
  }
  Value full(Value like, double value) {
    Value scalar = b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get({}, f32), float(value)));
    return repeated(scalar, dimsOf(like));
  }
  Value compared(Value x, Value y, StringRef how) { return b.create<CompareOp>(loc, tensorType(dimsOf(x), b.getI1Type()), x, y, how); }

  /// Query i sees keys j <= i + later.
  Value causal(Value scores, DimExpr later) {
    auto type = tensorType(dimsOf(scores), b.getI64Type());
    Value row = b.create<IotaOp>(loc, type, 2), column = b.create<IotaOp>(loc, type, 3);
    Value offset = b.create<FromDimsOp>(loc, tensorType({DimExpr(1)}, b.getI64Type()), DimsAttr::get(b.getContext(), ArrayRef<DimExpr>{later}));
    offset = repeated(reshaped(offset, {}), dimsOf(scores));
    return b.create<SelectOp>(loc, scores.getType(), compared(column, make<AddOp>(row, offset), "le"), scores, full(scores, -INFINITY));
  }
  Value withoutEmptyRows(Value weights, Value scores) {
    Dims kept = dimsOf(scores);
    kept.pop_back();
    Value largest = b.create<ReduceOp>(loc, tensorType(kept, f32), scores, ArrayRef<int64_t>{3}, "max");
    Value isEmpty = compared(largest, full(largest, -INFINITY), "eq");
    kept.push_back(DimExpr(1));
    isEmpty = repeated(reshaped(isEmpty, kept), dimsOf(scores));
    return b.create<SelectOp>(loc, weights.getType(), isEmpty, full(weights, 0), weights);
  }

  AttentionOp op;
  OpBuilder b;
  Location loc;
  Type f32;
};

struct LowerAttention : optc::impl::LowerAttentionBase<LowerAttention> {
  using LowerAttentionBase::LowerAttentionBase;

  void runOnOperation() override {
    SmallVector<AttentionOp> ops;
    getOperation().walk([&](AttentionOp op) {
      bool isFloat = isa<FloatType>(elementOf(op.getQ())) && elementOf(op.getQ()).getIntOrFloatBitWidth() <= 32;
      DimExpr groups = dimsOf(op.getK())[1], heads = dimsOf(op.getQ())[1];
      bool divides = groups == heads || (groups.constant() && *groups.constant() > 0 && DimExpr::divideExactly(heads, *groups.constant()));
      if (isFloat && divides && !isFlash(op))
        ops.push_back(op);
    });
    for (AttentionOp op : ops)
      Lowering(op).run();
  }

private:
  /// What codegen/gpu/Attention.cpp computes as one.
  bool isFlash(AttentionOp op) const {
    Value q = op.getQ();
    bool isHalf = (bfloat && elementOf(q).isF32()) || (bfloatUnder(q) && bfloatUnder(op.getK()) && bfloatUnder(op.getV()));
    return (isHalf || elementOf(q).isF16() || elementOf(q).isBF16()) && fitsFlash(op) && !op->hasAttr(kKeepFloat);
  }
};

} // namespace
