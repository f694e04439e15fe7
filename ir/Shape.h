//===- Shape.h - Tensor types with symbolic dims ----------------*- C++ -*-===//
//
// Builds and reads tensor types whose dynamic dims carry expressions, and the few shape
// formulas that several ops share.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_IR_SHAPE_H
#define OPTC_IR_SHAPE_H

#include "ir/Dialect.h"

namespace optc {

using Dims = llvm::SmallVector<DimExpr>;

/// Tensor type of the given dims; the encoding is present only when a dim is dynamic.
mlir::RankedTensorType tensorType(llvm::ArrayRef<DimExpr> dims, mlir::Type element);

/// The dims of a tensor type. A dynamic dim without an encoding is the symbol "?".
Dims dimsOf(mlir::Type type);
inline Dims dimsOf(mlir::Value value) { return dimsOf(value.getType()); }
DimExpr dimOf(mlir::Type type, int64_t axis);
/// Product of all dims.
DimExpr numElements(llvm::ArrayRef<DimExpr> dims);

inline mlir::RankedTensorType tensorOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
inline mlir::Type elementOf(mlir::Value value) { return tensorOf(value).getElementType(); }

/// Numpy broadcasting of two shapes; failure when constant dims contradict.
mlir::FailureOr<Dims> broadcastDims(llvm::ArrayRef<DimExpr> a, llvm::ArrayRef<DimExpr> b);

/// Size of a sliding window's result: floor or ceil of (in + low + high - dilation*(window-1) - 1) / stride, + 1.
DimExpr windowSize(const DimExpr &in, int64_t window, int64_t stride, int64_t dilation, int64_t low, int64_t high,
                   bool ceil);

/// True when two dims may be equal at run time.
bool dimsMayMatch(const DimExpr &a, const DimExpr &b);

/// Element types equal and dims that may match. A generic result type (without expressions)
/// accepts any inferred one.
bool compatibleTypes(mlir::TypeRange inferred, mlir::TypeRange actual);

/// The elements of an integer tensor as expressions, where they are known: through constants,
/// from_dims and the movement and arithmetic that exporters do on shapes. At most 1,024 elements.
/// `bound` (value -> symbols) adds what earlier `bind` ops named.
std::optional<Dims> symbolicElements(mlir::Value value);

} // namespace optc

#endif // OPTC_IR_SHAPE_H
