//===- Pipelines.cpp - The order of the passes ----------------------------===//

#include "passes/Pipelines.h"
#include "passes/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void optc::buildPipeline(OpPassManager &passes) {
  // Exporters leave identities, duplicates and dead shape arithmetic.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  // Reductions take what is around them: a row is read from memory once.
  passes.addNestedPass<func::FuncOp>(createFormRowKernels());
  // What can be a kernel becomes one; the rest stays for library steps.
  passes.addNestedPass<func::FuncOp>(createFormKernels());
  // Long loops instead of deep nests; the reduced dims of a row become one.
  passes.addNestedPass<func::FuncOp>(createCollapseDims());
  // The views that this left around the kernels.
  passes.addPass(createCanonicalizerPass());
}

void optc::registerPasses() {
  registerOptcPasses();
  PassPipelineRegistration<>("optc-default", "the passes of a compile", [](OpPassManager &pm) { buildPipeline(pm); });
}
