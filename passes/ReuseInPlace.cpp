//===- ReuseInPlace.cpp - Results in the memory of operands ---------------===//
//
// A kernel that reads an operand for the last time, and reads each element of it only to compute the same element of a
// result, may write the result over it: a residual addition, an activation, an epilogue that adds to what it reads.
//
//   %y = optc.kernel "matmul" (%x, %w, %residual) {...}                  %residual is not used again
//   =>  %y = optc.kernel "matmul" (%x, %w, %residual) {optc.in_place = [2]}
//
// The plan gives both one storage, the kernel's code one pointer.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/TransposeLoop.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"

namespace optc {
#define GEN_PASS_DEF_REUSEINPLACE
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// What the plan's views are views of.
Value rootOf(Value v) {
  while (auto reshape = v.getDefiningOp<ReshapeOp>())
    v = reshape.getX();
  return v;
}

/// Reads an element of the argument only where the same element of `result` is computed.
bool isPointwise(BlockArgument argument, Value result) {
  Dims dims = dimsOf(result);
  if (argument.getType() != result.getType() || argument.use_empty())
    return false;
  SmallVector<Value> values{argument};
  for (size_t i = 0; i < values.size(); ++i)
    for (Operation *user : values[i].getUsers()) {
      if (isa<YieldOp>(user))
        continue;
      if (!user->hasTrait<Elementwise>() || dimsOf(user->getResult(0)) != dims)
        return false;
      if (!llvm::is_contained(values, user->getResult(0)))
        values.push_back(user->getResult(0));
    }
  return true;
}

/// Each tile of such a kernel writes what no other reads, once.
bool writesOnce(KernelOp kernel) {
  StringRef kind = kernel.getKind();
  return kind == "matmul" || kind == "conv" || kind == "winograd" || kind == "depthwise" || (kind == "loops" && !readTransposeLoop(kernel));
}

struct ReuseInPlace : optc::impl::ReuseInPlaceBase<ReuseInPlace> {
  void runOnOperation() override {
    getOperation().walk([&](KernelOp kernel) {
      if (writesOnce(kernel))
        choose(kernel);
    });
  }

  void choose(KernelOp kernel) {
    auto yield = cast<YieldOp>(kernel.getBody().front().getTerminator());
    SmallVector<int64_t> chosen(kernel.getNumResults(), -1);
    for (auto [r, result] : llvm::enumerate(yield.getValues()))
      for (unsigned i = 0; i < kernel.getNumOperands() && chosen[r] < 0; ++i)
        if (!llvm::is_contained(chosen, int64_t(i)) && isPointwise(kernel.getBody().getArgument(i), result) && isLastUse(kernel, i))
          chosen[r] = i;
    if (llvm::any_of(chosen, [](int64_t i) { return i >= 0; }))
      kernel->setAttr(kInPlace, DenseI64ArrayAttr::get(kernel.getContext(), chosen));
  }

  /// The operand's memory was made for an op of this block, and nothing reads it after the kernel, nor twice in it.
  static bool isLastUse(KernelOp kernel, unsigned operand) {
    Value root = rootOf(kernel.getOperand(operand));
    Operation *producer = root.getDefiningOp();
    if (!producer || producer->getBlock() != kernel->getBlock() || !isa<RankedTensorType>(root.getType()) || isa<IfOp, LoopOp>(producer) ||
        isWeight(root))
      return false;
    unsigned uses = 0;
    SmallVector<Value> views{root};
    for (size_t i = 0; i < views.size(); ++i)
      for (OpOperand &use : views[i].getUses()) {
        Operation *user = kernel->getBlock()->findAncestorOpInBlock(*use.getOwner());
        if (user == kernel)
          ++uses;
        else if (auto reshape = dyn_cast<ReshapeOp>(use.getOwner()))
          views.push_back(reshape.getY());
        else if (!user->isBeforeInBlock(kernel))
          return false;
      }
    return uses == 1;
  }
};

} // namespace
