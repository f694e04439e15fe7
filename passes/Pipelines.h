//===- Pipelines.h - The order of the passes --------------------*- C++ -*-===//
#ifndef OPTC_PASSES_PIPELINES_H
#define OPTC_PASSES_PIPELINES_H

#include <cstdint>
#include <string>
#include <vector>

namespace mlir {
class OpPassManager;
}

namespace optc {
struct PipelineOptions {
  /// What weights of matrix products and embedding tables are stored in: int4, int8, bf16, f16, f8; empty: as they are.
  std::string weights;
  /// Weights that share a scale; 0: the format's own number.
  int64_t weightBlock = 0;
  /// What the CPU levels of the artefact compute with (codegen/kernel/CostModel.h); empty: quantised products are products of bytes
  /// at any cost.
  std::vector<std::string> levels;
  /// Products with constant weights are computed in bf16; every CPU of the artefact has AMX.
  bool bfloat = false, tiles = false;
  /// Of a GPU: operands of products are rounded to tf32.
  bool tf32 = false;
  /// Every CPU of the artefact multiplies and adds in one instruction.
  bool fma = true;
  /// Every quantisation of the model rounds as it is written, whether its codes are stored or not.
  bool keepRounding = false;
  /// Every CPU of the artefact looks up bytes in registers.
  bool tables = false;
  /// Every CPU of the artefact spreads 8-bit codes without zeros in registers: by masks, and 2 of 4 (codegen/kernel/SparseCodes.h).
  bool spreadsMasks = false, spreadsTwoOfFour = false;
  /// The kernels are a GPU's.
  bool gpu = false;
};
/// From the imported model to kernels: all that the CPU target runs, in order.
void buildPipeline(mlir::OpPassManager &passes, const PipelineOptions &options = {});
/// Its two halves. Between them the model is written in the ops that it is made of, and nothing is laid out or fused:
/// there ranges are observed and precisions chosen.
void buildRecognition(mlir::OpPassManager &passes, bool gpu = false);
void buildLowering(mlir::OpPassManager &passes, const PipelineOptions &options = {});
/// Registers every pass and the pipeline `optc-default` with MLIR's registry, for optc-opt.
void registerPasses();
} // namespace optc

#endif // OPTC_PASSES_PIPELINES_H
