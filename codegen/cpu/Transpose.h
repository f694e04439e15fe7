//===- Transpose.h - Matrices turned in registers ---------------*- C++ -*-===//
//
// Between rows in memory and panels of 16 in scratch:  panel[c * 16 + r]  <->  matrix[r * stride + c].
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_TRANSPOSE_H
#define OPTC_CODEGEN_CPU_TRANSPOSE_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/TransposeLoop.h"

namespace optc {

/// `rows` as many vectors of as many f32 lanes (a power of two): lane j of the i-th result is lane i of rows[j].
llvm::SmallVector<mlir::Value> transposeSquare(KernelFunction &f, llvm::SmallVector<mlir::Value> rows);

/// Elements of two vectors in turns: x0, y0, x1, y1, ...
mlir::Value inTurns(KernelFunction &f, mlir::Value x, mlir::Value y);

/// panel[c * 16 + r] = matrix[r * stride + c] * factor for r < rows <= 16 and c < columns; 0 for the other r. `stride`
/// in elements, of `element` (f32 where it is null), which become f32. No factor: 1.
void packTransposed(KernelFunction &f, mlir::Value matrix, mlir::Value stride, mlir::Value rows, mlir::Value columns,
                    mlir::Value panel, std::optional<double> factor = std::nullopt, mlir::Type element = {});
/// matrix[r * stride + c] = panel[c * 16 + r] for r < rows <= 16 and c < columns.
void unpackTransposed(KernelFunction &f, mlir::Value panel, mlir::Value rows, mlir::Value columns, mlir::Value matrix,
                      mlir::Value stride);
/// The body of a "loops" kernel that is such a loop.
void generateTransposeLoop(KernelFunction &f, const TransposeLoop &loop);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_TRANSPOSE_H
