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

struct ExpandMath : PassWrapper<ExpandMath, OperationPass<>> {
  explicit ExpandMath(uint64_t features) : features(features) {}
  uint64_t features;
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)
  StringRef getArgument() const override { return "optc-expand-math"; }
  StringRef getDescription() const override { return "Replaces math ops by polynomials"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect, scf::SCFDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    populateExponentialPatterns(patterns, features);
    populateTrigonometricPatterns(patterns);
    populateOlderLevelPatterns(patterns, features);
    populateSaturatingPatterns(patterns, features);
    (void)applyPatternsAndFoldGreedily(getOperation(), std::move(patterns));
  }
};

} // namespace

std::unique_ptr<Pass> optc::createExpandMathPass(uint64_t features) { return std::make_unique<ExpandMath>(features); }
