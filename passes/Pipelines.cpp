//===- Pipelines.cpp - The order of the passes ----------------------------===//

#include "passes/Pipelines.h"
#include "passes/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void optc::buildPipeline(OpPassManager &passes, const PipelineOptions &options) {
  buildRecognition(passes, options.gpu);
  buildLowering(passes, options);
}

void optc::buildRecognition(OpPassManager &passes, bool gpu) {
  // Exporters leave identities, duplicates and dead shape arithmetic.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createMergeDuplicates());
  // Constants that exporters compute (1 / sqrt(64)) as the passes below look for them.
  passes.addNestedPass<func::FuncOp>(createFoldConstants());
  passes.addNestedPass<func::FuncOp>(createRecognizeQuantizedProducts());
  // Formulas become the ops that they stand for: cheaper bodies, better numerics. Powers first, whose squares and roots
  // the others look for.
  passes.addNestedPass<func::FuncOp>(createSimplifyPowers());
  passes.addNestedPass<func::FuncOp>(createRecognizeActivations());
  passes.addNestedPass<func::FuncOp>(createRecognizeGelu());
  passes.addNestedPass<func::FuncOp>(createRecognizeSoftmax());
  passes.addNestedPass<func::FuncOp>(createRecognizeNormalize());
  passes.addNestedPass<func::FuncOp>(createRecognizeAttention({gpu}));
  // Transposed convolutions are convolutions to all that follows, calibration included.
  passes.addNestedPass<func::FuncOp>(createLowerConvTranspose());
  // Batch normalisations leave a factor a channel, which costs nothing in the weights.
  passes.addNestedPass<func::FuncOp>(createFoldScales());
  // Adapters whose factors have become constants, scales included.
  passes.addNestedPass<func::FuncOp>(createFoldLowRank());
}

void optc::buildLowering(OpPassManager &passes, const PipelineOptions &options) {
  // What computes in bf16 on a GPU has its weights in it already.
  const std::string weights = options.gpu && options.bfloat && options.weights == "bf16" ? "" : options.weights;
  if (options.gpu)
    passes.addNestedPass<func::FuncOp>(createLowerAttention({options.bfloat}));
  passes.addNestedPass<func::FuncOp>(createLowerGatherND());
  // Quantisation beside what computes: what only moves data moves bytes.
  passes.addNestedPass<func::FuncOp>(createPropagateQuantization({/*float8=*/options.gpu}));
  // Channels innermost: rows of the matrix products that convolutions become are contiguous.
  passes.addNestedPass<func::FuncOp>(createConvertLayout());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createMergeDuplicates());
  // Recurrent layers leave a matrix product for the passes that follow.
  passes.addNestedPass<func::FuncOp>(createLowerRecurrent());
  // Groups are products of their own.
  passes.addNestedPass<func::FuncOp>(createSplitGroups());
  // A GPU's products of images are over two dims.
  if (options.gpu)
    passes.addNestedPass<func::FuncOp>(createUnfoldDepth());
  passes.addNestedPass<func::FuncOp>(createNormalizeContractions());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createMergeDuplicates());
  // Products of bf16, tf32 and of bytes, once they have the form that kernels compute.
  if (options.bfloat)
    passes.addNestedPass<func::FuncOp>(createInsertRounding({options.gpu || options.tiles, options.gpu, /*fewBits=*/weights != "", /*tf32=*/false}));
  if (options.tf32)
    passes.addNestedPass<func::FuncOp>(createInsertRounding({/*tiles=*/true, /*gpu=*/true, /*fewBits=*/false, /*tf32=*/true}));
  passes.addNestedPass<func::FuncOp>(createPropagateQuantization({/*float8=*/options.gpu}));
  if (!options.keepRounding)
    passes.addNestedPass<func::FuncOp>(createRangesOfRows());
  // While the model's quantisations are those that it was written with.
  if (options.tables)
    passes.addNestedPass<func::FuncOp>(createTabulateCodes());
  passes.addNestedPass<func::FuncOp>(createKeepFloatProducts({llvm::to_vector(options.levels), !options.keepRounding}));
  passes.addNestedPass<func::FuncOp>(createLowerQdq());
  if (options.gpu)
    passes.addNestedPass<func::FuncOp>(createLowerFloat8());
  // Products of scales are constants for the kernels.
  passes.addNestedPass<func::FuncOp>(createFoldConstants());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createMergeDuplicates());
  // Attention takes the movement around it before anything else does.
  passes.addNestedPass<func::FuncOp>(createFormAttention({options.gpu}));
  // Weights of few bits, before their products become kernels; nothing may fold how they are unpacked.
  passes.addNestedPass<func::FuncOp>(createCompressWeights({weights, options.weightBlock, options.spreadsMasks, options.spreadsTwoOfFour, options.gpu}));
  // Matrix products next: they take the elementwise ops that follow them.
  passes.addNestedPass<func::FuncOp>(createFormContractions({options.gpu}));
  passes.addPass(createMergeDuplicates());
  // Reductions take what is around them: a row is read from memory once.
  passes.addNestedPass<func::FuncOp>(createFormRowKernels({options.gpu}));
  // What can be a kernel becomes one; the rest stays for library steps.
  passes.addNestedPass<func::FuncOp>(createFormKernels({options.gpu}));
  // Long loops instead of deep nests; the reduced dims of a row become one.
  passes.addNestedPass<func::FuncOp>(createCollapseDims());
  // What a kernel stores is known now.
  if (!options.keepRounding)
    passes.addNestedPass<func::FuncOp>(createSkipRounding());
  // Nothing looks for sums and products any more.
  if (options.fma)
    passes.addNestedPass<func::FuncOp>(createFuseMultiplyAdd());
  // The views that this left around the kernels; what went into kernels leaves dead ops behind.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createMergeDuplicates());
  // Which memory a result takes, once nothing moves any more.
  passes.addNestedPass<func::FuncOp>(createReuseInPlace());
  // Sorts, scans and scatters, which nothing is fused with.
  if (options.gpu)
    passes.addNestedPass<func::FuncOp>(createFormLibraryKernels());
}

void optc::registerPasses() {
  registerOptcPasses();
  PassPipelineRegistration<>("optc-default", "the passes of a compile", [](OpPassManager &pm) { buildPipeline(pm); });
}
