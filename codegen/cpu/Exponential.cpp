//===- Exponential.cpp - exp, log, powers and hyperbolic functions --------===//
//
// f32 approximations as arithmetic on vectors. Polynomials are those of Cephes (S. Moshier, netlib.org/cephes)
// unless said otherwise; test/codegen/cpu/MathTest.cpp holds their errors.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/FloatBuilder.h"
#include "runtime/Artefact.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <cmath>

using namespace mlir;
using namespace optc;
using P = arith::CmpFPredicate;

namespace {

/// exp(r) - 1 with r = x - n * ln2 (in two parts: Cody and Waite), |r| <= ln2/2.
Value expm1OfRest(const FloatBuilder &f, Value x, Value n) {
  Value r = f.fma(n, f.constant(-0.693145751953125), x);
  r = f.fma(n, f.constant(-1.42860682030941723212e-6), r);
  Value p = f.polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  return f.fma(p, f.mul(r, r), r);
}

/// x = n * ln2 + r: n as an integer, and exp(r) - 1.
struct Reduced {
  Value n, expm1;
};
Reduced reduceExp(const FloatBuilder &f, Value x) {
  Value magic = f.constant(12582912.0); // 1.5 * 2^23: the integer lands in the low bits
  Value t = f.fma(x, f.constant(1.44269504088896341), magic), n = f.sub(t, magic);
  return {f.isub(f.bits(t), f.integer(0x4b400000)), expm1OfRest(f, x, n)};
}

/// x = 2^e * (1 + m), 1 + m in [sqrt(1/2), sqrt(2)); for x > 0, denormals included.
struct Split {
  Value e, m;
};
Split splitExponent(const FloatBuilder &f, Value x) {
  Value tiny = f.less(x, f.constant(1.1754944e-38));
  x = f.select(tiny, f.mul(x, f.constant(8388608.0)), x);
  // Subtracting sqrt(1/2)'s bits makes the exponent field change there and not at a power of two.
  Value offset = f.isub(f.bits(x), f.integer(0x3f3504f3));
  Value e = f.sar(offset, f.integer(23));
  Value mantissa = f.fromBits(f.iadd(f.iand(offset, f.integer(0x7fffff)), f.integer(0x3f3504f3)));
  Value exponent = f.make<arith::SIToFPOp>(f.type, e);
  exponent = f.sub(exponent, f.select(tiny, f.constant(23), f.constant(0)));
  return {exponent, f.sub(mantissa, f.constant(1))};
}

Value isNan(const FloatBuilder &f, Value x) { return f.compare(P::UNO, x, x); }

} // namespace

/// Results below the smallest normal number are rounded once, by the second of two factors that make 2^n. What is
/// smaller than all of them never gets there: on x86 a product that underflows costs a hundred others, and attention
/// masks are full of such arguments. NaN passes through the arithmetic; above the range any garbage is replaced.
Value optc::buildExp(const FloatBuilder &f, Value input) {
  Value tiny = f.less(input, f.constant(-104));
  Value x = f.select(tiny, f.constant(0), input);
  // 1.5 * 2^23 + 254: the low bits are n + 254, whose halves are the biased exponents of the two factors.
  Value magic = f.constant(12583166.0);
  Value t = f.fma(x, f.constant(1.44269504088896341), magic), n = f.sub(t, magic);
  Value y = f.add(expm1OfRest(f, x, n), f.constant(1));
  Value bits = f.bits(t), half = f.shr(bits, f.integer(1)), rest = f.isub(bits, half);
  y = f.mul(f.mul(y, f.fromBits(f.shl(half, f.integer(23)))), f.fromBits(f.shl(rest, f.integer(23))));
  y = f.select(P::OGT, input, f.constant(88.72284), f.constant(INFINITY), y);
  return f.select(tiny, f.constant(0), y);
}

