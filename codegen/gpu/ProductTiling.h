//===- ProductTiling.h - How products are cut into blocks' work -*- C++ -*-===//
//
// A block has a tile of the result. Which tiles, and into how many units their steps of k are cut where the tiles fill a device badly
// (tile/stream_k.cuh), is what takes the fewest cycles of the longest-running multiprocessor:
//
//   waves * steps of a unit * cycles of a step    and where tiles are cut: write and count the sums, read those of all units of a tile
//
// Products of a few rows are not cut: the threads of a block have their k's in slices already (tile/gemv.cuh), and are enough to read at a device's speed.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_PRODUCTTILING_H
#define OPTC_CODEGEN_GPU_PRODUCTTILING_H

#include "codegen/kernel/Tiling.h"
#include "ir/DimExpr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace optc {

/// Of the devices that tiles are chosen for (H100, H200).
constexpr int64_t kMultiprocessors = 132;
/// No chip that code is compiled for has more.
constexpr int64_t kMostMultiprocessors = 192;

struct ProductSize {
  DimExpr batch, rows, columns;
  /// Of k, each as long as the product's kDepth.
  DimExpr steps;

  /// How many tiles there are, or steps, is known when the kernel is launched only, and may be worth cutting then: StreamAny of tile/stream_k.cuh.
  bool isCutAtLaunch() const { return !(batch * rows * columns * steps).constant() && steps.constant().value_or(8) >= 8; }
};

struct ProductTile {
  int64_t rows, columns;
  /// Of a step of k: its products, and what it copies beside them.
  double stepCycles;
  /// Blocks that a multiprocessor has at a time, whose cycles these are then.
  int64_t resident = 1;

  DimExpr count(const ProductSize &size) const { return size.batch * DimExpr::ceildiv(size.rows, rows) * DimExpr::ceildiv(size.columns, columns); }
  int64_t sums() const { return rows * columns; }
};

struct ProductTiling {
  ProductTile tile;
  /// 0: tiles are not cut. Sizes that are not known are taken to be many.
  int64_t units = 0;
  /// So many of the tiles are cut.
  int64_t streamed = 0;

  /// As codegen/kernel/Tiling.h has it.
  Tiling numbers() const { return {tile.rows, tile.columns, units}; }
};
/// Of some tiles as many as make all units equally long, and leave each of these at least a tile's steps where there are as many tiles.
int64_t streamedTiles(int64_t tiles, int64_t units);
/// Bytes of the sums that units write: 16-byte aligned (tile/stream_k.cuh).
int64_t unitBytes(const ProductTiling &tiling);

/// All ways to cut a product into some tiles that the estimates have no reason against, the fastest first: equal ones in the order of the tiles.
llvm::SmallVector<ProductTiling> rankTilings(const ProductSize &size, llvm::ArrayRef<ProductTile> tiles);

/// Tiles of GemmSm80 and ConvSm80 for rows that are copied in pieces of so many bytes: the smaller these are, the more rows a thread copies.
llvm::SmallVector<ProductTile> warpTiles(int64_t piece, bool bySteps);
/// Of GemmSm90 and ConvSm90. Not all have room for sums that are in registers twice (`bySteps`: kSumsBySteps in tile/product.cuh), or for what says how tiles
/// of unknown sizes are cut.
llvm::SmallVector<ProductTile> warpgroupTiles(const ProductSize &size, bool bySteps);
/// Of GemmSimt and ConvSimt: small ones where large ones would leave multiprocessors without work.
llvm::SmallVector<ProductTile> simtTiles(const ProductSize &size);
ProductTile smallSimtTile();

/// Slices of the keys of attention (tile/split_keys.cuh) whose queries take so many blocks, with so many tiles of 64 keys; where these are not known, as
/// many as there may be.
int64_t keySlices(const DimExpr &blocks, const DimExpr &keyTiles);

/// Of GemmSparseSm80 and GemmSparseSm90, whose rows are the result's columns; 128 k's.
llvm::SmallVector<ProductTile> sparseWarpTiles();
llvm::SmallVector<ProductTile> sparseWarpgroupTiles();

/// Of GemmCodesSm80. Of an unknown number of rows there may be few, and tiles of 128 with what says how they are cut spill registers.
llvm::SmallVector<ProductTile> codesTiles(bool areRowsKnown);

/// kSharedBytes of them.
int64_t warpTileBytes(const ProductTile &tile);
int64_t codesTileBytes(const ProductTile &tile, int64_t bits);
int64_t warpgroupTileBytes(const ProductTile &tile);
int64_t simtTileBytes(const ProductTile &tile);
int64_t sparseWarpTileBytes(const ProductTile &tile);
int64_t sparseWarpgroupTileBytes(const ProductTile &tile);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_PRODUCTTILING_H
