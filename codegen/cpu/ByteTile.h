//===- ByteTile.h - A product of bytes in registers -------------*- C++ -*-===//
//
// The inner loop of contractions of 8-bit integers: four k's of a row, unsigned, times four k's of a vector of
// columns, signed, summed in i32. By VNNI's vpdpbusd where the target has it; else rows come widened to 16 bits, and
// vpmaddwd sums the products of pairs without loss.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_BYTETILE_H
#define OPTC_CODEGEN_CPU_BYTETILE_H

#include "codegen/cpu/KernelFunction.h"

namespace optc {

class ByteTile {
public:
  using Values = llvm::SmallVector<mlir::Value>;

  /// `k`: bytes of a row, a multiple of 4; a panel's are 16 times as many.
  ByteTile(KernelFunction &f, mlir::Value k);

  /// Sums in a vector of results, vectors of a panel.
  int64_t lanes, vectorsPerPanel;
  /// Panels that leave room for several rows, and rows for which the accumulators then fit into the registers.
  int64_t widestGroup() const;
  int64_t maxRows(int64_t panels) const;
  /// True when rows are of 16 bits.
  bool takesWideRows() const { return !hasDot; }
  /// sums[r * panels * vectorsPerPanel + v] of rows (pointers) times the panels from `base` on.
  Values product(const Values &rows, mlir::Value base, int64_t panels);

private:
  Values dots(const Values &rows, mlir::Value base, int64_t panels);
  Values pairs(const Values &rows, mlir::Value base);
  Values overK(Values acc, int64_t unroll, llvm::function_ref<void(Values &acc, mlir::Value at, int64_t offset)> step);
  mlir::Value call(llvm::StringRef intrinsic, mlir::Type type, mlir::ValueRange operands);

  KernelFunction &f;
  mlir::Value k;
  bool hasDot;
  static constexpr int64_t kStep = 4;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_BYTETILE_H
