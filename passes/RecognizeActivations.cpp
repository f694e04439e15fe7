//===- RecognizeActivations.cpp - Sigmoid, SiLU, hard-swish, softplus -----===//

#include "passes/Match.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_RECOGNIZEACTIVATIONS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// 1 + exp(-x): x.
Value underLogistic(Value value) {
  auto add = value.getDefiningOp<AddOp>();
  if (!add)
    return {};
  for (int i : {0, 1})
    if (splatValue(add->getOperand(i)) == 1.0)
      if (auto exp = add->getOperand(1 - i).getDefiningOp<ExpOp>()) {
        Affine argument = affineOf(exp.getX());
        if (argument.slope == -1 && argument.offset == 0)
          return argument.x;
      }
  return {};
}

// 1 / (1 + exp(-x)) ⇒ sigmoid x
// x / (1 + exp(-x)) ⇒ silu x
struct FormSigmoid : OpRewritePattern<DivOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DivOp op, PatternRewriter &rewriter) const override {
    Value x = isa<FloatType>(elementOf(op.getY())) ? underLogistic(op.getRhs()) : Value();
    if (!x)
      return rewriter.notifyMatchFailure(op, "the divisor is not 1 + exp(-x)");
    if (splatValue(op.getLhs()) == 1.0)
      rewriter.replaceOpWithNewOp<SigmoidOp>(op, op.getType(), x);
    else if (op.getLhs() == x)
      rewriter.replaceOpWithNewOp<SiluOp>(op, op.getType(), x);
    else
      return rewriter.notifyMatchFailure(op, "the dividend is neither 1 nor x");
    return success();
  }
};

// reciprocal (1 + exp(-x)) ⇒ sigmoid x
struct FormSigmoidOfReciprocal : OpRewritePattern<ReciprocalOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReciprocalOp op, PatternRewriter &rewriter) const override {
    Value x = underLogistic(op.getX());
    if (!x)
      return rewriter.notifyMatchFailure(op, "not the reciprocal of 1 + exp(-x)");
    rewriter.replaceOpWithNewOp<SigmoidOp>(op, op.getType(), x);
    return success();
  }
};

// x * sigmoid x ⇒ silu x
struct FormSilu : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    for (int i : {0, 1})
      if (auto sigmoid = op->getOperand(i).getDefiningOp<SigmoidOp>(); sigmoid && sigmoid.getX() == op->getOperand(1 - i)) {
        rewriter.replaceOpWithNewOp<SiluOp>(op, op.getType(), sigmoid.getX());
        return success();
      }
    return rewriter.notifyMatchFailure(op, "no factor is the sigmoid of the other");
  }
};

// x * clamp(x / 6 + 1/2, 0, 1) ⇒ hard_swish x
// x * clamp(x + 3, 0, 6) / 6   ⇒ hard_swish x
template <typename Op> struct FormHardSwish : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (!isa<FloatType>(elementOf(op.getY())))
      return rewriter.notifyMatchFailure(op, "not a product of floats");
    Product product = productOf(op.getY());
    if (product.factors.size() != 2)
      return rewriter.notifyMatchFailure(op, "hard-swish has two factors besides its constants");
    for (int i : {0, 1}) {
      Value x = product.factors[i];
      double scale = product.coefficient;
      // A gate that is scaled before it is clamped differs in its constants only.
      auto clamp = clampOf(product.factors[1 - i]);
      if (!clamp)
        continue;
      Affine line = affineOf(clamp->x);
      if (line.x == x && clamp->lower == 0 && nearlyEqual(clamp->upper * scale, 1) && nearlyEqual(line.slope * scale, 1.0 / 6) &&
          nearlyEqual(line.offset * scale, 0.5)) {
        rewriter.replaceOpWithNewOp<HardSwishOp>(op, op.getType(), x);
        return success();
      }
    }
    return rewriter.notifyMatchFailure(op, "no factor is a clamped line in the other");
  }
};

// log (1 + exp x) ⇒ softplus x
struct FormSoftplus : OpRewritePattern<LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LogOp op, PatternRewriter &rewriter) const override {
    auto add = op.getX().getDefiningOp<AddOp>();
    for (int i : {0, 1})
      if (add && splatValue(add->getOperand(i)) == 1.0)
        if (auto exp = add->getOperand(1 - i).getDefiningOp<ExpOp>()) {
          rewriter.replaceOpWithNewOp<SoftplusOp>(op, op.getType(), exp.getX());
          return success();
        }
    return rewriter.notifyMatchFailure(op, "not the logarithm of 1 + exp x");
  }
};

struct RecognizeActivations : optc::impl::RecognizeActivationsBase<RecognizeActivations> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormSigmoid, FormSigmoidOfReciprocal, FormSilu, FormHardSwish<MulOp>, FormHardSwish<DivOp>, FormSoftplus>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
