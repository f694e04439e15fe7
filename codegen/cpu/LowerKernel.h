//===- LowerKernel.h - Loops and vectors to LLVM IR -------------*- C++ -*-===//
#ifndef OPTC_CODEGEN_CPU_LOWERKERNEL_H
#define OPTC_CODEGEN_CPU_LOWERKERNEL_H

#include "codegen/cpu/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace optc {

/// The dialects that kernels are parsed from, emitted in and lowered through.
const mlir::DialectRegistry &kernelDialects();

/// canonicalize, CSE, math to polynomials, scf -> cf -> LLVM dialect -> LLVM IR, with the target's attributes.
/// Null on failure (diagnosed).
std::unique_ptr<llvm::Module> lowerKernel(mlir::ModuleOp module, const CpuTarget &target, llvm::LLVMContext &context);

/// The features beyond a level that a generated module uses.
uint64_t usedFeatures(mlir::ModuleOp module);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_LOWERKERNEL_H
