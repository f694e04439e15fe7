//===- ProductTiling.cpp - How products are cut into blocks' work ---------===//

#include "codegen/gpu/ProductTiling.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <limits>

using namespace llvm;
using namespace optc;

// Estimates for an H100, not fitted to measurements of these kernels.

/// Sums that are written and read again pass the second-level cache; a warp waits for it to take its own, to count them, and to give the first.
static constexpr double kMeetCycles = 2000, kSumBytesPerCycle = 64;
/// What cutting tiles has to save: less may be the model's error.
static constexpr double kWorthwhile = 0.85;
static constexpr int64_t kMostSlices = 64, kMostUnitBytes = 48 << 20;

static int64_t ceildiv(int64_t x, int64_t y) { return (x + y - 1) / y; }

int64_t optc::streamedTiles(int64_t tiles, int64_t units) { return tiles < 2 * units ? tiles : units + tiles % units; }

int64_t optc::unitBytes(const ProductTiling &tiling) {
  return tiling.units * (tiling.units % tiling.streamed == 0 ? 1 : 2) * tiling.tile.sums() * 4;
}

/// Cycles of the multiprocessor that has the most to do. `units`: 0 where no tile is cut.
static double cyclesOf(const ProductTile &tile, int64_t tiles, int64_t steps, int64_t units, int64_t streamed) {
  if (!units)
    return double(ceildiv(tiles, kMultiprocessors) * steps) * tile.stepCycles;
  int64_t ofUnit = ceildiv(streamed * steps, units) + (tiles - streamed) / units * steps;
  // A tile's sums are read once for each unit that it is in; units that are not a multiple of the tiles write those of two.
  int64_t ofTile = ceildiv(units, streamed), cut = units % streamed == 0 ? 1 : 2;
  return double(ceildiv(units, kMultiprocessors) * ofUnit) * tile.stepCycles + kMeetCycles +
         double((cut + ofTile + cut - 1) * tile.sums() * 4) / kSumBytesPerCycle;
}

SmallVector<ProductTiling> optc::rankTilings(const ProductSize &size, ArrayRef<ProductTile> tiles) {
  constexpr int64_t kMany = 1 << 20;
  std::optional<int64_t> steps = size.steps.constant();
  SmallVector<ProductTiling> all;
  SmallVector<std::pair<double, size_t>> ranks; // equal ones in their order
  auto add = [&](const ProductTiling &tiling, double cycles) {
    ranks.push_back({cycles, all.size()});
    all.push_back(tiling);
  };
  for (const ProductTile &tile : tiles) {
    std::optional<int64_t> count = tile.count(size).constant();
    int64_t columns = size.columns.constant().value_or(kMany);
    // Of unknown sizes all waves are full.
    double cycles = count ? cyclesOf(tile, *count, steps.value_or(1), 0, 0)
                          : double(kMany / tile.rows * ceildiv(columns, tile.columns)) / kMultiprocessors * tile.stepCycles;
    add({tile}, cycles);
  }
  for (const ProductTile &tile : tiles) {
    std::optional<int64_t> count = tile.count(size).constant();
    if (!count || *count < 1 || !steps)
      continue;
    auto offer = [&](int64_t units) {
      int64_t streamed = streamedTiles(*count, units);
      // Their products are numbers of 32 bits, and sums have to stay in the second-level cache.
      if (streamed * *steps >= units && streamed * *steps < std::numeric_limits<int32_t>::max() && unitBytes({tile, units, streamed}) <= kMostUnitBytes)
        add({tile, units, streamed}, cyclesOf(tile, *count, *steps, units, streamed) / kWorthwhile);
    };
    for (int64_t s = 2; s <= std::min(*steps, kMostSlices) && *count < kMultiprocessors; ++s)
      offer(*count * s);
    // A wave, unless that is whole tiles or has been offered.
    if (int64_t wave = kMultiprocessors * tile.resident; *count % wave != 0 && (wave % *count != 0 || wave / *count > std::min(*steps, kMostSlices)))
      offer(wave);
  }
  llvm::sort(ranks);
  return llvm::map_to_vector(ranks, [&](const auto &rank) { return all[rank.second]; });
}

/// Sums of a tile of 256 threads that half of the registers are enough for; left to itself the compiler would rather spill than take more than a quarter.
static constexpr int64_t kHalfOfRegisters = 64 * 128;

