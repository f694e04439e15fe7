//===- ProductEpilogue.h - What products of a device share ------*- C++ -*-===//
#ifndef OPTC_CODEGEN_GPU_PRODUCTEPILOGUE_H
#define OPTC_CODEGEN_GPU_PRODUCTEPILOGUE_H

#include "codegen/gpu/DeviceFunction.h"
#include "codegen/kernel/Contraction.h"

namespace optc {

/// Of the devices that tiles are chosen for (H100, H200).
constexpr int64_t kMultiprocessors = 132;

/// Of two spatial dims, rows first; one dim is the last of two.
std::pair<int64_t, int64_t> onPlane(llvm::ArrayRef<int64_t> list, int64_t otherwise);

bool isMultiple(const DimExpr &d, int64_t of);
/// Elements of a vector of at most `most` that divide the dim.
int64_t dividingLanes(const DimExpr &d, int64_t most);

/// Rows and columns of a tile of GemmSm80 and ConvSm80.
struct WarpTile {
  int64_t rows, columns;
  /// kSharedBytes.
  int64_t sharedBytes() const { return (rows + columns > 192 ? 3 : 4) * (rows + columns) * 128; }
};
/// Tiles for rows that are copied in pieces of so many bytes: the smaller these are, the more rows a thread copies.
llvm::ArrayRef<WarpTile> warpTiles(int64_t piece);
/// The tile that takes the fewest steps of a device: a step costs its products and the rows and columns that it copies.
WarpTile chooseWarpTile(const DimExpr &batch, const DimExpr &rows, const DimExpr &columns, llvm::ArrayRef<WarpTile> tiles);
/// An operand's type as the tile library multiplies it: bytes of the left one are unsigned.
std::string multiplied(mlir::Type element);

/// Columns that the epilogue takes at a time: 16 bytes of the widest value that it reads or writes along them.
int64_t epilogueLanes(KernelOp kernel, const ContractionKernel &c, int64_t most);
/// The kernel's fused ops as a function of the place and of `lanes` sums.
void emitProductEpilogue(DeviceFunction &f, const ContractionKernel &c, int64_t lanes);

/// Of f64, and of integers of 32 and 64 bits, which are summed in their own type.
bool hasOwnSums(const ContractionKernel &c);
/// Rows and columns of a tile of GemmSimt: smaller ones where larger ones would leave multiprocessors without work; its memory.
int64_t simtTile(const DimExpr &batch, const DimExpr &rows, const DimExpr &columns);
int64_t simtBytes(int64_t tile);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_PRODUCTEPILOGUE_H
