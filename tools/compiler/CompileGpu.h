//===- CompileGpu.h - The GPU's part of a compile ---------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_COMPILEGPU_H
#define OPTC_TOOLS_COMPILER_COMPILEGPU_H

#include "codegen/gpu/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/compiler/Compiler.h"

namespace optc {

/// True for what is emitted of a GPU target only.
bool isGpuEmit(Emit emit);
/// The text or bytes of `options.emit`, or a failure with its messages in `result`.
std::optional<std::string> emitForGpu(mlir::func::FuncOp model, const GpuTarget &target,
                                      const CompileOptions &options, CompileResult &result);

/// The kernels of an artefact for `targets`, machine code of each and text for later chips, or with --emit-host-emulation what
/// test/runtime/gpu runs in their place; nullopt and messages where it cannot be had.
std::optional<DeviceCode> compileForGpus(mlir::func::FuncOp model, llvm::ArrayRef<GpuTarget> targets, const CompileOptions &options,
                                         CompileResult &result);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_COMPILEGPU_H
