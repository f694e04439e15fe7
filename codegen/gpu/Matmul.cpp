//===- Matmul.cpp - Matrix products on a device ---------------------------===//
//
// Calls a product of the tile library with the kernel's fused ops as its epilogue:
//
//   const auto epilogue = [&](int batch, int row, int column, const Vec<float, 4> &sum) {
//     store(y0 + ..., max(sum + load<4>(x2 + column), 0))
//   };
//   GemmSimt<float, 128, 4, 4, false>::run<4>(x0, x1, 1, {1, m, n, k}, epilogue, launch_memory());
//
// Which product:
//
//   up to 8 rows         GemvAlongK, GemvAlongN: limited by reading the right operand; in few bits UnpackingGemv.cpp
//   8 bits, bf16, f16,
//   tf32, e4m3           GemmSm90 on sm_90 where rows are multiples of 16 bytes, else GemmSm80
//   others, f32          GemmSimt: exact multiply-adds of f32
//   f64, 32 and 64 bits  the same, summed in their type
//   two of four stored   GemmSparseSm90, GemmSparseSm80, whatever the rows
//   few bits             GemmCodesSm80: unpacked as they are multiplied
//
// ProductTiling.h says how they are cut into tiles, and these into steps of several blocks where they fill a device badly.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/Generators.h"
#include "codegen/gpu/ProductEpilogue.h"
#include "codegen/kernel/CompressedRows.h"

using namespace mlir;
using namespace optc;

namespace {

class DeviceMatmul {
public:
  DeviceMatmul(DeviceFunction &f, const GpuTarget &target, const ContractionKernel &c)
      : f(f), target(target), c(c), element(memoryType(elementOf(c.lhs))), bytes(element.getIntOrFloatBitWidth() / 8) {}
  void run();

private:
  /// Along k unless it lies along n.
  bool rhsAlongN() const { return !c.rhsTransposed && !c.inColumns; }
  /// The largest piece of 16 bytes or less that rows of this many elements are made of.
  int64_t pieceOf(const DimExpr &elements) const { return dividingLanes(elements, 16 / bytes) * bytes; }
  bool fitsTensorCores() const;
  bool fitsMaps() const;
  bool isGemv() const;
  void useGemv();
  void useSimt();
  void useSm80();
  void useSm90();
  void useSparseSm80();
  void useSparseSm90();
  void useCodes(const CompressedRows &table);
  void call(const std::string &product, int64_t lanes, ArrayRef<std::string> operands);
  /// Of products of two dense operands.
  SmallVector<std::string> operands(bool byMaps) const;
  int64_t epilogueLanes(int64_t most) const { return optc::epilogueLanes(f.kernel, c, most); }
  /// In steps of so many k's.
  ProductSize size(int64_t depth) const { return {c.batch, c.m, c.n, DimExpr::ceildiv(c.k, depth)}; }
  std::string pointerOf(BlockArgument operand) const { return f.parameters[operand.getArgNumber()].name; }