/// 128 bytes of k.
SmallVector<ProductTile> optc::warpTiles(int64_t piece, bool bySteps) {
  auto tile = [](int64_t rows, int64_t columns) { return ProductTile{rows, columns, double(rows * columns + 16 * (rows + columns)) / 16, rows * columns <= kHalfOfRegisters ? 2 : 1}; };
  SmallVector<ProductTile> tiles = {tile(64, 64), tile(64, 128), tile(128, 64), tile(128, 128)};
  tiles.truncate(piece == 16 ? (bySteps ? 3 : 4) : piece < 4 ? 1 : 2);
  return tiles;
}

/// 64 k's: a code takes some 4.5 instructions.
SmallVector<ProductTile> optc::codesTiles(bool areRowsKnown) {
  auto tile = [](int64_t rows, int64_t columns) { return ProductTile{rows, columns, double(rows * columns + 16 * rows + 40 * columns) / 16, 2}; };
  SmallVector<ProductTile> tiles = {tile(64, 64), tile(64, 128), tile(128, 64)};
  tiles.truncate(areRowsKnown ? 3 : 2);
  return tiles;
}

/// 128 bytes of k.
SmallVector<ProductTile> optc::warpgroupTiles(const ProductSize &size, bool bySteps) {
  SmallVector<ProductTile> tiles;
  for (int64_t columns : {256, 192, 128, 64})
    if (columns <= (bySteps ? 128 : size.isCutAtLaunch() ? 192 : 256))
      tiles.push_back({128, columns, double(4 * (columns + 48))});
  return tiles;
}

// Instructions take as long as dense ones of half of the k's; the left operand is as long as ever.

SmallVector<ProductTile> optc::sparseWarpTiles() {
  auto tile = [](int64_t rows, int64_t columns) { return ProductTile{rows, columns, double(rows * columns + 16 * (rows + 2 * columns)) / 16, rows * columns <= kHalfOfRegisters ? 2 : 1}; };
  return {tile(64, 64), tile(128, 64), tile(128, 128)};
}

SmallVector<ProductTile> optc::sparseWarpgroupTiles() {
  SmallVector<ProductTile> tiles;
  for (int64_t columns : {256, 128, 64})
    tiles.push_back({128, columns, double(4 * (columns + 80))});
  return tiles;
}

/// 16 k's.
ProductTile optc::smallSimtTile() { return {64, 64, 640, 2}; }

SmallVector<ProductTile> optc::simtTiles(const ProductSize &size) {
  ProductTile large{128, 128, 2304}, small = smallSimtTile();
  std::optional<int64_t> count = large.count(size).constant();
  return {count && *count < 2 * kMultiprocessors ? small : large};
}

/// To bring slices together takes as long as some two tiles of keys: a slice has at least these, and less than three of them are not worth it.
int64_t optc::keySlices(const DimExpr &blocks, const DimExpr &keyTiles) {
  constexpr int64_t kMostKeySlices = 16;
  std::optional<int64_t> count = blocks.constant(), tiles = keyTiles.constant();
  if (!count || *count < 1 || (tiles && *tiles < 6))
    return 1;
  int64_t slices = std::clamp<int64_t>(kMultiprocessors / *count, 1, kMostKeySlices);
  return tiles ? std::min(slices, *tiles / 2) : slices;
}

int64_t optc::warpTileBytes(const ProductTile &tile) { return (tile.rows + tile.columns > 192 ? 3 : 4) * (tile.rows + tile.columns) * 128; }

int64_t optc::codesTileBytes(const ProductTile &tile, int64_t bits) {
  return (tile.rows + tile.columns > 128 ? 3 : 4) * ((tile.rows + tile.columns) * 128 + tile.columns * 8 * bits);
}

static int64_t stagesBytes(int64_t stage, int64_t exchange) {
  int64_t overhead = 8 * exchange + 256 + 1024;
  return std::min<int64_t>(8, (232448 - overhead) / stage) * stage + overhead;
}
int64_t optc::warpgroupTileBytes(const ProductTile &tile) { return stagesBytes((tile.rows + tile.columns) * 128, 16 * 64 * 4); }
int64_t optc::sparseWarpgroupTileBytes(const ProductTile &tile) { return stagesBytes((tile.rows + 2 * tile.columns) * 128, 16 * 16 * 4); }

int64_t optc::sparseWarpTileBytes(const ProductTile &tile) {
  int64_t stage = (tile.rows + 2 * tile.columns) * 128;
  return 98304 / stage * stage;
}

int64_t optc::simtTileBytes(const ProductTile &tile) { return 2 * 16 * 2 * (tile.rows + 4) * 4; }
