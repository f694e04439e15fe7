//===- MergeDuplicates.cpp - CSE that keeps locations ---------------------===//
//
// MLIR's common subexpression elimination; the op that stays gets the names of those that it stands for, so that
// the report finds every node in a step.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "ir/Dialect.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/CSE.h"

namespace optc {
#define GEN_PASS_DEF_MERGEDUPLICATES
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct FuseLocations : RewriterBase::Listener {
  void notifyOperationReplaced(Operation *op, ValueRange replacement) override {
    for (Value value : replacement)
      // Equal constants are the same weight of several nodes: their names are not what a reader looks for.
      if (Operation *kept = value.getDefiningOp(); kept && kept != op && !isa<ConstantOp>(kept))
        kept->setLoc(FusedLoc::get(op->getContext(), {kept->getLoc(), op->getLoc()}));
  }
};

struct MergeDuplicates : optc::impl::MergeDuplicatesBase<MergeDuplicates> {
  void runOnOperation() override {
    FuseLocations listener;
    IRRewriter rewriter(&getContext(), &listener);
    eliminateCommonSubExpressions(rewriter, getAnalysis<DominanceInfo>(), getOperation());
  }
};

} // namespace