  DeviceFunction &f;
  const GpuTarget &target;
  const ContractionKernel &c;
  Type element;
  int64_t bytes; // of an element
};

bool DeviceMatmul::fitsTensorCores() const { return c.narrow || element.isBF16() || element.isF16() || ((c.isTf32() || isE4M3(c)) && !rhsAlongN()); }

/// Rows are multiples of 16 bytes, and there are some.
bool DeviceMatmul::fitsMaps() const {
  return pieceOf(c.k) == 16 && *c.k.constant() > 0 && pieceOf(rhsAlongN() ? c.n : c.k) == 16;
}

/// Sums of many rows' bytes are exact whatever computes them; bytes that lie along n have been turned.
bool DeviceMatmul::isGemv() const { return !hasOwnSums(c) && c.m.constant() && *c.m.constant() >= 1 && *c.m.constant() <= kGemvRows; }

SmallVector<std::string> DeviceMatmul::operands(bool byMaps) const {
  return {byMaps ? "&map0" : pointerOf(c.lhs), byMaps ? "&map1" : pointerOf(c.rhs), c.rhsBatched ? "2" : "1"};
}

void DeviceMatmul::call(const std::string &product, int64_t lanes, ArrayRef<std::string> operands) {
  emitProductEpilogue(f, c, lanes);
  SmallVector<Value> shape;
  for (const DimExpr &d : {c.batch, c.m, c.n, c.k})
    shape.push_back(f.size(d));
  f.callProduct(product + "::run<" + std::to_string(lanes) + ">", operands, shape);
  f.finish();
}

void DeviceMatmul::useGemv() {
  f.library = {"async", "product", "gemv"};
  f.threads = 256;
  std::string rows = std::to_string(*c.m.constant()), name = multiplied(c) + ", " + rows + ", ";
  if (!rhsAlongN()) {
    int64_t vector = dividingLanes(c.k, 16 / bytes), group = 32;
    // Short columns leave threads to others.
    while (group > 1 && c.k.constant() && group * vector > *c.k.constant())
      group /= 2;
    f.items = c.batch * DimExpr::ceildiv(c.n, f.threads / group);
    call("GemvAlongK<" + name + std::to_string(vector) + ", " + std::to_string(group) + ", " + (c.inColumns ? "true" : "false") + ">", 1, operands(false));
    return;
  }
  // The fewer columns a block has, the more blocks there are; 32 bytes of a row are read together at least.
  int64_t vector = dividingLanes(c.n, 16 / bytes), wide = 32;
  auto blocks = [&] { return (c.batch * DimExpr::ceildiv(c.n, wide * vector)).constant().value_or(kMultiprocessors); };
  while (wide * vector * bytes > 32 && blocks() < kMultiprocessors)
    wide /= 2;
  f.sharedBytes = f.threads * vector * 4;
  f.items = c.batch * DimExpr::ceildiv(c.n, wide * vector);
  call("GemvAlongN<" + name + std::to_string(vector) + ", " + std::to_string(wide) + ">", 1, operands(false));
}

void DeviceMatmul::useSimt() {
  int64_t most = std::min<int64_t>(4, 16 / bytes);
  std::string type = cudaType(element);
  f.library = {"async", "product", "stream_k", "gemm_simt"};
  f.threads = 256;
  // Sums of 8 bytes are not cut (stream_k.cuh), and fill the registers of a small tile.
  ProductTiling tiling = bytes == 8 ? ProductTiling{smallSimtTile()} : chooseTiling(f, c, target, size(16), simtTiles(size(16)));
  int64_t lhsLanes = dividingLanes(c.k, most), rhsLanes = dividingLanes(rhsAlongN() ? c.n : c.k, most);
  // The registers of a large tile leave room for a second one where few are needed for addresses.
  if (lhsLanes == most && rhsLanes == most && (c.batch * c.m * c.n).constant())
    f.blocksPerMultiprocessor = 2;
  f.sharedBytes = simtTileBytes(tiling.tile) * (bytes == 8 ? 2 : 1);
  useTiling(f, target, size(16), tiling, /*takesTurns=*/false);
  call("GemmSimt<" + type + ", " + std::to_string(tiling.tile.rows) + ", " + std::to_string(lhsLanes) + ", " + std::to_string(rhsLanes) + ", " + (rhsAlongN() ? "false" : "true") +
           ">",
       epilogueLanes(4), operands(false));
}

void DeviceMatmul::useSm80() {
  f.library = {"async", "product", "stream_k", "mma", "gemm_sm80"};
  f.threads = 256;
  int64_t lhsPiece = pieceOf(c.k), rhsPiece = c.inColumns ? 16 : pieceOf(rhsAlongN() ? c.n : c.k);
  ProductTiling tiling = chooseTiling(f, c, target, size(128 / bytes), warpTiles(std::min(lhsPiece, rhsPiece), isE4M3(c)));
  const ProductTile &tile = tiling.tile;
  f.sharedBytes = warpTileBytes(tile);
  // The addresses of many small pieces take more than half of the registers, as do sums by steps.
  if (std::min(lhsPiece, rhsPiece) < 8 || isE4M3(c))
    f.blocksPerMultiprocessor = 1;
  useTiling(f, target, size(128 / bytes), tiling);
  std::string pieces = std::to_string(lhsPiece) + ", " + std::to_string(rhsPiece);
  call("GemmSm80<" + multiplied(c) + ", " + (rhsAlongN() ? "true" : "false") + ", " + std::to_string(tile.rows) + ", " +
           std::to_string(tile.columns) + ", " + pieces + ", " + (c.inColumns ? "true" : "false") + ">",
       epilogueLanes(8), operands(false));
}

void DeviceMatmul::useSm90() {
  ProductSize whole = size(128 / bytes);
  ProductTiling tiling = chooseTiling(f, c, target, whole, warpgroupTiles(whole, isE4M3(c)));
  int64_t columns = tiling.tile.columns;
  f.library = {"async", "product", "stream_k", "wgmma", "gemm_sm90"};
  f.threads = 384;
  f.blocksPerMultiprocessor = 1;
  f.isPersistent = true;
  f.sharedBytes = warpgroupTileBytes(tiling.tile);
  useTiling(f, target, whole, tiling);
  auto addDense = [&](BlockArgument operand, DimExpr inner, DimExpr rows, DimExpr batch, int64_t boxRows) {
    f.addMap({operand.getArgNumber(), element, 0, {inner, rows, batch}, {inner, inner * rows}, {128 / bytes, boxRows, 1}});
  };
  addDense(c.lhs, c.k, c.m, c.batch, 128);
  DimExpr rhsBatch = c.rhsBatched ? c.batch : DimExpr(1);
  if (rhsAlongN())
    addDense(c.rhs, c.n, c.k, rhsBatch, 64);
  else
    addDense(c.rhs, c.k, c.n, rhsBatch, columns);
  call("GemmSm90<" + multiplied(c) + ", " + std::to_string(columns) + ", " +
           (rhsAlongN() ? "true" : "false") + ">",
       epilogueLanes(8), operands(true));
}

/// Instructions' rows are the result's columns.
void DeviceMatmul::useSparseSm80() {
  f.library = {"async", "product", "stream_k", "mma", "gemm_sm80", "sparse", "gemm_sparse_sm80"};
  f.threads = 256;
  ProductSize turned{1, c.n, c.m, DimExpr::ceildiv(c.k, 128)};
  ProductTiling tiling = chooseTiling(f, c, target, turned, sparseWarpTiles());
  f.sharedBytes = sparseWarpTileBytes(tiling.tile);
  int64_t piece = pieceOf(c.k);
  if (piece < 8)
    f.blocksPerMultiprocessor = 1;
  useTiling(f, target, turned, tiling);
  call("GemmSparseSm80<" + multiplied(c) + ", " + std::to_string(tiling.tile.rows) + ", " + std::to_string(tiling.tile.columns) + ", " + std::to_string(piece) + ">",
       epilogueLanes(8), {pointerOf(c.lhs), pointerOf(c.rhs), pointerOf(c.positions)});
}

void DeviceMatmul::useSparseSm90() {
  f.library = {"async", "product", "stream_k", "wgmma", "gemm_sm90", "sparse", "gemm_sparse_sm90"};
  f.threads = 384;
  f.blocksPerMultiprocessor = 1;
  f.isPersistent = true;
  ProductSize turned{1, c.n, c.m, DimExpr::ceildiv(c.k, 128)};
  ProductTiling tiling = chooseTiling(f, c, target, turned, sparseWarpgroupTiles());
  f.sharedBytes = sparseWarpgroupTileBytes(tiling.tile);
  useTiling(f, target, turned, tiling);
  Dims values = dimsOf(c.rhs);
  f.addMap({c.lhs.getArgNumber(), element, 0, {c.k, c.m, 1}, {c.k, c.k * c.m}, {64, tiling.tile.columns, 1}});
  f.addMap({c.rhs.getArgNumber(), element, 0, {values[1], values[0], 1}, {values[1], values[1] * values[0]}, {64, 128, 1}});
  call("GemmSparseSm90<" + multiplied(c) + ", " + std::to_string(tiling.tile.columns) + ">", epilogueLanes(8), {"&map0", "&map1", pointerOf(c.positions)});
}

void DeviceMatmul::useCodes(const CompressedRows &table) {
  f.library = {"async", "product", "stream_k", "mma", "gemm_sm80", "gemm_codes_sm80"};
  f.threads = 256;
  bool isPacked = tensorOf(table.words).getRank() == 3;
  ProductTiling tiling = chooseTiling(f, c, target, size(64), codesTiles(c.m.constant().has_value()));
  f.sharedBytes = codesTileBytes(tiling.tile, isPacked ? 4 : 8);
  useTiling(f, target, size(64), tiling);
  auto argument = [&](Value x) { return x ? pointerOf(cast<BlockArgument>(x)) : "nullptr"; };
  std::string code = isPacked ? "i4" : isa<FloatType>(elementOf(table.words)) ? "f8" : "i8";
  std::string rows = "CodeRows<" + code + ", " + cudaType(memoryType(elementOf(table.scales))) + ", " + std::to_string(table.block) + ">";
  call("GemmCodesSm80<" + multiplied(c) + ", " + rows + ", " + std::to_string(tiling.tile.rows) + ", " + std::to_string(tiling.tile.columns) + ">",
       epilogueLanes(8), {pointerOf(c.lhs), "{" + argument(table.words) + ", " + argument(table.scales) + ", " + argument(table.zeros) + "}"});
}

void DeviceMatmul::run() {
  if (c.unpacked)
    useCodes(*readRows(c.root->getOperand(1)));
  else if (c.positions && target.hasWgmma() && pieceOf(c.k) == 16)
    useSparseSm90();
  else if (c.positions)
    useSparseSm80();
  else if (isGemv())
    useGemv();
  else if (!fitsTensorCores())
    useSimt();
  else if (target.hasWgmma() && fitsMaps())
    useSm90();
  else
    useSm80();
}

} // namespace

LogicalResult optc::generateDeviceMatmul(DeviceFunction &f, const GpuTarget &target) {
  std::optional<ContractionKernel> c = readContraction(f.kernel);
  if (c && c->unpacked && !c->isConv && c->m.constant().value_or(kGemvRows + 1) <= kGemvRows) {
    generateDeviceUnpackingGemv(f, *c);
    return success();
  }
  if (!c || c->isConv || c->packed || c->isCompressed() || c->blocks || c->codes || c->bfloat)
    return failure();
  DeviceMatmul(f, target, *c).run();
  return success();
}
