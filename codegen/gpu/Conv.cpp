//===- Conv.cpp - Convolutions on a device --------------------------------===//
//
// Calls the tile library's implicit product with the kernel's fused ops as its epilogue, as Matmul.cpp does:
//
//   ConvSimt<float, 128, 4>::run<4>(x0, x1, {n, pixels, channels, depth, height, width, ...}, epilogue, launch_memory());
//
// Which product:
//
//   8 bits, bf16, f16, tf32,
//   e4m3                       ConvSm90 on sm_90 where the bytes of a pixel are a multiple of 8, else ConvSm80
//   f32                        ConvSimt: exact multiply-adds of f32
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/Generators.h"
#include "codegen/gpu/ProductEpilogue.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

namespace {

class DeviceConv {
public:
  DeviceConv(DeviceFunction &f, const GpuTarget &target, const ContractionKernel &c, ConvOp conv)
      : f(f), target(target), c(c), conv(conv), image(dimsOf(c.lhs)), element(memoryType(elementOf(c.lhs))), spatial(image.size() - 2),
        depth(image.back() * numElements(ArrayRef<DimExpr>(dimsOf(conv.getW())).drop_back(2))), bytes(element.getIntOrFloatBitWidth() / 8),
        piece(dividingLanes(image.back(), 16 / bytes) * bytes) {}
  void run();

private:
  void useSimt();
  void useSm80();
  void useSm90();
  /// Rows are the pixels of all results.
  ProductSize allPixels() const { return {1, c.batch * c.m, c.n, DimExpr::ceildiv(depth, 128 / bytes)}; }
  void call(const std::string &product, int64_t lanes, ArrayRef<std::string> operands);
  std::string pointerOf(BlockArgument operand) const { return f.parameters[operand.getArgNumber()].name; }

  DeviceFunction &f;
  const GpuTarget &target;
  const ContractionKernel &c;
  ConvOp conv;
  Dims image;
  Type element;
  size_t spatial;
  DimExpr depth;
  int64_t bytes, piece; // of an element; what is copied at a time
};

void DeviceConv::call(const std::string &product, int64_t lanes, ArrayRef<std::string> operands) {
  emitProductEpilogue(f, c, lanes);
  // One dim is the last of two.
  Dims kernel = dimsOf(conv.getW()), out = dimsOf(conv.getResult());
  DimExpr height = spatial == 2 ? image[1] : DimExpr(1);
  SmallVector<Value> shape;
  for (const DimExpr &d : {c.batch, c.m, c.n, depth, height, image[spatial], image.back(), out[spatial], kernel[spatial - 1]})
    shape.push_back(f.size(d));
  auto strides = onPlane(conv.getStrides(), 1), dilations = onPlane(conv.getDilations(), 1), pads = onPlane(c.padsLow, 0);
  SmallVector<std::string> constants;
  for (int64_t v : {strides.first, strides.second, dilations.first, dilations.second, pads.first, pads.second})
    constants.push_back(std::to_string(v));
  f.callProduct(product + "::run<" + std::to_string(lanes) + ">", operands, shape, constants);
  f.finish();
}

void DeviceConv::useSimt() {
  f.library = {"async", "product", "stream_k", "gemm_simt", "conv_simt"};
  f.threads = 256;
  ProductSize size{c.batch, c.m, c.n, DimExpr::ceildiv(depth, 16)};
  ProductTiling tiling = chooseTiling(f, c, target, size, simtTiles(size));
  f.sharedBytes = simtTileBytes(tiling.tile);
  useTiling(f, target, size, tiling, /*takesTurns=*/false);
  std::string product = "ConvSimt<" + cudaType(element) + ", " + std::to_string(tiling.tile.rows) + ", " + std::to_string(dividingLanes(image.back(), 4)) + ">";
  call(product, epilogueLanes(f.kernel, c, 4), {pointerOf(c.lhs), pointerOf(c.rhs)});
}

void DeviceConv::useSm80() {
  ProductTiling tiling = chooseTiling(f, c, target, allPixels(), warpTiles(piece, isE4M3(c)));
  const ProductTile &tile = tiling.tile;
  f.library = {"async", "product", "stream_k", "mma", "image_rows", "gemm_sm80", "conv_sm80"};
  f.threads = 256;
  f.sharedBytes = warpTileBytes(tile);
  if (piece < 4 || isE4M3(c)) // each byte has a place under the filter of its own; sums are there twice
    f.blocksPerMultiprocessor = 1;
  useTiling(f, target, allPixels(), tiling);
  std::string product = "ConvSm80<" + multiplied(c) + ", " + std::to_string(tile.rows) + ", " + std::to_string(tile.columns) + ", " +
                        std::to_string(piece) + ", " + std::to_string(c.padValue) + ">";
  call(product, epilogueLanes(f.kernel, c, 8), {pointerOf(c.lhs), pointerOf(c.rhs)});
}

void DeviceConv::useSm90() {
  ProductSize whole = allPixels();
  ProductTiling tiling = chooseTiling(f, c, target, whole, warpgroupTiles(whole, isE4M3(c)));
  int64_t columns = tiling.tile.columns;
  f.library = {"async", "product", "stream_k", "image_rows", "wgmma", "gemm_sm90", "conv_sm90"};
  f.threads = 384;
  f.blocksPerMultiprocessor = 1;
  f.isPersistent = true;
  f.sharedBytes = warpgroupTileBytes(tiling.tile);
  useTiling(f, target, whole, tiling);
  DimExpr padded = DimExpr::ceildiv(depth * bytes, 16) * DimExpr(16 / bytes);
  f.addMap({c.rhs.getArgNumber(), element, 0, {padded, c.n, 1}, {padded, padded * c.n}, {128 / bytes, columns, 1}});
  std::string product = "ConvSm90<" + multiplied(c) + ", " + std::to_string(columns) + ", " + std::to_string(piece) + ", " + std::to_string(c.padValue) + ">";
  call(product, epilogueLanes(f.kernel, c, 8), {pointerOf(c.lhs), "&map0"});
}

void DeviceConv::run() {
  // Smaller pieces would keep one warpgroup longer than the products of the others do.
  constexpr int64_t kLeastPiece = 8;
  if (!c.inColumns)
    useSimt();
  else if (target.hasWgmma() && piece >= kLeastPiece)
    useSm90();
  else
    useSm80();
}

} // namespace

LogicalResult optc::generateDeviceConv(DeviceFunction &f, const GpuTarget &target) {
  std::optional<ContractionKernel> c = readContraction(f.kernel);
  auto conv = c ? dyn_cast<ConvOp>(c->root) : ConvOp();
  if (!conv || c->codes || c->blocks || tensorOf(c->lhs).getRank() > 4 || !(c->inColumns || (c->packed && !c->narrow && elementOf(c->lhs).isF32())))
    return failure();
  DeviceConv(f, target, *c, conv).run();
  return success();
}
