//===- FoldConstants.cpp - Small constants through the evaluator ----------===//
//
//   %a = constant 64.0;  %s = sqrt %a;  %r = div 1.0, %s   ⇒   %r = constant 0.125
//
// What is known at compile time and has at most 1 KB becomes a constant, so that the passes that look for constants see
// them. Anything larger stays a lazy weight expression, evaluated once when the artefact is packaged.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Evaluate.h"
#include "passes/Passes.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace optc {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

constexpr int64_t kMaxBytes = 1024;

/// All operands are constants of at most 1 KB, and so will the results be.
bool isFoldable(Operation *op) {
  if (isa<ConstantOp, BroadcastOp>(op) || op->getNumOperands() == 0 || op->getNumRegions() != 0 || !isPure(op) ||
      !findReference(std::string_view(referenceName(op))))
    return false;
  auto isSmall = [](mlir::Value v) {
    auto type = dyn_cast<RankedTensorType>(v.getType());
    if (!type || !type.hasStaticShape())
      return false;
    DType dtype = dtypeOf(type.getElementType());
    return dtype != DType::none && dtype != DType::string && type.getNumElements() * int64_t(sizeOf(dtype)) <= kMaxBytes;
  };
  auto isKnown = [&](mlir::Value v) {
    // A broadcast of a constant stays one op: that is the form in which a scalar meets a tensor.
    Operation *def = v.getDefiningOp();
    while (auto broadcast = dyn_cast_or_null<BroadcastOp>(def))
      def = broadcast.getX().getDefiningOp();
    return isa_and_nonnull<ConstantOp>(def) && isSmall(v);
  };
  return llvm::all_of(op->getOperands(), isKnown) && llvm::all_of(op->getResults(), isSmall);
}

/// Codes of weights stay codes, for products of bytes.
bool widensCodes(Operation *op) {
  return isa<DequantizeOp, CastOp>(op) && elementOf(op->getOperand(0)).isInteger(8) && tensorOf(op->getOperand(0)).getRank() > 1;
}

struct FoldConstants : optc::impl::FoldConstantsBase<FoldConstants> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (!isa<KernelOp>(op->getParentOp()))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      if (isFoldable(op) && !widensCodes(op))
        fold(op);
  }

  void fold(Operation *op) {
    llvm::DenseMap<mlir::Value, HostValue> cache;
    OpBuilder b(op);
    // An op that the evaluator refuses stays: its step reports why at run time.
    for (OpResult result : op->getResults()) {
      auto value = evaluateWeight(result, cache);
      if (failed(value))
        return;
      auto constant = b.create<ConstantOp>(op->getLoc(), elementsOf(*value, cast<RankedTensorType>(result.getType())));
      result.replaceAllUsesWith(constant.getY());
    }
    op->erase();
  }
};

} // namespace
