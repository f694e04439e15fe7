//===- Quantized.h - Reading quantised values -------------------*- C++ -*-===//
//
// Scales and zero points are broadcast to their tensor's shape in the dialect. What passes ask of them:
// is it one number for all, does it vary along one dim only, what is it.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_QUANTIZED_H
#define OPTC_PASSES_QUANTIZED_H

#include "codegen/kernel/StridedView.h"
#include "ir/Shape.h"
#include "mlir/IR/PatternMatch.h"

namespace optc {

/// codes, scale and zero point (null: 0) of one shape: (codes - zero) * scale.
struct Quantized {
  mlir::Value codes, scale, zero;
};

/// The dims along which a value's elements may differ, as far as its expression tells.
llvm::SmallVector<bool> varyingDims(mlir::Value value);
/// The one number that all elements of `value` are, as a tensor without dims; null when they may differ.
mlir::Value uniformElement(mlir::OpBuilder &b, mlir::Value value);
/// Its elements along dim `axis` as a vector; null when they may differ along another dim.
mlir::Value vectorAlong(mlir::OpBuilder &b, mlir::Value value, int64_t axis);
/// What `value` is below ops that repeat it or give it dims of size 1.
mlir::Value unrepeated(mlir::Value value);
/// A tensor without dims repeated to `dims`.
mlir::Value repeat(mlir::OpBuilder &b, mlir::Location loc, mlir::Value scalar, llvm::ArrayRef<DimExpr> dims);
/// Of two values that vary along different dims, or not at all: their products at `dims`, computed before they are repeated where one is a number.
mlir::Value outerProduct(mlir::OpBuilder &b, mlir::Location loc, mlir::Value a, mlir::Value c, llvm::ArrayRef<DimExpr> dims);
/// A scalar of the dialect.
mlir::Value scalarConstant(mlir::OpBuilder &b, mlir::Location loc, mlir::Type element, double value);

/// True for tensors of 8-bit integers.
bool is8Bit(mlir::Value value);
/// True when both are one and the same number (or both absent, which is 0).
bool sameNumber(mlir::Value a, mlir::Value b);
/// The zero point as a number; nullopt when it is not constant or
/// differs between elements.
std::optional<int64_t> zeroPoint(mlir::Value zero);

/// x where a quantisation to codes like `quantize`'s with this scale would limit it, not rounded. Its zero point is known.
mlir::Value limited(mlir::OpBuilder &b, mlir::Value x, QuantizeOp quantize, double scale);

/// True for a product of bf16 with constant weights of bf16, both under a cast to f32, that computes as one: with more rows than
/// weights are dequantised in registers for.
bool isBFloatProduct(mlir::Operation *product);

/// The same movement of another tensor of the same dims.
mlir::Value moveLike(mlir::OpBuilder &b, mlir::Operation *movement, mlir::Value x);

/// What `value` is dequantised from, through movement: that of a weight has its scale and zero point moved alike.
std::optional<Quantized> dequantizedFrom(mlir::OpBuilder &b, mlir::Value value);

} // namespace optc

#endif // OPTC_PASSES_QUANTIZED_H
