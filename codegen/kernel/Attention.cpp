//===- Attention.cpp - Attention in one kernel ----------------------------===//

#include "codegen/kernel/Attention.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

/// A value, or what it is cast from in bf16 or dequantised from, as a view of the kernel's operand that it comes from.
static std::optional<StridedView> viewOfArgument(Value value, bool ofCodes) {
  if (Value half = bfloatUnder(value))
    value = half;
  else if (ofCodes)
    value = codesUnder(value)->codes;
  Value base = value;
  while (Operation *op = base.getDefiningOp()) {
    if (!isMovement(op))
      return std::nullopt;
    base = op->getOperand(0);
  }
  auto view = viewOf(value, base);
  return view && (view->isContiguous() || dimsOf(value).back() == DimExpr(1)) ? view : std::nullopt;
}

bool optc::fitsFlash(AttentionOp op) {
  auto depth = dimsOf(op.getQ())[3].constant(), width = dimsOf(op.getV())[3].constant();
  auto fits = [](std::optional<int64_t> d) { return d && *d > 0 && *d <= 128 && *d % 8 == 0; };
  return fits(depth) && fits(width) && op.getScale().convertToDouble() > 0 &&
         op.getSoftcap().convertToDouble() == 0;
}

bool AttentionKernel::hasQueryMask() const { return mask && dimsOf(mask)[2] != DimExpr(1); }

/// Rows of whole steps, whose pairs lie together, and enough queries to fill a tile.
static bool fitsTiles(const AttentionKernel &a) {
  auto depth = a.depth.constant(), width = a.width.constant(), queries = a.queries.constant();
  auto isEven = [](const DimExpr &d) { return d.constant() && *d.constant() % 2 == 0; };
  return a.element.isBF16() && a.op->hasAttr(kRoundsProbabilities) && depth && width && paddedBytes(2 * *depth) == 2 * *depth && *width % kPanel == 0 &&
         isEven(a.q.strides[2]) && !(queries && *queries < kPanel);
}

std::optional<AttentionKernel> optc::readAttention(KernelOp kernel) {
  AttentionKernel a;
  for (auto op : kernel.getBody().getOps<AttentionOp>())
    a.op = op;
  if (!a.op)
    return std::nullopt;
  a.codes = attentionCodes(a.op);
  bool ofCodes = a.codes.has_value();
  auto q = viewOfArgument(a.op.getQ(), ofCodes), k = viewOfArgument(a.op.getK(), ofCodes), v = viewOfArgument(a.op.getV(), ofCodes);
  if (!q || !k || !v)
    return std::nullopt;
  a.q = *q, a.k = *k, a.v = *v;
  a.element = elementOf(a.q.base);
  if (!ofCodes && (elementOf(a.k.base) != a.element || elementOf(a.v.base) != a.element))
    return std::nullopt;
  if (ofCodes)
    a.element = IntegerType::get(kernel.getContext(), 8);
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
  a.fitsTiles = fitsTiles(a);
  return a;
}

KernelSchedule optc::scheduleAttention(KernelOp kernel) {
  KernelSchedule schedule;
  auto a = readAttention(kernel);
  if (!a)
    return schedule;
  schedule.tiles = a->batch * a->heads * a->queryBlocks();
  schedule.scratchBytes = a->codes ? byteOffset(*a, ByteRegion::end) : DimExpr(4) * (a->queryFloats() + a->scoreFloats() + a->resultFloats() + (a->fitsTiles ? a->tileFloats() : DimExpr(0)));
  schedule.flops = DimExpr(2) * a->batch * a->heads * a->queries * a->keys * (a->depth + a->width);
  return schedule;
}
