//===- Recurrent.h - Kernels of recurrent layers ----------------*- C++ -*-===//
//
// What passes/LowerRecurrent.cpp builds, read back. A kernel of kind "recurrent" holds the recurrence of one
// direction of a layer, or of both; products with the input are made before it, for all steps at once.
//
//   x        [T, B, D * P * G * 16]   panels of 16 units, gate by gate, for each direction; biases are in it
//   weights  [D, P, H, g, 16]         for each product with the state: panels with the g gates that it makes
//   h0, c0   [D, B, H];  peephole [D, P, 3, 16];  reset bias [D, P * 16];  lengths [B]
//   results  y [T, D, B, H], last h and last c [D, B, H]
//
// D directions, P = ceil(H / 16) panels, G gates. A GRU that resets the state before its product with the
// candidate's weights makes two products a step: of update and reset gate, then of the candidate.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_RECURRENT_H
#define OPTC_CODEGEN_KERNEL_RECURRENT_H

#include "codegen/kernel/Activation.h"
#include "codegen/kernel/Kernel.h"

namespace optc {

/// Units of a panel, on every level.
constexpr int64_t kUnitPanel = 16;
/// Rows of the batch in a group: they share each load of a weight.
constexpr int64_t kSequences = 4;

/// Gates of a cell: 4, 3 or 1.
int64_t gatesOf(RecurrentOp op);
/// How many gates each product with the state makes: {4}, {3}, {2, 1} or {1}.
llvm::SmallVector<int64_t> productsOf(RecurrentOp op);
/// The functions of gates, candidate and state; empty when the op names unknown ones or too few.
llvm::SmallVector<Activation> activationsOf(RecurrentOp op);

struct RecurrentKernel {
  /// One op a direction; they differ in `reverse` only.
  llvm::SmallVector<RecurrentOp> directions;
  mlir::BlockArgument input;
  llvm::SmallVector<mlir::BlockArgument> weights;           // by product
  mlir::BlockArgument resetBias, peephole, lengths, h0, c0; // null where absent
  /// What each result of the kernel is: 0 y, 1 the last h, 2 the last c.
  llvm::SmallVector<unsigned> results;

  RecurrentOp op() const { return directions.front(); }
  bool isLstm() const { return op().getCell() == "lstm"; }
  int64_t panels() const { return (hidden + kUnitPanel - 1) / kUnitPanel; }
  int64_t paddedUnits() const { return panels() * kUnitPanel; }
  /// From one row of a state to the next: not a power of two, which would put all rows into the same sets of
  /// L1.
  int64_t rowStride() const { return paddedUnits() + kUnitPanel; }

  DimExpr steps = 1, batch = 1;
  int64_t hidden = 1;

  /// Rows that one tile steps through time together, at most: a group, or several where the weights are so
  /// large that they come from beyond L2. Then the groups take turns with each part of a panel.
  int64_t rowsPerTile() const;
  DimExpr rowBlocks() const {
    return DimExpr::ceildiv(DimExpr::ceildiv(batch, kSequences), rowsPerTile() / kSequences);
  }
  // Scratch: states of rowsPerTile() rows of paddedUnits f32 each. Steps read one h and write the other.
  enum State { evenH, oddH, cellState, updateGate, resetState };
  /// Place of a state in units of stateBytes.
  int64_t slotOf(State state) const;
  int64_t stateBytes() const { return rowsPerTile() * rowStride() * 4; }
  int64_t stateCount() const { return isLstm() ? 3 : weights.size() == 2 ? 4 : 2; }
  /// After them the sums of a panel.
  int64_t sumBytes() const { return rowsPerTile() * gatesOf(op()) * kUnitPanel * 4; }
};

/// nullopt when the kernel is not in the form above.
std::optional<RecurrentKernel> readRecurrent(KernelOp kernel);
/// A tile is a block of rows in one direction, over all time: steps never cross a tile.
KernelSchedule scheduleRecurrent(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_RECURRENT_H
