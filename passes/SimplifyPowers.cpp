//===- SimplifyPowers.cpp - Powers and divisions by constants -------------===//
//
// pow is a logarithm and an exponential with a dozen special cases; exporters use it for squares and roots.
//
//===----------------------------------------------------------------------===//

#include "passes/Match.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <cmath>

namespace optc {
#define GEN_PASS_DEF_SIMPLIFYPOWERS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct SimplifyPow : OpRewritePattern<PowOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PowOp op, PatternRewriter &rewriter) const override {
    auto exponent = splatValue(op.getRhs());
    if (!exponent)
      return rewriter.notifyMatchFailure(op, "the exponent is not one constant");
    Value x = op.getLhs();
    Type type = op.getType();
    Location loc = op.getLoc();
    bool isFloat = isa<FloatType>(elementOf(x));
    if (*exponent == 1) {
      // pow(x, 1) ⇒ x
      rewriter.replaceOp(op, x);
      return success();
    }
    if (*exponent == 2 || *exponent == 3 || *exponent == 4) {
      // pow(x, 2) ⇒ x * x;  pow(x, 3) ⇒ x * x * x;  pow(x, 4) ⇒ (x * x) * (x * x)
      Value square = rewriter.create<MulOp>(loc, type, x, x);
      if (*exponent != 2)
        square = rewriter.create<MulOp>(loc, type, square, *exponent == 3 ? x : square);
      rewriter.replaceOp(op, square);
      return success();
    }
    if (!isFloat)
      return rewriter.notifyMatchFailure(op, "integer powers above 4 stay");
    // pow(x, 1/2) ⇒ sqrt x;  pow(x, -1/2) ⇒ rsqrt x;  pow(x, -1) ⇒ reciprocal x
    // (pow gives +0 and +inf where the square root of -0 and -inf gives -0 and NaN)
    if (*exponent == 0.5)
      rewriter.replaceOpWithNewOp<SqrtOp>(op, type, x);
    else if (*exponent == -0.5)
      rewriter.replaceOpWithNewOp<RsqrtOp>(op, type, x);
    else if (*exponent == -1)
      rewriter.replaceOpWithNewOp<ReciprocalOp>(op, type, x);
    else if (*exponent == -2)
      // pow(x, -2) ⇒ reciprocal (x * x)
      rewriter.replaceOpWithNewOp<ReciprocalOp>(op, type, rewriter.create<MulOp>(loc, type, x, x));
    else
      return rewriter.notifyMatchFailure(op, "no cheaper form of this exponent");
    return success();
  }
};

// x / 8 ⇒ x * 0.125   (powers of two only: the product is then exactly the quotient)
struct DivideByPowerOfTwo : OpRewritePattern<DivOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DivOp op, PatternRewriter &rewriter) const override {
    if (!isa<FloatType>(elementOf(op.getY())))
      return rewriter.notifyMatchFailure(op, "not a division of floats");
    auto divisor = splatValue(op.getRhs());
    int exponent = 0;
    // Far from the ends of the range of f16, so that the reciprocal is normal, too.
    if (!divisor || std::abs(std::frexp(*divisor, &exponent)) != 0.5 || std::abs(exponent) > 12)
      return rewriter.notifyMatchFailure(op, "the divisor is not a power of two");
    auto type = tensorOf(op.getY());
    auto scalar = RankedTensorType::get({}, type.getElementType());
    Value reciprocal = rewriter.create<ConstantOp>(
        op.getLoc(), DenseElementsAttr::get(cast<ShapedType>(Type(scalar)), Attribute(rewriter.getFloatAttr(type.getElementType(), 1 / *divisor))));
    reciprocal = rewriter.create<BroadcastOp>(op.getLoc(), type, reciprocal);
    rewriter.replaceOpWithNewOp<MulOp>(op, type, op.getLhs(), reciprocal);
    return success();
  }
};

// 1 / sqrt x ⇒ rsqrt x;  reciprocal (sqrt x) ⇒ rsqrt x   (rsqrt is computed just so)
struct FormRsqrt : OpRewritePattern<SqrtOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SqrtOp op, PatternRewriter &rewriter) const override {
    for (Operation *user : op->getUsers()) {
      bool inverse = isa<ReciprocalOp>(user) || (isa<DivOp>(user) && user->getOperand(1) == op.getY() && splatValue(user->getOperand(0)) == 1.0);
      if (!inverse)
        continue;
      rewriter.setInsertionPoint(user);
      rewriter.replaceOpWithNewOp<RsqrtOp>(user, user->getResult(0).getType(), op.getX());
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no user is its inverse");
  }
};

struct SimplifyPowers : optc::impl::SimplifyPowersBase<SimplifyPowers> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SimplifyPow, DivideByPowerOfTwo, FormRsqrt>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
