//===- Match.h - Reading formulas that exporters spelled out ----*- C++ -*-===//
//
// Exporters write one formula in many ways: x*0.5*(1+e), 0.5*(x*(1+e)), x/2*(1+e), with constants broadcast, reshaped
// or cast on the way. The recognising passes read them through normal forms:
//
//   x * 0.5 * (1 + erf(x / 1.41421))   ->   product  0.5 * {x, 1 + erf(...)}
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_MATCH_H
#define OPTC_PASSES_MATCH_H

#include "ir/Shape.h"

namespace optc {

/// The value of a constant whose elements are all equal, through broadcasts, reshapes and casts.
std::optional<double> splatValue(mlir::Value value);

/// |a - b| within the rounding of a constant written with few digits.
bool nearlyEqual(double a, double b, double tolerance = 1e-4);

/// coefficient * the product of `factors`: multiplications, divisions by constants, negations and small whole powers
/// flattened.
struct Product {
  double coefficient = 1;
  llvm::SmallVector<mlir::Value> factors;
};
Product productOf(mlir::Value value);

/// value = slope * x + offset with constant slope and offset (slope 1 and offset 0: x is the value itself).
struct Affine {
  mlir::Value x;
  double slope = 1, offset = 0;
};
Affine affineOf(mlir::Value value);

/// max(lower, min(upper, x)) in either order with constant bounds.
struct Clamp {
  mlir::Value x;
  double lower, upper;
};
std::optional<Clamp> clampOf(mlir::Value value);

/// Undoes the broadcast of a value with one element a row of a tensor of shape `dims`: broadcast(reshape(r)) -> r, where
/// r lacks the dims `axes` or has 1 there. Null when it is something else.
mlir::Value rowValue(mlir::Value value, llvm::ArrayRef<DimExpr> dims, llvm::ArrayRef<int64_t> axes);
/// Looks through reshapes that only add or remove dims of size 1.
mlir::Value throughUnitDims(mlir::Value value);

} // namespace optc

#endif // OPTC_PASSES_MATCH_H
