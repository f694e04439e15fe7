//===- RecognizeNormalize.cpp - Layer and RMS normalisation spelled out ---===//
//
//   c = x - mean x;  c / sqrt(mean(c * c) + e)  ⇒ normalize x {layer, epsilon = e}
//   x / sqrt(mean(x * x) + e)                   ⇒ normalize x {rms, epsilon = e}
//   normalize x * s                             ⇒ normalize x scale s
//   normalize x [scale s] + b                   ⇒ normalize x [scale s] bias b
//
// The means are over the trailing dims. Powers, divisions and reciprocals of roots have become products and rsqrt
// before (simplify-powers).
//
//===----------------------------------------------------------------------===//

#include "passes/Match.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_RECOGNIZENORMALIZE
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// The mean of x over its trailing dims, from some axis on; the axis.
std::optional<int64_t> trailingMean(Value value, Value &x) {
  auto reduce = throughUnitDims(value).getDefiningOp<ReduceOp>();
  if (!reduce || reduce.getKind() != "mean" || reduce.getAxes().empty())
    return std::nullopt;
  SmallVector<int64_t> axes(reduce.getAxes());
  llvm::sort(axes);
  if (!llvm::equal(axes, llvm::seq<int64_t>(axes.front(), tensorOf(reduce.getX()).getRank())))
    return std::nullopt;
  x = reduce.getX();
  return axes.front();
}

SmallVector<int64_t> axesFrom(Value x, int64_t axis) {
  return llvm::to_vector(llvm::seq<int64_t>(axis, tensorOf(x).getRank()));
}

/// value = centred * (its inverse deviation): builds the normalize op.
LogicalResult form(Operation *op, Value numerator, Value inverse, bool inverted, PatternRewriter &rewriter) {
  auto broadcast = inverse.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return rewriter.notifyMatchFailure(op, "the deviation is not broadcast along the row");
  Value root = throughUnitDims(broadcast.getX());
  Operation *rootOp = root.getDefiningOp();
  if (!rootOp || (inverted ? !isa<RsqrtOp>(rootOp) : !isa<SqrtOp>(rootOp)))
    return rewriter.notifyMatchFailure(op, "no square root");
  auto add = throughUnitDims(rootOp->getOperand(0)).getDefiningOp<AddOp>();
  if (!add)
    return rewriter.notifyMatchFailure(op, "no epsilon under the square root");
  auto right = splatValue(add.getRhs()), left = splatValue(add.getLhs());
  if (!right && !left)
    return rewriter.notifyMatchFailure(op, "epsilon is not a constant");
  double epsilon = right ? *right : *left;
  Value squares;
  auto axis = trailingMean(right ? add.getLhs() : add.getRhs(), squares);
  if (!axis)
    return rewriter.notifyMatchFailure(op, "the variance is not a mean over trailing dims");
  auto square = squares.getDefiningOp<MulOp>();
  if (!square || square.getLhs() != square.getRhs() || square.getLhs() != numerator)
    return rewriter.notifyMatchFailure(op, "the variance is not that of the dividend");
  if (!rowValue(inverse, dimsOf(numerator), axesFrom(numerator, *axis)))
    return rewriter.notifyMatchFailure(op, "the deviation is not that of the row");
  // Centred: layer normalisation.
  Value x = numerator, centredOf;
  StringRef kind = "rms";
  if (auto sub = numerator.getDefiningOp<SubOp>()) {
    Dims dims = dimsOf(sub.getLhs());
    Value mean = rowValue(sub.getRhs(), dims, axesFrom(sub.getLhs(), *axis));
    if (mean && trailingMean(mean, centredOf) == axis && centredOf == sub.getLhs()) {
      x = centredOf;
      kind = "layer";
    }
  }
  rewriter.replaceOpWithNewOp<NormalizeOp>(op, op->getResult(0).getType(), x, Value(), Value(), *axis, APFloat(epsilon), kind);
  return success();
}

struct FormNormalizeOfDiv : OpRewritePattern<DivOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DivOp op, PatternRewriter &rewriter) const override {
    return form(op, op.getLhs(), op.getRhs(), false, rewriter);
  }
};

struct FormNormalizeOfMul : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    if (succeeded(form(op, op.getLhs(), op.getRhs(), true, rewriter)))
      return success();
    return form(op, op.getRhs(), op.getLhs(), true, rewriter);
  }
};

/// `value` is a parameter [normalised dims] repeated over the rows of `normalize`: the parameter.
Value parameterOf(Value value, NormalizeOp normalize) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return {};
  Dims dims = dimsOf(normalize.getY()), inner(dims.begin() + normalize.getAxis(), dims.end());
  Dims own = dimsOf(broadcast.getX());
  // Dims of size 1 may stand in front.
  while (own.size() > inner.size() && own.front() == DimExpr(1))
    own.erase(own.begin());
  return own == inner ? broadcast.getX() : Value();
}

template <typename Op> struct TakeParameter : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    constexpr bool isScale = std::is_same_v<Op, MulOp>;
    for (int i : {0, 1}) {
      auto normalize = op->getOperand(i).template getDefiningOp<NormalizeOp>();
      if (!normalize || !normalize->hasOneUse() || normalize.getBias() || (isScale && normalize.getScale()))
        continue;
      Value parameter = parameterOf(op->getOperand(1 - i), normalize);
      if (!parameter)
        continue;
      Dims dims = dimsOf(normalize.getY()), inner(dims.begin() + normalize.getAxis(), dims.end());
      Type type = tensorType(inner, elementOf(parameter));
      if (parameter.getType() != type)
        parameter = rewriter.create<ReshapeOp>(op.getLoc(), type, parameter);
      Value scale = isScale ? parameter : normalize.getScale(), bias = isScale ? Value() : parameter;
      rewriter.replaceOpWithNewOp<NormalizeOp>(op, op.getType(), normalize.getX(), scale, bias, normalize.getAxis(),
                                               normalize.getEpsilon(), normalize.getKind());
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand is a normalisation that can take the other");
  }
};

struct RecognizeNormalize : optc::impl::RecognizeNormalizeBase<RecognizeNormalize> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormNormalizeOfDiv, FormNormalizeOfMul, TakeParameter<MulOp>, TakeParameter<AddOp>>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
