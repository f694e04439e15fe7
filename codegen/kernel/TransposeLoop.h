//===- TransposeLoop.h - Loops over a turned operand ------------*- C++ -*-===//
//
// A "loops" kernel whose result lies across its operand reads one element a cache line when it follows the result's
// order. Such a kernel goes by blocks of 16 rows instead, squares of which are turned in registers:
//
//   y [C, P] = relu (transpose x [P, C])      rows: the dim of y that is innermost in x
//
// A few columns (channels of an image, put innermost) are narrower than a square: vectors go along the rows, one for each column,
// and are interleaved.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_TRANSPOSELOOP_H
#define OPTC_CODEGEN_KERNEL_TRANSPOSELOOP_H

#include "codegen/kernel/Kernel.h"

namespace optc {

/// Rows of a block, and of one with few columns.
constexpr int64_t kTransposeRows = 16, kNarrowRows = 512;
constexpr int64_t kNarrowColumns = 4;

struct TransposeLoop {
  TransposeOp op;
  /// The result's dim that is innermost in the operand; the result's last dim is another.
  size_t rowDim = 0;
  Dims dims; // of the result

  /// The number of columns where they are few, else 0.
  int64_t narrow = 0;

  DimExpr blocks() const { return DimExpr::ceildiv(dims[rowDim], narrow ? kNarrowRows : kTransposeRows); }
  /// Blocks over all other dims but the last.
  DimExpr tiles() const;
};

/// nullopt unless the kernel is one transpose that moves the operand's last dim, with elementwise ops before and after it.
std::optional<TransposeLoop> readTurned(KernelOp kernel);
/// Of these, the ones that a CPU turns in registers: of 4-byte elements where it goes by squares.
std::optional<TransposeLoop> readTransposeLoop(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_TRANSPOSELOOP_H
