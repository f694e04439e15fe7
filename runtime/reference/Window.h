//===- Window.h - Sliding windows over spatial dims -------------*- C++ -*-===//
//
// The attributes that convolutions and pooling share, checked, and where each window's taps fall in the
// input.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_WINDOW_H
#define OPTC_RUNTIME_REFERENCE_WINDOW_H

#include "runtime/reference/Blocks.h"

namespace optc {

struct Window {
  /// One entry a spatial dim.
  std::vector<int64_t> in, out, size, strides, dilations, low, high;

  /// Reads strides, dilations, pads_low and pads_high (the last may be absent: zeros) and checks them.
  Status read(const Call &call, std::vector<int64_t> in, std::vector<int64_t> size);
  /// Sets `out` by the formula of conv; `ceil` rounds up, but drops a window that starts in the padding
  /// behind.
  Status computeOutput(bool ceil);

  int64_t taps() const { return product(size); }
  int64_t outputs() const { return product(out); }
  int64_t inputs() const { return product(in); }
  /// offsets[tap * count + i]: the flat input position of a tap of output begin + i, -1 in the padding.
  void inputOffsets(int64_t begin, int64_t count, std::vector<int64_t> &offsets) const;
};

/// x [N, spatial..., C] as [N, C, spatial...] and back: the functions compute in nchw.
Value channelsFirst(const Value &x);
std::vector<int64_t> channelsLastDims(const std::vector<int64_t> &dims);
void storeChannelsLast(const Value &x, Value &y);

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_WINDOW_H
