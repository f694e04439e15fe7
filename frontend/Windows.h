//===- Windows.h - Strides, dilations and padding of windows ----*- C++ -*-===//
//
// What Conv, ConvTranspose and the pools read alike, `auto_pad` resolved:
//
//   SAME_UPPER: the result has ceil(in / stride) positions; an odd amount of padding has one more
//   at the end (SAME_LOWER: at the start).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_FRONTEND_WINDOWS_H
#define OPTC_FRONTEND_WINDOWS_H

#include "frontend/Node.h"

namespace optc {

/// Its own name: runtime/reference has a struct Window, and both end up in one program.
struct WindowAttributes {
  SmallVector<int64_t> kernel, strides, dilations, low, high;
  size_t spatial() const { return kernel.size(); }
  /// The extent of the dilated kernel.
  int64_t extent(size_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
};

/// What padding by an op of its own may use: nothing fits, 0, or the lowest value.
enum class Padding { none, zero, lowest };

/// Reads strides, dilations and pads for a kernel over x [N, C, spatial...]. Where SAME padding depends on
/// a dynamic dim, `x` is padded by an op of its own; a problem when `padding` is none.
WindowAttributes readWindow(Node &n, Value &x, ArrayRef<int64_t> kernel, Padding padding);
/// The kernel's size from the attribute `kernel_shape`.
SmallVector<int64_t> kernelShape(Node &n, Value x);

/// Between [N, spatial..., C] and [N, C, spatial...] where the attribute `channels_last` is set; else x itself.
Value channelsFirst(Node &n, Value x);
Value fromChannelsFirst(Node &n, Value y);

} // namespace optc

#endif // OPTC_FRONTEND_WINDOWS_H
