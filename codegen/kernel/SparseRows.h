//===- SparseRows.h - Two of four, as a GPU multiplies them -----*- C++ -*-===//
//
// A constant right operand [k, n] of 16-bit floats, of which at most two of each four k's of a column are not 0, as matrix instructions of GPUs take it
// (codegen/gpu/tile/sparse.cuh): the others and their positions.
//
//   values      [N, K / 2]               two of each four k's of a column, in order
//   positions   [N / 16, K / 128, 16, 4] of i32: 2 bits each, in the order in which a warp's threads give them
//
// N is a multiple of 16, K of 128. Ordinary ops unpack them.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_SPARSEROWS_H
#define OPTC_CODEGEN_KERNEL_SPARSEROWS_H

#include "ir/Dialect.h"
#include "ir/Shape.h"

namespace optc {

/// A unit attribute of a contract [m, k] by [n, k] whose rhs is unpacked of such rows, under a cast.
inline constexpr llvm::StringLiteral kTwoOfFour = "optc.two_of_four";

struct SparseRows {
  mlir::Value values, positions;
  int64_t n = 0, k = 0;
};

/// Of the bits of a matrix [k, n] of f16 or bf16 `element`; nullopt where a column has more than two of four.
std::optional<SparseRows> packSparseRows(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<uint16_t> bits, int64_t k, int64_t n, mlir::Type element);
/// The matrix as [n, k].
mlir::Value unpackSparseRows(mlir::OpBuilder &b, mlir::Location loc, const SparseRows &rows);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_SPARSEROWS_H
