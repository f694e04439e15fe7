//===- Pipelines.h - The order of the passes --------------------*- C++ -*-===//
#ifndef OPTC_PASSES_PIPELINES_H
#define OPTC_PASSES_PIPELINES_H

namespace mlir {
class OpPassManager;
}

namespace optc {
/// From the imported model to kernels: all that the CPU target runs, in order.
void buildPipeline(mlir::OpPassManager &passes);
/// Registers every pass and the pipeline `optc-default` with MLIR's registry, for optc-opt.
void registerPasses();
} // namespace optc

#endif // OPTC_PASSES_PIPELINES_H
