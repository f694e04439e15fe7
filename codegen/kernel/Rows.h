//===- Rows.h - Kernels made of passes over rows ----------------*- C++ -*-===//
//
// A "rows" kernel computes in one space [outer..., D, inner...] and in its rows, reductions along D. Each
// reduction ends a pass over the row; what a later pass needs is recomputed, or kept where that is dear:
//
//   softmax   pass 0: m = max x     pass 1: keep e = exp(x - m), s = sum e     pass 2: y = e * (1 / s)
//
// The analysis is shared by the plan (scratch, tiles) and the generators.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_ROWS_H
#define OPTC_CODEGEN_KERNEL_ROWS_H

#include "codegen/kernel/Kernel.h"

namespace optc {

/// Rows side by side in one tile where the reduced dim is not the last: the lanes lie across them.
constexpr int64_t kRowColumns = 32;

/// A value of the whole space that a later pass reads back.
struct KeptValue {
  mlir::Value value;
  unsigned pass = 0;
  /// The result in whose row it lies, or -1: scratch from `offset` bytes on.
  int64_t result = -1;
  DimExpr offset = 0;
};

struct RowPass {
  llvm::SmallVector<mlir::Operation *> reductions; // reduce, arg_reduce
  llvm::SmallVector<unsigned> results;             // of the whole space: stored by this pass
};

struct RowKernel {
  Dims dims;
  int64_t axis = 0;
  llvm::SmallVector<RowPass> passes;
  llvm::SmallVector<KeptValue> kept;
  /// Results with one element a row.
  llvm::SmallVector<unsigned> rowResults;

  bool isInnermost() const { return axis + 1 == int64_t(dims.size()); }
  DimExpr length() const { return dims[axis]; }
  DimExpr tiles() const;
  DimExpr scratchBytes = 0;
};

/// nullopt when the kernel's reductions are not along one dim of one space.
std::optional<RowKernel> readRows(KernelOp kernel);
KernelSchedule scheduleRows(KernelOp kernel);

/// Work to compute one element of an op's result: about 1 for an addition, 10 for exp.
int64_t elementCost(mlir::Operation *op);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_ROWS_H
