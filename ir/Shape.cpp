//===- Shape.cpp - Tensor types with symbolic dims ------------------------===//

#include "ir/Shape.h"

using namespace mlir;
using namespace optc;

RankedTensorType optc::tensorType(ArrayRef<DimExpr> dims, Type element) {
  SmallVector<int64_t> shape;
  bool dynamic = false;
  for (const DimExpr &d : dims) {
    auto c = d.constant();
    // A negative size is the model's mistake; it shows as an empty dim and is diagnosed where it arises.
    shape.push_back(c ? std::max<int64_t>(*c, 0) : ShapedType::kDynamic);
    dynamic |= !c;
  }
  Attribute encoding = dynamic ? DimsAttr::get(element.getContext(), dims) : Attribute();
  return RankedTensorType::get(shape, element, encoding);
}

Dims optc::dimsOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (auto encoding = dyn_cast_or_null<DimsAttr>(tensor.getEncoding()))
    if (encoding.size() == size_t(tensor.getRank()))
      return encoding.dims();
  Dims dims;
  for (int64_t size : tensor.getShape())
    dims.push_back(ShapedType::isDynamic(size) ? DimExpr::symbol("_") : DimExpr(size));
  return dims;
}

DimExpr optc::dimOf(Type type, int64_t axis) {
  auto tensor = cast<RankedTensorType>(type);
  if (!tensor.isDynamicDim(axis))
    return tensor.getDimSize(axis);
  return dimsOf(type)[axis];
}

DimExpr optc::numElements(ArrayRef<DimExpr> dims) {
  DimExpr product(1);
  for (const DimExpr &d : dims)
    product = product * d;
  return product;
}

bool optc::dimsMayMatch(const DimExpr &a, const DimExpr &b) {
  DimExpr d = a - b;
  return !d.isConstant() || d == DimExpr(0);
}

FailureOr<Dims> optc::broadcastDims(ArrayRef<DimExpr> a, ArrayRef<DimExpr> b) {
  size_t rank = std::max(a.size(), b.size());
  Dims dims(rank, DimExpr(1));
  for (size_t i = 0; i < rank; ++i) {
    DimExpr x = i + a.size() >= rank ? a[i + a.size() - rank] : DimExpr(1);
    DimExpr y = i + b.size() >= rank ? b[i + b.size() - rank] : DimExpr(1);
    if (x.isConstant() && y.isConstant() && x != y && x != DimExpr(1) && y != DimExpr(1))
      return failure();
    dims[i] = DimExpr::bcast(x, y);
  }
  return dims;
}

DimExpr optc::windowSize(const DimExpr &in, int64_t window, int64_t stride, int64_t dilation, int64_t low,
                         int64_t high, bool ceil) {
  DimExpr span = in + DimExpr(low + high - dilation * (window - 1) - 1);
  if (!ceil)
    return DimExpr::floordiv(span, stride) + DimExpr(1);
  // A window may not start in the padding after the input.
  DimExpr size = DimExpr::ceildiv(span, stride) + DimExpr(1);
  DimExpr last = DimExpr::floordiv(in + DimExpr(low - 1), stride) + DimExpr(1);
  return DimExpr::min(size, last);
}

bool optc::compatibleTypes(TypeRange inferred, TypeRange actual) {
  if (inferred.size() != actual.size())
    return false;
  for (auto [x, y] : llvm::zip(inferred, actual)) {
    auto a = dyn_cast<RankedTensorType>(x), b = dyn_cast<RankedTensorType>(y);
    if (!a || !b) {
      if (x != y)
        return false;
      continue;
    }
    if (a.getElementType() != b.getElementType() || a.getRank() != b.getRank())
      return false;
    for (auto [m, n] : llvm::zip(dimsOf(a), dimsOf(b)))
      if (!dimsMayMatch(m, n))
        return false;
  }
  return true;
}
