//===- Generators.h - One function a kind of kernel -------------*- C++ -*-===//
//
// Each emits the body of `f.kernel` and sets the launch. Kinds that have none are refused by CudaSource.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_GENERATORS_H
#define OPTC_CODEGEN_GPU_GENERATORS_H

#include "codegen/gpu/DeviceFunction.h"

namespace optc {

void generateDeviceLoops(DeviceFunction &f);
/// Fails when the kernel's reductions are not along one dim of one space.
mlir::LogicalResult generateDeviceRows(DeviceFunction &f);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_GENERATORS_H
