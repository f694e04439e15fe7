//===- FloatBuilder.h - Short names for float arithmetic --------*- C++ -*-===//
//
// Builds arith ops on f32 (or f64) scalars or vectors, whichever `type` is: what the expansions of
// elementary functions are written in.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_FLOATBUILDER_H
#define OPTC_CODEGEN_CPU_FLOATBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

namespace optc {

struct FloatBuilder {
  using Value = mlir::Value;
  using Type = mlir::Type;
  using Predicate = mlir::arith::CmpFPredicate;
  mlir::OpBuilder &b;
  mlir::Location loc;
  Type type;

  template <typename Op, typename... Args> Value make(Args... args) const { return b.create<Op>(loc, args...); }
  /// `scalar`, with this type's lanes.
  Type like(Type scalar) const {
    auto vector = mlir::dyn_cast<mlir::VectorType>(type);
    return vector ? Type(mlir::VectorType::get(vector.getShape(), scalar)) : scalar;
  }
  Type integerType(unsigned width) const { return like(b.getIntegerType(width)); }
  FloatBuilder wide() const { return {b, loc, like(b.getF64Type())}; }

  Value splat(mlir::TypedAttr scalar) const {
    auto vector = mlir::dyn_cast<mlir::VectorType>(like(scalar.getType()));
    if (!vector)
      return make<mlir::arith::ConstantOp>(scalar);
    return make<mlir::arith::ConstantOp>(mlir::cast<mlir::TypedAttr>(mlir::Attribute(mlir::DenseElementsAttr::get(vector, mlir::Attribute(scalar)))));
  }
  Value constant(double v) const { return splat(b.getFloatAttr(mlir::getElementTypeOrSelf(type), v)); }
  Value integer(int64_t v, unsigned width = 32) const {
    return splat(b.getIntegerAttr(b.getIntegerType(width), llvm::APInt(width, uint64_t(v), /*isSigned=*/true)));
  }

  Value add(Value x, Value y) const { return make<mlir::arith::AddFOp>(x, y); }
  Value sub(Value x, Value y) const { return make<mlir::arith::SubFOp>(x, y); }
  Value mul(Value x, Value y) const { return make<mlir::arith::MulFOp>(x, y); }
  Value div(Value x, Value y) const { return make<mlir::arith::DivFOp>(x, y); }
  Value fma(Value x, Value y, Value z) const { return make<mlir::math::FmaOp>(x, y, z); }
  Value sqrt(Value x) const { return make<mlir::math::SqrtOp>(x); }
  Value abs(Value x) const { return make<mlir::math::AbsFOp>(x); }
  Value neg(Value x) const { return make<mlir::arith::NegFOp>(x); }
  Value roundEven(Value x) const { return make<mlir::math::RoundEvenOp>(x); }
  Value copySign(Value x, Value sign) const { return make<mlir::math::CopySignOp>(x, sign); }
  Value min(Value x, Value y) const { return make<mlir::arith::MinNumFOp>(x, y); }
  Value max(Value x, Value y) const { return make<mlir::arith::MaxNumFOp>(x, y); }
  Value compare(Predicate p, Value x, Value y) const { return make<mlir::arith::CmpFOp>(p, x, y); }
  Value less(Value x, Value y) const { return compare(Predicate::OLT, x, y); }
  Value select(Value c, Value t, Value f) const { return make<mlir::arith::SelectOp>(c, t, f); }
  Value select(Predicate p, Value x, Value y, Value t, Value f) const { return select(compare(p, x, y), t, f); }
  /// Horner's scheme, the highest power first.
  Value polynomial(Value x, std::initializer_list<double> coefficients) const {
    Value p;
    for (double c : coefficients)
      p = p ? fma(p, x, constant(c)) : constant(c);
    return p;
  }

  // Bits.
  Value bits(Value x) const {
    return make<mlir::arith::BitcastOp>(integerType(mlir::getElementTypeOrSelf(x.getType()).getIntOrFloatBitWidth()), x);
  }
  Value fromBits(Value x) const { return make<mlir::arith::BitcastOp>(type, x); }
  Value iadd(Value x, Value y) const { return make<mlir::arith::AddIOp>(x, y); }
  Value isub(Value x, Value y) const { return make<mlir::arith::SubIOp>(x, y); }
  Value imul(Value x, Value y) const { return make<mlir::arith::MulIOp>(x, y); }
  Value iand(Value x, Value y) const { return make<mlir::arith::AndIOp>(x, y); }
  Value ior(Value x, Value y) const { return make<mlir::arith::OrIOp>(x, y); }
  Value shl(Value x, Value y) const { return make<mlir::arith::ShLIOp>(x, y); }
  Value shr(Value x, Value y) const { return make<mlir::arith::ShRUIOp>(x, y); }
  Value sar(Value x, Value y) const { return make<mlir::arith::ShRSIOp>(x, y); }
  Value icompare(mlir::arith::CmpIPredicate p, Value x, Value y) const { return make<mlir::arith::CmpIOp>(p, x, y); }
  /// 2^n for integers n in f32's range of exponents.
  Value power2(Value n) const { return fromBits(shl(iadd(n, integer(127)), integer(23))); }
};

// f32 functions that others are made of (Exponential.cpp). 1 to 2 ulp.
mlir::Value buildExp(const FloatBuilder &f, mlir::Value x);
mlir::Value buildExpm1(const FloatBuilder &f, mlir::Value x);
mlir::Value buildLog(const FloatBuilder &f, mlir::Value x);
mlir::Value buildLog1p(const FloatBuilder &f, mlir::Value x);

/// Patterns that replace an op of `math` on f32 by build(f, operands...).
template <typename OpT, auto build> struct ExpandFunction : mlir::OpRewritePattern<OpT> {
  using mlir::OpRewritePattern<OpT>::OpRewritePattern;
  mlir::LogicalResult matchAndRewrite(OpT op, mlir::PatternRewriter &rewriter) const override {
    if (!mlir::getElementTypeOrSelf(op.getType()).isF32())
      return mlir::failure();
    FloatBuilder f{rewriter, op.getLoc(), op.getType()};
    if constexpr (std::is_same_v<OpT, mlir::math::PowFOp>)
      rewriter.replaceOp(op, build(f, op.getLhs(), op.getRhs()));
    else
      rewriter.replaceOp(op, build(f, op.getOperand()));
    return mlir::success();
  }
};
void populateExponentialPatterns(mlir::RewritePatternSet &patterns, uint64_t features);
void populateTrigonometricPatterns(mlir::RewritePatternSet &patterns);
void populateOlderLevelPatterns(mlir::RewritePatternSet &patterns, uint64_t features);
void populateSaturatingPatterns(mlir::RewritePatternSet &patterns, uint64_t features);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_FLOATBUILDER_H
