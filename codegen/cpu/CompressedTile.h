//===- CompressedTile.h - Products with weights of few bits -----*- C++ -*-===//
//
// The right operand as codegen/kernel/CompressedPanels.h stores it, dequantised in registers where few rows use it:
//
//   for each block:  sums = 0;  for k: sums[r][v] += a[r][k] * (code[k][v] - zero[v])
//                    acc[r][v] += sums[r][v] * scale[v]
//
// so that memory is read at its speed and a code costs two or three instructions; or unpacked into panels of f32 in
// scratch, once for many rows.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_COMPRESSEDTILE_H
#define OPTC_CODEGEN_CPU_COMPRESSEDTILE_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/Contraction.h"

namespace optc {

class CompressedTile {
public:
  using Values = llvm::SmallVector<mlir::Value>;
  CompressedTile(KernelFunction &f, const CompressedPanels &weights, int64_t lanes);

  /// acc[r * vectors + v] + sum over k of rows[r][k] * panels [panel, panel + panels).
  Values sum(Values acc, const Values &rows, mlir::Value panel, int64_t panels, int64_t height);
  /// target[p][k][16] of f32: panels [panel, end).
  void unpack(mlir::Value panel, mlir::Value end, mlir::Value target);
  /// Of the words of a panel.
  int64_t panelBytes() const { return w.rows() / w.perWord() * kPanel * wordBytes; }

private:
  /// Where a block of a group of panels lies, and its zero points.
  struct Block {
    Values words, zeros;
    int64_t panels;
  };
  Block blockOf(mlir::Value panel, mlir::Value block, int64_t panels);
  Values loadScales(mlir::Value operand, mlir::Type element, mlir::Value panel, mlir::Value block, int64_t panels);
  mlir::Value offsetOf(mlir::Value panel, mlir::Value block) const;
  /// The words of one step, and what a code of them is as f32.
  Values loadWords(const Block &block, mlir::Value k, int64_t offset);
  mlir::Value code(const Block &block, const Values &words, int64_t j, int64_t vector);
  /// Calls body(k, u) for k's [0, count): k + u is the position in the block, u constant.
  Values overBlock(int64_t count, Values carried, int64_t step, llvm::function_ref<Values(mlir::Value k, int64_t count, Values)> body);
  Values overBlocks(Values carried, llvm::function_ref<Values(mlir::Value block, int64_t count, Values)> body);
  void prefetchWords(const Block &block, mlir::Value k, int64_t count);

  KernelFunction &f;
  const CompressedPanels &w;
  int64_t lanes, vectorsPerPanel, wordBytes;
  mlir::Type element, f32;
  mlir::Value table; // f32 of the 16 codes of 4 bits, where one instruction looks them up
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_COMPRESSEDTILE_H
