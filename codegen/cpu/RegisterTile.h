//===- RegisterTile.h - A matrix product in registers -----------*- C++ -*-===//
//
// The inner loop of every contraction: a few rows by a few vectors of columns, accumulators carried
// through k. Rows are pointers, the right operand is packed in panels of 16 columns.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_REGISTERTILE_H
#define OPTC_CODEGEN_CPU_REGISTERTILE_H

#include "codegen/cpu/KernelFunction.h"
#include <set>

namespace optc {

struct RegisterTile {
  using Values = llvm::SmallVector<mlir::Value>;

  /// `k`: length of a row. `panelStride`: elements from one panel to the next.
  RegisterTile(KernelFunction &f, DimExpr k, DimExpr panelStride);

  /// Rows for which accumulators, a row's element and a step's panel vectors fit into the registers.
  int64_t maxRows(int64_t panels) const;
  /// height * vectors zeros, in the order of sum().
  Values zeros(int64_t panels, int64_t height);
  /// acc[r * vectors + v] + sum over k of rows[r][k] * base[k][v], f32.
  Values sum(Values acc, const Values &rows, mlir::Value base, int64_t panels, int64_t height);

  KernelFunction &f;
  int64_t lanes, vectorsPerPanel;

private:
  void step(Values &acc, const Values &rows, mlir::Value base, mlir::Value k, int64_t offset, int64_t panels, int64_t height);
  DimExpr k, panelStride;
};

/// The heights that dealing `rows` out evenly over tiles of at most `limit` rows gives: one or two.
std::set<int64_t> evenHeights(int64_t rows, int64_t limit);
/// Emits body(height) for the height that `height` has at run time.
void forHeight(KernelFunction &f, mlir::Value height, const std::set<int64_t> &heights, llvm::function_ref<void(int64_t)> body);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_REGISTERTILE_H
