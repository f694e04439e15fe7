//===- AttentionTiles.h - Attention's products in AMX's tiles ---*- C++ -*-===//
//
//   s^T [T][panels][16] = k q^T      tiles of 16 keys, as they lie in memory, by panels of queries [D/2][16][2]
//   y^T [E][panels][16] = v^T p      tiles of 16 columns of v, transposed into scratch, by panels [T/2][16][2]
//
// in f32, of bf16. Source: as codegen/kernel/Attention.h.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_ATTENTIONTILES_H
#define OPTC_CODEGEN_CPU_ATTENTIONTILES_H

#include "codegen/cpu/AmxTile.h"
#include "codegen/kernel/Attention.h"

namespace optc {

/// `count` tiles of rows times `panels` panels from `base` on, tiles in pairs. `rowsAndSums`: where the rows and the sums of a tile begin,
/// rows `stride` bytes apart, sums [rows][panels][16].
void productByTiles(KernelFunction &f, AmxTile &tile, mlir::Value count, int64_t panels,
                    llvm::function_ref<std::pair<mlir::Value, mlir::Value>(mlir::Value)> rowsAndSums, mlir::Value stride, mlir::Value base,
                    AmxTile::Steps steps);

class AttentionTiles {
public:
  /// `shapes`: 64 bytes.
  AttentionTiles(KernelFunction &f, const AttentionKernel &a, int64_t panels, mlir::Value shapes);

  /// Rows of q ([rows][D], `stride` elements apart, at most 16 of them) as the panel [D/2][16][2]; zeros for those that are missing.
  void packQueries(mlir::Value rows, mlir::Value stride, mlir::Value count, mlir::Value panel);
  /// scores[t][p][16] of the first `keys` rows of k, `stride` elements apart. `queries`: the panels, one after the other.
  void scores(mlir::Value rows, mlir::Value stride, mlir::Value keys, mlir::Value queries, mlir::Value scores);
  /// e and `next` (f32 x 16), two rows of probabilities, as a row of pairs of bf16.
  void storePair(mlir::Value e, mlir::Value next, mlir::Value target);
  /// target[E][paddedKeys] of the rows of v, zeros up to a whole step.
  void packValues(mlir::Value rows, mlir::Value stride, mlir::Value target);
  /// results[e][p][16] = values x probabilities ([paddedKeys/2][16][2] a panel), of the steps that hold `keys` keys.
  void results(mlir::Value values, mlir::Value probabilities, mlir::Value keys, mlir::Value results);
  void release();

  /// Keys up to the end of the step that the last is in.
  mlir::Value wholeSteps(mlir::Value keys);

private:
  KernelFunction &f;
  const AttentionKernel &a;
  int64_t panels;
  mlir::Value shapes;
  mlir::Type f32, i8, i16, i32;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_ATTENTIONTILES_H
