//===- Convolutions.cpp - Conv, ConvTranspose, DeformConv -----------------===//
//
//   Conv(x, w, b)  ⇒  add (conv x, w), broadcast (reshape b : [C] -> [C,1,1])
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"
#include "frontend/Windows.h"

using namespace mlir;
using namespace optc;

namespace {

/// The kernel's size, which the weights give; it must be known.
SmallVector<int64_t> kernelOf(Node &n, Value w) {
  n.expect(n.rank(w) >= 3, "expected weights of rank 3 or more");
  SmallVector<int64_t> kernel;
  for (const DimExpr &d : ArrayRef<DimExpr>(n.dims(w)).drop_front(2)) {
    if (!d.isConstant())
      n.unsupported("unsupported: the kernel's size is dynamic");
    kernel.push_back(*d.constant());
  }
  n.expect(!n.has("kernel_shape") || n.integers("kernel_shape") == kernel,
           "kernel_shape differs from the weights' dims");
  return kernel;
}

Value addBias(Node &n, Value y, Value bias) { return bias ? n.make<AddOp>(y, n.alongAxis(bias, y, 1)) : y; }

Results conv(Node &n) {
  Value x = n[0], w = n[1];
  WindowAttributes window = readWindow(n, x, kernelOf(n, w), Padding::zero);
  Value y =
      n.make<ConvOp>(x, w, window.strides, window.dilations, window.low, window.high, n.integer("group", 1));
  return {addBias(n, y, n.optional(2))};
}

Results convTranspose(Node &n) {
  Value x = n[0], w = n[1];
  auto kernel = kernelOf(n, w);
  size_t spatial = kernel.size();
  n.expect(n.rank(x) == n.rank(w), "input and weights differ in rank");
  WindowAttributes window;
  window.kernel = kernel;
  window.strides = n.integers("strides", spatial, 1);
  window.dilations = n.integers("dilations", spatial, 1);
  auto pads = n.integers("pads", 2 * spatial, 0), extra = n.integers("output_padding", spatial, 0);
  for (ArrayRef<int64_t> list :
       {ArrayRef<int64_t>(window.strides), ArrayRef<int64_t>(window.dilations), ArrayRef<int64_t>(pads),
        ArrayRef<int64_t>(extra), ArrayRef<int64_t>(kernel)})
    for (int64_t v : list)
      n.expect(v >= -INT32_MAX && v <= INT32_MAX, "a window attribute is out of range");
  window.low.assign(pads.begin(), pads.begin() + spatial);
  window.high.assign(pads.begin() + spatial, pads.end());
  std::string mode = n.text("auto_pad", "NOTSET");
  auto shape = n.integers("output_shape");
  bool isSame = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  n.expect(shape.empty() || shape.size() == spatial || shape.size() == spatial + 2,
           "output_shape must have one entry a spatial dim");
  for (size_t i = 0; i < spatial && (isSame || !shape.empty()); ++i) {
    DimExpr in = n.dims(x)[i + 2];
    DimExpr wanted =
        shape.empty() ? in * DimExpr(window.strides[i]) : DimExpr(shape[shape.size() - spatial + i]);
    DimExpr total =
        (in - DimExpr(1)) * DimExpr(window.strides[i]) + DimExpr(extra[i] + window.extent(i)) - wanted;
    if (!total.isConstant())
      n.unsupported("unsupported: output_shape of a dynamic dim");
    int64_t all = *total.constant();
    if (all < 0) { // more output than the kernel reaches: zeros at the end
      extra[i] -= all;
      all = 0;
    }
    window.low[i] = mode == "SAME_UPPER" ? all / 2 : all - all / 2;
    window.high[i] = all - window.low[i];
  }
  if (mode == "VALID")
    for (size_t i = 0; i < spatial; ++i)
      window.low[i] = window.high[i] = 0;
  Value y = n.make<ConvTransposeOp>(x, w, window.strides, window.dilations, window.low, window.high, extra,
                                    n.integer("group", 1));
  return {addBias(n, y, n.optional(2))};
}

Results deformConv(Node &n) {
  Value x = n[0], w = n[1];
  n.expect(n.rank(x) == 4 && n.rank(w) == 4 && n.rank(n[2]) == 4,
           "expected input, weights and offsets of rank 4");
  WindowAttributes window = readWindow(n, x, kernelOf(n, w), Padding::none);
  Dims out = n.dims(x);
  out[1] = n.dims(w)[0];
  for (size_t i = 0; i < 2; ++i)
    out[i + 2] = windowSize(out[i + 2], window.kernel[i], window.strides[i], window.dilations[i],
                            window.low[i], window.high[i], false);
  Value y = n.makeAs<DeformConvOp>(tensorType(out, elementOf(x)), x, w, n[2], n.optional(4), window.strides,
                                   window.dilations, window.low, n.integer("group", 1),
                                   n.integer("offset_group", 1));
  return {addBias(n, y, n.optional(3))};
}

} // namespace

void optc::registerConvolutions(Registry &r) {
  r.domain = "";
  r.add("Conv", 1, conv);
  r.add("ConvTranspose", 1, convTranspose);
  r.add("DeformConv", 19, deformConv);
}
