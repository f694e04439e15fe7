//===- RecurrentCell.h - Gates and states of recurrent layers ---*- C++ -*-===//
//
// What follows a step's products: the gates' functions, the new states, y. Recurrent.cpp has the loops around
// it.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_RECURRENTCELL_H
#define OPTC_CODEGEN_CPU_RECURRENTCELL_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/Recurrent.h"

namespace optc {

/// A step of a block of rows in one direction.
struct RecurrentStep {
  mlir::Value direction;
  mlir::Value first;                              // the block's first row among those of the states
  mlir::Value h, next;                            // states before and after it, by row
  llvm::SmallVector<mlir::Value> inputs, outputs; // by row: x and y at its time; null: y is no result
  llvm::SmallVector<mlir::Value> active;          // by row, with lengths: i1, whether the step is inside
};

/// Vectors of units in the kernel's memory.
struct RecurrentFrame {
  using Value = mlir::Value;
  RecurrentFrame(KernelFunction &f, const RecurrentKernel &c)
      : f(f), c(c), op(c.op()), gates(gatesOf(op)), lanes(std::min<int64_t>(f.target.lanes(4), kUnitPanel)),
        f32(f.b.getF32Type()) {}

  Value vectorOf(double v) { return buildConstant(f.b, f.loc, withLanes(f32, lanes), v); }
  Value load(Value base, Value offset) { return f.load(f.pointerTo(base, offset, f32), f32, lanes); }
  Value slot(RecurrentKernel::State state) {
    return f.pointerTo(f.scratch, f.index(c.slotOf(state) * c.stateBytes()), f.b.getI8Type());
  }
  /// Offset of a unit of the block's row in a state.
  Value at(const RecurrentStep &s, int64_t row, Value unit) {
    return f.add(f.mul(f.add(s.first, f.index(row)), f.index(c.rowStride())), unit);
  }
  /// Lanes from `unit` on that are units; null: all.
  Value maskFrom(Value unit);
  /// The reset gate scales the state before, or after, its product with the candidate's weights.
  bool resetsBefore() const { return c.weights.size() == 2; }
  bool resetsAfter() { return op.getCell() == "gru" && op.getResetAfter(); }

  KernelFunction &f;
  const RecurrentKernel &c;
  RecurrentOp op;
  int64_t gates, lanes;
  mlir::Type f32;
};

class RecurrentCell : RecurrentFrame {
public:
  RecurrentCell(KernelFunction &f, const RecurrentKernel &c)
      : RecurrentFrame(f, c), activations(activationsOf(op)) {}

  /// The gates of a vector of units, from place `inside` of the panel on, and what follows from them. `sums`:
  /// by gate, of the product at hand.
  void finish(const RecurrentStep &s, size_t product, Value panel, int64_t inside, int64_t row,
              llvm::ArrayRef<Value> sums);

private:
  void finishLstm(const RecurrentStep &s, Value panel, int64_t inside, int64_t row,
                  llvm::ArrayRef<Value> sums);
  void setState(const RecurrentStep &s, int64_t row, Value unit, Value h, Value previous);

  Value activate(size_t i, Value x);
  Value clip(Value x);
  Value fma(Value x, Value y, Value z);
  Value mul(Value x, Value y);
  Value sub(Value x, Value y);

  llvm::SmallVector<Activation> activations;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_RECURRENTCELL_H
