//===- ScalarBody.h - What an elementwise op computes, once -----*- C++ -*-===//
//
// Each elementwise op's arithmetic in `arith` and `math`, on scalars and vectors alike. CPU and GPU
// generators build their loops around it; nothing else in the compiler knows how to add or compare.
//
// Registers hold i1 for bool, f32 for f16 and bf16, signless integers, of fewer than 8 bits in i8, and codes of small floats; the
// tensor's element type says whether an integer is signed.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_SCALARBODY_H
#define OPTC_CODEGEN_KERNEL_SCALARBODY_H

#include "codegen/kernel/SmallFloat.h"

namespace optc {

/// The type that a tensor's element has in a register.
mlir::Type registerType(mlir::Type element);
/// The type that it has in memory: i8 for bool, signless integers.
mlir::Type memoryType(mlir::Type element);
/// `type`, or a vector of it.
mlir::Type withLanes(mlir::Type type, int64_t lanes);

/// True when buildScalar has a body for the op and its element types: for all targets, or for a GPU, which has the functions of f64
/// and remainders of floats, and computes on narrow types.
bool hasScalarBody(mlir::Operation *op, bool gpu = false);

/// The op's result from its operands' registers (scalars, or vectors of one length).
mlir::Value buildScalar(mlir::OpBuilder &builder, mlir::Operation *op, mlir::ValueRange operands);

/// combine(a, b) of a reduction ("sum", "prod", "max", "min"), and the value it starts from.
mlir::Value buildCombine(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef kind, mlir::Type element, mlir::Value a,
                         mlir::Value b);
mlir::Value buildIdentity(mlir::OpBuilder &builder, mlir::Location loc, llvm::StringRef kind, mlir::Type element, int64_t lanes);

/// An f32 register rounded to nearest even as f16 or bf16 `element`, still f32; NaN stays NaN.
mlir::Value buildRounded(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type element, mlir::Value x);
/// bf16 has no conversions in hardware: f32 to its bits (i16) and back.
mlir::Value narrowBFloat16(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x);
mlir::Value widenBFloat16(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value bits);
/// What a register was rounded from by buildRounded to bf16; null when it is something else.
mlir::Value roundedFromBFloat16(mlir::Value x);

/// A constant register of a scalar or vector type.
mlir::Value buildConstant(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type, double value);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_SCALARBODY_H
