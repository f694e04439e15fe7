//===- Window.cpp - Sliding windows over spatial dims ---------------------===//

#include "runtime/reference/Window.h"

using namespace optc;

Status Window::read(const Call &call, std::vector<int64_t> inDims, std::vector<int64_t> windowDims) {
  in = std::move(inDims);
  size = std::move(windowDims);
  strides = call.attributes.integers("strides");
  dilations = call.attributes.integers("dilations");
  low = call.attributes.integers("pads_low");
  high = call.attributes.has("pads_high") ? call.attributes.integers("pads_high")
                                          : std::vector<int64_t>(in.size(), 0);
  OPTC_TRY(expectEntries(size, in.size(), "the window"));
  OPTC_TRY(expectEntries(strides, in.size(), "strides"));
  OPTC_TRY(expectEntries(dilations, in.size(), "dilations"));
  OPTC_TRY(expectEntries(low, in.size(), "pads_low"));
  OPTC_TRY(expectEntries(high, in.size(), "pads_high"));
  for (size_t i = 0; i < in.size(); ++i) {
    for (int64_t v : {strides[i], dilations[i]})
      if (v < 1 || v > INT32_MAX)
        return Status::error("strides and dilations must be at least 1");
    if (size[i] < 0 || size[i] > INT32_MAX)
      return Status::error("a window of size " + std::to_string(size[i]) + " is out of range");
    for (int64_t v : {low[i], high[i]})
      if (v < -INT32_MAX || v > INT32_MAX)
        return Status::error("padding " + std::to_string(v) + " is out of range");
  }
  return Status::success();
}

Status Window::computeOutput(bool ceil) {
  out.clear();
  for (size_t i = 0; i < in.size(); ++i) {
    auto floorDiv = [](int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); };
    int64_t room = in[i] + low[i] + high[i] - dilations[i] * (size[i] - 1) - 1;
    int64_t n = floorDiv(ceil ? room + strides[i] - 1 : room, strides[i]) + 1;
    if (ceil)
      n = std::min(n, floorDiv(in[i] + low[i] - 1, strides[i]) + 1);
    if (n < 0)
      return Status::error("the window of dim " + std::to_string(i) + " is larger than the padded input");
    out.push_back(n);
  }
  return Status::success();
}

void Window::inputOffsets(int64_t begin, int64_t count, std::vector<int64_t> &offsets) const {
  size_t rank = in.size();
  std::vector<int64_t> inStrides = stridesOf(in), outStrides = stridesOf(out), tap(rank, 0);
  offsets.resize(size_t(taps() * count));
  int64_t *to = offsets.data();
  std::vector<int64_t> starts(size_t(count) * rank);
  for (int64_t i = 0; i < count; ++i)
    for (size_t d = 0; d < rank; ++d)
      starts[size_t(i) * rank + d] = (begin + i) / outStrides[d] % out[d] * strides[d] - low[d];
  if (offsets.empty())
    return;
  do {
    for (int64_t i = 0; i < count; ++i, ++to) {
      int64_t offset = 0;
      bool inside = true;
      for (size_t d = 0; d < rank; ++d) {
        int64_t at = starts[size_t(i) * rank + d] + tap[d] * dilations[d];
        inside &= at >= 0 && at < in[d];
        offset += at * inStrides[d];
      }
      *to = inside ? offset : -1;
    }
  } while (nextIndex(tap, size));
}

Value optc::channelsFirst(const Value &x) {
  std::vector<int64_t> order{0, x.rank() - 1};
  for (int64_t d = 1; d + 1 < x.rank(); ++d)
    order.push_back(d);
  return permuted(x, order);
}

std::vector<int64_t> optc::channelsLastDims(const std::vector<int64_t> &dims) {
  std::vector<int64_t> result{dims[0]};
  result.insert(result.end(), dims.begin() + 2, dims.end());
  result.push_back(dims[1]);
  return result;
}

void optc::storeChannelsLast(const Value &x, Value &y) {
  std::vector<int64_t> own = stridesOf(x.dims), strides = channelsLastDims(own);
  copyView(x, 0, strides, y);
}
