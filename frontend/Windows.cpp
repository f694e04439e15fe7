//===- Windows.cpp - Strides, dilations and padding of windows ------------===//

#include "frontend/Windows.h"

using namespace mlir;
using namespace optc;

/// The value that never wins a maximum.
static Value lowest(Node &n, Type element) {
  if (isa<FloatType>(element))
    return n.scalar(element, -INFINITY);
  bool isUnsigned = element.isUnsignedInteger();
  return n.scalarInteger(element, isUnsigned ? 0 : int64_t(-1) << (element.getIntOrFloatBitWidth() - 1));
}

SmallVector<int64_t> optc::kernelShape(Node &n, Value x) {
  auto kernel = n.integers("kernel_shape");
  n.expect(n.rank(x) >= 3, "expected an input of rank 3 or more");
  n.expect(int64_t(kernel.size()) == n.rank(x) - 2,
           "kernel_shape has " + Twine(kernel.size()) + " entries, expected " + Twine(n.rank(x) - 2));
  return kernel;
}

WindowAttributes optc::readWindow(Node &n, Value &x, ArrayRef<int64_t> kernel, Padding padding) {
  n.expect(n.rank(x) >= 3, "expected an input of rank 3 or more");
  size_t spatial = n.rank(x) - 2;
  n.expect(kernel.size() == spatial, "the kernel does not fit the input's rank");
  WindowAttributes w;
  w.kernel.assign(kernel.begin(), kernel.end());
  w.strides = n.integers("strides", spatial, 1);
  w.dilations = n.integers("dilations", spatial, 1);
  for (size_t i = 0; i < spatial; ++i)
    for (int64_t v : {w.kernel[i], w.strides[i], w.dilations[i]})
      n.expect(v >= 1 && v <= INT32_MAX, "kernel, strides and dilations must be at least 1");
  auto pads = n.integers("pads", 2 * spatial, 0);
  for (int64_t p : pads)
    n.expect(p >= -INT32_MAX && p <= INT32_MAX, "padding is out of range");
  w.low.assign(pads.begin(), pads.begin() + spatial);
  w.high.assign(pads.begin() + spatial, pads.end());

  std::string mode = n.text("auto_pad", "NOTSET");
  if (mode == "NOTSET")
    return w;
  std::fill(w.low.begin(), w.low.end(), 0);
  std::fill(w.high.begin(), w.high.end(), 0);
  if (mode == "VALID")
    return w;
  bool upper = mode == "SAME_UPPER";
  n.expect(upper || mode == "SAME_LOWER", "unknown auto_pad '" + mode + "'");

  Dims dims = n.dims(x), starts(dims.size(), DimExpr(0)), padded = dims;
  bool dynamic = false;
  for (size_t i = 0; i < spatial; ++i) {
    DimExpr in = dims[i + 2];
    DimExpr total =
        (DimExpr::ceildiv(in, w.strides[i]) - DimExpr(1)) * DimExpr(w.strides[i]) + DimExpr(w.extent(i)) - in;
    total = DimExpr::max(total, DimExpr(0));
    DimExpr half = DimExpr::floordiv(total, 2), low = upper ? half : total - half;
    if (auto c = total.constant()) {
      w.low[i] = *low.constant();
      w.high[i] = *c - w.low[i];
    } else {
      dynamic = true;
      starts[i + 2] = low;
      padded[i + 2] = in + total;
    }
  }
  if (dynamic) {
    if (padding == Padding::none)
      n.unsupported("unsupported: auto_pad " + mode + " of a dynamic dim");
    Value value = padding == Padding::zero ? n.scalar(elementOf(x), 0) : lowest(n, elementOf(x));
    x = n.makeAs<PadOp>(tensorType(padded, elementOf(x)), x, value, DimsAttr::get(n.context(), starts),
                        "constant");
  }
  return w;
}

Value optc::channelsFirst(Node &n, Value x) {
  if (!n.flag("channels_last"))
    return x;
  n.expect(n.rank(x) >= 3, "expected an input of rank 3 or more");
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, n.rank(x) - 1));
  permutation.insert(permutation.begin() + 1, n.rank(x) - 1);
  return n.transpose(x, permutation);
}
Value optc::fromChannelsFirst(Node &n, Value y) {
  if (!n.flag("channels_last"))
    return y;
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(1, n.rank(y)));
  permutation[0] = 0;
  for (int64_t i = 1; i + 1 < n.rank(y); ++i)
    permutation[i] = i + 1;
  permutation.push_back(1);
  return n.transpose(y, permutation);
}
