//===- ScalarBuilder.h - Short names for scalar bodies ----------*- C++ -*-===//
#ifndef OPTC_CODEGEN_KERNEL_SCALARBUILDER_H
#define OPTC_CODEGEN_KERNEL_SCALARBUILDER_H

#include "codegen/kernel/ScalarBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

namespace optc {

/// On the bits of a sum that rounds what becomes an unsigned byte (ScalarBody's quantisation): its lhs is the value limited above
/// by a select.
constexpr const char *kUnsignedCode = "optc.unsigned_code";

inline int64_t lanesOf(mlir::Value x) {
  auto vector = llvm::dyn_cast<mlir::VectorType>(x.getType());
  return vector ? vector.getNumElements() : 1;
}

/// Short names for the ops of one body.
struct ScalarBuilder {
  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type type;    // register type of the first operand, with lanes
  mlir::Type element; // the tensor's element type of the first operand

  bool isFloat() const { return llvm::isa<mlir::FloatType>(mlir::getElementTypeOrSelf(type)); }
  bool isUnsigned() const { return element.isUnsignedInteger() || element.isInteger(1); }
  mlir::Value constant(double v) const { return buildConstant(b, loc, type, v); }
  template <typename Op, typename... Args> mlir::Value make(Args... args) const {
    return b.create<Op>(loc, args...)->getResult(0);
  }
  template <typename Float, typename Integer> mlir::Value either(mlir::Value x, mlir::Value y) const {
    return isFloat() ? make<Float>(x, y) : make<Integer>(x, y);
  }
  /// Horner's scheme, the highest power first.
  mlir::Value polynomial(mlir::Value x, std::initializer_list<double> coefficients) const {
    mlir::Value p;
    for (double c : coefficients)
      p = p ? make<mlir::math::FmaOp>(p, x, constant(c)) : constant(c);
    return p;
  }
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y) const { return make<mlir::arith::SelectOp>(c, x, y); }
  mlir::Value compare(mlir::arith::CmpFPredicate f, mlir::arith::CmpIPredicate s, mlir::arith::CmpIPredicate u, mlir::Value x, mlir::Value y) const {
    if (isFloat())
      return make<mlir::arith::CmpFOp>(f, x, y);
    return make<mlir::arith::CmpIOp>(isUnsigned() ? u : s, x, y);
  }
  mlir::Value equal(mlir::Value x, mlir::Value y) const {
    return compare(mlir::arith::CmpFPredicate::OEQ, mlir::arith::CmpIPredicate::eq, mlir::arith::CmpIPredicate::eq, x, y);
  }
  mlir::Value less(mlir::Value x, mlir::Value y) const {
    return compare(mlir::arith::CmpFPredicate::OLT, mlir::arith::CmpIPredicate::slt, mlir::arith::CmpIPredicate::ult, x, y);
  }
  /// exp(x) / (1 + exp(x)): near its end at -104, where 1 / (1 + exp(-x)) would have overflowed, too. Bounded above, where it is 1.
  mlir::Value sigmoid(mlir::Value x) const {
    bool isDouble = mlir::getElementTypeOrSelf(x.getType()).isF64();
    mlir::Value e = make<mlir::math::ExpOp>(minimum(x, constant(isDouble ? 40 : 30)));
    return make<mlir::arith::DivFOp>(e, make<mlir::arith::AddFOp>(constant(1), e));
  }
  /// True for a constant register: it is not NaN.
  static bool isConstant(mlir::Value v) { return v.getDefiningOp<mlir::arith::ConstantOp>() != nullptr; }
  mlir::Value minimum(mlir::Value x, mlir::Value y) const {
    if (isFloat() && (isConstant(x) || isConstant(y))) {
      // One instruction on x86, and a NaN in the other operand stays.
      mlir::Value c = isConstant(y) ? y : x, v = isConstant(y) ? x : y;
      return select(make<mlir::arith::CmpFOp>(mlir::arith::CmpFPredicate::OLT, c, v), c, v);
    }
    if (isFloat())
      return make<mlir::arith::MinimumFOp>(x, y);
    return isUnsigned() ? make<mlir::arith::MinUIOp>(x, y) : make<mlir::arith::MinSIOp>(x, y);
  }
  mlir::Value maximum(mlir::Value x, mlir::Value y) const {
    if (isFloat() && (isConstant(x) || isConstant(y))) {
      mlir::Value c = isConstant(y) ? y : x, v = isConstant(y) ? x : y;
      return select(make<mlir::arith::CmpFOp>(mlir::arith::CmpFPredicate::OGT, c, v), c, v);
    }
    if (isFloat())
      return make<mlir::arith::MaximumFOp>(x, y);
    return isUnsigned() ? make<mlir::arith::MaxUIOp>(x, y) : make<mlir::arith::MaxSIOp>(x, y);
  }
  /// Integer division that never traps: by 0 gives 0, the smallest integer by -1 wraps.
  mlir::Value divide(mlir::Value x, mlir::Value y) const {
    mlir::Value zero = constant(0), one = constant(1);
    mlir::Value isZero = equal(y, zero);
    if (isUnsigned())
      return select(isZero, zero, make<mlir::arith::DivUIOp>(x, select(isZero, one, y)));
    mlir::Value minusOne = equal(y, constant(-1));
    mlir::Value safe = select(make<mlir::arith::OrIOp>(isZero, minusOne), one, y);
    mlir::Value quotient = make<mlir::arith::DivSIOp>(x, safe);
    quotient = select(minusOne, make<mlir::arith::SubIOp>(zero, x), quotient);
    return select(isZero, zero, quotient);
  }
};

/// f64 to f32 so that rounding it again, to a narrower format, is rounding once: towards zero, and an odd last bit where
/// anything was lost (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
mlir::Value buildRoundedToOdd(const ScalarBuilder &k, mlir::Type target, mlir::Value x);

/// saturate(round(x / scale) + zero_point), and (x - zero_point) * scale (QuantizeBody.cpp).
mlir::Value buildQuantize(const ScalarBuilder &k, QuantizeOp op, mlir::ValueRange v);
mlir::Value buildDequantize(const ScalarBuilder &k, DequantizeOp op, mlir::ValueRange v);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_SCALARBUILDER_H
