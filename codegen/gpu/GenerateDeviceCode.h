//===- GenerateDeviceCode.h - A model's kernels for GPUs --------*- C++ -*-===//
#ifndef OPTC_CODEGEN_GPU_GENERATEDEVICECODE_H
#define OPTC_CODEGEN_GPU_GENERATEDEVICECODE_H

#include "codegen/gpu/CudaSource.h"
#include "codegen/plan/DeviceCode.h"

namespace optc {

/// A translation unit that becomes a module.
struct DeviceUnit {
  std::string source;
  GpuTarget target;
};

/// CUDA C++ to what a driver loads, for each unit.
using CompileUnits = llvm::function_ref<llvm::Expected<std::vector<std::string>>(llvm::ArrayRef<DeviceUnit> units)>;

/// One image a target, in the order given; `kernelsPerUnit` kernels, in the model's order, are a unit. Kernels that one target has no
/// code for have none; a portable target that has not the code of the others is left out. `nodesOf` as in emitCuda.
llvm::Expected<DeviceCode> generateDeviceCode(mlir::func::FuncOp model, llvm::ArrayRef<GpuTarget> targets,
                                              llvm::function_ref<llvm::SmallVector<std::string>(mlir::Operation *)> nodesOf, size_t kernelsPerUnit,
                                              CompileUnits compile);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_GENERATEDEVICECODE_H
