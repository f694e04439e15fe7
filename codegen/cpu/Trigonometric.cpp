//===- Trigonometric.cpp - Sines, tangents and their inverses -------------===//
//
// x = q * pi/2 + r with |r| <= pi/4, then a polynomial in r by the quadrant q. Up to 2^28 the
// reduction is done in f64; beyond it, where a model has a bug or a very long sequence, in integers with 192 bits of
// 2/pi (Payne and Hanek, 1983), behind a branch that is not taken otherwise. Polynomials: Cephes.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/FloatBuilder.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace optc;
using P = arith::CmpFPredicate;

namespace {

struct Quadrant {
  Value r; // f32
  Value q; // i32, modulo 4
};

/// n * (pi/2) is subtracted in three parts, the first two short enough for exact products with n < 2^28.
Quadrant reduceModerate(const FloatBuilder &f, Value x) {
  FloatBuilder w = f.wide();
  Value wide = w.make<arith::ExtFOp>(w.type, x);
  Value n = w.roundEven(w.mul(wide, w.constant(M_2_PI)));
  Value r = w.sub(wide, w.mul(n, w.constant(0x1.921fb4p+0)));
  r = w.sub(r, w.mul(n, w.constant(0x1.4442dp-24)));
  r = w.sub(r, w.mul(n, w.constant(0x1.8469898cc5170p-48)));
  return {f.make<arith::TruncFOp>(f.type, r), f.make<arith::FPToSIOp>(f.integerType(32), n)};
}

/// |x| = m * 2^e with an integer m < 2^24: the bits of 2/pi from weight 2^(1-e) on times m, modulo 2^64, are
/// |x| * 2/pi modulo 4.
Quadrant reduceLarge(const FloatBuilder &f, Value x) {
  auto word = [&](uint64_t v) { return f.integer(int64_t(v), 64); };
  const uint64_t twoOverPi[] = {0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561};
  Value bits = f.bits(f.abs(x));
  Value m = f.ior(f.iand(bits, f.integer(0x7fffff)), f.integer(0x800000));
  // e = field - 150; the window starts e - 2 bits after the point.
  Value start = f.isub(f.shr(bits, f.integer(23)), f.integer(152));
  auto extend = [&](Value v) { return f.make<arith::ExtUIOp>(f.integerType(64), v); };
  m = extend(m);
  Value second = f.icompare(arith::CmpIPredicate::sge, start, f.integer(64));
  Value shift = extend(f.iand(start, f.integer(63)));
  Value back = f.isub(word(63), shift);
  auto window = [&](int k) {
    Value high = f.select(second, word(twoOverPi[k + 1]), word(twoOverPi[k]));
    Value low = f.select(second, word(k + 2 < 4 ? twoOverPi[k + 2] : 0), word(twoOverPi[k + 1]));
    return f.ior(f.shl(high, shift), f.shr(f.shr(low, word(1)), back));
  };
  Value product = f.iadd(f.imul(m, window(0)), f.shr(f.imul(m, f.shr(window(1), word(32))), word(32)));
  Value q = f.shr(f.iadd(product, word(uint64_t(1) << 61)), word(62));
  Value fraction = f.isub(product, f.shl(q, word(62)));
  FloatBuilder w = f.wide();
  Value r = w.mul(w.make<arith::SIToFPOp>(w.type, fraction), w.constant(std::ldexp(M_PI_2, -62)));
  Value narrow = f.make<arith::TruncFOp>(f.type, r);
  Value quadrant = f.make<arith::TruncIOp>(f.integerType(32), q);
  Value negative = f.less(x, f.constant(0));
  return {f.select(negative, f.neg(narrow), narrow), f.select(negative, f.isub(f.integer(0), quadrant), quadrant)};
}

Quadrant reduce(const FloatBuilder &f, Value x) {
  Value large = f.compare(P::OGE, f.abs(x), f.constant(268435456.0));
  Value any = large;
  if (isa<VectorType>(large.getType()))
    any = f.make<vector::ReductionOp>(vector::CombiningKind::OR, large);
  // Where all are in range the clamp changes nothing; the others are replaced.
  Quadrant moderate = reduceModerate(f, f.select(large, f.constant(0), x));
  auto choose = f.b.create<scf::IfOp>(f.loc, TypeRange{moderate.r.getType(), moderate.q.getType()}, any, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToEnd(choose.thenBlock());
  Quadrant exact = reduceLarge(f, x);
  f.b.create<scf::YieldOp>(f.loc, ValueRange{f.select(large, exact.r, moderate.r), f.select(large, exact.q, moderate.q)});
  f.b.setInsertionPointToEnd(choose.elseBlock());
  f.b.create<scf::YieldOp>(f.loc, ValueRange{moderate.r, moderate.q});
  return {choose.getResult(0), choose.getResult(1)};
}

Value sinOf(const FloatBuilder &f, Value r) {
  Value z = f.mul(r, r), p = f.polynomial(z, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1});
  return f.fma(f.mul(p, z), r, r);
}
Value cosOf(const FloatBuilder &f, Value r) {
  Value z = f.mul(r, r), p = f.polynomial(z, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2});
  return f.add(f.fma(f.mul(p, z), z, f.mul(z, f.constant(-0.5))), f.constant(1));
}

