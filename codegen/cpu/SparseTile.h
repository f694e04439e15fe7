//===- SparseTile.h - Products with weights without zeros -------*- C++ -*-===//
//
// The right operand as codegen/kernel/SparsePanels.h stores it: the next values of a panel are spread over the columns that a mask
// names, in registers where few rows use them, else into panels of f32 in scratch. Zeros are multiplied like other numbers, so
// that results are those of the dense product, bit for bit.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_SPARSETILE_H
#define OPTC_CODEGEN_CPU_SPARSETILE_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/SparsePanels.h"

namespace optc {

class SparseTile {
public:
  using Values = llvm::SmallVector<mlir::Value>;
  SparseTile(KernelFunction &f, const SparsePanels &weights, int64_t lanes);

  /// As of CompressedTile.
  Values sum(Values acc, const Values &rows, mlir::Value panel, int64_t panels, int64_t height);
  void unpack(mlir::Value panel, mlir::Value end, mlir::Value target);

private:
  /// Where a panel's masks lie, and its values begin.
  mlir::Value masksOf(mlir::Value panel);
  mlir::Value startOf(mlir::Value panel);
  /// The columns of the k that `mask` (i32) belongs to, in vectors; moves `position` behind its values.
  Values expand(mlir::Value mask, mlir::Value &position);
  mlir::Value expandLanes(mlir::Value mask, mlir::Value pointer);
  mlir::Value countBits(mlir::Value mask);
  /// While some panels are used, the values of those that come next, `ahead` further on, are brought into L2.
  void prefetch(mlir::Value position, mlir::Value ahead);

  KernelFunction &f;
  const SparsePanels &w;
  int64_t lanes, valueBytes;
  mlir::Type element, f32, i32;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_SPARSETILE_H
