//===- ProductEpilogue.h - What products of a device share ------*- C++ -*-===//
#ifndef OPTC_CODEGEN_GPU_PRODUCTEPILOGUE_H
#define OPTC_CODEGEN_GPU_PRODUCTEPILOGUE_H

#include "codegen/gpu/DeviceFunction.h"
#include "codegen/gpu/ProductTiling.h"
#include "codegen/gpu/Target.h"
#include "codegen/kernel/Contraction.h"

namespace optc {

/// Of two spatial dims, rows first; one dim is the last of two.
std::pair<int64_t, int64_t> onPlane(llvm::ArrayRef<int64_t> list, int64_t otherwise);

bool isMultiple(const DimExpr &d, int64_t of);
/// Elements of a vector of at most `most` that divide the dim.
int64_t dividingLanes(const DimExpr &d, int64_t most);

/// An operand's type as the tile library multiplies it: bytes of the left one are unsigned.
std::string multiplied(const ContractionKernel &c);

/// As it was measured for the target, if it was (codegen/kernel/Tiling.h), else as estimates rank it. What may be measured is the function's `tilings` then.
ProductTiling chooseTiling(DeviceFunction &f, const ContractionKernel &c, const GpuTarget &target, const ProductSize &size, llvm::ArrayRef<ProductTile> tiles);
/// Blocks for the tiles of a product, or for the units that their steps are cut into. Of tiles or steps whose number is not known the kernel says itself
/// (StreamAny of tile/stream_k.cuh), where `takesTurns`: blocks that a device has room for do all there is.
void useTiling(DeviceFunction &f, const GpuTarget &target, const ProductSize &size, const ProductTiling &tiling, bool takesTurns = true);

/// Columns that the epilogue takes at a time: 16 bytes of the widest value that it reads or writes along them.
int64_t epilogueLanes(KernelOp kernel, const ContractionKernel &c, int64_t most);
/// The kernel's fused ops as a function of the place and of `lanes` sums.
void emitProductEpilogue(DeviceFunction &f, const ContractionKernel &c, int64_t lanes);

/// Of operands of e4m3, summed in f32.
bool isE4M3(const ContractionKernel &c);
/// Of f64, and of integers of 32 and 64 bits, which are summed in their own type.
bool hasOwnSums(const ContractionKernel &c);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_PRODUCTEPILOGUE_H
