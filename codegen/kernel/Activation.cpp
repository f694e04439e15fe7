//===- Activation.cpp - The functions of a recurrent layer's gates --------===//

#include "codegen/kernel/Activation.h"
#include "codegen/kernel/ScalarBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace optc;

namespace {

/// Short names for the ops of one function.
struct Body {
  OpBuilder &b;
  Location loc;
  double alpha, beta;

  template <typename Op, typename... Args> Value make(Args... args) const {
    return b.create<Op>(loc, args...);
  }
  Value constant(Value like, double v) const { return buildConstant(b, loc, like.getType(), v); }
  Value add(Value x, Value y) const { return make<arith::AddFOp>(x, y); }
  Value mul(Value x, Value y) const { return make<arith::MulFOp>(x, y); }
  Value div(Value x, Value y) const { return make<arith::DivFOp>(x, y); }
  Value scaled(Value x, double by) const { return mul(x, constant(x, by)); }
  /// x below `bound`, else y.
  Value below(Value x, double bound, Value then, Value otherwise) const {
    return make<arith::SelectOp>(make<arith::CmpFOp>(arith::CmpFPredicate::OLT, x, constant(x, bound)), then,
                                 otherwise);
  }
};

using Build = Value (*)(const Body &, Value);

Value relu(const Body &k, Value x) { return k.below(x, 0, k.constant(x, 0), x); }
Value tanh(const Body &k, Value x) { return k.make<math::TanhOp>(x); }
Value sigmoid(const Body &k, Value x) {
  Value one = k.constant(x, 1);
  return k.div(one, k.add(one, k.make<math::ExpOp>(k.make<arith::NegFOp>(x))));
}
Value affine(const Body &k, Value x) {
  return k.make<math::FmaOp>(x, k.constant(x, k.alpha), k.constant(x, k.beta));
}
Value leakyRelu(const Body &k, Value x) { return k.below(x, 0, k.scaled(x, k.alpha), x); }
Value thresholdedRelu(const Body &k, Value x) { return k.below(x, k.alpha, k.constant(x, 0), x); }
Value scaledTanh(const Body &k, Value x) {
  return k.scaled(k.make<math::TanhOp>(k.scaled(x, k.beta)), k.alpha);
}
Value hardSigmoid(const Body &k, Value x) {
  Value y = affine(k, x);
  y = k.make<arith::MaxNumFOp>(y, k.constant(x, 0));
  return k.make<arith::MinNumFOp>(y, k.constant(x, 1));
}
Value elu(const Body &k, Value x) { return k.below(x, 0, k.scaled(k.make<math::ExpM1Op>(x), k.alpha), x); }
Value softsign(const Body &k, Value x) { return k.div(x, k.add(k.constant(x, 1), k.make<math::AbsFOp>(x))); }
/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))
Value softplus(const Body &k, Value x) {
  Value e = k.make<math::ExpOp>(k.make<arith::NegFOp>(k.make<math::AbsFOp>(x)));
  return k.add(relu(k, x), k.make<math::Log1pOp>(e));
}

Build bodyOf(StringRef name) {
  return llvm::StringSwitch<Build>(name)
      .Case("relu", relu)
      .Case("tanh", tanh)
      .Case("sigmoid", sigmoid)
      .Case("affine", affine)
      .Case("leakyrelu", leakyRelu)
      .Case("thresholdedrelu", thresholdedRelu)
      .Case("scaledtanh", scaledTanh)
      .Case("hardsigmoid", hardSigmoid)
      .Case("elu", elu)
      .Case("softsign", softsign)
      .Case("softplus", softplus)
      .Default(nullptr);
}

} // namespace

bool optc::isActivation(StringRef name) { return bodyOf(name) != nullptr; }

Value optc::buildActivation(OpBuilder &b, Location loc, const Activation &f, Value x) {
  return bodyOf(f.name)(Body{b, loc, f.alpha, f.beta}, x);
}
