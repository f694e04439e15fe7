//===- ScalarBody.cpp - What an elementwise op computes, once -------------===//

#include "codegen/kernel/ScalarBuilder.h"
#include "ir/Shape.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace optc;

Type optc::registerType(Type element) {
  if (element.isF16() || element.isBF16())
    return Float32Type::get(element.getContext());
  if (isNarrow(element))
    return IntegerType::get(element.getContext(), 8);
  if (auto integer = dyn_cast<IntegerType>(element))
    return IntegerType::get(element.getContext(), integer.getWidth());
  return element;
}

Type optc::memoryType(Type element) {
  if (auto integer = dyn_cast<IntegerType>(element))
    return IntegerType::get(element.getContext(), std::max(8u, integer.getWidth()));
  return isSmallFloat(element) ? IntegerType::get(element.getContext(), 8) : element;
}

Type optc::withLanes(Type type, int64_t lanes) { return lanes == 1 ? type : Type(VectorType::get({lanes}, type)); }

Value optc::buildConstant(OpBuilder &b, Location loc, Type type, double value) {
  Type scalar = getElementTypeOrSelf(type);
  TypedAttr attribute;
  if (auto f = dyn_cast<FloatType>(scalar))
    attribute = b.getFloatAttr(f, value);
  else
    attribute = b.getIntegerAttr(scalar, APInt(scalar.getIntOrFloatBitWidth(), uint64_t(int64_t(value)), true));
  if (auto vector = dyn_cast<VectorType>(type))
    return b.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vector, attribute));
  return b.create<arith::ConstantOp>(loc, attribute);
}

/// The upper half.
Value optc::widenBFloat16(OpBuilder &b, Location loc, Value bits) {
  Type wide = withLanes(b.getI32Type(), lanesOf(bits));
  Value x = b.create<arith::ExtUIOp>(loc, wide, bits);
  x = b.create<arith::ShLIOp>(loc, x, buildConstant(b, loc, wide, 16));
  return b.create<arith::BitcastOp>(loc, withLanes(b.getF32Type(), lanesOf(bits)), x);
}

Value optc::narrowBFloat16(OpBuilder &b, Location loc, Value x) {
  Type wide = withLanes(b.getI32Type(), lanesOf(x)), narrow = withLanes(b.getIntegerType(16), lanesOf(x));
  auto constant = [&](int64_t v) { return buildConstant(b, loc, wide, double(v)); };
  Value bits = b.create<arith::BitcastOp>(loc, wide, x);
  Value lsb = b.create<arith::AndIOp>(loc, b.create<arith::ShRUIOp>(loc, bits, constant(16)), constant(1));
  Value rounded = b.create<arith::AddIOp>(loc, bits, b.create<arith::AddIOp>(loc, lsb, constant(0x7fff)));
  Value isNan = b.create<arith::CmpFOp>(loc, arith::CmpFPredicate::UNO, x, x);
  Value quiet = b.create<arith::OrIOp>(loc, bits, constant(0x400000));
  Value upper = b.create<arith::ShRUIOp>(loc, b.create<arith::SelectOp>(loc, isNan, quiet, rounded), constant(16));
  return b.create<arith::TruncIOp>(loc, narrow, upper);
}

template <typename OpT> static OpT definedBy(Value x) { return x ? x.getDefiningOp<OpT>() : OpT(); }

Value optc::roundedFromBFloat16(Value x) {
  auto wide = definedBy<arith::BitcastOp>(x);
  auto shifted = definedBy<arith::ShLIOp>(wide ? wide.getIn() : Value());
  auto extended = definedBy<arith::ExtUIOp>(shifted ? shifted.getLhs() : Value());
  auto narrow = definedBy<arith::TruncIOp>(extended ? extended.getIn() : Value());
  auto upper = definedBy<arith::ShRUIOp>(narrow ? narrow.getIn() : Value());
  auto select = definedBy<arith::SelectOp>(upper ? upper.getLhs() : Value());
  auto isNan = definedBy<arith::CmpFOp>(select ? select.getCondition() : Value());
  return isNan && isNan.getLhs() == isNan.getRhs() && getElementTypeOrSelf(narrow.getType()).isInteger(16) ? isNan.getLhs() : Value();
}

