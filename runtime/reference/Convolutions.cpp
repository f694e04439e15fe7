//===- Convolutions.cpp - conv, conv_transpose, deform_conv ---------------===//
//
// Each is matrix products on columns (im2col), a tile of output positions at a time: the offsets of a tile's
// taps are computed once and serve every image, group and channel. nhwc operands are transposed first.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/MatrixProduct.h"
#include "runtime/reference/Window.h"
#include <cmath>

using namespace optc;

static constexpr int64_t kTile = 512;

namespace {
/// Operands in nchw, as [O, C/groups, kernel...] weights for conv, [C, O/groups, kernel...] for its
/// transpose.
struct Operands {
  Value x, w, result;
  Window window;
  int64_t groups = 1;
  bool channelsLast = false;

  std::vector<int64_t> spatial(const Value &v) const { return {v.dims.begin() + 2, v.dims.end()}; }
};
} // namespace

static Status readOperands(Call &call, Operands &ops, bool transposed) {
  OPTC_TRY(expectTensors(call, 2));
  ops.channelsLast = call.attributes.text("layout") == "nhwc";
  ops.groups = call.attributes.integer("groups", 1);
  ops.x = call.in(0);
  ops.w = call.in(1);
  if (ops.x.rank() < 3 || ops.x.rank() != ops.w.rank())
    return Status::error("input and weights must have the same rank, 3 or more");
  for (const Value *v : {&ops.x, &ops.w})
    if (classOf(v->type) == Class::object)
      return unsupported("a convolution", v->type);
  if (ops.channelsLast) {
    int64_t rank = ops.w.rank();
    // Weights are [kernel..., C/groups, O], or [kernel..., C, O/groups] transposed.
    std::vector<int64_t> order =
        transposed ? std::vector<int64_t>{rank - 2, rank - 1} : std::vector<int64_t>{rank - 1, rank - 2};
    for (int64_t d = 0; d < rank - 2; ++d)
      order.push_back(d);
    ops.w = permuted(ops.w, order);
    ops.x = channelsFirst(ops.x);
  }
  int64_t expected = transposed ? ops.w.dims[0] : ops.w.dims[1] * ops.groups;
  if (ops.groups < 1 || ops.x.dims[1] != expected || ops.w.dims[0] % ops.groups != 0)
    return Status::error("input has " + std::to_string(ops.x.dims[1]) + " channels, weights " +
                         shapeText(ops.w.dims) + " do not fit them in " + std::to_string(ops.groups) +
                         " groups");
  return ops.window.read(call, ops.spatial(ops.x), ops.spatial(ops.w));
}

/// Gives the result its dims and a buffer in nchw to compute in.
static Status allocateResult(Call &call, Operands &ops, int64_t channels) {
  std::vector<int64_t> dims{ops.x.dims[0], channels};
  dims.insert(dims.end(), ops.window.out.begin(), ops.window.out.end());
  OPTC_TRY(call.allocate(0, ops.channelsLast ? channelsLastDims(dims) : dims));
  ops.result = ops.channelsLast ? Value::allocate(call.outputs[0].type, dims) : call.outputs[0];
  if (ops.result.size() && !ops.result.data)
    return Status::error("out of memory for the result");
  return Status::success();
}

template <typename T> static void convolve(Operands &ops) {
  const Window &window = ops.window;
  int64_t images = ops.x.dims[0], channels = ops.x.dims[1], outChannels = ops.w.dims[0];
  int64_t groupIn = ops.w.dims[1], groupOut = outChannels / ops.groups;
  int64_t taps = window.taps(), inputs = window.inputs(), outputs = window.outputs();
  std::vector<T> x = loadAll<T>(ops.x), w = loadAll<T>(ops.w), columns, result;
  std::vector<int64_t> offsets;
  for (int64_t begin = 0; begin < outputs; begin += kTile) {
    int64_t tile = std::min(kTile, outputs - begin);
    window.inputOffsets(begin, tile, offsets);
    columns.resize(size_t(groupIn * taps * tile));
    result.resize(size_t(groupOut * tile));
    for (int64_t image = 0; image < images; ++image)
      for (int64_t group = 0; group < ops.groups; ++group) {
        for (int64_t c = 0; c < groupIn; ++c) {
          const T *plane = x.data() + (image * channels + group * groupIn + c) * inputs;
          T *to = columns.data() + c * taps * tile;
          for (int64_t i = 0; i < taps * tile; ++i)
            to[i] = offsets[size_t(i)] < 0 ? T(0) : plane[offsets[size_t(i)]];
        }
        std::fill(result.begin(), result.end(), T(0));
        multiplyAdd(w.data() + group * groupOut * groupIn * taps, columns.data(), result.data(), groupOut,
                    groupIn * taps, tile);
        for (int64_t o = 0; o < groupOut; ++o)
          store(ops.result, (image * outChannels + group * groupOut + o) * outputs + begin, tile,
                result.data() + o * tile);
      }
  }
}