/// 2^n * expm1(r) + (2^n - 1), at half the scale so that n = 128 is in range.
Value optc::buildExpm1(const FloatBuilder &f, Value input) {
  Value x = f.min(f.max(input, f.constant(-20)), f.constant(88.72283));
  Reduced r = reduceExp(f, x);
  Value s = f.power2(f.isub(r.n, f.integer(1)));
  Value y = f.mul(f.fma(s, r.expm1, f.sub(s, f.constant(0.5))), f.constant(2));
  y = f.select(P::OGT, input, f.constant(88.72284), f.constant(INFINITY), y);
  // Keeps -0 and NaN.
  return f.select(P::ULT, f.abs(input), f.constant(1e-7), input, f.select(isNan(f, input), input, y));
}

Value optc::buildLog(const FloatBuilder &f, Value x) {
  Split s = splitExponent(f, x);
  Value z = f.mul(s.m, s.m);
  Value p = f.polynomial(s.m, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
                               2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  p = f.mul(f.mul(p, s.m), z);
  p = f.fma(s.e, f.constant(-2.12194440e-4), p);
  p = f.fma(z, f.constant(-0.5), p);
  Value y = f.fma(s.e, f.constant(0.693359375), f.add(s.m, p));
  y = f.select(P::OEQ, x, f.constant(INFINITY), x, y);
  y = f.select(P::OEQ, x, f.constant(0), f.constant(-INFINITY), y);
  return f.select(P::ULT, x, f.constant(0), f.constant(NAN), y);
}

/// log(u) * x / (u - 1) with u = 1 + x: the rounding of u cancels (Kahan).
Value optc::buildLog1p(const FloatBuilder &f, Value x) {
  Value one = f.constant(1), u = f.add(x, one);
  Value y = f.mul(buildLog(f, u), f.div(x, f.sub(u, one)));
  y = f.select(P::OEQ, u, f.constant(INFINITY), u, y);
  return f.select(P::OEQ, u, one, x, y);
}

namespace {

/// Below 1 expm1 keeps the digits that a difference of two exponentials would lose.
Value buildSinh(const FloatBuilder &f, Value x) {
  Value a = f.abs(x), t = buildExpm1(f, f.min(a, f.constant(9)));
  Value small = f.mul(f.constant(0.5), f.add(t, f.div(t, f.add(t, f.constant(1)))));
  // exp(a) in two factors, each in range.
  Value h = buildExp(f, f.mul(a, f.constant(0.5)));
  Value y = f.select(f.less(a, f.constant(9)), small, f.mul(f.mul(h, f.constant(0.5)), h));
  return f.copySign(f.select(isNan(f, x), x, y), x);
}

Value buildCosh(const FloatBuilder &f, Value x) {
  Value h = buildExp(f, f.mul(f.abs(x), f.constant(0.5)));
  Value w = f.mul(f.mul(h, f.constant(0.5)), h);
  return f.add(w, f.div(f.constant(0.25), w));
}

/// sign(x) * log1p(a + a^2 / (1 + sqrt(a^2 + 1))); log(a) + ln2 where a^2 would overflow.
Value buildAsinh(const FloatBuilder &f, Value x) {
  Value a = f.abs(x), one = f.constant(1), a2 = f.mul(a, a);
  Value big = f.compare(P::OGT, a, f.constant(1e10));
  Value small = f.add(a, f.div(a2, f.add(one, f.sqrt(f.add(a2, one)))));
  Value y = f.select(big, f.add(buildLog(f, a), f.constant(M_LN2)), buildLog1p(f, small));
  return f.copySign(y, x);
}

/// log1p(t + sqrt(2t + t^2)), t = x - 1.
Value buildAcosh(const FloatBuilder &f, Value x) {
  Value t = f.sub(x, f.constant(1));
  Value big = f.compare(P::OGT, x, f.constant(1e10));
  Value small = f.add(t, f.sqrt(f.add(f.add(t, t), f.mul(t, t))));
  Value y = f.select(big, f.add(buildLog(f, x), f.constant(M_LN2)), buildLog1p(f, small));
  // Below 1 the square under the root may be positive again.
  return f.select(P::ULT, x, f.constant(1), f.constant(NAN), y);
}

/// sign(x) * log1p(2a / (1 - a)) / 2
Value buildAtanh(const FloatBuilder &f, Value x) {
  Value a = f.abs(x);
  Value y = f.mul(f.constant(0.5), buildLog1p(f, f.div(f.add(a, a), f.sub(f.constant(1), a))));
  return f.copySign(y, x);
}

/// h / (h + 1) with h = expm1(2a) / 2 = 2^(n-1) * expm1(r) + (2^(n-1) - 1/2); from a = 10 on it is 1.
Value buildTanh(const FloatBuilder &f, Value x) {
  Value a = f.abs(f.add(x, x)), bound = f.constant(20);
  Reduced r = reduceExp(f, f.select(P::OGT, a, bound, bound, a));
  Value s = f.power2(f.isub(r.n, f.integer(1)));
  Value h = f.fma(s, r.expm1, f.sub(s, f.constant(0.5)));
  return f.copySign(f.div(h, f.add(h, f.constant(1))), x);
}

/// Odd rational approximation 9/12 on |x| < 3.83, 1 beyond (Eigen's coefficients), 6 ulp.
Value buildErf(const FloatBuilder &f, Value input) {
  Value x = f.min(f.max(input, f.constant(-3.832506856900711)), f.constant(3.832506856900711));
  Value x2 = f.mul(x, x);
  Value p = f.polynomial(x2, {0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861, 0.18520832239976145, 1.128379143519084});
  Value q = f.polynomial(x2, {-1.1791602954361697e-7, 0.000023547966471313185, 0.0010179625278914885, 0.014070470171167667,
                              0.11098505178285362, 0.49746925110067538, 1.0});
  Value y = f.div(f.mul(x, p), q);
  return f.select(isNan(f, input), input, y);
}

/// |x|^y = exp(y * log |x|). The product is taken in f64: its error is that of the result, times its size (up to 104).
Value buildPowerOfMagnitude(const FloatBuilder &f, Value magnitude, Value y) {
  Split s = splitExponent(f, magnitude);
  FloatBuilder w = f.wide();
  auto extend = [&](Value v) { return w.make<arith::ExtFOp>(w.type, v); };
  // log(1 + m) = 2 atanh(q), q = m / (2 + m), |q| < 0.172: the series to q^15.
  Value m = extend(s.m), q = w.div(m, w.add(m, w.constant(2))), q2 = w.mul(q, q);
  Value series = w.polynomial(q2, {2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0});
  Value log = w.fma(extend(s.e), w.constant(M_LN2), w.mul(series, q));
  Value z = w.mul(extend(y), log);
  z = w.min(w.max(z, w.constant(-120)), w.constant(120));
  Value n = w.roundEven(w.mul(z, w.constant(1 / M_LN2)));
  Value r = f.make<arith::TruncFOp>(f.type, w.fma(n, w.constant(-M_LN2), z));
  Value ni = f.make<arith::FPToSIOp>(f.integerType(32), n);
  Value p = f.polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  p = f.add(f.fma(p, f.mul(r, r), r), f.constant(1));
  Value half = f.sar(ni, f.integer(1));
  return f.mul(f.mul(p, f.power2(half)), f.power2(f.isub(ni, half)));
}

/// IEEE 754's cases of pow: zeros, infinities, negative bases.
Value buildPow(const FloatBuilder &f, Value x, Value y) {
  Value zero = f.constant(0), one = f.constant(1), infinity = f.constant(INFINITY), nan = f.constant(NAN);
  Value a = f.abs(x), b = f.abs(y);
  Value power = buildPowerOfMagnitude(f, a, y);
  Value grows = f.make<arith::XOrIOp>(f.less(a, one), f.less(zero, y)); // |x| > 1 and y > 0, or both the other way
  Value extreme = f.make<arith::OrIOp>(f.compare(P::OEQ, b, infinity),
                                       f.make<arith::OrIOp>(f.compare(P::OEQ, a, infinity), f.compare(P::OEQ, a, zero)));
  power = f.select(extreme, f.select(grows, infinity, zero), power);
  power = f.select(P::OEQ, a, one, one, power);
  // Beyond 2^24 every number is even.
  Value whole = f.compare(P::OEQ, f.make<math::FloorOp>(y), y);
  Value half = f.mul(y, f.constant(0.5));
  Value odd = f.make<arith::AndIOp>(whole, f.make<arith::AndIOp>(f.compare(P::UNE, f.make<math::FloorOp>(half), half),
                                                                  f.compare(P::OLT, b, f.constant(16777216))));
  power = f.select(odd, f.copySign(power, x), power);
  // A negative number has no power but of whole numbers; 0 and infinity have.
  Value negative = f.make<arith::AndIOp>(f.less(x, zero), f.compare(P::OLT, a, infinity));
  Value isWhole = f.make<arith::OrIOp>(whole, f.compare(P::OEQ, b, infinity));
  power = f.select(negative, f.select(isWhole, power, nan), power);
  power = f.select(f.make<arith::OrIOp>(isNan(f, x), isNan(f, y)), nan, power);
  Value trivial = f.make<arith::OrIOp>(f.compare(P::OEQ, y, zero), f.compare(P::OEQ, x, one));
  return f.select(trivial, one, power);
}

} // namespace

namespace {

/// exp by AVX-512's vscalefps, which rounds a result below the smallest normal number once and gives infinity above the range: from
/// 89 on, where the reduction still holds.
struct ScaledExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    auto vector = dyn_cast<VectorType>(op.getType());
    if (!vector || vector.getRank() != 1 || vector.getNumElements() != 16 || !vector.getElementType().isF32())
      return failure();
    FloatBuilder f{rewriter, op.getLoc(), vector};
    Value input = op.getOperand(), tiny = f.less(input, f.constant(-104));
    // NaN is neither.
    Value x = f.select(P::OGT, input, f.constant(89), f.constant(89), f.select(tiny, f.constant(0), input));
    Value magic = f.constant(12582912.0), t = f.fma(x, f.constant(1.44269504088896341), magic), n = f.sub(t, magic);
    Value y = f.add(expm1OfRest(f, x, n), f.constant(1));
    Value all = f.make<arith::ConstantOp>(rewriter.getI16IntegerAttr(-1)), rounding = f.make<arith::ConstantOp>(rewriter.getI32IntegerAttr(4));
    SmallVector<Value> operands{y, n, f.constant(0), all, rounding};
    y = rewriter.create<LLVM::CallIntrinsicOp>(op.getLoc(), vector, "llvm.x86.avx512.mask.scalef.ps.512", operands).getResults();
    rewriter.replaceOp(op, f.select(tiny, f.constant(0), y));
    return success();
  }
};

} // namespace

void optc::populateExponentialPatterns(RewritePatternSet &patterns, uint64_t features) {
  if (features & OPTC_CPU_X86_64_V4)
    patterns.add<ScaledExp>(patterns.getContext(), /*benefit=*/2);
  patterns.add<ExpandFunction<math::ExpOp, buildExp>, ExpandFunction<math::ExpM1Op, buildExpm1>, ExpandFunction<math::LogOp, buildLog>,
               ExpandFunction<math::Log1pOp, buildLog1p>, ExpandFunction<math::SinhOp, buildSinh>, ExpandFunction<math::CoshOp, buildCosh>,
               ExpandFunction<math::TanhOp, buildTanh>, ExpandFunction<math::AsinhOp, buildAsinh>, ExpandFunction<math::AcoshOp, buildAcosh>,
               ExpandFunction<math::AtanhOp, buildAtanh>, ExpandFunction<math::ErfOp, buildErf>, ExpandFunction<math::PowFOp, buildPow>>(
      patterns.getContext());
}
