//===- Generators.h - One function a kind of kernel -------------*- C++ -*-===//
//
// Each emits the body of `f.kernel` and sets the launch. Kinds that have none are refused by CudaSource.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_GENERATORS_H
#define OPTC_CODEGEN_GPU_GENERATORS_H

#include "codegen/gpu/DeviceFunction.h"
#include "codegen/gpu/Target.h"
#include "codegen/kernel/Contraction.h"

namespace optc {

void generateDeviceLoops(DeviceFunction &f);
/// Loops whose result lies across its operand. False, and nothing is emitted, where the kernel is no such
/// loop.
bool generateDeviceTranspose(DeviceFunction &f);
/// Fails when the kernel's reductions are not along one dim of one space.
mlir::LogicalResult generateDeviceRows(DeviceFunction &f);

/// Fails when the product is not of two operands as they are.
mlir::LogicalResult generateDeviceMatmul(DeviceFunction &f, const GpuTarget &target);
/// A product of a few rows whose right operand is unpacked as it is read.
void generateDeviceUnpackingGemv(DeviceFunction &f, const ContractionKernel &c);
/// Fails when the convolution is not over one or two dims.
mlir::LogicalResult generateDeviceDepthwise(DeviceFunction &f);
/// Fails when the convolution is not over one or two dims, with a filter in panels of f32 or in columns.
mlir::LogicalResult generateDeviceConv(DeviceFunction &f, const GpuTarget &target);
/// Fails when the recurrence is not in the form of codegen/kernel/Recurrent.h.
mlir::LogicalResult generateDeviceRecurrent(DeviceFunction &f);
/// An op for which the library has a function (codegen/kernel/LibraryKernel.h). Fails for others.
mlir::LogicalResult generateDeviceLibrary(DeviceFunction &f);
/// Fails when the attention is not of 16-bit floats in rows of multiples of 16 bytes.
mlir::LogicalResult generateDeviceAttention(DeviceFunction &f, const GpuTarget &target);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_GENERATORS_H
