//===- Resize.cpp - resize in all its modes -------------------------------===//
//
// Every mode is separable: along each dim an output position is a weighted sum of input positions, and the
// dims are done one after the other in f64. Coordinates are computed in f32, as ONNX runtimes do: whether 3 /
// 0.6 is just below 5 decides which pixel is the nearest. (https://onnx.ai/onnx/operators/onnx__Resize.html)
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <cmath>

using namespace optc;

namespace {
/// Along one dim: output i is the sum of weights[begin[i]..begin[i+1]] times the input at positions[...].
struct Taps {
  std::vector<size_t> begin{0};
  std::vector<int64_t> positions;
  std::vector<double> weights;
  std::vector<bool> outside; // tf_crop_and_resize: extrapolated
  bool identity = false;
};

struct Mode {
  std::string kind, coordinates, nearest;
  double cubicA;
  bool excludeOutside, antialias;
};
} // namespace

static float sourceOf(const Mode &mode, int64_t i, int64_t in, int64_t out, float scale, float start,
                      float end) {
  float x = float(i), n = float(in), m = float(out);
  if (mode.coordinates == "asymmetric")
    return x / scale;
  if (mode.coordinates == "align_corners")
    return out == 1 ? 0 : x * (n - 1) / (m - 1);
  if (mode.coordinates == "pytorch_half_pixel")
    return out > 1 ? (x + 0.5f) / scale - 0.5f : 0;
  if (mode.coordinates == "tf_half_pixel_for_nn")
    return (x + 0.5f) / scale;
  if (mode.coordinates == "tf_crop_and_resize")
    return out > 1 ? start * (n - 1) + x * (end - start) * (n - 1) / (m - 1) : 0.5f * (start + end) * (n - 1);
  if (mode.coordinates == "half_pixel_symmetric") {
    float adjustment = m / (scale * n), center = n / 2;
    return center * (1 - adjustment) + (x + 0.5f) / scale - 0.5f;
  }
  return (x + 0.5f) / scale - 0.5f;
}

static int64_t nearestOf(const std::string &mode, double x) {
  if (mode == "floor")
    return int64_t(std::floor(x));
  if (mode == "ceil")
    return int64_t(std::ceil(x));
  if (mode == "round_prefer_ceil")
    return int64_t(std::floor(x + 0.5));
  return int64_t(std::ceil(x - 0.5));
}

/// Keys' cubic kernel, at a distance.
static double cubic(double a, double t) {
  t = std::fabs(t);
  if (t <= 1)
    return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static Status makeTaps(const Mode &mode, int64_t in, int64_t out, double scaleGiven, double start, double end,
                       Taps &taps) {
  bool crop = mode.coordinates == "tf_crop_and_resize";
  float scale = float(scaleGiven);
  taps.identity = in == out && scale == 1 && !crop;
  if (taps.identity)
    return Status::success();
  if (!(scale > 0 && scale < 1e9f) || !(std::fabs(start) < 1e6 && std::fabs(end) < 1e6))
    return Status::error("a scale or region of interest is out of range");
  if (in == 0 && out > 0)
    return Status::error("cannot resize an empty dim");
  // Without antialiasing the kernel has its own width, else that of the larger step.
  double step = mode.antialias ? std::fmin(scale, 1.0) : 1.0;
  double radius = (mode.kind == "cubic" ? 2 : 1) / step;
  if (radius * double(out) > 1e9)
    return Status::error("the scale " + std::to_string(scale) + " is out of range");
  for (int64_t i = 0; i < out; ++i) {
    double x = sourceOf(mode, i, in, out, scale, float(start), float(end));
    if (!(std::fabs(x) < 1e15))
      return Status::error("a coordinate is out of range");
    taps.outside.push_back(crop && !(x >= 0 && x <= double(in - 1)));
    if (mode.kind == "nearest") {
      taps.positions.push_back(std::clamp<int64_t>(nearestOf(mode.nearest, x), 0, in - 1));
      taps.weights.push_back(1);
    } else {
      int64_t floor = int64_t(std::floor(x));
      double sum = 0;
      size_t first = taps.weights.size();
      // The first tap is the one just inside the kernel's support left of x.
      int64_t reach = int64_t(std::ceil(radius));
      for (int64_t p = floor - reach + 1; p <= floor + reach; ++p) {
        double t = (double(p) - x) * step;
        double weight = mode.kind == "cubic" ? cubic(mode.cubicA, t) : std::fmax(0, 1 - std::fabs(t));
        if (mode.excludeOutside && (p < 0 || p >= in))
          weight = 0;
        if (weight == 0)
          continue;
        taps.positions.push_back(std::clamp<int64_t>(p, 0, in - 1));
        taps.weights.push_back(weight);
        sum += weight;
      }
      for (size_t k = first; (mode.antialias || mode.excludeOutside) && k < taps.weights.size(); ++k)
        taps.weights[k] /= sum;
    }
    taps.begin.push_back(taps.weights.size());
  }
  return Status::success();
}

/// One dim in f64.
static void resizeDim(std::vector<double> &data, std::vector<int64_t> &dims, int64_t d, const Taps &taps) {
  AxisView view(dims, d);
  int64_t out = int64_t(taps.begin.size()) - 1;
  std::vector<double> result(size_t(view.outer * out * view.inner), 0.0);
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t i = 0; i < out; ++i) {
      double *to = result.data() + (o * out + i) * view.inner;
      for (size_t k = taps.begin[size_t(i)]; k < taps.begin[size_t(i) + 1]; ++k) {
        const double *from = data.data() + (o * view.n + taps.positions[k]) * view.inner;
        for (int64_t j = 0; j < view.inner; ++j)
          to[j] += taps.weights[k] * from[j];
      }
    }
  dims[size_t(d)] = out;
  data = std::move(result);
}

