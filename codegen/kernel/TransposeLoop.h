//===- TransposeLoop.h - Loops over a turned operand ------------*- C++ -*-===//
//
// A "loops" kernel whose result lies across its operand reads one element a cache line when it follows the result's
// order. Such a kernel goes by blocks of 16 rows instead, squares of which are turned in registers:
//
//   y [C, P] = relu (transpose x [P, C])      rows: the dim of y that is innermost in x
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_TRANSPOSELOOP_H
#define OPTC_CODEGEN_KERNEL_TRANSPOSELOOP_H

#include "codegen/kernel/Kernel.h"

namespace optc {

/// Rows of a block.
constexpr int64_t kTransposeRows = 16;

struct TransposeLoop {
  TransposeOp op;
  /// The result's dim that is innermost in the operand; the result's last dim is another.
  size_t rowDim = 0;
  Dims dims; // of the result

  DimExpr blocks() const { return DimExpr::ceildiv(dims[rowDim], kTransposeRows); }
  /// Blocks over all other dims but the last.
  DimExpr tiles() const;
};

/// nullopt unless the kernel is one transpose of 4-byte elements with elementwise ops before and after it.
std::optional<TransposeLoop> readTransposeLoop(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_TRANSPOSELOOP_H
