//===- GatePanel.h - Products of states with a panel of gates ---*- C++ -*-===//
//
// The inner loop of a recurrent layer. Unlike RegisterTile.h's panels those here hold all gates of 16 units
// side by side, [k][gate][16], so that a unit's gates are in registers together and the weights are one
// stream.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_GATEPANEL_H
#define OPTC_CODEGEN_CPU_GATEPANEL_H

#include "codegen/cpu/KernelFunction.h"

namespace optc {

struct GatePanel {
  using Values = llvm::SmallVector<mlir::Value>;
  /// Steps of k that the loop makes at a time.
  static constexpr int64_t kUnroll = 4;

  KernelFunction &f;
  int64_t gates, lanes;
  /// What one pass covers: rows by vectors of units for each gate, as many as there are registers for.
  int64_t rows = 1, vectors = 1;

  /// Sizes the passes over `height` rows.
  GatePanel(KernelFunction &f, int64_t gates, int64_t lanes, int64_t height);

  /// sums[(row * gates + gate) * vectors + v] + sum over k in [from, to) of states[row][k] *
  /// base[k][gate][v]; `to - from` is a multiple of kUnroll.
  Values sum(Values sums, const Values &states, mlir::Value base, mlir::Value from, mlir::Value to) const;
  /// The same for the few k in [from, to) that are left.
  Values sumRest(Values sums, const Values &states, mlir::Value base, int64_t from, int64_t to) const;

private:
  void step(mlir::Value *sums, const Values &states, mlir::Value base, mlir::Value k, int64_t offset) const;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_GATEPANEL_H
