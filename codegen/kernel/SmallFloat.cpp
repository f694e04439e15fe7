//===- SmallFloat.cpp - Floats of 8 and 4 bits ----------------------------===//

#include "codegen/kernel/SmallFloat.h"
#include "codegen/kernel/ScalarBuilder.h"
#include <cmath>

using namespace mlir;
using namespace optc;

namespace {

/// Sign, exponent and mantissa, as in runtime/reference/Float.cpp.
struct Format {
  int mantissa, bias;
  int largest;  // code of the largest finite value
  int overflow; // code of what does not fit without saturation (infinity or NaN), sign apart
  int nan;
  bool signedZero; // fnuz formats spend the code of -0 on NaN
  int bits;
};

Format formatOf(Type element) {
  if (isa<Float8E4M3FNType>(element))
    return {3, 7, 0x7e, 0x7f, 0x7f, true, 8};
  if (isa<Float8E4M3FNUZType>(element))
    return {3, 8, 0x7f, 0x80, 0x80, false, 8};
  if (isa<Float8E5M2Type>(element))
    return {2, 15, 0x7b, 0x7c, 0x7f, true, 8};
  if (isa<Float8E5M2FNUZType>(element))
    return {2, 16, 0x7f, 0x80, 0x80, false, 8};
  assert(isa<F4E2M1Type>(element) && "f8E8M0 has no mantissa");
  return {1, 1, 0x7, 0x7, 0x7, true, 4};
}

constexpr int kMantissa = 23, kBias = 127; // f32's
constexpr int64_t kMagnitude = 0x7fffffff, kInfinityBits = 0x7f800000;

/// Short names, of i32 and f32 with the lanes of x.
struct Bits {
  Bits(OpBuilder &b, Location loc, Value x)
      : b(b), loc(loc), i8(withLanes(b.getI8Type(), lanesOf(x))), i32(withLanes(b.getI32Type(), lanesOf(x))), f32(withLanes(b.getF32Type(), lanesOf(x))) {}
  Value n(int64_t value) const { return buildConstant(b, loc, i32, double(value)); }
  Value real(double value) const { return buildConstant(b, loc, f32, value); }
  Value add(Value x, Value y) const { return b.create<arith::AddIOp>(loc, x, y); }
  Value sub(Value x, Value y) const { return b.create<arith::SubIOp>(loc, x, y); }
  Value both(Value x, int64_t y) const { return b.create<arith::AndIOp>(loc, x, n(y)); }
  Value either(Value x, Value y) const { return b.create<arith::OrIOp>(loc, x, y); }
  Value left(Value x, int by) const { return b.create<arith::ShLIOp>(loc, x, n(by)); }
  Value right(Value x, int by) const { return b.create<arith::ShRUIOp>(loc, x, n(by)); }
  Value less(Value x, int64_t y) const { return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, x, n(y)); }
  Value above(Value x, int64_t y) const { return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::sgt, x, n(y)); }
  Value equal(Value x, int64_t y) const { return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, x, n(y)); }
  Value select(Value c, Value x, Value y) const { return b.create<arith::SelectOp>(loc, c, x, y); }
  Value asFloat(Value x) const { return b.create<arith::BitcastOp>(loc, f32, x); }
  Value asBits(Value x) const { return b.create<arith::BitcastOp>(loc, i32, x); }
  Value toCode(Value x) const { return b.create<arith::TruncIOp>(loc, i8, x); }

  OpBuilder &b;
  Location loc;
  Type i8, i32, f32;
};

/// Only an exponent; 2^-127 is below f32's smallest normal number.
Value decodeScale(const Bits &k, Value code) {
  Value bits = k.select(k.equal(code, 0), k.n(0x400000), k.left(code, kMantissa));
  return k.asFloat(k.select(k.equal(code, 255), k.n(0x7fc00000), bits));
}

/// |x| rounded up to a power of two. Scales have no sign and no zero.
Value encodeScale(const Bits &k, Value magnitude, bool saturate) {
  Value code = k.right(k.add(magnitude, k.n(0x7fffff)), kMantissa);
  code = k.select(k.above(magnitude, 0x400000), code, k.n(0)); // 2^-127 has the code 0
  if (saturate)
    code = k.select(k.above(code, 254), k.n(254), code);
  return k.select(k.above(magnitude, kInfinityBits), k.n(255), code);
}

} // namespace

bool optc::isFloat8(Type element) { return isa<Float8E4M3FNType, Float8E5M2Type>(element); }

bool optc::isSmallFloat(Type element) {
  return isFloat8(element) || isa<Float8E4M3FNUZType, Float8E5M2FNUZType, F8E8M0Type, F4E2M1Type>(element);
}

bool optc::isNarrow(Type element) {
  auto integer = dyn_cast<IntegerType>(element);
  return integer ? integer.getWidth() > 1 && integer.getWidth() < 8 : isSmallFloat(element);
}

