//===- Math.cpp - Elementary functions as polynomials ---------------------===//

#include "codegen/cpu/Math.h"
#include "codegen/cpu/FloatBuilder.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace optc;

namespace {

/// x * y + z in two roundings, for CPUs without the instruction: LLVM would call libm.
template <typename OpT> struct SplitFma : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    auto operands = op->getOperands();
    Value product = rewriter.create<arith::MulFOp>(op.getLoc(), operands[0], operands[1]);
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, operands[2]);
    return success();
  }
};

struct ExpandMath : PassWrapper<ExpandMath, OperationPass<>> {
  explicit ExpandMath(bool hasFma) : hasFma(hasFma) {}
  bool hasFma;
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)
  StringRef getArgument() const override { return "optc-expand-math"; }
  StringRef getDescription() const override { return "Replaces math ops by polynomials"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect, scf::SCFDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    populateExponentialPatterns(patterns);
    populateTrigonometricPatterns(patterns);
    if (!hasFma)
      patterns.add<SplitFma<math::FmaOp>, SplitFma<vector::FMAOp>>(context);
    (void)applyPatternsAndFoldGreedily(getOperation(), std::move(patterns));
  }
};

} // namespace

std::unique_ptr<Pass> optc::createExpandMathPass(bool hasFma) { return std::make_unique<ExpandMath>(hasFma); }
