//===- StridedView.cpp - A tensor as strides into another -----------------===//

#include "codegen/kernel/StridedView.h"

using namespace mlir;
using namespace optc;

SmallVector<DimExpr> optc::denseStrides(ArrayRef<DimExpr> dims) {
  SmallVector<DimExpr> strides(dims.size(), DimExpr(1));
  for (size_t i = dims.size(); i-- > 1;)
    strides[i - 1] = strides[i] * dims[i];
  return strides;
}

bool optc::isMovement(Operation *op) { return isa<TransposeOp, ReshapeOp, SliceOp>(op); }

Operation *optc::sourceOf(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isMovement(op))
    op = op->getOperand(0).getDefiningOp();
  return op;
}

Value optc::smallFloatUnder(Value value) {
  auto cast = value.getDefiningOp<CastOp>();
  if (!cast || !elementOf(value).isF32())
    return {};
  Type from = elementOf(cast.getX());
  return from.isF16() || from.isBF16() || isa<Float8E4M3FNType>(from) ? cast.getX() : Value();
}

Value optc::halfUnder(Value value) {
  Value x = smallFloatUnder(value);
  return x && !isa<Float8E4M3FNType>(elementOf(x)) ? x : Value();
}

Value optc::bfloatUnder(Value value) {
  Value half = halfUnder(value);
  return half && elementOf(half).isBF16() ? half : Value();
}

/// The strides of `to` over the same elements as `from` with `strides`: dims are split, or merged where one continues
/// the other. nullopt where a merge would leave gaps.
static std::optional<SmallVector<DimExpr>> reshaped(const Dims &from, ArrayRef<DimExpr> strides, const Dims &to) {
  SmallVector<DimExpr> result(to.size(), DimExpr(0));
  size_t a = from.size(), c = to.size();
  const DimExpr one(1);
  while (true) {
    while (a > 0 && from[a - 1] == one)
      --a;
    while (c > 0 && to[c - 1] == one)
      --c;
    if (a == 0 || c == 0)
      break;
    // From the back: a group of dims on either side with the same number of elements.
    DimExpr have = from[a - 1], want = to[c - 1], step = strides[a - 1];
    result[c - 1] = step;
    --a, --c;
    while (have != want) {
      if (a > 0 && DimExpr::divideExactly(want, have)) {
        // The next dim of `from` has to continue this one.
        if (from[a - 1] != one && strides[a - 1] != step * have)
          return std::nullopt;
        have = have * from[a - 1];
        --a;
      } else if (c > 0 && DimExpr::divideExactly(have, want)) {
        result[c - 1] = step * want;
        want = want * to[c - 1];
        --c;
      } else {
        return std::nullopt;
      }
    }
  }
  if (a != 0 || c != 0)
    return std::nullopt;
  return result;
}

std::optional<StridedView> optc::viewOf(Value value, Value base) {
  if (value == base)
    return StridedView{base, 0, denseStrides(dimsOf(base))};
  Operation *op = value.getDefiningOp();
  if (!op || !isMovement(op))
    return std::nullopt;
  auto inner = viewOf(op->getOperand(0), base);
  if (!inner)
    return std::nullopt;
  StridedView view{base, inner->offset, {}};
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    for (int64_t p : transpose.getPermutation())
      view.strides.push_back(inner->strides[p]);
  } else if (auto slice = dyn_cast<SliceOp>(op)) {
    for (size_t i = 0; i < inner->strides.size(); ++i) {
      view.offset = view.offset + slice.getStarts().dim(i) * inner->strides[i];
      view.strides.push_back(slice.getStrides().dim(i) * inner->strides[i]);
    }
  } else {
    auto strides = reshaped(dimsOf(op->getOperand(0)), inner->strides, dimsOf(value));
    if (!strides)
      return std::nullopt;
    view.strides = std::move(*strides);
  }
  return view;
}

StridedView optc::furthestView(Value value) {
  StridedView best = *viewOf(value, value);
  for (Operation *op = value.getDefiningOp(); op && isMovement(op); op = op->getOperand(0).getDefiningOp())
    if (auto view = viewOf(value, op->getOperand(0)); view && (view->isContiguous() || dimsOf(value).back() == DimExpr(1)))
      best = *view;
  return best;
}
