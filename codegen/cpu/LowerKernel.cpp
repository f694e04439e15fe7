//===- LowerKernel.cpp - Loops and vectors to LLVM IR ---------------------===//

#include "codegen/cpu/LowerKernel.h"
#include "codegen/cpu/KernelFunction.h"
#include "codegen/cpu/Math.h"
#include "ir/Dialect.h"
#include "runtime/Artefact.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"

using namespace mlir;
using namespace optc;

const DialectRegistry &optc::kernelDialects() {
  static const DialectRegistry registry = [] {
    DialectRegistry r;
    r.insert<OptcDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
             memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
    registerBuiltinDialectTranslation(r);
    registerLLVMDialectTranslation(r);
    return r;
  }();
  return registry;
}

uint64_t optc::usedFeatures(ModuleOp module) {
  auto used = module->getAttrOfType<IntegerAttr>(kUsedFeatures);
  return used ? used.getInt() : 0;
}

/// Light scalar optimisation: the generators emit what should run, so LLVM's unroller and vectorizers stay off.
static void optimize(llvm::Module &module) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = tuning.LoopUnrolling = tuning.LoopInterleaving = false;
  llvm::PassBuilder builder(nullptr, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

std::unique_ptr<llvm::Module> optc::lowerKernel(ModuleOp module, const CpuTarget &target, llvm::LLVMContext &context) {
  uint64_t used = usedFeatures(module);
  PassManager passes(module.getContext());
  passes.enableVerifier(true);
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createExpandMathPass(target.features));
  passes.addPass(arith::createArithExpandOpsPass());
  passes.addPass(createConvertSCFToCFPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  if (failed(passes.run(module)))
    return nullptr;
  auto lowered = translateModuleToLLVMIR(module, context, "kernel");
  if (!lowered)
    return nullptr;
  std::string width = std::to_string(target.vectorBytes * 8);
  for (llvm::Function &f : *lowered) {
    if (f.isDeclaration())
      continue;
    f.addFnAttr("target-cpu", target.cpu);
    if (used)
      f.addFnAttr("target-features", llvmFeatures(used));
    f.addFnAttr("prefer-vector-width", width);
    f.addFnAttr("min-legal-vector-width", width);
    f.addFnAttr(llvm::Attribute::NoUnwind);
    f.setDSOLocal(true);
    if (!f.hasLocalLinkage())
      f.setVisibility(llvm::GlobalValue::HiddenVisibility);
  }
  optimize(*lowered);
  return lowered;
}