Value optc::buildRounded(OpBuilder &b, Location loc, Type element, Value x) {
  if (element.isBF16())
    return widenBFloat16(b, loc, narrowBFloat16(b, loc, x));
  Value narrow = b.create<arith::TruncFOp>(loc, withLanes(element, lanesOf(x)), x);
  return b.create<arith::ExtFOp>(loc, x.getType(), narrow);
}

Value optc::buildRoundedToOdd(const ScalarBuilder &k, Type target, Value x) {
  Type bitsType = withLanes(k.b.getI32Type(), lanesOf(x));
  Value near = k.make<arith::TruncFOp>(target, x), back = k.make<arith::ExtFOp>(x.getType(), near);
  auto asInteger = [&](Value c) { return k.make<arith::ExtUIOp>(bitsType, c); };
  Value above = k.make<arith::CmpFOp>(arith::CmpFPredicate::OGT, k.make<math::AbsFOp>(back), k.make<math::AbsFOp>(x));
  Value inexact = k.make<arith::CmpFOp>(arith::CmpFPredicate::ONE, back, x);
  Value bits = k.make<arith::SubIOp>(k.make<arith::BitcastOp>(bitsType, near), asInteger(above));
  return k.make<arith::BitcastOp>(target, k.make<arith::OrIOp>(bits, asInteger(inexact)));
}

namespace {

/// Float to integer: towards zero, modulo 2^width; NaN and infinities give 0. The remainder of a division by a power of
/// two is exact, and where it is not 0 (from 2^31 on in f32, 2^63 in f64) x is whole.
Value buildTruncation(const ScalarBuilder &k, Type target, Value x) {
  unsigned width = getElementTypeOrSelf(target).getIntOrFloatBitWidth();
  unsigned via = width <= 32 && !getElementTypeOrSelf(x.getType()).isF64() ? 32 : 64;
  Value high = k.constant(std::ldexp(1.0, via - 1));
  Value finite = k.make<arith::CmpFOp>(arith::CmpFPredicate::OLT, k.make<math::AbsFOp>(x), k.constant(INFINITY));
  Value quotient = k.make<math::RoundEvenOp>(k.make<arith::MulFOp>(x, k.constant(std::ldexp(1.0, -int(via)))));
  Value rest = k.select(finite, k.make<math::FmaOp>(quotient, k.constant(-std::ldexp(1.0, via)), x), k.constant(0));
  rest = k.select(k.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, rest, high), k.constant(-std::ldexp(1.0, via - 1)), rest);
  int64_t lanes = isa<VectorType>(x.getType()) ? cast<VectorType>(x.getType()).getNumElements() : 1;
  Value wide = k.make<arith::FPToSIOp>(withLanes(k.b.getIntegerType(via), lanes), rest);
  return width == via ? wide : k.make<arith::TruncIOp>(target, wide);
}

/// An integer as f64; beyond 2^53 the lowest 11 bits are one that says whether any was set: to odd, as above.
Value wideFloat(const ScalarBuilder &k, Value x) {
  Type type = withLanes(k.b.getF64Type(), lanesOf(x));
  if (getElementTypeOrSelf(x.getType()).isInteger(64)) {
    Value low = k.make<arith::AndIOp>(x, k.constant(2047)), none = k.constant(0);
    Value sticky = k.select(k.make<arith::CmpIOp>(arith::CmpIPredicate::ne, low, none), k.constant(2048), none);
    Value odd = k.make<arith::OrIOp>(k.make<arith::SubIOp>(x, low), sticky);
    // -2^53 <= x < 2^53, in one comparison.
    Value shifted = k.isUnsigned() ? x : k.make<arith::AddIOp>(x, k.constant(0x1p53));
    Value exact = k.make<arith::CmpIOp>(arith::CmpIPredicate::ult, shifted, k.constant(k.isUnsigned() ? 0x1p53 : 0x1p54));
    x = k.select(exact, x, odd);
  }
  return k.isUnsigned() ? k.make<arith::UIToFPOp>(type, x) : k.make<arith::SIToFPOp>(type, x);
}

/// An integer of fewer than 8 bits, held in 8: modulo 2^width.
Value wrapNarrow(const ScalarBuilder &k, IntegerType to, Value x) {
  if (to.isUnsigned())
    return k.make<arith::AndIOp>(x, buildConstant(k.b, k.loc, x.getType(), (1 << to.getWidth()) - 1));
  Value unused = buildConstant(k.b, k.loc, x.getType(), 8 - to.getWidth());
  return k.make<arith::ShRSIOp>(k.make<arith::ShLIOp>(x, unused), unused);
}

