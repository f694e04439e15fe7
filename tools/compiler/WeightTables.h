//===- WeightTables.h - The matrices that products multiply with *- C++ -*-===//
//
// What rounds weights by their inputs, and what measures rounded ones, goes by the same list: matrices of f32 that are known at compile
// time, and the activations that they are multiplied with.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_WEIGHTTABLES_H
#define OPTC_TOOLS_COMPILER_WEIGHTTABLES_H

#include "ir/Dialect.h"
#include "tools/compiler/Calibrate.h"
#include "tools/compiler/TensorSets.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

/// A matrix that compress-weights lowers: [k, n], or [n, k] where `turned`. It may be an embedding's table, too; it has no other users.
struct WeightTable {
  mlir::Value value;
  bool turned;
  int64_t k, n;
  llvm::SmallVector<ContractOp> products;
};

/// In the order of their first products. `function` is as after recognition (passes/Pipelines.h); copies of it have the same list.
llvm::SmallVector<WeightTable> weightTables(mlir::func::FuncOp function);
/// The node of a table's first product.
std::string nameOf(const WeightTable &table);
/// Its elements as [k, n].
std::vector<float> elementsOf(const WeightTable &table);

/// X^T X, X being the rows that the inputs of a table's products have in every other set, and in the sets between.
struct InputMoments {
  std::vector<float> first, second;
  std::vector<float> all() const;
};

/// Calls use(table, moments) once for each table of `module`, over the sets of `source`. The
/// model runs in f32 once for each group of tables whose results fit into memory.
Error collectMoments(mlir::ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                     llvm::function_ref<void(size_t table, const InputMoments &moments)> use);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_WEIGHTTABLES_H
