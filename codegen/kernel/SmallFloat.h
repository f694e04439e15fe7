//===- SmallFloat.h - Floats of 8 and 4 bits --------------------*- C++ -*-===//
//
// Conversions between f32 and the codes of the small formats of ONNX (https://onnx.ai/onnx/technical/float8.html), as scalars or
// vectors. Memory and registers hold codes, one to a byte: what moves them keeps every bit, NaNs' included.
//
// The codes are those of runtime/reference/Float.h.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_SMALLFLOAT_H
#define OPTC_CODEGEN_KERNEL_SMALLFLOAT_H

#include "ir/Dialect.h"

namespace optc {

/// f8E4M3FN or f8E5M2, of which weights are.
bool isFloat8(mlir::Type element);
/// Any of these formats: f8E4M3FN, f8E4M3FNUZ, f8E5M2, f8E5M2FNUZ, f8E8M0, f4E2M1.
bool isSmallFloat(mlir::Type element);
/// Small floats, and integers of 2 and 4 bits.
bool isNarrow(mlir::Type element);

/// Codes (i8) as f32, which holds every value.
mlir::Value decodeSmallFloat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type element, mlir::Value codes);
/// f32 to the nearest code, to even; f8E8M0's is the one above. What is out of range becomes the largest finite value when
/// `saturate`, else infinity, or NaN where there is none.
mlir::Value encodeSmallFloat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type element, mlir::Value x, bool saturate);

/// Codes of f8E5M2 as f16 that is their value, of f8E4M3FN as f16 that is their value / 256; a NaN of f8E4M3FN becomes 480 / 256.
mlir::Value widenFloat8ToHalf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type element, mlir::Value codes);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_SMALLFLOAT_H
