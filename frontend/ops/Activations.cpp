//===- Activations.cpp - Activation functions -----------------------------===//
//
// Those with a kernel of their own have an op (sigmoid, gelu, silu ...); the rest are composed:
//
//   LeakyRelu(x)  ⇒  select(x < 0, alpha * x, x)
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

template <typename OpT> Results unary(Node &n) { return {n.make<OpT>(n[0])}; }

Value isNegative(Node &n, Value x) { return n.make<CompareOp>(x, n.full(x, 0), "lt"); }

Results relu(Node &n) { return {n.make<MaxOp>(n[0], n.full(n[0], 0))}; }

Results leakyRelu(Node &n) {
  Value x = n[0], scaled = n.make<MulOp>(x, n.full(x, n.number("alpha", 0.01)));
  return {n.make<SelectOp>(isNegative(n, x), scaled, x)};
}

Results prelu(Node &n) {
  Value x = n[0], slope = n.broadcast(n[1], n.dims(x));
  return {n.make<SelectOp>(isNegative(n, x), n.make<MulOp>(x, slope), x)};
}

/// Before opset 7: one slope, or one a channel.
Results preluByChannel(Node &n) {
  Value x = n[0], slope = n[1];
  if (n.rank(slope) == 1 && n.rank(x) > 1 && n.dims(slope)[0] != DimExpr(1))
    slope = n.alongAxis(slope, x, 1);
  else
    slope = n.broadcast(slope, n.dims(x));
  return {n.make<SelectOp>(isNegative(n, x), n.make<MulOp>(x, slope), x)};
}

// alpha * (exp(x) - 1) below 0, x above
Value elu(Node &n, Value x, double alpha) {
  Value low = n.make<Expm1Op>(x);
  if (alpha != 1)
    low = n.make<MulOp>(low, n.full(x, alpha));
  return n.make<SelectOp>(isNegative(n, x), low, x);
}
Results importElu(Node &n) { return {elu(n, n[0], n.number("alpha", 1))}; }
Results selu(Node &n) {
  Value y = elu(n, n[0], n.number("alpha", 1.67326319217681884765625));
  return {n.make<MulOp>(y, n.full(y, n.number("gamma", 1.05070102214813232421875)))};
}
Results celu(Node &n) {
  Value x = n[0];
  double alpha = n.number("alpha", 1);
  Value low = n.make<MulOp>(n.make<Expm1Op>(n.make<DivOp>(x, n.full(x, alpha))), n.full(x, alpha));
  return {n.make<AddOp>(n.make<MaxOp>(x, n.full(x, 0)), n.make<MinOp>(low, n.full(x, 0)))};
}

Results thresholdedRelu(Node &n) {
  Value x = n[0], above = n.make<CompareOp>(x, n.full(x, n.number("alpha", 1)), "gt");
  return {n.make<SelectOp>(above, x, n.full(x, 0))};
}

Results hardSigmoid(Node &n) {
  Value x = n[0], line = n.make<MulOp>(x, n.full(x, n.number("alpha", 0.2)));
  line = n.make<AddOp>(line, n.full(x, n.number("beta", 0.5)));
  return {n.make<MaxOp>(n.full(x, 0), n.make<MinOp>(n.full(x, 1), line))};
}

Results softsign(Node &n) {
  Value x = n[0];
  return {n.make<DivOp>(x, n.make<AddOp>(n.full(x, 1), n.make<AbsOp>(x)))};
}

Results mish(Node &n) { return {n.make<MulOp>(n[0], n.make<TanhOp>(n.make<SoftplusOp>(n[0])))}; }

Results gelu(Node &n) { return {n.make<GeluOp>(n[0], n.text("approximate", "none"))}; }

Results swish(Node &n) {
  Value x = n[0];
  double alpha = n.number("alpha", 1);
  if (alpha == 1)
    return {n.make<SiluOp>(x)};
  return {n.make<MulOp>(x, n.make<SigmoidOp>(n.make<MulOp>(x, n.full(x, alpha))))};
}

// x + bias below -lambda, x - bias above lambda, else 0
Results shrink(Node &n) {
  Value x = n[0], bias = n.full(x, n.number("bias", 0));
  double lambda = n.number("lambd", 0.5);
  Value below = n.make<CompareOp>(x, n.full(x, -lambda), "lt");
  Value above = n.make<CompareOp>(x, n.full(x, lambda), "gt");
  Value high = n.make<SelectOp>(above, n.make<SubOp>(x, bias), n.full(x, 0));
  return {n.make<SelectOp>(below, n.make<AddOp>(x, bias), high)};
}

/// The identity outside of training. In training: x * (draw >= ratio) / (1 - ratio).
Results dropout(Node &n) {
  Value x = n[0], training = n.optional(2);
  Dims dims = n.dims(x);
  auto known = training ? n.constantIntegers(training) : std::optional(SmallVector<int64_t>{0});
  if (known && *known == SmallVector<int64_t>{0})
    return {x, n.wants(1) ? n.broadcast(n.scalarInteger(n.boolean(), 1), dims) : Value()};
  Type element = elementOf(x);
  Value ratio = n.optional(1) ? n.cast(n.reshape(n[1], {}), element) : n.scalar(element, 0.5);
  training = n.reshape(training, {});
  ratio = n.make<SelectOp>(training, ratio, n.scalar(element, 0));
  Value draw = n.makeAs<RandomOp>(x.getType(), "uniform", llvm::APFloat(0.0), llvm::APFloat(1.0),
                                  n.integer("seed", 0));
  Value keep = n.make<CompareOp>(draw, n.broadcast(ratio, dims), "ge");
  Value scale = n.make<DivOp>(n.scalar(element, 1), n.make<SubOp>(n.scalar(element, 1), ratio));
  Value kept = n.make<SelectOp>(keep, n.make<MulOp>(x, n.broadcast(scale, dims)), n.full(x, 0));
  return {kept, keep};
}

} // namespace

void optc::registerActivations(Registry &r) {
  r.domain = "";
  r.add("Celu", 12, celu);
  r.add("Dropout", 1, dropout);
  r.add("Elu", 1, importElu);
  r.add("Gelu", 20, gelu);
  r.add("HardSigmoid", 1, hardSigmoid);
  r.add("HardSwish", 14, unary<HardSwishOp>);
  r.add("LeakyRelu", 1, leakyRelu);
  r.add("Mish", 18, mish);
  r.add("PRelu", 1, preluByChannel);
  r.add("PRelu", 7, prelu);
  r.add("Relu", 1, relu);
  r.add("Selu", 6, selu);
  r.add("Shrink", 9, shrink);
  r.add("Sigmoid", 1, unary<SigmoidOp>);
  r.add("Softplus", 1, unary<SoftplusOp>);
  r.add("Softsign", 1, softsign);
  r.add("Swish", 24, swish);
  r.add("Tanh", 1, unary<TanhOp>);
  r.add("ThresholdedRelu", 10, thresholdedRelu);
}