/// A number as f32 that `to`, of fewer bits, is rounded from. What of integers f32 does not hold is beyond f16 and the formats of 8 bits
/// that have a mantissa.
Value toFloat32(const ScalarBuilder &k, Type from, Type to, Value x) {
  Type f32 = withLanes(k.b.getF32Type(), lanesOf(x));
  if (from.isF64())
    return buildRoundedToOdd(k, f32, x);
  if (isa<FloatType>(from))
    return x;
  if (from.getIntOrFloatBitWidth() > 16 && (to.isBF16() || isa<F8E8M0Type>(to)))
    return buildRoundedToOdd(k, f32, wideFloat(k, x));
  return k.isUnsigned() ? k.make<arith::UIToFPOp>(f32, x) : k.make<arith::SIToFPOp>(f32, x);
}

Value buildCast(const ScalarBuilder &k, Type from, Type to, Value x, bool saturate) {
  if (isSmallFloat(from)) {
    x = decodeSmallFloat(k.b, k.loc, from, x);
    Type f32 = k.b.getF32Type();
    return buildCast({k.b, k.loc, x.getType(), f32}, f32, to, x, saturate);
  }
  if (isSmallFloat(to))
    return encodeSmallFloat(k.b, k.loc, to, toFloat32(k, from, to, x), saturate);
  Type target = withLanes(registerType(to), lanesOf(x));
  Type source = x.getType();
  if (to.isInteger(1)) {
    if (from.isInteger(1))
      return x;
    Value zero = k.constant(0);
    return k.isFloat() ? k.make<arith::CmpFOp>(arith::CmpFPredicate::UNE, x, zero)
                       : k.make<arith::CmpIOp>(arith::CmpIPredicate::ne, x, zero);
  }
  bool fromUnsigned = k.isUnsigned();
  // f16 and bf16 live in f32 registers, rounded.
  if (isa<FloatType>(to) && registerType(to) != to)
    return buildRounded(k.b, k.loc, to, toFloat32(k, from, to, x));
  unsigned w = getElementTypeOrSelf(source).getIntOrFloatBitWidth(), v = getElementTypeOrSelf(target).getIntOrFloatBitWidth();
  if (isa<FloatType>(from) && isa<FloatType>(to))
    return w < v ? k.make<arith::ExtFOp>(target, x) : w > v ? k.make<arith::TruncFOp>(target, x) : x;
  if (isa<FloatType>(to))
    return fromUnsigned ? k.make<arith::UIToFPOp>(target, x) : k.make<arith::SIToFPOp>(target, x);
  if (isa<FloatType>(from))
    x = buildTruncation(k, target, x);
  else if (w > v)
    x = k.make<arith::TruncIOp>(target, x);
  else if (w < v)
    x = fromUnsigned ? k.make<arith::ExtUIOp>(target, x) : k.make<arith::ExtSIOp>(target, x);
  return isNarrow(to) ? wrapNarrow(k, cast<IntegerType>(to), x) : x;
}

/// The same bits as another type, of a register as wide as memory.
Value buildBitcast(const ScalarBuilder &k, Type from, Type to, Value x) {
  // a bool's byte is 0 or 1
  if (from.isInteger(1) != to.isInteger(1))
    return buildCast(k, from, to, x, true);
  Type target = withLanes(registerType(to), lanesOf(x));
  return target == x.getType() ? x : k.make<arith::BitcastOp>(target, x);
}

Value buildRoundTf32(const ScalarBuilder &k, Value x) {
  Type type = withLanes(k.b.getI32Type(), lanesOf(x));
  auto constant = [&](int64_t v) { return buildConstant(k.b, k.loc, type, double(v)); };
  Value bits = k.make<arith::BitcastOp>(type, x);
  Value odd = k.make<arith::AndIOp>(k.make<arith::ShRUIOp>(bits, constant(13)), constant(1));
  Value above = k.make<arith::AddIOp>(bits, k.make<arith::AddIOp>(odd, constant(0xfff)));
  Value rounded = k.make<arith::BitcastOp>(x.getType(), k.make<arith::AndIOp>(above, constant(~0x1fff)));
  return k.select(k.make<arith::CmpFOp>(arith::CmpFPredicate::OLT, k.make<math::AbsFOp>(x), k.constant(INFINITY)), rounded, x);
}

