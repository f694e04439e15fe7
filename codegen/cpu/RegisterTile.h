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
  /// acc[r * vectors + v] + sum over k of rows[r][k * rowStep] * base[k][v], f32.
  Values sum(Values acc, const Values &rows, mlir::Value base, int64_t panels, int64_t height);

  KernelFunction &f;
  int64_t lanes, vectorsPerPanel;
  /// What rows are made of, and is widened to f32: f32 unless set.
  mlir::Type rowElement;
  /// Elements from one k of a row to the next: 1 unless set.
  mlir::Value rowStep;
  /// Elements of a row that are summed: k unless set.
  mlir::Value length;
  /// Positions (i32) of the elements of a row that are summed, from the rows' pointers on; null: one after the other.
  mlir::Value positions;
  /// What later tiles will read: so many lines of 64 bytes from here on, and from a panel (or `prefetchStride` bytes) further on for
  /// each other panel, are asked for in each step of the main loop. Null: nothing is.
  mlir::Value prefetch;
  int64_t prefetchLines = 0, prefetchStride = 0;
  /// k's in a step of the main loop.
  static constexpr int64_t kUnroll = 4;
  static constexpr int64_t kLine = 64;

private:
  void step(Values &acc, const Values &rows, mlir::Value base, mlir::Value k, int64_t offset, int64_t panels, int64_t height);
  DimExpr k, panelStride;
};

/// Emits body(row, height) for tiles of at most `limit` rows that cover [begin, end). `counts`: the numbers of rows that
/// end - begin may be, where they are known; tiles are then dealt out evenly.
void forRowTiles(KernelFunction &f, mlir::Value begin, mlir::Value end, llvm::ArrayRef<int64_t> counts, int64_t limit,
                 llvm::function_ref<void(mlir::Value row, int64_t height)> body);
/// The heights that dealing `rows` out evenly over tiles of at most `limit` rows gives: one or two.
std::set<int64_t> evenHeights(int64_t rows, int64_t limit);
/// Emits body(height) for the height that `height` has at run time.
void forHeight(KernelFunction &f, mlir::Value height, const std::set<int64_t> &heights, llvm::function_ref<void(int64_t)> body);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_REGISTERTILE_H
