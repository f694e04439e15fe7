//===- LibraryKernel.h - Ops that a device's library computes ---*- C++ -*-===//
//
// Sorts, scans and scatters are library steps on a CPU. GPUs have functions for many of them
// (codegen/gpu/tile), called by a kernel of the kind "library" that holds the op alone; where such a kernel
// does not run on the GPU after all, its op is a library step as ever.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_LIBRARYKERNEL_H
#define OPTC_CODEGEN_KERNEL_LIBRARYKERNEL_H

#include "ir/Shape.h"

namespace optc {

/// True where the library of GPUs has a function for the op, its types and its attributes.
bool hasLibraryKernel(mlir::Operation *op);
/// True for a kernel around such an op.
bool isLibraryKernel(KernelOp kernel);

/// What the op's slices lie along; none: its elements are looked at one by one.
std::optional<int64_t> sliceAxis(UniqueOp op);
/// As many places as the block has in the image, in each dim.
Dims placesOf(Col2ImOp op);
/// What is transformed along the axis: as many elements as the operand has, as the result, or as the op says.
DimExpr dftLength(DftOp op);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_LIBRARYKERNEL_H
