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
  // What can be a kernel becomes one; the rest stays for library steps.
  passes.addNestedPass<func::FuncOp>(createFormKernels());
}

void optc::registerPasses() {
  registerOptcPasses();
  PassPipelineRegistration<>("optc-default", "the passes of a compile", [](OpPassManager &pm) { buildPipeline(pm); });
}