static Status conv(Call &call) {
  Operands ops;
  OPTC_TRY(readOperands(call, ops, false));
  OPTC_TRY(ops.window.computeOutput(false));
  OPTC_TRY(allocateResult(call, ops, ops.w.dims[0]));
  if (ops.result.size() == 0)
    return Status::success();
  if (classOf(call.outputs[0].type) == Class::f64)
    convolve<double>(ops);
  else
    convolve<uint64_t>(ops);
  if (ops.channelsLast)
    storeChannelsLast(ops.result, call.outputs[0]);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// conv_transpose
//===----------------------------------------------------------------------===//

template <typename T> static void convolveTransposed(Operands &ops) {
  // The window slides over the result: `in` of the mirrored window is the result, `out` is x.
  Window mirrored = ops.window;
  std::swap(mirrored.in, mirrored.out);
  int64_t images = ops.x.dims[0], channels = ops.x.dims[1], groupOut = ops.w.dims[1];
  int64_t groupIn = channels / ops.groups, outChannels = groupOut * ops.groups;
  int64_t taps = mirrored.taps(), positions = mirrored.outputs(), outputs = mirrored.inputs();
  std::vector<T> x = loadAll<T>(ops.x), w = loadAll<T>(ops.w),
                 result(size_t(images * outChannels * outputs), T(0));
  // Weights of a group as [O/groups * taps, C/groups].
  std::vector<T> weights(w.size()), slab, columns;
  for (int64_t group = 0; group < ops.groups; ++group)
    for (int64_t c = 0; c < groupIn; ++c)
      for (int64_t i = 0; i < groupOut * taps; ++i)
        weights[size_t((group * groupOut * taps + i) * groupIn + c)] =
            w[size_t((group * groupIn + c) * groupOut * taps + i)];
  std::vector<int64_t> offsets;
  for (int64_t begin = 0; begin < positions; begin += kTile) {
    int64_t tile = std::min(kTile, positions - begin);
    mirrored.inputOffsets(begin, tile, offsets);
    slab.resize(size_t(groupIn * tile));
    columns.resize(size_t(groupOut * taps * tile));
    for (int64_t image = 0; image < images; ++image)
      for (int64_t group = 0; group < ops.groups; ++group) {
        for (int64_t c = 0; c < groupIn; ++c)
          std::copy_n(x.data() + (image * channels + group * groupIn + c) * positions + begin, tile,
                      slab.data() + c * tile);
        std::fill(columns.begin(), columns.end(), T(0));
        multiplyAdd(weights.data() + group * groupOut * taps * groupIn, slab.data(), columns.data(),
                    groupOut * taps, groupIn, tile);
        for (int64_t o = 0; o < groupOut; ++o) {
          T *plane = result.data() + (image * outChannels + group * groupOut + o) * outputs;
          const T *from = columns.data() + o * taps * tile;
          for (int64_t i = 0; i < taps * tile; ++i)
            if (offsets[size_t(i)] >= 0)
              plane[offsets[size_t(i)]] += from[i];
        }
      }
  }
  storeAll(ops.result, result);
}

static Status convTranspose(Call &call) {
  Operands ops;
  OPTC_TRY(readOperands(call, ops, true));
  const auto &padding = call.attributes.integers("output_padding");
  Window &window = ops.window;
  OPTC_TRY(expectEntries(padding, window.in.size(), "output_padding"));
  for (size_t d = 0; d < padding.size(); ++d) {
    if (padding[d] < -INT32_MAX || padding[d] > INT32_MAX || window.in[d] > INT32_MAX)
      return Status::error("a size of dim " + std::to_string(d) + " is out of range");
    window.out.push_back(window.strides[d] * (window.in[d] - 1) + padding[d] +
                         window.dilations[d] * (window.size[d] - 1) + 1 - window.low[d] - window.high[d]);
  }
  OPTC_TRY(allocateResult(call, ops, ops.w.dims[1] * ops.groups));
  if (ops.result.size() == 0)
    return Status::success();
  if (classOf(call.outputs[0].type) == Class::f64)
    convolveTransposed<double>(ops);
  else
    convolveTransposed<uint64_t>(ops);
  if (ops.channelsLast)
    storeChannelsLast(ops.result, call.outputs[0]);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// deform_conv
//===----------------------------------------------------------------------===//

/// Multilinear interpolation at `at`; neighbours outside are 0.
static double sampleAt(const double *plane, const std::vector<int64_t> &dims, const std::vector<double> &at) {
  double sum = 0;
  size_t rank = dims.size();
  for (size_t d = 0; d < rank; ++d)
    if (!(at[d] > -1 && at[d] < double(dims[d])))
      return 0;
  for (size_t corner = 0; corner < size_t(1) << rank; ++corner) {
    double weight = 1;
    int64_t offset = 0;
    bool inside = true;
    for (size_t d = 0; d < rank; ++d) {
      int64_t below = int64_t(std::floor(at[d]));
      double fraction = at[d] - double(below);
      int64_t p = below + int64_t(corner >> d & 1);
      weight *= corner >> d & 1 ? fraction : 1 - fraction;
      inside &= p >= 0 && p < dims[d];
      offset = offset * dims[d] + p;
    }
    if (inside)
      sum += weight * plane[offset];
  }
  return sum;
}

static Status deformConv(Call &call) {
  Operands ops;
  OPTC_TRY(expectTensors(call, 3));
  OPTC_TRY(readOperands(call, ops, false));
  OPTC_TRY(call.allocate(0));
  Value &y = call.outputs[0];
  const Value &offset = call.in(2);
  Window &window = ops.window;
  size_t rank = window.in.size();
  int64_t images = ops.x.dims[0], channels = ops.x.dims[1], outChannels = ops.w.dims[0];
  int64_t taps = window.taps(), parts = call.attributes.integer("offset_groups", 1);
  if (rank > 3 || y.rank() != ops.x.rank() || y.dims[0] != images || y.dims[1] != outChannels)
    return Status::error("the result's shape " + shapeText(y.dims) + " does not fit the operands");
  window.out.assign(y.dims.begin() + 2, y.dims.end());
  int64_t outputs = window.outputs(), inputs = window.inputs();
  if (parts < 1 || channels % parts != 0)
    return Status::error("channels are not divisible by the offset groups");
  std::vector<int64_t> dims = y.dims;
  dims[1] = parts * taps * int64_t(rank);
  OPTC_TRY(expectShape(offset, dims, "offset"));
  dims[1] = parts * taps;
  if (call.has(3))
    OPTC_TRY(expectShape(call.in(3), dims, "mask"));
  for (const Value *v : call.inputs)
    if (v && classOf(v->type) != Class::f64)
      return unsupported("deform_conv", v->type);
  if (y.size() == 0)
    return Status::success();
  std::vector<double> x = loadAll<double>(ops.x), w = loadAll<double>(ops.w), shift = loadAll<double>(offset),
                      mask;
  if (call.has(3))
    mask = loadAll<double>(call.in(3));
  int64_t groupIn = ops.w.dims[1], groupOut = outChannels / ops.groups;
  std::vector<double> columns(size_t(channels * taps * outputs)), result(size_t(groupOut * outputs)),
      at(rank);
  std::vector<int64_t> outStrides = stridesOf(window.out), tapStrides = stridesOf(window.size);
  for (int64_t image = 0; image < images; ++image) {
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        for (int64_t o = 0; o < outputs; ++o) {
          int64_t field = (image * parts + c / (channels / parts)) * taps + tap;
          for (size_t d = 0; d < rank; ++d)
            at[d] = double(o / outStrides[d] % window.out[d] * window.strides[d] - window.low[d] +
                           tap / tapStrides[d] % window.size[d] * window.dilations[d]) +
                    shift[size_t((field * int64_t(rank) + int64_t(d)) * outputs + o)];
          double value = sampleAt(x.data() + (image * channels + c) * inputs, window.in, at);
          columns[size_t((c * taps + tap) * outputs + o)] =
              mask.empty() ? value : value * mask[size_t(field * outputs + o)];
        }
    for (int64_t group = 0; group < ops.groups; ++group) {
      std::fill(result.begin(), result.end(), 0.0);
      multiplyAdd(w.data() + group * groupOut * groupIn * taps,
                  columns.data() + group * groupIn * taps * outputs, result.data(), groupOut, groupIn * taps,
                  outputs);
      store(y, (image * outChannels + group * groupOut) * outputs, groupOut * outputs, result.data());
    }
  }
  return Status::success();
}

void optc::registerConvolutions(ReferenceTable &table) {
  table["conv"] = conv;
  table["conv_transpose"] = convTranspose;
  table["deform_conv"] = deformConv;
}