/// nearest only moves elements, of any type.
static Value pickDim(const Value &x, int64_t d, const Taps &taps) {
  AxisView view(x.dims, d);
  std::vector<int64_t> dims = x.dims;
  int64_t out = int64_t(taps.positions.size());
  dims[size_t(d)] = out;
  Value y = Value::allocate(x.type, dims);
  if (y.data)
    for (int64_t o = 0; o < view.outer; ++o)
      for (int64_t i = 0; i < out; ++i)
        copyElements(x.type, y.data, (o * out + i) * view.inner, x.data,
                     (o * view.n + taps.positions[size_t(i)]) * view.inner, view.inner);
  return y;
}

static Status resize(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  OPTC_TRY(call.allocate(0));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  OPTC_TRY(expectRank(y, x.rank(), "the result"));
  if (x.type != y.type)
    return Status::error("operand and result differ in element type");
  const Attributes &attributes = call.attributes;
  const std::string &nearest = attributes.text("nearest_mode");
  Mode mode{attributes.text("mode"),
            attributes.text("coordinates"),
            nearest.empty() ? "round_prefer_floor" : nearest,
            attributes.number("cubic_coeff_a", -0.75),
            attributes.integer("exclude_outside") != 0,
            attributes.integer("antialias") != 0};
  if (mode.kind != "nearest" && classOf(x.type) == Class::object)
    return unsupported("interpolation", x.type);
  // Given at run time, they take the attributes' place.
  std::vector<double> scales = call.has(1) ? loadAll<double>(call.in(1)) : attributes.numbers("scales");
  std::vector<double> roi = call.has(2) ? loadAll<double>(call.in(2)) : attributes.numbers("roi");
  size_t rank = x.dims.size();
  if (scales.size() != rank || (!roi.empty() && roi.size() != 2 * rank))
    return Status::error("expected one scale and two bounds a dim");
  std::vector<Taps> taps(rank);
  bool extrapolates = false;
  for (size_t d = 0; d < rank; ++d) {
    if (scales[d] == 0 && x.dims[d] > 0) // the ratio of sizes that were not known before
      scales[d] = double(y.dims[d]) / double(x.dims[d]);
    if (scales[d] == 0 && y.dims[d] == 0)
      scales[d] = 1;
    OPTC_TRY(makeTaps(mode, x.dims[d], y.dims[d], scales[d], roi.empty() ? 0 : roi[d],
                      roi.empty() ? 1 : roi[rank + d], taps[d]));
    extrapolates |= std::find(taps[d].outside.begin(), taps[d].outside.end(), true) != taps[d].outside.end();
  }
  if (y.size() == 0)
    return Status::success();
  if (mode.kind == "nearest") {
    Value moved = x;
    for (size_t d = 0; d < rank; ++d)
      if (!taps[d].identity)
        moved = pickDim(moved, int64_t(d), taps[d]);
    if (!moved.data)
      return Status::error("out of memory");
    copyElements(x.type, y.data, 0, moved.data, 0, y.size());
  } else {
    std::vector<double> data = loadAll<double>(x);
    std::vector<int64_t> dims = x.dims;
    for (size_t d = 0; d < rank; ++d)
      if (!taps[d].identity)
        resizeDim(data, dims, int64_t(d), taps[d]);
    if (classOf(y.type) != Class::f64) { // integers round, rather than drop the fraction
      for (double &v : data)
        v = std::nearbyint(v);
    }
    storeAll(y, data);
  }
  if (!extrapolates || classOf(y.type) == Class::object)
    return Status::success();
  double fill = attributes.number("extrapolation_value");
  std::vector<int64_t> index(rank, 0);
  int64_t at = 0;
  do {
    bool outside = false;
    for (size_t d = 0; d < rank; ++d)
      outside |= !taps[d].identity && taps[d].outside[size_t(index[d])];
    if (outside)
      store(y, at, 1, &fill);
    ++at;
  } while (nextIndex(index, y.dims));
  return Status::success();
}

void optc::registerResize(ReferenceTable &table) { table["resize"] = resize; }
