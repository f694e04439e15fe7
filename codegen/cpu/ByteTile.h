//===- ByteTile.h - A product of narrow operands in registers ---*- C++ -*-===//
//
// The inner loop of contractions of 8-bit integers and bf16: 4 bytes of a row times 4 bytes of a vector of columns.
//
//   4 k's, unsigned times signed, summed in i32: by VNNI's vpdpbusd where the target has it; else rows come widened to 16 bits,
//   and vpmaddwd sums the products of pairs without loss
//   2 k's of bf16, summed in f32: by vdpbf16ps (which takes denormal numbers for 0); else as products of f32
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_BYTETILE_H
#define OPTC_CODEGEN_CPU_BYTETILE_H

#include "codegen/cpu/KernelFunction.h"

namespace optc {

class CodeExpander;

class ByteTile {
public:
  using Values = llvm::SmallVector<mlir::Value>;

  /// `k`: bytes of a row, a multiple of 4; a panel's are 16 times as many. `bfloat`: they are bf16.
  ByteTile(KernelFunction &f, mlir::Value k, bool bfloat);

  /// Sums in a vector of results, vectors of a panel.
  int64_t lanes, vectorsPerPanel;
  /// Panels that leave room for several rows, and rows for which the accumulators then fit into the registers.
  int64_t widestGroup() const;
  int64_t maxRows(int64_t panels) const;
  /// Of bytes: rows are the signed ones.
  bool rowsSigned = false;
  /// Bytes of a row that are summed: k unless set.
  mlir::Value length;
  /// True when rows are of 16 bits.
  bool takesWideRows() const { return !hasDot && !bfloat; }
  /// sums[r * panels * vectorsPerPanel + v] of rows (pointers) times the panels from `base` on.
  Values product(const Values &rows, mlir::Value base, int64_t panels);
  /// The same of panels that are spread, from `panel` on; the target has a dot product.
  Values product(const Values &rows, CodeExpander &expander, mlir::Value panel, int64_t panels);

private:
  /// Vectors of words of panels, step by step, and what is carried between the steps.
  struct Columns {
    Values carried;
    int64_t unroll;
    llvm::function_ref<Values(llvm::MutableArrayRef<mlir::Value> carried, mlir::Value at, int64_t offset)> next;
  };
  Values dots(const Values &rows, Columns columns, int64_t panels);
  Values pairs(const Values &rows, mlir::Value base);
  /// acc[r][v] += one step, out of a word of a row and a vector of words of a panel.
  using Step = llvm::function_ref<mlir::Value(mlir::Value acc, mlir::Value word, mlir::Value words)>;
  Values overWords(const Values &rows, const Columns &columns, int64_t panels, Step step);
  mlir::Value bfloatHalf(mlir::Value words, bool upper);
  Values overK(Values acc, int64_t unroll, llvm::function_ref<void(Values &acc, mlir::Value at, int64_t offset)> step);
  mlir::Value call(llvm::StringRef intrinsic, mlir::Type type, mlir::ValueRange operands);

  KernelFunction &f;
  mlir::Value k;
  bool hasDot, bfloat;
  static constexpr int64_t kStep = 4;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_BYTETILE_H
