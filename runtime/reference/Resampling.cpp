//===- Resampling.cpp - grid_sample, col2im -------------------------------===//

#include "runtime/reference/Window.h"
#include <cmath>

using namespace optc;

//===----------------------------------------------------------------------===//
// grid_sample
//===----------------------------------------------------------------------===//

namespace {
enum class Padding { zeros, border, reflection };

struct Sampler {
  std::vector<int64_t> dims; // spatial
  Padding padding;
  bool alignCorners;
  int taps; // along each dim: 1 nearest, 2 linear, 4 cubic
};
} // namespace

/// Mirrors x at the borders until it is inside.
static double reflect(double x, double low, double high) {
  double range = high - low;
  if (range <= 0)
    return low;
  double distance = std::fmod(std::fabs(x - low), 2 * range);
  return distance <= range ? low + distance : low + 2 * range - distance;
}

/// Taps along one dim for the normalised coordinate g: positions (-1: contributes 0) and weights.
static void tapsAt(const Sampler &sampler, size_t d, double g, int64_t *positions, double *weights) {
  int64_t n = sampler.dims[d];
  double last = double(n - 1), low = sampler.alignCorners ? 0 : -0.5,
         high = sampler.alignCorners ? last : last + 0.5;
  double x = sampler.alignCorners ? (g + 1) / 2 * last : ((g + 1) * double(n) - 1) / 2;
  if (!(std::fabs(x) < 1e15)) // no place: nothing, or the first element
    x = sampler.padding == Padding::zeros ? -1e9 : 0;
  if (sampler.taps == 1)
    x = std::nearbyint(x);
  if (x < low || x > high) {
    if (sampler.padding == Padding::border)
      x = std::fmin(std::fmax(x, 0), last);
    else if (sampler.padding == Padding::reflection)
      x = reflect(x, low, high);
  }
  if (sampler.taps == 1) {
    positions[0] = int64_t(std::nearbyint(x));
    weights[0] = 1;
  } else {
    double floor = std::floor(x), r = x - floor;
    int64_t first = int64_t(floor) - (sampler.taps == 4 ? 1 : 0);
    for (int k = 0; k < sampler.taps; ++k)
      positions[k] = first + k;
    if (sampler.taps == 2) {
      weights[0] = 1 - r;
      weights[1] = r;
    } else {
      constexpr double a = -0.75;
      auto near = [](double t) { return ((a + 2) * t - (a + 3)) * t * t + 1; };
      auto far = [](double t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
      weights[0] = far(1 + r);
      weights[1] = near(r);
      weights[2] = near(1 - r);
      weights[3] = far(2 - r);
    }
  }
  for (int k = 0; k < sampler.taps; ++k) {
    if (positions[k] >= 0 && positions[k] < n)
      continue;
    if (sampler.padding == Padding::zeros)
      positions[k] = -1;
    else if (sampler.padding == Padding::border)
      positions[k] = std::clamp<int64_t>(positions[k], 0, n - 1);
    else
      positions[k] = std::clamp<int64_t>(int64_t(reflect(double(positions[k]), low, high)), 0, n - 1);
  }
}

static Status gridSample(Call &call) {
  OPTC_TRY(expectTensors(call, 2));
  const Value &x = call.in(0), &grid = call.in(1);
  if (x.rank() < 3 || x.rank() > 5 || grid.rank() != x.rank() || grid.dims.back() != x.rank() - 2 ||
      grid.dims[0] != x.dims[0])
    return Status::error("grid " + shapeText(grid.dims) + " does not fit the input " + shapeText(x.dims));
  if (classOf(x.type) != Class::f64 || classOf(grid.type) != Class::f64)
    return unsupported("grid_sample", classOf(x.type) != Class::f64 ? x.type : grid.type);
  const std::string &mode = call.attributes.text("mode"), &padding = call.attributes.text("padding");
  Sampler sampler{{x.dims.begin() + 2, x.dims.end()},
                  padding == "border"       ? Padding::border
                  : padding == "reflection" ? Padding::reflection
                                            : Padding::zeros,
                  call.attributes.integer("align_corners") != 0,
                  mode == "nearest" ? 1
                  : mode == "cubic" ? 4
                                    : 2};
  std::vector<int64_t> dims{x.dims[0], x.dims[1]};
  dims.insert(dims.end(), grid.dims.begin() + 1, grid.dims.end() - 1);
  OPTC_TRY(call.allocate(0, dims));
  Value &y = call.outputs[0];
  if (y.size() == 0)
    return Status::success();
  int64_t inputs = product(sampler.dims), channels = x.dims[1], rank = x.rank() - 2;
  if (inputs == 0)
    return Status::error("cannot sample an empty input");
  int64_t outputs = y.size() / (x.dims[0] * channels);
  std::vector<double> plane(static_cast<size_t>(inputs)), where = loadAll<double>(grid);
  // The corners of every output of an image, shared by its channels.
  int64_t corners = 1;
  for (int64_t d = 0; d < rank; ++d)
    corners *= sampler.taps;
  std::vector<int64_t> offsets(size_t(outputs * corners));
  std::vector<double> weights(offsets.size()), row(static_cast<size_t>(outputs));
  for (int64_t image = 0; image < x.dims[0]; ++image) {
    for (int64_t o = 0; o < outputs; ++o) {
      int64_t positions[3][4];
      double factors[3][4];
      for (int64_t d = 0; d < rank; ++d) // the grid holds x, y, z: the last dim first
        tapsAt(sampler, size_t(d), where[size_t((image * outputs + o) * rank + rank - 1 - d)], positions[d],
               factors[d]);
      for (int64_t corner = 0; corner < corners; ++corner) {
        int64_t offset = 0, rest = corner;
        double weight = 1;
        for (int64_t d = 0; d < rank; ++d, rest /= sampler.taps) {
          int64_t position = positions[d][rest % sampler.taps];
          offset = offset < 0 || position < 0 ? -1 : offset * sampler.dims[size_t(d)] + position;
          weight *= factors[d][rest % sampler.taps];
        }
        offsets[size_t(o * corners + corner)] = offset;
        weights[size_t(o * corners + corner)] = weight;
      }
    }
    for (int64_t c = 0; c < channels; ++c) {
      load(x, (image * channels + c) * inputs, inputs, plane.data());
      for (int64_t o = 0; o < outputs; ++o) {
        double sum = 0;
        for (int64_t k = o * corners; k < (o + 1) * corners; ++k)
          if (offsets[size_t(k)] >= 0)
            sum += weights[size_t(k)] * plane[size_t(offsets[size_t(k)])];
        row[size_t(o)] = sum;
      }
      store(y, (image * channels + c) * outputs, outputs, row.data());
    }
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// col2im
//===----------------------------------------------------------------------===//

template <typename T> static void sumColumns(const Window &window, const Value &x, Value &y) {
  int64_t planes = y.dims[0] * y.dims[1], taps = window.taps(), outputs = window.outputs(),
          inputs = window.inputs();
  std::vector<int64_t> offsets;
  window.inputOffsets(0, outputs, offsets);
  std::vector<T> columns(size_t(taps * outputs)), image(static_cast<size_t>(inputs));
  for (int64_t plane = 0; plane < planes; ++plane) {
    load(x, plane * taps * outputs, taps * outputs, columns.data());
    std::fill(image.begin(), image.end(), T(0));
    for (size_t i = 0; i < columns.size(); ++i)
      if (offsets[i] >= 0)
        image[size_t(offsets[i])] += columns[i];
    store(y, plane * inputs, inputs, image.data());
  }
}

static Status col2im(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  OPTC_TRY(call.allocate(0));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  OPTC_TRY(expectRank(x, 3, "the columns"));
  if (y.rank() < 3 || classOf(x.type) == Class::object)
    return Status::error("expected numeric columns and an image of rank 3 or more");
  const auto &pads = call.attributes.integers("pads");
  size_t rank = y.dims.size() - 2;
  OPTC_TRY(expectEntries(pads, 2 * rank, "pads"));
  Window window;
  Attributes attributes;
  attributes.set("strides", call.attributes.integers("strides"));
  attributes.set("dilations", call.attributes.integers("dilations"));
  attributes.set("pads_low", std::vector<int64_t>(pads.begin(), pads.begin() + int64_t(rank)));
  attributes.set("pads_high", std::vector<int64_t>(pads.begin() + int64_t(rank), pads.end()));
  Call windowCall{attributes, call.inputs, call.outputs, call.shaped};
  OPTC_TRY(window.read(windowCall, {y.dims.begin() + 2, y.dims.end()}, call.attributes.integers("block")));
  OPTC_TRY(window.computeOutput(false));
  int64_t rows;
  if (__builtin_mul_overflow(y.dims[1], window.taps(), &rows))
    return Status::error("the block is out of range");
  OPTC_TRY(expectShape(x, {y.dims[0], rows, window.outputs()}, "the columns"));
  if (y.size() == 0)
    return Status::success();
  if (classOf(x.type) == Class::f64)
    sumColumns<double>(window, x, y);
  else
    sumColumns<uint64_t>(window, x, y);
  return Status::success();
}

void optc::registerResampling(ReferenceTable &table) {
  table["grid_sample"] = gridSample;
  table["col2im"] = col2im;
}
