//===- ProductEpilogue.h - What follows a matrix product --------*- C++ -*-===//
//
// The ops that were fused behind a product, computed on its sums before they are stored: bias,
// activation, residual, requantisation.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_PRODUCTEPILOGUE_H
#define OPTC_CODEGEN_CPU_PRODUCTEPILOGUE_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/TensorEmitter.h"

namespace optc {

/// A rectangle of the product: rows from `row` on, so many vectors of columns from `column` on.
struct ProductTile {
  mlir::Value batch, row, column;
  int64_t height = 1, vectors = 1;
  /// The last so many vectors may reach beyond the columns that there are.
  int64_t checked = 0;
};

class ProductEpilogue {
public:
  using Values = llvm::SmallVector<mlir::Value>;
  /// `lanes`: columns of a vector of sums.
  ProductEpilogue(KernelFunction &f, const ContractionKernel &c, int64_t lanes);

  /// sums[r * vectors + v], in registers. `scratch`: room for them in memory.
  void store(const Values &sums, const ProductTile &tile, mlir::Value scratch);
  /// Rows [begin, end) of the tile, whose sums are in memory, `stride` elements from one row to the next.
  void storeRows(mlir::Value sums, mlir::Value stride, mlir::Value begin, mlir::Value end, const ProductTile &tile);

  /// True when exponentials and the like are computed on the sums.
  static bool hasFunctions(KernelOp kernel);

  TensorEmitter emitter;

private:
  void prefetch(const ProductTile &tile, mlir::Value row);
  void vector(mlir::Value sum, const ProductTile &tile, mlir::Value row, int64_t v);
  bool isHeavy();

  KernelFunction &f;
  const ContractionKernel &c;
  int64_t lanes;
  mlir::Type element;
  YieldOp yield;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_PRODUCTEPILOGUE_H
