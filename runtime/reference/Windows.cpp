//===- Windows.cpp - Pooling over sliding windows, lrn --------------------===//
//
// A tile of outputs at a time; the offsets of its taps serve every image and channel.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Window.h"
#include <cmath>
#include <limits>

using namespace optc;

static constexpr int64_t kTile = 512;

static Status readWindow(Call &call, Window &window, const Value &x) {
  if (x.rank() < 3)
    return Status::error("expected rank 3 or more, got shape " + shapeText(x.dims));
  if (classOf(x.type) == Class::object)
    return unsupported("pooling", x.type);
  OPTC_TRY(window.read(call, {x.dims.begin() + 2, x.dims.end()}, call.attributes.integers("window")));
  for (int64_t size : window.size)
    if (size < 1)
      return Status::error("the window must be at least 1");
  return window.computeOutput(call.attributes.integer("ceil"));
}

static std::vector<int64_t> resultDims(const Value &x, const Window &window) {
  std::vector<int64_t> dims{x.dims[0], x.dims[1]};
  dims.insert(dims.end(), window.out.begin(), window.out.end());
  return dims;
}

/// Maximum in T's class; NaN wins. `indices` may be null.
template <typename T>
static void poolMax(const Window &window, const Value &x, Value &y, std::vector<int64_t> *indices) {
  int64_t planes = x.dims[0] * x.dims[1], taps = window.taps(), inputs = window.inputs(),
          outputs = window.outputs();
  std::vector<T> data = loadAll<T>(x), best(kTile);
  std::vector<int64_t> offsets, position(kTile);
  T lowest = std::numeric_limits<T>::has_infinity ? T(-HUGE_VAL) : std::numeric_limits<T>::lowest();
  for (int64_t begin = 0; begin < outputs; begin += kTile) {
    int64_t tile = std::min(kTile, outputs - begin);
    window.inputOffsets(begin, tile, offsets);
    for (int64_t plane = 0; plane < planes; ++plane) {
      const T *from = data.data() + plane * inputs;
      std::fill(best.begin(), best.end(), lowest);
      std::fill(position.begin(), position.end(), -1);
      const int64_t *offset = offsets.data();
      for (int64_t tap = 0; tap < taps; ++tap)
        for (int64_t i = 0; i < tile; ++i, ++offset) {
          if (*offset < 0)
            continue;
          T v = from[*offset], b = best[size_t(i)];
          if (position[size_t(i)] < 0 || v > b || (v != v && b == b)) {
            best[size_t(i)] = v;
            position[size_t(i)] = *offset;
          }
        }
      store(y, plane * outputs + begin, tile, best.data());
      if (indices)
        for (int64_t i = 0; i < tile; ++i)
          (*indices)[size_t(plane * outputs + begin + i)] =
              plane * inputs + std::max<int64_t>(position[size_t(i)], 0);
    }
  }
}

/// How many positions of each window lie inside the padded input.
static int64_t paddedTaps(const Window &window, int64_t output) {
  int64_t count = 1;
  std::vector<int64_t> strides = stridesOf(window.out);
  for (size_t d = 0; d < window.out.size(); ++d) {
    int64_t start = output / strides[d] % window.out[d] * window.strides[d];
    int64_t room = window.in[d] + window.low[d] + window.high[d] - start;
    count *= std::clamp<int64_t>((room + window.dilations[d] - 1) / window.dilations[d], 0, window.size[d]);
  }
  return count;
}

static void poolSum(const Window &window, const Value &x, Value &y, bool mean, bool countPadding, double p) {
  int64_t planes = x.dims[0] * x.dims[1], taps = window.taps(), inputs = window.inputs(),
          outputs = window.outputs();
  std::vector<double> data = loadAll<double>(x), sum(kTile), divisor(kTile);
  std::vector<int64_t> offsets;
  if (!mean)
    for (double &v : data)
      v = std::pow(std::fabs(v), p);
  for (int64_t begin = 0; begin < outputs; begin += kTile) {
    int64_t tile = std::min(kTile, outputs - begin);
    window.inputOffsets(begin, tile, offsets);
    std::fill(divisor.begin(), divisor.end(), 0.0);
    for (int64_t i = 0; i < tile * taps; ++i)
      divisor[size_t(i % tile)] += offsets[size_t(i)] >= 0;
    for (int64_t i = 0; countPadding && i < tile; ++i)
      divisor[size_t(i)] = double(paddedTaps(window, begin + i));
    for (int64_t plane = 0; plane < planes; ++plane) {
      const double *from = data.data() + plane * inputs;
      std::fill(sum.begin(), sum.end(), 0.0);
      const int64_t *offset = offsets.data();
      for (int64_t tap = 0; tap < taps; ++tap)
        for (int64_t i = 0; i < tile; ++i, ++offset)
          sum[size_t(i)] += *offset < 0 ? 0.0 : from[*offset];
      for (int64_t i = 0; i < tile; ++i)
        sum[size_t(i)] = mean ? sum[size_t(i)] / divisor[size_t(i)] : std::pow(sum[size_t(i)], 1 / p);
      store(y, plane * outputs + begin, tile, sum.data());
    }
  }
}