/// f16 has e5m2's exponent, so that its bits are the upper ones; of e4m3's exponent the bias is 8 less.
Value optc::widenFloat8ToHalf(OpBuilder &b, Location loc, Type element, Value codes) {
  Type i16 = withLanes(b.getI16Type(), lanesOf(codes)), f16 = withLanes(b.getF16Type(), lanesOf(codes));
  bool isWide = isa<Float8E5M2Type>(element);
  Value x = b.create<arith::ExtSIOp>(loc, i16, codes);
  x = b.create<arith::ShLIOp>(loc, x, buildConstant(b, loc, i16, isWide ? 8 : 7));
  if (!isWide) // the sign twice
    x = b.create<arith::AndIOp>(loc, x, buildConstant(b, loc, i16, -0x4001));
  return b.create<arith::BitcastOp>(loc, f16, x);
}

/// Through f16, for which machines have conversions.
static Value widenFloat8(OpBuilder &b, Location loc, Type element, Value codes) {
  Type f32 = withLanes(b.getF32Type(), lanesOf(codes)), i8 = codes.getType();
  Value x = b.create<arith::ExtFOp>(loc, f32, widenFloat8ToHalf(b, loc, element, codes));
  if (isa<Float8E5M2Type>(element))
    return x;
  x = b.create<arith::MulFOp>(loc, x, buildConstant(b, loc, f32, 256));
  Value magnitude = b.create<arith::AndIOp>(loc, codes, buildConstant(b, loc, i8, 127));
  Value isNan = b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, magnitude, buildConstant(b, loc, i8, 127));
  return b.create<arith::SelectOp>(loc, isNan, buildConstant(b, loc, f32, NAN), x);
}

Value optc::decodeSmallFloat(OpBuilder &b, Location loc, Type element, Value codes) {
  if (isFloat8(element))
    return widenFloat8(b, loc, element, codes);
  Bits k(b, loc, codes);
  Value code = b.create<arith::ExtUIOp>(loc, k.i32, codes);
  if (isa<F8E8M0Type>(element))
    return decodeScale(k, code);
  Format f = formatOf(element);
  Value magnitude = k.both(code, (1 << (f.bits - 1)) - 1);
  Value normal = k.add(k.left(magnitude, kMantissa - f.mantissa), k.n(int64_t(kBias - f.bias) << kMantissa));
  // Below the smallest normal number the mantissa counts its last place.
  Value steps = b.create<arith::SIToFPOp>(loc, k.f32, magnitude);
  Value subnormal = k.asBits(b.create<arith::MulFOp>(loc, steps, k.real(std::ldexp(1.0, 1 - f.bias - f.mantissa))));
  Value bits = k.select(k.less(magnitude, 1 << f.mantissa), subnormal, normal);
  bits = k.either(bits, k.left(k.both(code, 1 << (f.bits - 1)), 32 - f.bits));
  if (!f.signedZero)
    bits = k.select(k.equal(code, f.nan), k.n(0x7fc00000), bits);
  return k.asFloat(bits);
}

Value optc::encodeSmallFloat(OpBuilder &b, Location loc, Type element, Value x, bool saturate) {
  Bits k(b, loc, x);
  Value bits = k.asBits(x), magnitude = k.both(bits, kMagnitude), isNan = k.above(magnitude, kInfinityBits);
  if (isa<F8E8M0Type>(element))
    return k.toCode(encodeScale(k, magnitude, saturate));
  Format f = formatOf(element);
  bool isFinite = isa<F4E2M1Type>(element);
  // To even: half a step less one, and one more where the last bit is set. A carry goes on into the exponent.
  int dropped = kMantissa - f.mantissa;
  Value odd = k.both(k.right(magnitude, dropped), 1);
  Value rounded = k.right(k.add(magnitude, k.add(odd, k.n((1 << (dropped - 1)) - 1))), dropped);
  Value code = k.sub(rounded, k.n(int64_t(kBias - f.bias) << f.mantissa));
  // Below the smallest normal number: adding a number whose last place is the format's smallest step rounds.
  double magic = std::ldexp(1.0, kMantissa + 1 - f.bias - f.mantissa);
  Value shifted = b.create<arith::AddFOp>(loc, k.asFloat(magnitude), k.real(magic));
  Value subnormal = k.sub(k.asBits(shifted), k.n(int64_t(std::bit_cast<uint32_t>(float(magic)))));
  code = k.select(k.less(magnitude, int64_t(kBias + 1 - f.bias) << kMantissa), subnormal, code);
  code = k.select(k.above(code, f.largest), k.n(saturate || isFinite ? f.largest : f.overflow), code);
  code = k.select(isNan, k.n(f.nan), code);
  Value sign = k.both(k.right(bits, 32 - f.bits), 1 << (f.bits - 1)), negative = k.either(code, sign);
  if (isFinite) // NaN, which it has none of, is the largest
    return k.toCode(k.select(isNan, code, negative));
  // Of fnuz neither 0 nor NaN has a sign.
  return k.toCode(f.signedZero ? negative : k.select(k.equal(k.both(code, 0x7f), 0), code, negative));
}