Value buildSign(const ScalarBuilder &k, Value x) {
  Value zero = k.constant(0);
  if (k.isUnsigned())
    return k.select(k.equal(x, zero), zero, k.constant(1));
  Value sign = k.select(k.less(zero, x), k.constant(1), k.select(k.less(x, zero), k.constant(-1), zero));
  return k.isFloat() ? k.select(k.make<arith::CmpFOp>(arith::CmpFPredicate::UNO, x, x), x, sign) : sign;
}

Value buildMod(const ScalarBuilder &k, ModOp op, Value x, Value y) {
  Value zero = k.constant(0);
  if (k.isFloat()) {
    Value remainder = k.make<arith::RemFOp>(x, y);
    if (op.getTruncate())
      return remainder;
    // The sign of y, of a zero, too.
    Value differs = k.make<arith::XOrIOp>(k.less(remainder, zero), k.less(y, zero));
    Value adjusted = k.select(differs, k.make<arith::AddFOp>(remainder, y), remainder);
    return k.select(k.equal(remainder, zero), k.make<math::CopySignOp>(zero, y), adjusted);
  }
  Value remainder = k.make<arith::SubIOp>(x, k.make<arith::MulIOp>(k.divide(x, y), y));
  remainder = k.select(k.equal(y, zero), zero, remainder);
  if (op.getTruncate() || k.isUnsigned())
    return remainder;
  // The sign of y: add y where remainder and y differ in sign.
  Value differs = k.make<arith::CmpIOp>(arith::CmpIPredicate::slt, k.make<arith::XOrIOp>(remainder, y), zero);
  Value adjust = k.make<arith::AndIOp>(differs, k.make<arith::CmpIOp>(arith::CmpIPredicate::ne, remainder, zero));
  return k.select(adjust, k.make<arith::AddIOp>(remainder, y), remainder);
}

/// base^exponent modulo 2^64; a negative exponent gives the reciprocal towards zero.
Value integerPower(const ScalarBuilder &k, Value base, Value exponent) {
  auto equal = [&](Value x, Value y) { return k.make<arith::CmpIOp>(arith::CmpIPredicate::eq, x, y); };
  auto constant = [&](double v) { return buildConstant(k.b, k.loc, base.getType(), v); };
  Value zero = constant(0), one = constant(1), minusOne = constant(-1);
  Value isNegative = k.make<arith::CmpIOp>(arith::CmpIPredicate::slt, exponent, zero);
  Value reciprocal = k.select(equal(base, one), one, zero);
  if (!k.isUnsigned()) {
    Value isOdd = equal(k.make<arith::AndIOp>(exponent, one), one);
    reciprocal = k.select(equal(base, minusOne), k.select(isOdd, minusOne, one), reciprocal);
  }
  return k.select(isNegative, reciprocal, k.make<math::IPowIOp>(base, k.select(isNegative, zero, exponent)));
}

/// In f32 where both operands are of f32 or less, of integers modulo 2^64, else in f64, which holds integers of 32 bits.
Value buildPow(const ScalarBuilder &k, PowOp op, Value x, Value y) {
  Type exponent = elementOf(op.getRhs());
  ScalarBuilder ofExponent{k.b, k.loc, y.getType(), exponent};
  bool isFloat = k.isFloat() || ofExponent.isFloat();
  if (x.getType() == y.getType() && isFloat)
    return k.make<math::PowFOp>(x, y);
  Type wide = isFloat ? Type(k.b.getF64Type()) : k.b.getI64Type();
  x = buildCast(k, k.element, wide, x, true);
  y = buildCast(ofExponent, exponent, wide, y, true);
  Value power = isFloat ? k.make<math::PowFOp>(x, y) : integerPower(k, x, y);
  // f16 and bf16 are rounded where they are stored.
  Type result = getElementTypeOrSelf(k.type);
  return buildCast({k.b, k.loc, power.getType(), wide}, wide, result, power, true);
}

Value buildCompare(const ScalarBuilder &k, StringRef p, Value x, Value y) {
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  if (p == "eq")
    return k.compare(F::OEQ, I::eq, I::eq, x, y);
  if (p == "ne")
    return k.compare(F::UNE, I::ne, I::ne, x, y);
  if (p == "lt")
    return k.compare(F::OLT, I::slt, I::ult, x, y);
  if (p == "le")
    return k.compare(F::OLE, I::sle, I::ule, x, y);
  if (p == "gt")
    return k.compare(F::OGT, I::sgt, I::ugt, x, y);
  return k.compare(F::OGE, I::sge, I::uge, x, y);
}

