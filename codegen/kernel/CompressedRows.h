//===- CompressedRows.h - Tables of few bits, by rows -----------*- C++ -*-===//
//
// A table [rows, length] in fewer bits than it is read in: rows are gathered from it, or are the columns of a GPU's right operand.
//
//   16 bits   words [rows][length] of f16 or bf16
//   8 bits    words [rows][length] of i8 or f8E4M3FN, scales
//   4 bits    words [rows][length / 32][16] of i8: of 32 elements the i-th is in the low half of byte i, the (i + 16)-th in the
//             high one, so that vectors of elements are vectors of bytes
//   scales    [rows][blocks] of f16 or f32, one for `block` elements of a row; zeros (may be absent) the same of i8
//
// Ordinary ops unpack it; the kernels of loops pull a row's elements through them.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_COMPRESSEDROWS_H
#define OPTC_CODEGEN_KERNEL_COMPRESSEDROWS_H

#include "codegen/kernel/CompressedPanels.h"

namespace optc {

/// A unit attribute of a contract [m, k] by [n, k] whose rhs is unpacked of such a table.
inline constexpr llvm::StringLiteral kUnpacksRhs = "optc.unpacks_rhs";

/// A unit attribute of a contract whose rhs is to be unpacked of such a table into bf16.
inline constexpr llvm::StringLiteral kUnpacksInBFloat = "optc.unpacks_in_bf16";

struct CompressedRows {
  mlir::Value words, scales, zeros; // null where there are none
  int64_t rows = 0, length = 0, block = 0;
};

/// Of matrices [length, rows], as panels are packed of.
CompressedRows packRows(mlir::OpBuilder &b, mlir::Location loc, const BlockCodes &codes);
CompressedRows packRows(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<uint8_t> bits, const std::vector<float> &scales, int64_t length,
                        int64_t rows, mlir::Type element);
CompressedRows packRows(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<uint16_t> bits, int64_t length, int64_t rows, mlir::Type element);
/// The table of f32.
mlir::Value unpackRows(mlir::OpBuilder &b, mlir::Location loc, const CompressedRows &table);
/// Reads what unpackRows has made of codes back, perhaps rounded since; nullopt where it is something else.
std::optional<CompressedRows> readRows(mlir::Value table);
/// Of a product of so many rows whose right operand is such a table, rounded to 16 bits: it is unpacked as it is multiplied, on a GPU
/// (codegen/gpu/tile/gemm_codes_sm80.cuh).
bool isMultipliedInCodes(const DimExpr &rows, mlir::Value table);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_COMPRESSEDROWS_H
