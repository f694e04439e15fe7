//===- ChannelScale.cpp - Factors along a dim of a weight -----------------===//

#include "passes/ChannelScale.h"
#include "ir/Shape.h"
#include <cmath>

using namespace mlir;
using namespace optc;

/// Beyond it a channel is as good as empty, and its inverse of no use.
static constexpr int kMostExponent = 16;
/// Below it rounding to a power of two takes about as much as the factor gives.
static constexpr double kLeastExponent = 1.5;

// A product over no dims, with that one as batch.
Value optc::scaleAlong(OpBuilder &b, Value w, Value factor, int64_t axis) {
  Location loc = w.getLoc();
  if (dimOf(factor.getType(), 0) != dimOf(w.getType(), axis))
    factor = b.create<BroadcastOp>(loc, tensorType({dimOf(w.getType(), axis)}, elementOf(factor)), factor);
  Value product = b.create<ContractOp>(loc, w, factor, ArrayRef<int64_t>{axis}, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{}, ArrayRef<int64_t>{});
  if (axis == 0)
    return product;
  // The batch dim has come to the front.
  SmallVector<int64_t> back;
  for (int64_t d = 0; d < tensorOf(w).getRank(); ++d)
    back.push_back(d < axis ? d + 1 : d == axis ? 0 : d);
  return b.create<TransposeOp>(loc, product, back);
}

Exponents optc::roundExponents(ArrayRef<double> exponents) {
  if (exponents.empty())
    return {};
  SmallVector<double> sorted(exponents);
  auto middle = sorted.begin() + (sorted.size() - 1) / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  Exponents rounded;
  for (double e : exponents) {
    double apart = std::clamp(e - *middle, -double(kMostExponent), double(kMostExponent));
    rounded.push_back(std::abs(apart) < kLeastExponent ? 0 : int(std::lrint(apart)));
  }
  return rounded;
}

static Value factorsOf(OpBuilder &b, Location loc, const Exponents &exponents, int sign, RankedTensorType type) {
  SmallVector<float> factors;
  for (int e : exponents)
    factors.push_back(std::ldexp(1.0f, sign * e));
  return b.create<ConstantOp>(loc, DenseElementsAttr::get(type, ArrayRef<float>(factors)));
}

Value optc::scaleAlong(OpBuilder &b, Value w, const Exponents &exponents, int sign, int64_t axis) {
  auto type = RankedTensorType::get({int64_t(exponents.size())}, b.getF32Type());
  return scaleAlong(b, w, factorsOf(b, w.getLoc(), exponents, sign, type), axis);
}

Value optc::scaleParameter(OpBuilder &b, Value parameter, const Exponents &exponents, int sign) {
  Value factors = factorsOf(b, parameter.getLoc(), exponents, sign, tensorOf(parameter));
  return b.create<MulOp>(parameter.getLoc(), parameter.getType(), parameter, factors);
}

int64_t optc::weightInputAxis(const QuantizableLayer &layer) {
  if (layer.weight != 1)
    return -1;
  if (auto conv = dyn_cast<ConvOp>(layer.op)) {
    Dims w = dimsOf(conv.getW());
    if (conv.getLayout() != "nchw")
      return -1;
    if (conv.getGroups() == 1)
      return 1;
    // A filter a channel.
    return w[1] == DimExpr(1) && w[0] == DimExpr(conv.getGroups()) ? 0 : -1;
  }
  // Rows of channels times a matrix.
  auto contract = cast<ContractOp>(layer.op);
  bool isLinear = tensorOf(contract.getRhs()).getRank() == 2 && contract.getRhsBatch().empty() && contract.getRhsContract().size() == 1 &&
                  contract.getLhsContract()[0] == tensorOf(contract.getLhs()).getRank() - 1;
  return isLinear ? contract.getRhsContract()[0] : -1;
}
