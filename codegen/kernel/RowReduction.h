//===- RowReduction.h - Accumulators of a reduction -------------*- C++ -*-===//
//
// The values that a reduction carries through its loop: one vector for sums, products and extremes; the best
// element and its position for arg_reduce. Each lane accumulates by itself, `finish` folds lanes.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_ROWREDUCTION_H
#define OPTC_CODEGEN_KERNEL_ROWREDUCTION_H

#include "codegen/kernel/KernelEmitter.h"

namespace optc {

/// The element type in which a reduction accumulates: 64 bits for means of integers, whose sums outgrow the type.
mlir::Type accumulatorOf(ReduceOp op);
/// A register of the operand's element type as one of the accumulator's.
mlir::Value widenToAccumulator(KernelEmitter &f, ReduceOp op, mlir::Value x);
/// The op's result from its accumulator over `count` elements.
mlir::Value finishReduction(KernelEmitter &f, ReduceOp op, mlir::Value accumulated, mlir::Value count);

class RowReduction {
public:
  /// `op`: reduce or arg_reduce.
  RowReduction(KernelEmitter &f, mlir::Operation *op) : f(f), op(op) {}

  mlir::Value input() const { return op->getOperand(0); }
  mlir::Value result() const { return op->getResult(0); }
  unsigned width() const { return isArg() ? 2 : 1; }
  /// Adds up floats: what rounds at each step.
  bool isFloatSum() const;

  llvm::SmallVector<mlir::Value> initial(int64_t lanes) const;
  /// Takes in `x`, whose lane i has the position `position + i * stride` along the row. Lanes outside the mask stay.
  llvm::SmallVector<mlir::Value> step(mlir::ValueRange carried, mlir::Value x, mlir::Value position, int64_t stride,
                                      mlir::Value mask) const;
  llvm::SmallVector<mlir::Value> merge(mlir::ValueRange a, mlir::ValueRange b) const;
  /// The result of `count` elements: a scalar, or with `keepLanes` one a lane.
  mlir::Value finish(mlir::ValueRange carried, mlir::Value count, bool keepLanes) const;

private:
  bool isArg() const { return llvm::isa<ArgReduceOp>(op); }
  llvm::StringRef kind() const;
  /// In which it accumulates.
  mlir::Type element() const;
  mlir::Value better(mlir::ValueRange a, mlir::ValueRange b) const;

  KernelEmitter &f;
  mlir::Operation *op;
};

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_ROWREDUCTION_H