Value buildShift(const ScalarBuilder &k, ShiftOp op, Value x, Value y) {
  unsigned width = getElementTypeOrSelf(k.type).getIntOrFloatBitWidth();
  Value inside = k.make<arith::CmpIOp>(arith::CmpIPredicate::ult, y, k.constant(width));
  // Beyond the width only the sign is left.
  if (op.getDirection() == "right" && !k.isUnsigned())
    return k.make<arith::ShRSIOp>(x, k.select(inside, y, k.constant(width - 1)));
  Value amount = k.select(inside, y, k.constant(0));
  Value shifted = op.getDirection() == "left" ? k.make<arith::ShLIOp>(x, amount) : k.make<arith::ShRUIOp>(x, amount);
  return k.select(inside, shifted, k.constant(0));
}

/// 2^x for x in [-126, 127], 1.5 ulp.
Value exp2Normal(const ScalarBuilder &k, Value x) {
  auto vector = dyn_cast<VectorType>(x.getType());
  Type bitsType = withLanes(k.b.getI32Type(), vector ? vector.getNumElements() : 1);
  Value magic = k.constant(12582912.0); // 1.5 * 2^23: the integer part lands in the low bits
  Value t = k.make<arith::AddFOp>(x, magic), r = k.make<arith::SubFOp>(x, k.make<arith::SubFOp>(t, magic));
  Value p = k.polynomial(r, {0.001326472731307149, 0.009671512991189957, 0.05550733581185341, 0.24022242426872253, 0.6931470036506653, 1});
  Value n = k.make<arith::ShLIOp>(k.make<arith::BitcastOp>(bitsType, t), buildConstant(k.b, k.loc, bitsType, 23));
  return k.make<arith::BitcastOp>(x.getType(), k.make<arith::AddIOp>(k.make<arith::BitcastOp>(bitsType, p), n));
}

/// `none`, of f32: x * Phi(x) = max(x, 0) - a * Phi(-a) with a = |x|, so that nothing cancels in the lower tail as 1 + erf
/// does. log2 Phi(-a) is a polynomial on [0, 8], fitted so that a * Phi(-a) errs by 1e-8 or 4e-8 of itself; beyond it
/// is below 5e-15. `tanh`: (1 + tanh(u)) / 2 = 1 / (1 + exp(-2u)).
Value buildGelu(const ScalarBuilder &k, GeluOp op, Value x) {
  if (op.getApproximate() == "tanh") {
    const double c = -2 * 0.79788456080286535588;
    Value u = k.make<arith::MulFOp>(x, k.make<math::FmaOp>(k.make<arith::MulFOp>(x, x), k.constant(0.044715 * c), k.constant(c)));
    return k.make<arith::DivFOp>(x, k.make<arith::AddFOp>(k.make<math::ExpOp>(u), k.constant(1)));
  }
  if (getElementTypeOrSelf(x.getType()).isF64()) {
    Value erf = k.make<math::ErfOp>(k.make<arith::MulFOp>(x, k.constant(M_SQRT1_2)));
    return k.make<arith::MulFOp>(k.make<arith::MulFOp>(x, k.constant(0.5)), k.make<arith::AddFOp>(erf, k.constant(1)));
  }
  Value a = k.make<math::AbsFOp>(x);
  // max(x, 0), but NaN for -infinity, as the formula is.
  Value positive = k.make<math::FmaOp>(a, k.constant(0.5), k.make<arith::MulFOp>(x, k.constant(0.5)));
  Value log2 = k.polynomial(a, {2.0686694313098997e-7, -4.972605893271975e-6, 4.68056823592633e-5, -0.00019251987396273762,
                                -0.00015721868840046227, 0.007119047921150923, -0.052549414336681366, -0.45918649435043335,
                                -1.1511082649230957, -1});
  Value tail = k.make<arith::MulFOp>(a, exp2Normal(k, log2));
  Value inside = k.make<arith::CmpFOp>(arith::CmpFPredicate::OLT, a, k.constant(8));
  return k.make<arith::SubFOp>(positive, k.select(inside, tail, k.constant(0)));
}

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))
Value buildSoftplus(const ScalarBuilder &k, Value x) {
  Value e = k.make<math::ExpOp>(k.make<arith::NegFOp>(k.make<math::AbsFOp>(x)));
  return k.make<arith::AddFOp>(k.maximum(x, k.constant(0)), k.make<math::Log1pOp>(e));
}

} // namespace

