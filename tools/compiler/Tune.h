//===- Tune.h - Kernels cut as is fastest on this machine -------*- C++ -*-===//
//
// Generators estimate how to cut a kernel's work, and offer other ways (codegen/kernel/Tiling.h). Each kernel is compiled in all of them, into one artefact
// in which they are steps one after the other, each with operands of its own; the runtime that users have runs it a few times, and its profile says
// which step is the fastest. That goes for CPUs and GPUs alike.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_TUNE_H
#define OPTC_TOOLS_COMPILER_TUNE_H

#include "codegen/cpu/Target.h"
#include "codegen/gpu/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/compiler/Compiler.h"
#include "tools/compiler/TuningFile.h"

namespace optc {

/// A kernel that may be cut in several ways, and all its uses in a model.
struct TunableKernel {
  llvm::SmallVector<KernelOp> uses;
  /// Of a tuning file; `attribute` is the target's name in optc.tiling.
  std::string target, hash, what;
  std::string attribute;
  /// The estimated one first.
  llvm::SmallVector<Tiling> tilings;
};

/// Those of a lowered model that run on the GPUs, or where there are none on the CPUs.
std::vector<TunableKernel> tunableKernels(mlir::func::FuncOp model, llvm::ArrayRef<CpuTarget> targets, llvm::ArrayRef<GpuTarget> gpuTargets);

/// Measures on this machine those that `tuning` lacks. `targets`: what a CPU runs is compiled for.
Error measureTilings(llvm::ArrayRef<TunableKernel> kernels, llvm::ArrayRef<CpuTarget> targets, llvm::ArrayRef<GpuTarget> gpuTargets,
                     const CompileOptions &options, llvm::function_ref<void(const std::string &)> progress, Tuning &tuning);

/// Cuts kernels as `tuning` has them; says how many it has.
size_t applyTuning(llvm::ArrayRef<TunableKernel> kernels, const Tuning &tuning);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_TUNE_H