/// NaN for infinities and NaN.
Value whereFinite(const FloatBuilder &f, Value x, Value y) {
  return f.select(P::ULT, f.abs(x), f.constant(INFINITY), y, f.sub(x, x));
}

/// sin(x + turns * pi/2)
Value buildSine(const FloatBuilder &f, Value x, int turns) {
  Quadrant k = reduce(f, x);
  Value q = f.iadd(k.q, f.integer(turns));
  auto bit = [&](int mask) { return f.icompare(arith::CmpIPredicate::ne, f.iand(q, f.integer(mask)), f.integer(0)); };
  Value y = f.select(bit(1), cosOf(f, k.r), sinOf(f, k.r));
  return whereFinite(f, x, f.select(bit(2), f.neg(y), y));
}
/// Where x rounds to its own sine or tangent; keeps -0.
Value orTiny(const FloatBuilder &f, Value x, Value y) { return f.select(P::OLT, f.abs(x), f.constant(1e-4), x, y); }

Value buildSin(const FloatBuilder &f, Value x) { return orTiny(f, x, buildSine(f, x, 0)); }
Value buildCos(const FloatBuilder &f, Value x) { return buildSine(f, x, 1); }
Value buildTan(const FloatBuilder &f, Value x) {
  Quadrant k = reduce(f, x);
  Value s = sinOf(f, k.r), c = cosOf(f, k.r);
  Value odd = f.icompare(arith::CmpIPredicate::ne, f.iand(k.q, f.integer(1)), f.integer(0));
  Value y = f.div(f.select(odd, f.neg(c), s), f.select(odd, s, c));
  return orTiny(f, x, whereFinite(f, x, y));
}

/// Around 0, 1 and infinity: atan(a) = pi/4 + atan((a-1)/(a+1)) = pi/2 - atan(1/a).
Value buildAtan(const FloatBuilder &f, Value x) {
  Value a = f.abs(x), one = f.constant(1);
  Value big = f.compare(P::OGT, a, f.constant(2.414213562373095)), middle = f.compare(P::OGT, a, f.constant(0.4142135623730950));
  Value base = f.select(big, f.constant(M_PI_2), f.select(middle, f.constant(M_PI_4), f.constant(0)));
  Value numerator = f.select(big, f.constant(-1), f.select(middle, f.sub(a, one), a));
  Value denominator = f.select(big, a, f.select(middle, f.add(a, one), one));
  Value t = f.div(numerator, denominator), z = f.mul(t, t);
  Value p = f.polynomial(z, {8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1});
  Value y = f.add(base, f.fma(f.mul(p, z), t, t));
  return f.copySign(y, x);
}

/// asin(x) for 0 <= x <= 1/2, given x and x^2.
Value asinSmall(const FloatBuilder &f, Value x, Value z) {
  Value p = f.polynomial(z, {4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1});
  return f.fma(f.mul(p, z), x, x);
}
/// The half angle above 1/2: asin(a) = pi/2 - 2 asin(sqrt((1-a)/2)). `half`: that asin.
struct HalfAngle {
  Value isLarge, asin;
};
HalfAngle halfAngle(const FloatBuilder &f, Value a) {
  Value large = f.compare(P::OGT, a, f.constant(0.5));
  Value z = f.select(large, f.mul(f.sub(f.constant(1), a), f.constant(0.5)), f.mul(a, a));
  return {large, asinSmall(f, f.select(large, f.sqrt(z), a), z)};
}
Value buildAsin(const FloatBuilder &f, Value x) {
  HalfAngle h = halfAngle(f, f.abs(x));
  Value y = f.select(h.isLarge, f.sub(f.constant(M_PI_2), f.add(h.asin, h.asin)), h.asin);
  return f.copySign(y, x);
}
Value buildAcos(const FloatBuilder &f, Value x) {
  HalfAngle h = halfAngle(f, f.abs(x));
  Value negative = f.less(x, f.constant(0)), twice = f.add(h.asin, h.asin);
  Value large = f.select(negative, f.sub(f.constant(M_PI), twice), twice);
  Value small = f.sub(f.constant(M_PI_2), f.select(negative, f.neg(h.asin), h.asin));
  return f.select(h.isLarge, large, small);
}

} // namespace

void optc::populateTrigonometricPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandFunction<math::SinOp, buildSin>, ExpandFunction<math::CosOp, buildCos>, ExpandFunction<math::TanOp, buildTan>,
               ExpandFunction<math::AsinOp, buildAsin>, ExpandFunction<math::AcosOp, buildAcos>, ExpandFunction<math::AtanOp, buildAtan>>(
      patterns.getContext());
}
