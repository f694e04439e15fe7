//===- Pipelines.h - The order of the passes --------------------*- C++ -*-===//
#ifndef OPTC_PASSES_PIPELINES_H
#define OPTC_PASSES_PIPELINES_H

namespace mlir {
class OpPassManager;
}

namespace optc {
/// From the imported model to kernels: all that the CPU target runs, in order.
void buildPipeline(mlir::OpPassManager &passes);
/// Its two halves. Between them the model is written in the ops that it is made of, and nothing is laid out or fused:
/// there ranges are observed and precisions chosen.
void buildRecognition(mlir::OpPassManager &passes);
void buildLowering(mlir::OpPassManager &passes);
/// Registers every pass and the pipeline `optc-default` with MLIR's registry, for optc-opt.
void registerPasses();
} // namespace optc

#endif // OPTC_PASSES_PIPELINES_H
