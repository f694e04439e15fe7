//===- Conv.cpp - Convolutions on a device --------------------------------===//
//
// Calls the tile library's implicit product with the kernel's fused ops as its epilogue, as Matmul.cpp does:
//
//   ConvSimt<float, 128, 4>::run<4>(x0, x1, {n, pixels, channels, depth, height, width, ...}, epilogue, launch_memory());
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/CudaExpression.h"
#include "codegen/gpu/Generators.h"
#include "codegen/gpu/ProductEpilogue.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

LogicalResult optc::generateDeviceConv(DeviceFunction &f) {
  std::optional<ContractionKernel> c = readContraction(f.kernel);
  auto conv = c ? dyn_cast<ConvOp>(c->root) : ConvOp();
  if (!conv || !c->packed || c->narrow || c->codes || !elementOf(c->lhs).isF32())
    return failure();
  Dims image = dimsOf(c->lhs), kernel = dimsOf(conv.getW()), out = dimsOf(conv.getResult());
  size_t spatial = image.size() - 2;
  if (spatial < 1 || spatial > 2)
    return failure();
  // One dim is the last of two.
  DimExpr height = spatial == 2 ? image[1] : DimExpr(1), channels = image.back(), depth = channels * DimExpr(c->taps);
  auto strides = onPlane(conv.getStrides(), 1), dilations = onPlane(conv.getDilations(), 1), pads = onPlane(c->padsLow, 0);
  f.library = {"async", "product", "gemm_simt", "conv_simt"};
  f.threads = 256;
  f.blocksPerMultiprocessor = 2;
  int64_t tile = simtTile(c->batch, c->m, c->n);
  f.sharedBytes = simtBytes(tile);
  f.items = c->batch * DimExpr::ceildiv(c->m, tile) * DimExpr::ceildiv(c->n, tile);
  int64_t lanes = epilogueLanes(f.kernel, *c, 4);
  emitProductEpilogue(f, *c, lanes);
  SmallVector<Value> shape;
  for (const DimExpr &d : {c->batch, c->m, c->n, depth, height, image[spatial], channels, out[spatial], kernel[spatial - 1]})
    shape.push_back(f.size(d));
  SmallVector<std::string> constants;
  for (int64_t v : {strides.first, strides.second, dilations.first, dilations.second, pads.first, pads.second})
    constants.push_back(std::to_string(v));
  std::string run = "ConvSimt<" + cudaType(memoryType(elementOf(c->lhs))) + ", " + std::to_string(tile) + ", " +
                    std::to_string(dividingLanes(channels, 4)) + ">::run<" + std::to_string(lanes) + ">";
  auto nameOf = [&](BlockArgument operand) { return f.parameters[operand.getArgNumber()].name; };
  f.callProduct(run, {nameOf(c->lhs), nameOf(c->rhs)}, shape, constants);
  f.finish();
  return success();
}
