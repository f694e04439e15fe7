//===- RecognizeGelu.cpp - GELU in its spellings --------------------------===//
//
// The root is the outermost multiplication; read as a product it is always the same, wherever the halves, divisions
// and orders of factors are:
//
//   0.5 * x * (1 + erf(x / sqrt(2)))                             ⇒ gelu x {approximate = "none"}
//   0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))      ⇒ gelu x {approximate = "tanh"}
//
// x * sigmoid(1.702 * x) is another function and stays.
//
//===----------------------------------------------------------------------===//

#include "passes/Match.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <cmath>

namespace optc {
#define GEN_PASS_DEF_RECOGNIZEGELU
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// x / sqrt(2)
bool isErfArgument(Value argument, Value x) {
  Product p = productOf(argument);
  return p.factors.size() == 1 && p.factors[0] == x && nearlyEqual(p.coefficient, std::sqrt(0.5));
}

/// sqrt(2/pi) * (x + 0.044715 x^3), or with x taken out: sqrt(2/pi) * x * (1 + 0.044715 x^2)
bool isTanhArgument(Value argument, Value x) {
  Product p = productOf(argument);
  bool takenOut = p.factors.size() == 2 && llvm::is_contained(p.factors, x);
  if (p.factors.size() != (takenOut ? 2u : 1u) || !nearlyEqual(p.coefficient, std::sqrt(2 / M_PI)))
    return false;
  Value sum = takenOut && p.factors[0] == x ? p.factors[1] : p.factors[0];
  auto add = sum.getDefiningOp<AddOp>();
  if (!add)
    return false;
  for (int i : {0, 1}) {
    Value first = add->getOperand(i);
    Product cubic = productOf(add->getOperand(1 - i));
    bool linear = takenOut ? splatValue(first) == 1.0 : first == x;
    if (linear && cubic.factors.size() == (takenOut ? 2u : 3u) && llvm::all_equal(cubic.factors) && cubic.factors[0] == x &&
        nearlyEqual(cubic.coefficient, 0.044715, 1e-3))
      return true;
  }
  return false;
}

struct FormGelu : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    if (!isa<FloatType>(elementOf(op.getY())))
      return rewriter.notifyMatchFailure(op, "not a product of floats");
    Product product = productOf(op.getY());
    if (product.factors.size() != 2)
      return rewriter.notifyMatchFailure(op, "GELU has two factors besides its constants");
    for (int i : {0, 1}) {
      Value x = product.factors[i];
      auto gate = product.factors[1 - i].getDefiningOp<AddOp>();
      if (!gate)
        continue;
      for (int j : {0, 1}) {
        // c + c * f(...) with c times the coefficient 1/2
        auto c = splatValue(gate->getOperand(j));
        Product inner = productOf(gate->getOperand(1 - j));
        if (!c || inner.factors.size() != 1 || !nearlyEqual(inner.coefficient, *c) || !nearlyEqual(*c * product.coefficient, 0.5))
          continue;
        Operation *f = inner.factors[0].getDefiningOp();
        StringRef kind;
        if (f && isa<ErfOp>(f) && isErfArgument(f->getOperand(0), x))
          kind = "none";
        else if (f && isa<TanhOp>(f) && isTanhArgument(f->getOperand(0), x))
          kind = "tanh";
        else
          continue;
        rewriter.replaceOpWithNewOp<GeluOp>(op, op.getType(), x, kind);
        return success();
      }
    }
    return rewriter.notifyMatchFailure(op, "no factor of the form 1 + erf or 1 + tanh of the other");
  }
};

struct RecognizeGelu : optc::impl::RecognizeGeluBase<RecognizeGelu> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormGelu>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
