//===- Normalization.cpp - Normalisation layers, Softmax -------------------===//
//
// BatchNormalization's statistics fold into one scale and one bias a channel; the others are
// `optc.normalize` over a reshaped input:
//
//   InstanceNormalization(x[N,C,H,W])  ⇒  normalize (reshape x : [N,C,H*W]) {axis = 2}, then scale and bias
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

Value normalize(Node &n, Value x, Value scale, Value bias, int64_t axis, double epsilon, StringRef kind) {
  return n.make<NormalizeOp>(x, scale, bias, axis, llvm::APFloat(epsilon), kind);
}

/// x * scale + bias, both [C] along `axis`.
Value affine(Node &n, Value x, Value scale, Value bias, int64_t axis) {
  Type element = elementOf(x);
  x = n.make<MulOp>(x, n.alongAxis(n.cast(scale, element), x, axis));
  return n.make<AddOp>(x, n.alongAxis(n.cast(bias, element), x, axis));
}

Results batchNormalization(Node &n) {
  Value x = n[0], scale = n[1], bias = n[2], mean = n[3], variance = n[4];
  n.expect(n.rank(x) >= 2, "expected rank 2 or more");
  if (n.opset < 9 && !n.flag("spatial", true))
    n.unsupported("unsupported: spatial = 0");
  if (n.opset < 7 && !n.flag("is_test"))
    n.unsupported("unsupported: training mode (is_test = 0)");
  bool training = n.opset >= 14 && n.flag("training_mode");
  if (!training && n.numOutputs() > 1 && (n.wants(1) || n.wants(2)))
    n.unsupported("unsupported: more than one output outside of training mode");
  Results out(1);
  if (training) {
    SmallVector<int64_t> axes;
    for (int64_t i = 0; i < n.rank(x); ++i)
      if (i != 1)
        axes.push_back(i);
    Type element = elementOf(mean);
    Value wide = n.cast(x, element), batchMean = n.make<ReduceOp>(wide, axes, "mean");
    Value centred = n.make<SubOp>(wide, n.alongAxis(batchMean, wide, 1));
    Value batchVariance = n.make<ReduceOp>(n.make<MulOp>(centred, centred), axes, "mean");
    double momentum = n.number("momentum", 0.9);
    auto running = [&](Value before, Value now) {
      return n.make<AddOp>(n.make<MulOp>(before, n.full(before, momentum)),
                           n.make<MulOp>(now, n.full(now, 1 - momentum)));
    };
    out.push_back(running(mean, batchMean));
    out.push_back(running(variance, batchVariance));
    mean = batchMean;
    variance = batchVariance;
  }
  // scale' = scale / sqrt(variance + epsilon), bias' = bias - mean * scale'
  Type element = elementOf(variance);
  scale = n.cast(scale, element);
  bias = n.cast(bias, element);
  Value deviation = n.make<SqrtOp>(n.make<AddOp>(variance, n.full(variance, n.number("epsilon", 1e-5))));
  scale = n.make<DivOp>(scale, deviation);
  bias = n.make<SubOp>(bias, n.make<MulOp>(mean, scale));
  out[0] = affine(n, x, scale, bias, 1);
  return out;
}

Results instanceNormalization(Node &n) {
  Value x = n[0];
  Dims d = n.dims(x);
  n.expect(d.size() >= 3, "expected rank 3 or more");
  Value y = n.reshape(x, {d[0], d[1], numElements(ArrayRef<DimExpr>(d).drop_front(2))});
  y = normalize(n, y, {}, {}, 2, n.number("epsilon", 1e-5), "layer");
  return {affine(n, n.reshape(y, d), n[1], n[2], 1)};
}

Results groupNormalization(Node &n) {
  Value x = n[0];
  Dims d = n.dims(x);
  int64_t groups = n.integer("num_groups");
  n.expect(d.size() >= 2 && groups >= 1, "expected rank 2 or more and at least one group");
  auto channels = DimExpr::divideExactly(d[1], groups);
  n.expect(channels.has_value(), "the channels are not divisible by num_groups");
  Value y = n.reshape(x, {d[0], groups, *channels * numElements(ArrayRef<DimExpr>(d).drop_front(2))});
  y = normalize(n, y, {}, {}, 2, n.number("epsilon", 1e-5), "layer");
  if (n.opset < 21) // one scale and bias a group
    return {n.reshape(affine(n, y, n[1], n[2], 1), d)};
  return {affine(n, n.reshape(y, d), n[1], n[2], 1)};
}

Results layerNormalization(Node &n) {
  Value x = n[0];
  Dims d = n.dims(x);
  int64_t axis = n.axis(n.integer("axis", -1), d.size());
  double epsilon = n.number("epsilon", 1e-5);
  Dims inner(d.begin() + axis, d.end());
  Type element = elementOf(x);
  auto parameter = [&](Value p) { return p ? n.broadcast(n.cast(p, element), inner) : Value(); };
  Results out{normalize(n, x, parameter(n[1]), parameter(n.optional(2)), axis, epsilon, "layer")};
  if (!n.wants(1) && !n.wants(2))
    return out;
  auto axes = llvm::to_vector(llvm::seq<int64_t>(axis, d.size()));
  Dims kept = d;
  std::fill(kept.begin() + axis, kept.end(), DimExpr(1));
  Value wide = n.cast(x, n.element(n.integer("stash_type", 1)));
  Value mean = n.reshape(n.make<ReduceOp>(wide, axes, "mean"), kept);
  Value centred = n.make<SubOp>(wide, n.broadcast(mean, d));
  Value variance = n.reshape(n.make<ReduceOp>(n.make<MulOp>(centred, centred), axes, "mean"), kept);
  out.push_back(mean);
  out.push_back(n.make<RsqrtOp>(n.make<AddOp>(variance, n.full(variance, epsilon))));
  return out;
}