/// Conversions, and what moves codes as they are.
static bool hasNarrowBody(Operation *op) {
  auto isNarrowOrNumber = [](Value v) { return isNarrow(elementOf(v)) || elementOf(v).isIntOrFloat(); };
  if (!llvm::all_of(op->getOperands(), isNarrowOrNumber) || !llvm::all_of(op->getResults(), isNarrowOrNumber))
    return false;
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<CastOp, SelectOp>([](auto) { return true; })
      .Case([](BitcastOp o) {
        auto isByte = [](Type e) { return e.isInteger(8) || isSmallFloat(e); };
        return isByte(elementOf(o.getX())) && isByte(elementOf(o.getY()));
      })
      .Case([](QuantizeOp o) {
        Type x = elementOf(o.getX());
        return isa<FloatType>(x) && !x.isF64() && !isSmallFloat(x) && !isa<F8E8M0Type>(elementOf(o.getY())) && !elementOf(o.getScale()).isF64() &&
               (!o.getZeroPoint() || elementOf(o.getZeroPoint()) == elementOf(o.getY()));
      })
      .Case([](DequantizeOp o) {
        return !isa<F8E8M0Type>(elementOf(o.getX())) && !elementOf(o.getY()).isF64() && !elementOf(o.getScale()).isF64() &&
               (!o.getZeroPoint() || elementOf(o.getZeroPoint()) == elementOf(o.getX()));
      })
      .Default(false);
}

bool optc::hasScalarBody(Operation *op, bool gpu) {
  auto isNarrowType = [](Type type) { return isNarrow(getElementTypeOrSelf(type)); };
  if (llvm::any_of(op->getOperandTypes(), isNarrowType) || llvm::any_of(op->getResultTypes(), isNarrowType))
    return gpu && hasNarrowBody(op);
  auto supported = [](Type type) {
    Type element = getElementTypeOrSelf(type);
    if (element.isF32() || element.isF64() || element.isF16() || element.isBF16())
      return true;
    auto integer = dyn_cast<IntegerType>(element);
    return integer && (integer.getWidth() == 1 || integer.getWidth() >= 8);
  };
  if (!llvm::all_of(op->getOperandTypes(), supported) || !llvm::all_of(op->getResultTypes(), supported))
    return false;
  // A CPU has no polynomials of f64's precision: those functions stay with the library.
  bool isDouble = llvm::any_of(op->getOperandTypes(), [](Type t) { return getElementTypeOrSelf(t).isF64(); });
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<AddOp, SubOp, MulOp, DivOp, MinOp, MaxOp, AndOp, OrOp, XorOp, ShiftOp, CompareOp, SelectOp, NegOp, AbsOp, SignOp,
            NotOp, BitNotOp, IsNanOp, IsInfOp, SqrtOp, RsqrtOp, ReciprocalOp, FloorOp, CeilOp, RoundOp, RoundTf32Op, CastOp, FmaOp, LookupOp>([](auto) { return true; })
      .Case([&](ModOp o) { return gpu || !isa<FloatType>(elementOf(o.getLhs())); })
      .Case([&](PowOp o) {
        Type lhs = elementOf(o.getLhs()), rhs = elementOf(o.getRhs());
        return gpu ? !lhs.isInteger(1) && !rhs.isInteger(1) : lhs.isF32() && rhs.isF32();
      })
      .Case([&](BitcastOp o) {
        // Registers of 16-bit floats have other bits.
        Type x = elementOf(o.getX()), y = elementOf(o.getY());
        return (isa<IntegerType>(x) && isa<IntegerType>(y)) || (gpu && registerType(x) == memoryType(x) && registerType(y) == memoryType(y));
      })
      .Case<ExpOp, LogOp, Log1pOp, Expm1Op, SinOp, CosOp, TanOp, AsinOp, AcosOp, AtanOp, SinhOp, CoshOp, TanhOp, AsinhOp,
            AcoshOp, AtanhOp, ErfOp, SigmoidOp, SiluOp, SoftplusOp, GeluOp>([&](auto) { return gpu || !isDouble; })
      .Case([](HardSwishOp) { return true; })
      .Case([&](QuantizeOp o) {
        // Of 8 and 16 bits, which f32 holds.
        auto to = dyn_cast<IntegerType>(elementOf(o.getY()));
        return to && to.getWidth() > 1 && to.getWidth() <= 16 && !isDouble && isa<FloatType>(elementOf(o.getX()));
      })
      .Case([&](DequantizeOp o) {
        auto from = dyn_cast<IntegerType>(elementOf(o.getX()));
        bool fits = from && (from.getWidth() <= 16 || (from.getWidth() == 32 && !from.isUnsigned() && !o.getZeroPoint()));
        return fits && from.getWidth() > 1 && !isDouble && !elementOf(o.getY()).isF64();
      })
      .Default(false);
}

