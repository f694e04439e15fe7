//===- CompileKernels.h - Kernels to objects, in parallel -------*- C++ -*-===//
//
// Each worker parses a kernel's canonical text in an MLIR context of its own, lets the generator of
// its kind emit loops and vectors, lowers them to LLVM and writes an object.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_COMPILEKERNELS_H
#define OPTC_CODEGEN_CPU_COMPILEKERNELS_H

#include "codegen/cpu/Target.h"

namespace optc {

struct CompiledKernels {
  /// One a kernel, which defines `optc_kernel_<i>_<suffix>`.
  std::vector<std::string> objects;
  /// What the CPU must have: the level, and what kernels use beyond it.
  uint64_t features = 0;
};

/// The error names the kernel.
llvm::Expected<CompiledKernels> compileKernels(const std::vector<std::string> &texts,
                                               const std::vector<std::string> &names, const CpuTarget &target, unsigned jobs);

enum class KernelText { mlir, llvm, assembly };
/// A kernel as text at a level of its compilation.
llvm::Expected<std::string> emitKernelText(const std::string &text, size_t index, const CpuTarget &target, KernelText kind);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_COMPILEKERNELS_H
