//===- Pooling.cpp - Pools over windows, global pools, regions -------------===//
//
//   GlobalAveragePool(x[N,C,H,W])  ⇒  reshape (reduce mean x {axes = [2,3]}) : [N,C,1,1]
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"
#include "frontend/Windows.h"

using namespace mlir;
using namespace optc;

namespace {

Results maxPool(Node &n) {
  Value x = n[0];
  WindowAttributes w = readWindow(n, x, kernelShape(n, x), Padding::lowest);
  bool ceil = n.flag("ceil_mode");
  if (!n.wants(1))
    return {n.make<PoolOp>(x, "max", w.kernel, w.strides, w.dilations, w.low, w.high, ceil, false)};
  n.expect(x == n[0], "positions in an input padded by a dynamic amount");
  auto op = n.op<MaxPoolIndicesOp>(x, w.kernel, w.strides, w.dilations, w.low, w.high, ceil,
                                   n.flag("storage_order"));
  return {op.getY(), op.getIndices()};
}

Results averagePool(Node &n) {
  Value x = n[0];
  bool countPadding = n.flag("count_include_pad");
  WindowAttributes w = readWindow(n, x, kernelShape(n, x), countPadding ? Padding::zero : Padding::none);
  return {n.make<PoolOp>(x, "mean", w.kernel, w.strides, w.dilations, w.low, w.high, n.flag("ceil_mode"),
                         countPadding)};
}

Results lpPool(Node &n) {
  Value x = n[0];
  WindowAttributes w = readWindow(n, x, kernelShape(n, x), Padding::zero);
  int64_t p = n.integer("p", 2);
  n.expect(p >= 1, "p must be at least 1");
  return {n.make<PoolOp>(x, "lp", w.kernel, w.strides, w.dilations, w.low, w.high, n.flag("ceil_mode"), false,
                         p)};
}

SmallVector<int64_t> spatialAxes(Node &n, Value x) {
  n.expect(n.rank(x) >= 2, "expected an input of rank 2 or more");
  return llvm::to_vector(llvm::seq<int64_t>(2, n.rank(x)));
}

Value keepSpatial(Node &n, Value x, Value reduced) {
  Dims dims = n.dims(x);
  std::fill(dims.begin() + 2, dims.end(), DimExpr(1));
  return n.reshape(reduced, dims);
}

Results globalPool(Node &n, StringRef kind) {
  return {keepSpatial(n, n[0], n.make<ReduceOp>(n[0], spatialAxes(n, n[0]), kind))};
}
Results globalAveragePool(Node &n) { return globalPool(n, "mean"); }
Results globalMaxPool(Node &n) { return globalPool(n, "max"); }

// (sum |x|^p)^(1/p)
Results globalLpPool(Node &n) {
  Value x = n[0];
  double p = double(n.integer("p", 2));
  n.expect(p >= 1, "p must be at least 1");
  Value powers = n.make<PowOp>(n.make<AbsOp>(x), n.full(x, p));
  Value sum = n.make<ReduceOp>(powers, spatialAxes(n, x), "sum");
  return {keepSpatial(n, x, n.make<PowOp>(sum, n.full(sum, 1 / p)))};
}

Results maxUnpool(Node &n) {
  Value x = n[0];
  auto kernel = kernelShape(n, x);
  size_t spatial = kernel.size();
  auto strides = n.integers("strides", spatial, 1), pads = n.integers("pads", 2 * spatial, 0);
  Dims dims = n.dims(x);
  for (size_t i = 0; i < spatial; ++i)
    dims[i + 2] =
        (dims[i + 2] - DimExpr(1)) * DimExpr(strides[i]) + DimExpr(kernel[i] - pads[i] - pads[i + spatial]);
  Value y = n.makeAs<MaxUnpoolOp>(tensorType(dims, elementOf(x)), x, n[1]);
  Value shape = n.optional(2);
  if (!shape)
    return {y};
  // Positions are those of the smaller result; the larger one has zeros after it.
  Dims wanted = n.elements(shape);
  n.expect(wanted.size() == dims.size(), "output_shape must have one entry a dim");
  if (wanted == dims)
    return {y};
  return {n.makeAs<PadOp>(tensorType(wanted, elementOf(x)), y, Value(),
                          DimsAttr::get(n.context(), Dims(dims.size(), DimExpr(0))), "constant")};
}

Results roiAlign(Node &n) {
  // Before opset 16 the regions were not shifted by half a pixel.
  bool halfPixel = n.opset >= 16 && n.text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  return {n.make<RoiAlignOp>(n[0], n[1], n[2], n.integer("output_height", 1), n.integer("output_width", 1),
                             n.integer("sampling_ratio", 0), llvm::APFloat(n.number("spatial_scale", 1)),
                             n.text("mode", "avg") == "avg" ? "mean" : "max", halfPixel)};
}

Results maxRoiPool(Node &n) {
  auto shape = n.integers("pooled_shape");
  n.expect(shape.size() == 2, "pooled_shape must have two entries");
  return {n.make<MaxRoiPoolOp>(n[0], n[1], shape[0], shape[1], llvm::APFloat(n.number("spatial_scale", 1)))};
}

} // namespace

void optc::registerPooling(Registry &r) {
  r.domain = "";
  r.add("AveragePool", 1, averagePool);
  r.add("GlobalAveragePool", 1, globalAveragePool);
  r.add("GlobalLpPool", 2, globalLpPool);
  r.add("GlobalMaxPool", 1, globalMaxPool);
  r.add("LpPool", 2, lpPool);
  r.add("MaxPool", 1, maxPool);
  r.add("MaxRoiPool", 1, maxRoiPool);
  r.add("MaxUnpool", 9, maxUnpool);
  r.add("RoiAlign", 10, roiAlign);
}