Value optc::buildScalar(OpBuilder &b, Operation *op, ValueRange v) {
  ScalarBuilder k{b, op->getLoc(), v[0].getType(), getElementTypeOrSelf(op->getOperand(0).getType())};
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](AddOp) { return k.element.isInteger(1) ? k.make<arith::OrIOp>(v[0], v[1]) : k.either<arith::AddFOp, arith::AddIOp>(v[0], v[1]); })
      .Case([&](SubOp) { return k.either<arith::SubFOp, arith::SubIOp>(v[0], v[1]); })
      .Case([&](MulOp) { return k.either<arith::MulFOp, arith::MulIOp>(v[0], v[1]); })
      .Case([&](DivOp) { return k.isFloat() ? k.make<arith::DivFOp>(v[0], v[1]) : k.divide(v[0], v[1]); })
      .Case([&](ModOp o) { return buildMod(k, o, v[0], v[1]); })
      .Case([&](PowOp o) { return buildPow(k, o, v[0], v[1]); })
      .Case([&](FmaOp) { return k.make<math::FmaOp>(v[0], v[1], v[2]); })
      .Case([&](MinOp) { return k.minimum(v[0], v[1]); })
      .Case([&](MaxOp) { return k.maximum(v[0], v[1]); })
      .Case([&](AndOp) { return k.make<arith::AndIOp>(v[0], v[1]); })
      .Case([&](OrOp) { return k.make<arith::OrIOp>(v[0], v[1]); })
      .Case([&](XorOp) { return k.make<arith::XOrIOp>(v[0], v[1]); })
      .Case([&](ShiftOp o) { return buildShift(k, o, v[0], v[1]); })
      .Case([&](CompareOp o) { return buildCompare(k, o.getPredicate(), v[0], v[1]); })
      .Case([&](SelectOp) { return k.select(v[0], v[1], v[2]); })
      .Case([&](NegOp) { return k.isFloat() ? k.make<arith::NegFOp>(v[0]) : k.make<arith::SubIOp>(k.constant(0), v[0]); })
      .Case([&](AbsOp) -> Value {
        if (k.isFloat())
          return k.make<math::AbsFOp>(v[0]);
        return k.isUnsigned() ? v[0] : k.make<math::AbsIOp>(v[0]);
      })
      .Case([&](RoundTf32Op) { return buildRoundTf32(k, v[0]); })
      .Case([&](SignOp) { return buildSign(k, v[0]); })
      .Case([&](NotOp) { return k.make<arith::XOrIOp>(v[0], k.constant(1)); })
      .Case([&](BitNotOp) { return k.make<arith::XOrIOp>(v[0], k.constant(-1)); })
      .Case([&](IsNanOp) { return k.make<arith::CmpFOp>(arith::CmpFPredicate::UNO, v[0], v[0]); })
      .Case([&](IsInfOp o) {
        auto is = [&](double x) { return k.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, v[0], k.constant(x)); };
        if (o.getPositive() && o.getNegative())
          return k.make<arith::OrIOp>(is(INFINITY), is(-INFINITY));
        if (o.getPositive() || o.getNegative())
          return is(o.getPositive() ? INFINITY : -INFINITY);
        return buildConstant(b, op->getLoc(), is(INFINITY).getType(), 0);
      })
      .Case([&](CastOp o) { return buildCast(k, k.element, elementOf(o.getY()), v[0], o.getSaturate()); })
      .Case([&](BitcastOp o) { return buildBitcast(k, k.element, elementOf(o.getY()), v[0]); })
      .Case([&](QuantizeOp o) { return buildQuantize(k, o, v); })
      .Case([&](DequantizeOp o) { return buildDequantize(k, o, v); })
      .Case([&](ExpOp) { return k.make<math::ExpOp>(v[0]); })
      .Case([&](LogOp) { return k.make<math::LogOp>(v[0]); })
      .Case([&](Log1pOp) { return k.make<math::Log1pOp>(v[0]); })
      .Case([&](Expm1Op) { return k.make<math::ExpM1Op>(v[0]); })
      .Case([&](SqrtOp) { return k.make<math::SqrtOp>(v[0]); })
      .Case([&](RsqrtOp) { return k.make<arith::DivFOp>(k.constant(1), k.make<math::SqrtOp>(v[0])); })
      .Case([&](ReciprocalOp) { return k.make<arith::DivFOp>(k.constant(1), v[0]); })
      .Case([&](SinOp) { return k.make<math::SinOp>(v[0]); })
      .Case([&](CosOp) { return k.make<math::CosOp>(v[0]); })
      .Case([&](TanOp) { return k.make<math::TanOp>(v[0]); })
      .Case([&](AsinOp) { return k.make<math::AsinOp>(v[0]); })
      .Case([&](AcosOp) { return k.make<math::AcosOp>(v[0]); })
      .Case([&](AtanOp) { return k.make<math::AtanOp>(v[0]); })
      .Case([&](SinhOp) { return k.make<math::SinhOp>(v[0]); })
      .Case([&](CoshOp) { return k.make<math::CoshOp>(v[0]); })
      .Case([&](TanhOp) { return k.make<math::TanhOp>(v[0]); })
      .Case([&](AsinhOp) { return k.make<math::AsinhOp>(v[0]); })
      .Case([&](AcoshOp) { return k.make<math::AcoshOp>(v[0]); })
      .Case([&](AtanhOp) { return k.make<math::AtanhOp>(v[0]); })
      .Case([&](ErfOp) { return k.make<math::ErfOp>(v[0]); })
      .Case([&](SigmoidOp) { return k.sigmoid(v[0]); })
      .Case([&](SiluOp) { return k.make<arith::MulFOp>(v[0], k.sigmoid(v[0])); })
      .Case([&](SoftplusOp) { return buildSoftplus(k, v[0]); })
      .Case([&](GeluOp o) { return buildGelu(k, o, v[0]); })
      .Case([&](HardSwishOp) {
        // x * (clamp(x + 3, 0, 6) / 6): the sum is exact near -3, where x / 6 + 1/2 loses all digits.
        Value gate = k.maximum(k.constant(0), k.minimum(k.constant(6), k.make<arith::AddFOp>(v[0], k.constant(3))));
        return k.make<arith::MulFOp>(v[0], k.make<arith::MulFOp>(gate, k.constant(1.0 / 6)));
      })
      .Case([&](FloorOp) { return k.make<math::FloorOp>(v[0]); })
      .Case([&](CeilOp) { return k.make<math::CeilOp>(v[0]); })
      .Case([&](RoundOp) { return k.make<math::RoundEvenOp>(v[0]); });
}

