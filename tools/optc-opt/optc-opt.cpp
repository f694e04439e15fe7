//===- optc-opt.cpp - Runs passes on textual IR or on an ONNX model -------===//
//
// MlirOptMain with the dialect and every pass. A `.onnx` or `.onnxtxt` file is imported first;
// weights over 1 KB are elided when it is printed.
//
//   optc-opt model.onnxtxt | FileCheck model.onnxtxt
//
//===----------------------------------------------------------------------===//

#include "frontend/Importer.h"
#include "ir/Dialect.h"
#include "passes/Pipelines.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

/// Prints every problem; 1 for a bad model, 2 for an unsupported one.
static int report(llvm::StringRef path, const optc::Problems &problems) {
  bool bad = false;
  for (const optc::Problem &p : problems) {
    llvm::errs() << path << ": error: " << p.message << "\n";
    bad |= p.kind == optc::ProblemKind::badModel;
  }
  return bad ? 1 : 2;
}

static int runOnModel(llvm::StringRef input, llvm::StringRef output, const DialectRegistry &registry) {
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  optc::ImportResult imported = optc::importModel(input, context);
  if (!imported.module)
    return report(input, imported.problems);
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  PassManager passes(&context, ModuleOp::getOperationName(), PassManager::Nesting::Implicit);
  if (failed(applyPassManagerCLOptions(passes)) || failed(config.setupPassPipeline(passes)) ||
      failed(passes.run(*imported.module)))
    return 1;
  std::string message;
  auto file = openOutputFile(output, &message);
  if (!file) {
    llvm::errs() << message << "\n";
    return 1;
  }
  imported.module->print(file->os(), OpPrintingFlags().elideLargeResourceString(1024));
  file->os() << "\n";
  file->keep();
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  DialectRegistry registry;
  registry.insert<optc::OptcDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect,
                  scf::SCFDialect, vector::VectorDialect>();
  registerTransformsPasses();
  optc::registerPasses();
  auto [input, output] =
      registerAndParseCLIOptions(argc, argv, "optc-opt: runs passes on optc IR\n", registry);
  if (llvm::StringRef(input).ends_with(".onnx") || llvm::StringRef(input).ends_with(".onnxtxt"))
    return runOnModel(input, output, registry);
  return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
}