Results rmsNormalization(Node &n) {
  Value x = n[0];
  Dims d = n.dims(x);
  int64_t axis = n.axis(n.integer("axis", -1), d.size());
  Value scale = n.broadcast(n.cast(n[1], elementOf(x)), Dims(d.begin() + axis, d.end()));
  return {normalize(n, x, scale, {}, axis, n.number("epsilon", 1e-5), "rms")};
}

Results lrn(Node &n) {
  return {n.make<LrnOp>(n[0], llvm::APFloat(n.number("alpha", 1e-4)), llvm::APFloat(n.number("beta", 0.75)),
                        llvm::APFloat(n.number("bias", 1)), n.integer("size"))};
}

// x / |x|_p along one axis; 0 where the norm is 0
Results lpNormalization(Node &n) {
  Value x = n[0];
  int64_t axis = n.axis(n.integer("axis", -1), n.rank(x)), p = n.integer("p", 2);
  n.expect(p == 1 || p == 2, "p must be 1 or 2");
  Value terms = p == 1 ? n.make<AbsOp>(x) : n.make<MulOp>(x, x);
  Value norm = n.make<ReduceOp>(terms, ArrayRef<int64_t>(axis), "sum");
  if (p == 2)
    norm = n.make<SqrtOp>(norm);
  Value isZero = n.make<CompareOp>(norm, n.full(norm, 0), "eq");
  norm = n.make<SelectOp>(isZero, n.full(norm, 1), norm);
  return {n.make<DivOp>(x, n.broadcast(n.unsqueeze(norm, {axis}), n.dims(x)))};
}

//===- Softmax ---------------------------------------------------------------===//

/// Before opset 13 the input was seen as a matrix split at `axis`.
template <typename F> Results flattened(Node &n, F function) {
  Value x = n[0];
  Dims d = n.dims(x);
  int64_t rank = d.size(), axis = n.integer("axis", 1);
  axis = axis == rank ? rank : n.axis(axis, rank);
  ArrayRef<DimExpr> dims = d;
  if (axis == rank - 1)
    return {function(n, x, axis)};
  Value matrix = n.reshape(x, {numElements(dims.take_front(axis)), numElements(dims.drop_front(axis))});
  return {n.reshape(function(n, matrix, 1), d)};
}
template <typename F> Results alongAxis(Node &n, F function) {
  return {function(n, n[0], n.axis(n.integer("axis", -1), n.rank(n[0])))};
}

Value softmax(Node &n, Value x, int64_t axis) { return n.make<SoftmaxOp>(x, axis, false); }
Value logSoftmax(Node &n, Value x, int64_t axis) { return n.make<SoftmaxOp>(x, axis, true); }
// 1 at the first largest element
Value hardmax(Node &n, Value x, int64_t axis) {
  Value best = n.unsqueeze(n.make<ArgReduceOp>(x, axis, "max", false), {axis});
  Value index = n.makeAs<IotaOp>(tensorType(n.dims(x), n.i64()), axis);
  return n.cast(n.make<CompareOp>(index, n.broadcast(best, n.dims(x)), "eq"), elementOf(x));
}

Results softmaxFlattened(Node &n) { return flattened(n, softmax); }
Results softmaxAlongAxis(Node &n) { return alongAxis(n, softmax); }
Results logSoftmaxFlattened(Node &n) { return flattened(n, logSoftmax); }
Results logSoftmaxAlongAxis(Node &n) { return alongAxis(n, logSoftmax); }
Results hardmaxFlattened(Node &n) { return flattened(n, hardmax); }
Results hardmaxAlongAxis(Node &n) { return alongAxis(n, hardmax); }

} // namespace

void optc::registerNormalization(Registry &r) {
  r.domain = "";
  r.add("BatchNormalization", 1, batchNormalization);
  r.add("GroupNormalization", 18, groupNormalization);
  r.add("Hardmax", 1, hardmaxFlattened);
  r.add("Hardmax", 13, hardmaxAlongAxis);
  r.add("InstanceNormalization", 1, instanceNormalization);
  r.add("LRN", 1, lrn);
  r.add("LayerNormalization", 17, layerNormalization);
  r.add("LogSoftmax", 1, logSoftmaxFlattened);
  r.add("LogSoftmax", 13, logSoftmaxAlongAxis);
  r.add("LpNormalization", 1, lpNormalization);
  r.add("RMSNormalization", 23, rmsNormalization);
  r.add("Softmax", 1, softmaxFlattened);
  r.add("Softmax", 13, softmaxAlongAxis);
}