Value optc::buildCombine(OpBuilder &b, Location loc, StringRef kind, Type element, Value x, Value y) {
  ScalarBuilder k{b, loc, x.getType(), element};
  if (kind == "max")
    return k.maximum(x, y);
  if (kind == "min")
    return k.minimum(x, y);
  if (kind == "prod")
    return k.either<arith::MulFOp, arith::MulIOp>(x, y);
  return k.either<arith::AddFOp, arith::AddIOp>(x, y);
}

Value optc::buildIdentity(OpBuilder &b, Location loc, StringRef kind, Type element, int64_t lanes) {
  Type type = withLanes(registerType(element), lanes);
  if (kind != "max" && kind != "min")
    return buildConstant(b, loc, type, kind == "prod" ? 1 : 0);
  bool max = kind == "max";
  Type scalar = getElementTypeOrSelf(type);
  if (isa<FloatType>(scalar))
    return buildConstant(b, loc, type, max ? -INFINITY : INFINITY);
  unsigned width = scalar.getIntOrFloatBitWidth();
  bool isUnsigned = element.isUnsignedInteger() || width == 1;
  APInt value = max ? (isUnsigned ? APInt::getMinValue(width) : APInt::getSignedMinValue(width))
                    : (isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width));
  TypedAttr attribute = b.getIntegerAttr(scalar, value);
  if (auto vector = dyn_cast<VectorType>(type))
    return b.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vector, attribute));
  return b.create<arith::ConstantOp>(loc, attribute);
}