static Status pool(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  bool channelsLast = call.attributes.text("layout") == "nhwc";
  if (call.in(0).rank() < 3)
    return Status::error("expected rank 3 or more, got shape " + shapeText(call.in(0).dims));
  Value x = channelsLast ? channelsFirst(call.in(0)) : call.in(0);
  Window window;
  OPTC_TRY(readWindow(call, window, x));
  std::vector<int64_t> dims = resultDims(x, window);
  OPTC_TRY(call.allocate(0, channelsLast ? channelsLastDims(dims) : dims));
  Value result = channelsLast ? Value::allocate(call.outputs[0].type, dims) : call.outputs[0];
  if (result.size() == 0)
    return Status::success();
  if (!result.data)
    return Status::error("out of memory for the result");
  const std::string &kind = call.attributes.text("kind");
  int64_t p = call.attributes.integer("p", 2);
  if (p < 1)
    return Status::error("the norm's p must be at least 1");
  if (kind != "max")
    poolSum(window, x, result, kind == "mean", call.attributes.integer("count_padding"), double(p));
  else if (classOf(x.type) == Class::f64)
    poolMax<double>(window, x, result, nullptr);
  else if (classOf(x.type) == Class::i64)
    poolMax<int64_t>(window, x, result, nullptr);
  else
    poolMax<uint64_t>(window, x, result, nullptr);
  if (channelsLast)
    storeChannelsLast(result, call.outputs[0]);
  return Status::success();
}

static Status maxPoolIndices(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  if (call.outputs.size() < 2)
    return Status::error("expected 2 results");
  const Value &x = call.in(0);
  Window window;
  OPTC_TRY(readWindow(call, window, x));
  std::vector<int64_t> dims = resultDims(x, window);
  OPTC_TRY(call.allocate(0, dims));
  OPTC_TRY(call.allocate(1, dims));
  if (call.outputs[0].size() == 0)
    return Status::success();
  std::vector<int64_t> indices(size_t(call.outputs[0].size()));
  if (classOf(x.type) == Class::f64)
    poolMax<double>(window, x, call.outputs[0], &indices);
  else if (classOf(x.type) == Class::i64)
    poolMax<int64_t>(window, x, call.outputs[0], &indices);
  else
    poolMax<uint64_t>(window, x, call.outputs[0], &indices);
  if (call.attributes.integer("column_major") && window.in.size() >= 2) {
    int64_t height = window.in[window.in.size() - 2], width = window.in.back();
    for (int64_t &index : indices) {
      int64_t inner = index % (height * width);
      index += inner % width * height + inner / width - inner;
    }
  }
  storeAll(call.outputs[1], indices);
  return Status::success();
}

static Status maxUnpool(Call &call) {
  OPTC_TRY(expectTensors(call, 2));
  const Value &x = call.in(0);
  OPTC_TRY(expectShape(call.in(1), x.dims, "indices"));
  if (x.type != call.outputs[0].type)
    return Status::error("operand and result differ in element type");
  OPTC_TRY(call.allocate(0));
  Value &y = call.outputs[0];
  clear(y);
  std::vector<int64_t> positions = loadAll<int64_t>(call.in(1));
  int64_t size = y.size();
  for (size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] < 0 || positions[i] >= size)
      return Status::error("position " + std::to_string(positions[i]) + " is out of range for " +
                           std::to_string(size) + " elements");
    copyElements(x.type, y.data, positions[i], x.data, int64_t(i), 1);
  }
  return Status::success();
}

static Status lrn(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  if (x.rank() < 2)
    return Status::error("expected rank 2 or more");
  double alpha = call.attributes.number("alpha"), beta = call.attributes.number("beta"),
         bias = call.attributes.number("bias");
  int64_t size = call.attributes.integer("size", 1);
  if (size < 1)
    return Status::error("size must be at least 1");
  OPTC_TRY(call.allocate(0, x.dims));
  if (x.size() == 0)
    return Status::success();
  AxisView view(x.dims, 1);
  std::vector<double> sum(size_t(view.inner)), row(size_t(view.inner));
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t c = 0; c < view.n; ++c) {
      std::fill(sum.begin(), sum.end(), 0.0);
      int64_t last = std::min(view.n - 1, c + size / 2);
      for (int64_t k = std::max<int64_t>(0, c - (size - 1) / 2); k <= last; ++k) {
        load(x, (o * view.n + k) * view.inner, view.inner, row.data());
        for (size_t i = 0; i < row.size(); ++i)
          sum[i] += row[i] * row[i];
      }
      load(x, (o * view.n + c) * view.inner, view.inner, row.data());
      for (size_t i = 0; i < row.size(); ++i)
        row[i] /= std::pow(bias + alpha / double(size) * sum[i], beta);
      store(call.outputs[0], (o * view.n + c) * view.inner, view.inner, row.data());
    }
  return Status::success();
}

void optc::registerWindows(ReferenceTable &table) {
  table["pool"] = pool;
  table["max_pool_indices"] = maxPoolIndices;
  table["max_unpool"] = maxUnpool;
  table["lrn"] = lrn;
}
