//===- FormKernels.cpp - Fuses ops into kernels ---------------------------===//
//
// Bottom-up: each op that a generator can emit starts a kernel with itself as root; producers that
// cost nothing to recompute (elementwise, movement) with no other user move in. A transpose that keeps together what a reshape
// before it splits comes before the reshape, which is a view then: [p, c] -> [h, w, c] -> [c, h, w] is [p, c] -> [c, p].
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Resampling.h"
#include "codegen/kernel/ScalarBody.h"
#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/KernelFormation.h"
#include "passes/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace optc {
#define GEN_PASS_DEF_FORMKERNELS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Ops whose elements the loop generator can pull.
bool isLoopOp(Operation *op, bool gpu) {
  if (op->hasTrait<Elementwise>())
    return hasEmittableTypes(op, gpu) && hasScalarBody(op, gpu);
  if (isa<BroadcastOp, TransposeOp, SliceOp, ReshapeOp, PadOp, ConcatOp, GatherOp>(op))
    return hasEmittableTypes(op, gpu);
  if (!hasEmittableTypes(op))
    return false;
  if (auto pool = dyn_cast<PoolOp>(op))
    return pool.getKind() == "max" || (isa<FloatType>(elementOf(pool.getX())) && (gpu || pool.getKind() == "mean"));
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return !elementOf(reduce.getX()).isInteger(1);
  if (auto resize = dyn_cast<ResizeOp>(op))
    return canResample(resize);
  return isa<IotaOp>(op);
}

/// Cheap enough to compute where it is used, once for each use of its elements.
bool isInlinable(Operation *op, bool gpu) {
  return isLoopOp(op, gpu) && !isa<ReduceOp, PoolOp, ResizeOp, GatherOp>(op);
}

/// The transpose of x that, reshaped, is `op` of the reshape of x; null when the reshape does not only split dims, or `op` takes them
/// apart.
Value transposeBelow(OpBuilder &b, TransposeOp op, ReshapeOp split) {
  Dims from = dimsOf(split.getX()), to = dimsOf(split.getY());
  // The dims that each of `from` becomes.
  SmallVector<SmallVector<int64_t>> parts;
  size_t next = 0;
  for (const DimExpr &whole : from) {
    parts.emplace_back();
    DimExpr product(1);
    while (next < to.size() && (parts.back().empty() || product != whole)) {
      product = product * to[next];
      parts.back().push_back(int64_t(next++));
    }
    if (product != whole || parts.back().empty())
      return {};
  }
  if (next != to.size() || from.size() == to.size())
    return {};
  SmallVector<int64_t> permutation;
  ArrayRef<int64_t> left = op.getPermutation();
  while (!left.empty()) {
    auto *part = llvm::find_if(parts, [&](ArrayRef<int64_t> p) { return p.size() <= left.size() && p == left.take_front(p.size()); });
    if (part == parts.end())
      return {};
    permutation.push_back(part - parts.begin());
    left = left.drop_front(part->size());
  }
  return b.create<TransposeOp>(op.getLoc(), split.getX(), permutation);
}

struct FormKernels : optc::impl::FormKernelsBase<FormKernels> {
  using FormKernelsBase::FormKernelsBase;
  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation().walk([&](Block *block) {
      if (!isa<KernelOp>(block->getParentOp()))
        blocks.push_back(block);
    });
    for (Block *block : blocks)
      formIn(*block);
  }

  void formIn(Block &block) {
    llvm::SmallPtrSet<Operation *, 32> absorbed;
    for (TransposeOp op : llvm::make_early_inc_range(block.getOps<TransposeOp>())) {
      auto split = op.getX().getDefiningOp<ReshapeOp>();
      OpBuilder b(op);
      Value moved = split && !isWeight(op.getY()) ? transposeBelow(b, op, split) : Value();
      if (!moved)
        continue;
      op.replaceAllUsesWith(b.create<ReshapeOp>(op.getLoc(), op.getType(), moved).getResult());
      op.erase();
    }
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops)) {
      if (absorbed.contains(op) || isa<ReshapeOp>(op) || !isLoopOp(op, gpu) || op->getNumResults() != 1 || isWeight(op->getResult(0)))
        continue;
      if (op->use_empty())
        continue;
      form(op, absorbed);
    }
  }

  /// Makes a kernel of the root and the producers that it can absorb.
  void form(Operation *root, llvm::SmallPtrSetImpl<Operation *> &absorbed) {
    llvm::SetVector<Operation *> members;
    members.insert(root);
    constexpr size_t kMaxOps = 64;
    for (size_t i = 0; i < members.size() && members.size() < kMaxOps; ++i)
      for (Value operand : members[i]->getOperands()) {
        bool onlyElementwise = llvm::all_of(members, [&](Operation *m) { return m->hasTrait<Elementwise>() || isa<BroadcastOp>(m); });
        Operation *producer = operand.getDefiningOp();
        if (!producer || producer->getBlock() != root->getBlock() || members.contains(producer) || !(isInlinable(producer, gpu) || (isa<ResizeOp, PoolOp>(producer) && isLoopOp(producer, gpu))))
          continue;
        // A weight expression is evaluated at compile time, unless it grows.
        if (isWeight(operand) && !isFree(producer))
          continue;
        bool isOwn = llvm::all_of(producer->getUsers(), [&](Operation *user) { return members.contains(user); });
        if ((isOwn || isFree(producer)) && mayInline(producer, members[i], onlyElementwise))
          members.insert(producer);
      }
    // In program order.
    SmallVector<Operation *> ordered(members.begin(), members.end());
    llvm::sort(ordered, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    buildKernel(ordered, root->getResult(0), "loops", root,
                [](OpBuilder &builder, Operation *op, IRMapping &mapping) { builder.clone(*op, mapping); });
    for (Operation *op : llvm::reverse(ordered)) {
      // Others still use what is computed again for each of them.
      if (!op->use_empty())
        continue;
      absorbed.insert(op);
      op->erase();
    }
  }

  /// A producer is computed once for each element that its user reads: where the user repeats elements, an expensive
  /// producer stays outside.
  bool mayInline(Operation *producer, Operation *user, bool onlyElementwise) {
    if (isa<ReduceOp, PoolOp, ResizeOp>(user))
      return producer->hasTrait<Elementwise>() && isa<ReduceOp>(user);
    if (isa<ConcatOp, PadOp>(producer))
      return user->hasTrait<Elementwise>();
    // Computed once where the user and all after it are elementwise.
    if (isa<ResizeOp, PoolOp>(producer))
      return user->hasTrait<Elementwise>() && onlyElementwise;
    if (isa<GatherOp>(user))
      return false;
    if (auto broadcast = dyn_cast<BroadcastOp>(user))
      return isa<BroadcastOp, IotaOp>(producer) ||
             (producer->hasTrait<Elementwise>() && tensorOf(producer->getResult(0)).hasStaticShape() &&
              tensorOf(producer->getResult(0)).getNumElements() == 1);
    return true;
  }
};
} // namespace
