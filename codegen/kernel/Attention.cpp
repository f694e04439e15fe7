//===- Attention.cpp - Attention in one kernel ----------------------------===//

#include "codegen/kernel/Attention.h"

using namespace mlir;
using namespace optc;

/// A value as a view of the kernel's operand that it comes from.
static std::optional<StridedView> viewOfArgument(Value value) {
  Value base = value;
  while (Operation *op = base.getDefiningOp()) {
    if (!isMovement(op))
      return std::nullopt;
    base = op->getOperand(0);
  }
  auto view = viewOf(value, base);
  return view && (view->isContiguous() || dimsOf(value).back() == DimExpr(1)) ? view : std::nullopt;
}

std::optional<AttentionKernel> optc::readAttention(KernelOp kernel) {
  AttentionKernel a;
  for (auto op : kernel.getBody().getOps<AttentionOp>())
    a.op = op;
  if (!a.op)
    return std::nullopt;
  auto q = viewOfArgument(a.op.getQ()), k = viewOfArgument(a.op.getK()), v = viewOfArgument(a.op.getV());
  if (!q || !k || !v)
    return std::nullopt;
  a.q = *q, a.k = *k, a.v = *v;
  if (a.op.getMask()) {
    a.mask = dyn_cast<BlockArgument>(a.op.getMask());
    if (!a.mask)
      return std::nullopt;
  }
  // The result is the attention's, or a transpose of it.
  Value out = cast<YieldOp>(kernel.getBody().front().getTerminator()).getValues().front();
  if (out == a.op.getY()) {
    a.y.strides = denseStrides(dimsOf(out));
  } else {
    auto transpose = out.getDefiningOp<TransposeOp>();
    if (!transpose || transpose.getX() != a.op.getY() || transpose.getPermutation().back() != 3)
      return std::nullopt;
    SmallVector<DimExpr> dense = denseStrides(dimsOf(out));
    a.y.strides.resize(4, DimExpr(0));
    for (auto [i, p] : llvm::enumerate(transpose.getPermutation()))
      a.y.strides[p] = dense[i];
  }
  Dims qd = dimsOf(a.op.getQ()), vd = dimsOf(a.op.getV());
  a.batch = qd[0], a.heads = qd[1], a.queries = qd[2], a.depth = qd[3];
  a.groups = vd[1], a.keys = vd[2], a.width = vd[3];
  return a;
}

KernelSchedule optc::scheduleAttention(KernelOp kernel) {
  KernelSchedule schedule;
  auto a = readAttention(kernel);
  if (!a)
    return schedule;
  schedule.tiles = a->batch * a->heads * a->queryBlocks();
  schedule.scratchBytes = DimExpr(4) * (a->queryFloats() + a->scoreFloats() + a->resultFloats());
  schedule.flops = DimExpr(2) * a->batch * a->heads * a->queries * a->keys * (a->depth + a->width);
  return schedule;
}
