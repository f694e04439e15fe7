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

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_COMPILEGPU_H
