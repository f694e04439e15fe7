//===- Training.cpp - One step of an optimiser -----------------------------===//
//
// ai.onnx.preview.training: plain formulas over a learning rate R, a step count T and lists of tensors,
//
//   Momentum(R, T, X..., G..., V...)  ⇒  V' = alpha V + beta G;  X' = X - R V'
//
// https://onnx.ai/onnx/operators/index.html#ai-onnx-preview-training
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// Arithmetic with scalars (R and what follows from it) broadcast to the tensor's shape.
struct Update {
  Node &n;
  Value x;
  Value spread(Value scalar) { return n.broadcast(n.reshape(n.cast(scalar, elementOf(x)), {}), n.dims(x)); }
  Value number(double v) { return n.full(x, v); }
  Value add(Value a, Value b) { return n.make<AddOp>(a, b); }
  Value sub(Value a, Value b) { return n.make<SubOp>(a, b); }
  Value mul(Value a, Value b) { return n.make<MulOp>(a, b); }
  Value div(Value a, Value b) { return n.make<DivOp>(a, b); }
  Value sqrt(Value a) { return n.make<SqrtOp>(a); }
  /// gradient + norm_coefficient * x
  Value regularised(Value gradient) {
    double norm = n.number("norm_coefficient", 0);
    return norm == 0 ? gradient : add(mul(number(norm), x), gradient);
  }
  Value isFirstStep() {
    Value zero = n.scalarInteger(n.i64(), 0);
    Value first = n.make<CompareOp>(n.cast(n.reshape(n[1], {}), n.i64()), zero, "le");
    return n.broadcast(first, n.dims(x));
  }
};

/// Calls `step` with the i-th tensor of each of the `lists` lists; its results are the i-th of each list of outputs.
template <typename Step> Results forEachTensor(Node &n, size_t lists, Step step) {
  n.expect(n.size() > 2 && (n.size() - 2) % lists == 0,
           "expected a rate, a count and " + Twine(lists) + " lists of tensors of one length");
  size_t count = (n.size() - 2) / lists;
  Results out(count * (lists - 1));
  for (size_t i = 0; i < count; ++i) {
    SmallVector<Value> tensors;
    for (size_t k = 0; k < lists; ++k)
      tensors.push_back(n[2 + k * count + i]);
    for (auto [k, value] : llvm::enumerate(step(Update{n, tensors[0]}, tensors)))
      out[k * count + i] = value;
  }
  return out;
}

Results adagrad(Node &n) {
  return forEachTensor(n, 3, [&](Update u, ArrayRef<Value> t) -> SmallVector<Value> {
    Value steps = u.mul(u.spread(n[1]), u.number(n.number("decay_factor", 0)));
    Value rate = u.div(u.spread(n[0]), u.add(u.number(1), steps));
    Value g = u.regularised(t[1]), h = u.add(t[2], u.mul(g, g));
    Value size = u.add(u.sqrt(h), u.number(n.number("epsilon", 0)));
    return {u.sub(t[0], u.div(u.mul(rate, g), size)), h};
  });
}

Results adam(Node &n) {
  double alpha = n.number("alpha", 0.9), beta = n.number("beta", 0.999);
  return forEachTensor(n, 4, [&](Update u, ArrayRef<Value> t) -> SmallVector<Value> {
    auto mix = [&](Value old, Value now, double c) {
      return u.add(u.mul(u.number(c), old), u.mul(u.number(1 - c), now));
    };
    Value g = u.regularised(t[1]), v = mix(t[2], g, alpha), h = mix(t[3], u.mul(g, g), beta);
    // 1 - c^T: the moving averages start at 0.
    auto missing = [&](double c) { return u.sub(u.number(1), n.make<PowOp>(u.number(c), u.spread(n[1]))); };
    Value rate = u.spread(n[0]), adjusted = u.div(u.mul(rate, u.sqrt(missing(beta))), missing(alpha));
    rate = n.make<SelectOp>(u.isFirstStep(), rate, adjusted);
    Value size = u.add(u.sqrt(h), u.number(n.number("epsilon", 0)));
    Value x = u.sub(t[0], u.div(u.mul(rate, v), size));
    return {u.mul(u.number(1 - n.number("norm_coefficient_post", 0)), x), v, h};
  });
}

Results momentum(Node &n) {
  double alpha = n.number("alpha"), beta = n.number("beta");
  std::string mode = n.text("mode");
  n.expect(mode == "standard" || mode == "nesterov", "unknown mode '" + mode + "'");
  return forEachTensor(n, 3, [&](Update u, ArrayRef<Value> t) -> SmallVector<Value> {
    Value g = u.regularised(t[1]);
    Value scale = n.make<SelectOp>(u.isFirstStep(), u.number(1), u.number(beta));
    Value v = u.add(u.mul(u.number(alpha), t[2]), u.mul(scale, g));
    Value direction = mode == "nesterov" ? u.add(g, u.mul(u.number(alpha), v)) : v;
    return {u.sub(t[0], u.mul(u.spread(n[0]), direction)), v};
  });
}

} // namespace

void optc::registerTraining(Registry &r) {
  r.domain = "ai.onnx.preview.training";
  r.add("Adagrad", 1, adagrad);
  r.add("Adam", 1, adam);
  r.add("Momentum", 1, momentum);
}
