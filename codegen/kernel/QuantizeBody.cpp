//===- QuantizeBody.cpp - Codes out of floats and back --------------------===//

#include "codegen/kernel/ScalarBuilder.h"
#include "ir/Shape.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace optc;

/// The integer that all lanes of a constant register are.
static std::optional<int64_t> constantInteger(Value x) {
  if (auto splat = x.getDefiningOp<vector::SplatOp>())
    x = splat.getInput();
  Attribute value;
  if (!matchPattern(x, m_Constant(&value)))
    return std::nullopt;
  if (auto splat = dyn_cast<SplatElementsAttr>(value))
    value = splat.getSplatValue<Attribute>();
  auto integer = dyn_cast<IntegerAttr>(value);
  return integer ? std::optional<int64_t>(integer.getValue().getZExtValue()) : std::nullopt;
}
static bool isZero(Value x) { return constantInteger(x) == 0; }

/// 1.5 * 2^23: a float whose last place is 1. Adding it rounds to the nearest whole number, to even, which the sum's last
/// bits are.
static constexpr double kRounding = 0x1.8p23;
/// Of the sum's bits: of which zero point, a constant, the code is.
static constexpr const char *kZeroPoint = "optc.zero_point";

/// x / scale + zero_point, rounded once: both are exact in f64, or nearly so.
static Value quantizeSmallFloat(const ScalarBuilder &k, QuantizeOp op, ValueRange v, Value q) {
  Type element = elementOf(op.getY());
  if (v.size() > 2 && !isZero(v[2])) {
    Type f64 = withLanes(k.b.getF64Type(), lanesOf(q));
    Value zero = decodeSmallFloat(k.b, k.loc, element, v[2]);
    Value sum = k.make<arith::AddFOp>(k.make<arith::ExtFOp>(f64, q), k.make<arith::ExtFOp>(f64, zero));
    q = buildRoundedToOdd(k, q.getType(), sum);
  } else {
    q = k.make<arith::AddFOp>(q, k.constant(0)); // of -0, too
  }
  return encodeSmallFloat(k.b, k.loc, element, q, op.getSaturate());
}

/// saturate(round(x / scale) + zero_point); NaN gives the lowest value. The quotient is clamped to what gives a code first:
/// rounding keeps the order and whole numbers.
Value optc::buildQuantize(const ScalarBuilder &k, QuantizeOp op, ValueRange v) {
  Value q = k.make<arith::DivFOp>(v[0], v[1]);
  auto to = dyn_cast<IntegerType>(elementOf(op.getY()));
  if (!to)
    return quantizeSmallFloat(k, op, v, q);
  int64_t steps = int64_t(1) << to.getWidth(), low = to.isUnsigned() ? 0 : -steps / 2;
  Type i32 = withLanes(k.b.getI32Type(), lanesOf(q));
  bool hasZero = v.size() > 2 && !isZero(v[2]);
  Value zero, bottom = k.constant(low), top = k.constant(low + steps - 1);
  if (hasZero) {
    zero = to.isUnsigned() ? k.make<arith::ExtUIOp>(i32, v[2]) : k.make<arith::ExtSIOp>(i32, v[2]);
    Value real = k.make<arith::SIToFPOp>(k.type, zero);
    bottom = k.make<arith::SubFOp>(bottom, real);
    top = k.make<arith::SubFOp>(top, real);
  }
  q = k.select(k.make<arith::CmpFOp>(arith::CmpFPredicate::OGT, q, bottom), q, bottom);
  q = k.select(k.make<arith::CmpFOp>(arith::CmpFPredicate::OLT, q, top), q, top);
  auto bits = k.b.create<arith::BitcastOp>(k.loc, i32, k.make<arith::AddFOp>(q, k.constant(kRounding)));
  if (auto known = v.size() > 2 ? constantInteger(v[2]) : std::optional<int64_t>(0))
    bits->setAttr(kZeroPoint, k.b.getI64IntegerAttr(*known));
  if (to.isUnsigned() && to.getWidth() == 8)
    bits->setAttr(kUnsignedCode, k.b.getUnitAttr());
  Value whole = bits;
  if (hasZero)
    whole = k.make<arith::AddIOp>(whole, zero);
  return k.make<arith::TruncIOp>(withLanes(registerType(to), lanesOf(q)), whole);
}

/// x - zero point as a float where the code x has just been made, of this zero point; else null.
static Value quantizedFloat(const ScalarBuilder &k, ValueRange v) {
  auto narrow = v[0].getDefiningOp<arith::TruncIOp>();
  Operation *whole = narrow ? narrow.getIn().getDefiningOp() : nullptr;
  if (auto sum = dyn_cast_or_null<arith::AddIOp>(whole))
    whole = sum.getLhs().getDefiningOp();
  auto bits = dyn_cast_or_null<arith::BitcastOp>(whole);
  auto zero = bits ? bits->getAttrOfType<IntegerAttr>(kZeroPoint) : IntegerAttr();
  auto own = v.size() > 2 ? constantInteger(v[2]) : std::optional<int64_t>(0);
  if (!zero || own != zero.getInt() || bits.getIn().getType() != v[1].getType())
    return {};
  return k.make<arith::SubFOp>(bits.getIn(), buildConstant(k.b, k.loc, v[1].getType(), kRounding));
}

/// A difference of two codes may have more digits than f32.
static Value dequantizeSmallFloat(const ScalarBuilder &k, ValueRange v) {
  Value x = decodeSmallFloat(k.b, k.loc, k.element, v[0]);
  if (v.size() < 3 || isZero(v[2]))
    return k.make<arith::MulFOp>(x, v[1]);
  Type f64 = withLanes(k.b.getF64Type(), lanesOf(x));
  Value zero = decodeSmallFloat(k.b, k.loc, k.element, v[2]);
  Value difference = k.make<arith::SubFOp>(k.make<arith::ExtFOp>(f64, x), k.make<arith::ExtFOp>(f64, zero));
  return k.make<arith::TruncFOp>(x.getType(), k.make<arith::MulFOp>(difference, k.make<arith::ExtFOp>(f64, v[1])));
}

/// (x - zero_point) * scale
Value optc::buildDequantize(const ScalarBuilder &k, DequantizeOp op, ValueRange v) {
  if (isSmallFloat(k.element))
    return dequantizeSmallFloat(k, v);
  Type i32 = withLanes(k.b.getI32Type(), lanesOf(v[0]));
  auto widen = [&](Value x) -> Value {
    if (x.getType() == i32)
      return x;
    return k.isUnsigned() ? k.make<arith::ExtUIOp>(i32, x) : k.make<arith::ExtSIOp>(i32, x);
  };
  if (Value real = quantizedFloat(k, v))
    return k.make<arith::MulFOp>(real, v[1]);
  Value x = widen(v[0]);
  if (v.size() > 2 && !isZero(v[2]))
    x = k.make<arith::SubIOp>(x, widen(v[2]));
  return k.make<arith::MulFOp>(k.make<arith::SIToFPOp>(v[1].getType(), x), v[1]);
}
