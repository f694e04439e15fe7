//===- AmxTile.h - A product of narrow operands in AMX's tiles --*- C++ -*-===//
//
// Two tiles of rows by two panels: four accumulators stay in tile registers through k.
//
//   tmm0..3  sums [rows][16], tmm4, 5  rows of the lhs [rows][step], tmm6, 7  panels [step / 4][16][4]
//
// The intrinsics name registers, so nothing is left to register allocation. Source: Intel's optimisation reference manual,
// chapter "AMX".
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_AMXTILE_H
#define OPTC_CODEGEN_CPU_AMXTILE_H

#include "codegen/cpu/KernelFunction.h"

namespace optc {

class AmxTile {
public:
  /// `k`: bytes of a row, whole steps of `step` (at most 64) bytes. `bfloat`: they are bf16, and sums f32.
  AmxTile(KernelFunction &f, mlir::Value k, int64_t step, bool bfloat) : f(f), k(k), step(step), bfloat(bfloat) {}
  static constexpr int64_t kRows = 16;
  /// Of bytes: rows are the signed ones.
  bool rowsSigned = false;
  /// Bytes of a row that a step takes.
  int64_t bytes() const { return step; }

  /// Tiles of `rows` rows (at most 16, at run time). `memory`: 64 bytes.
  void configure(mlir::Value memory, mlir::Value rows);
  /// Visits the steps over k: where a row's bytes of the step lie from its first on, and the step's first k.
  using Steps = llvm::function_ref<void(llvm::function_ref<void(mlir::Value offset, mlir::Value k)>)>;
  /// sums[r][16 p ..] of one or two tiles of rows times panels from `base` on. `rows`: pointers to the tiles' first rows,
  /// `stride` bytes apart; `sums`: where those of a tile go, `sumStride` bytes from row to row.
  void product(llvm::ArrayRef<mlir::Value> rows, mlir::Value stride, mlir::Value base, int64_t panels, llvm::ArrayRef<mlir::Value> sums,
               int64_t sumStride, Steps steps);
  /// The steps of rows that lie in one piece.
  void alongRow(llvm::function_ref<void(mlir::Value offset, mlir::Value k)> step);
  void release();
  /// What later products will read: so many lines of 64 bytes from here on are asked for in each step. Null: nothing is.
  mlir::Value prefetch;
  int64_t prefetchLines = 0;

private:
  void call(llvm::StringRef intrinsic, mlir::ValueRange operands);
  mlir::Value tile(int64_t number);

  KernelFunction &f;
  mlir::Value k;
  int64_t step;
  bool bfloat;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_AMXTILE_H
