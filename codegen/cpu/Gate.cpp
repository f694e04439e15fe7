//===- Gate.cpp - Sigmoid and tanh of gates -------------------------------===//

#include "codegen/cpu/Gate.h"
#include "codegen/cpu/FloatBuilder.h"

using namespace mlir;
using namespace optc;
using P = arith::CmpFPredicate;

/// x within [-bound, bound]; NaN stays. Each comparison is one instruction on x86.
static Value clamp(const FloatBuilder &f, Value x, double bound) {
  Value low = f.constant(-bound), high = f.constant(bound);
  x = f.select(P::OGT, low, x, low, x);
  return f.select(P::OLT, high, x, high, x);
}

/// 1 / (1 + 2^n * exp(-s)), x = -n * ln2 + s (the polynomial is that of Exponential.cpp).
static Value buildSigmoid(const FloatBuilder &f, Value x) {
  x = clamp(f, x, 87);
  Value magic = f.constant(12582912.0); // 1.5 * 2^23: the integer lands in the low bits
  Value t = f.fma(x, f.constant(-1.44269504088896341), magic), n = f.sub(t, magic);
  Value s = f.fma(n, f.constant(1.42860682030941723212e-6), f.fma(n, f.constant(0.693145751953125), x));
  Value p = f.polynomial(s, {-1.9875691500e-4, 1.3981999507e-3, -8.3334519073e-3, 4.1665795894e-2,
                             -1.6666665459e-1, 5.0000001201e-1});
  Value e = f.fma(p, f.mul(s, s), f.sub(f.constant(1), s));
  e = f.fromBits(f.iadd(f.bits(e), f.shl(f.bits(t), f.integer(23))));
  return f.div(f.constant(1), f.add(f.constant(1), e));
}

/// A rational approximation, of degrees 13 and 6 (Eigen's coefficients); 1 beyond 7.9.
static Value buildTanh(const FloatBuilder &f, Value x) {
  x = clamp(f, x, 7.90531110763549805);
  Value z = f.mul(x, x);
  Value p =
      f.polynomial(z, {-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11,
                       5.12229709037114e-8, 1.48572235717979e-5, 6.37261928875436e-4, 4.89352455891786e-3});
  Value q =
      f.polynomial(z, {1.19825839466702e-6, 1.18534705686654e-4, 2.26843463243900e-3, 4.89352518554385e-3});
  return f.div(f.mul(x, p), q);
}

Value optc::buildGate(OpBuilder &b, Location loc, const Activation &activation, Value x) {
  FloatBuilder f{b, loc, x.getType()};
  if (activation.name == "sigmoid")
    return buildSigmoid(f, x);
  if (activation.name == "tanh")
    return buildTanh(f, x);
  return buildActivation(b, loc, activation, x);
}
