//===- Folders.cpp - Identities, and constants up to 1 KB ------------------===//
//
// Each rule has the line `before ⇒ after`. Larger constants are folded when the artefact is
// packaged, through the reference functions (see passes/FoldConstants.cpp).
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"

using namespace mlir;
using namespace optc;

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

// from_dims [2, 3] ⇒ constant [2, 3]
OpFoldResult FromDimsOp::fold(FoldAdaptor) {
  auto values = getValues().constants();
  if (!values)
    return {};
  auto type = tensorOf(getY());
  unsigned width = type.getElementType().getIntOrFloatBitWidth();
  SmallVector<APInt> integers;
  for (int64_t v : *values)
    integers.push_back(APInt(64, v, true).sextOrTrunc(width));
  return DenseElementsAttr::get(type, integers);
}

/// True for a splat of `wanted`.
static bool isSplat(Attribute attribute, double wanted) {
  auto splat = dyn_cast_or_null<SplatElementsAttr>(attribute);
  if (!splat)
    return false;
  if (isa<FloatType>(splat.getElementType()))
    return splat.getSplatValue<APFloat>().convertToDouble() == wanted;
  return isa<IntegerType>(splat.getElementType()) && splat.getSplatValue<APInt>().getSExtValue() == int64_t(wanted);
}

/// The splat under a broadcast, which is how a scalar operand arrives.
static Attribute splatUnder(Attribute folded, Value value) {
  if (folded)
    return folded;
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    if (auto constant = broadcast.getX().getDefiningOp<ConstantOp>())
      return constant.getValue();
  return {};
}

// x + 0 ⇒ x   (integers; for floats -0.0 + 0 is 0, so only -0.0 may go)
OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (!isa<IntegerType>(elementOf(getLhs())))
    return {};
  if (isSplat(splatUnder(adaptor.getRhs(), getRhs()), 0) && getLhs().getType() == getType())
    return getLhs();
  if (isSplat(splatUnder(adaptor.getLhs(), getLhs()), 0) && getRhs().getType() == getType())
    return getRhs();
  return {};
}

// x - 0 ⇒ x
OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (isSplat(splatUnder(adaptor.getRhs(), getRhs()), 0) && getLhs().getType() == getType())
    return getLhs();
  return {};
}

// x * 1 ⇒ x
OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (isSplat(splatUnder(adaptor.getRhs(), getRhs()), 1) && getLhs().getType() == getType())
    return getLhs();
  if (isSplat(splatUnder(adaptor.getLhs(), getLhs()), 1) && getRhs().getType() == getType())
    return getRhs();
  return {};
}

// x / 1 ⇒ x
OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (isSplat(splatUnder(adaptor.getRhs(), getRhs()), 1) && getLhs().getType() == getType())
    return getLhs();
  return {};
}

// cast x : T -> T ⇒ x
OpFoldResult CastOp::fold(FoldAdaptor) { return getX().getType() == getType() ? getX() : OpFoldResult(); }

// reshape x : T -> T ⇒ x
// reshape (reshape x) ⇒ reshape x
// reshape (small constant) ⇒ constant
OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType())
    return getX();
  if (auto inner = getX().getDefiningOp<ReshapeOp>()) {
    setOperand(inner.getX());
    return getResult();
  }
  auto type = tensorOf(getY());
  if (auto dense = dyn_cast_or_null<DenseElementsAttr>(adaptor.getX()); dense && type.hasStaticShape())
    return dense.reshape(type);
  return {};
}

// broadcast x : T -> T ⇒ x
// broadcast (broadcast x) ⇒ broadcast x
OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  if (getX().getType() == getType())
    return getX();
  if (auto inner = getX().getDefiningOp<BroadcastOp>()) {
    setOperand(inner.getX());
    return getResult();
  }
  return {};
}

// transpose x by the identity ⇒ x
// transpose (transpose x) ⇒ transpose x
OpFoldResult TransposeOp::fold(FoldAdaptor) {
  auto permutation = getPermutation();
  if (llvm::equal(permutation, llvm::seq<int64_t>(0, permutation.size())) && getX().getType() == getType())
    return getX();
  if (auto inner = getX().getDefiningOp<TransposeOp>()) {
    SmallVector<int64_t> composed;
    for (int64_t p : permutation)
      composed.push_back(inner.getPermutation()[p]);
    setPermutation(composed);
    setOperand(inner.getX());
    return getResult();
  }
  return {};
}

// slice of everything ⇒ x
OpFoldResult SliceOp::fold(FoldAdaptor) {
  auto starts = getStarts().constants(), strides = getStrides().constants();
  if (starts && strides && llvm::all_of(*starts, [](int64_t s) { return s == 0; }) &&
      llvm::all_of(*strides, [](int64_t s) { return s == 1; }) && getX().getType() == getType())
    return getX();
  return {};
}

// concat of one operand ⇒ that operand
OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getXs().size() == 1 && getXs().front().getType() == getType() ? OpFoldResult(getXs().front()) : OpFoldResult();
}

// reduce over no axes ⇒ x
OpFoldResult ReduceOp::fold(FoldAdaptor) {
  return getAxes().empty() && getX().getType() == getType() ? OpFoldResult(getX()) : OpFoldResult();
}
