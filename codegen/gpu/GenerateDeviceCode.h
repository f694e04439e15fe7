//===- GenerateDeviceCode.h - A model's kernels for GPUs --------*- C++ -*-===//
#ifndef OPTC_CODEGEN_GPU_GENERATEDEVICECODE_H
#define OPTC_CODEGEN_GPU_GENERATEDEVICECODE_H

#include "codegen/gpu/CudaSource.h"
#include "codegen/plan/DeviceCode.h"

namespace optc {

/// CUDA C++ to what a driver loads.
using CompileImage = llvm::function_ref<llvm::Expected<std::string>(const std::string &source, const GpuTarget &target)>;

/// One image a target, in the order given. Kernels that one of them has no code for have none; a portable target that has not the
/// code of the others is left out. `nodesOf` as in emitCuda.
llvm::Expected<DeviceCode> generateDeviceCode(mlir::func::FuncOp model, llvm::ArrayRef<GpuTarget> targets,
                                              llvm::function_ref<llvm::SmallVector<std::string>(mlir::Operation *)> nodesOf, CompileImage compile);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_GENERATEDEVICECODE_H
