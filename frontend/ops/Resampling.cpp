//===- Resampling.cpp - Resize, Upsample, GridSample, Col2Im ---------------===//
//
// The result's size is computed here, from scales or sizes, so that `optc.resize` has only to
// sample:
//
//   Resize(x[n,3,h,w], scales=[1,1,2,2])  ⇒  resize x {scales = [1,1,2,2]} : [n,3,2*h,2*w]
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// floor(dim * scale); for a dynamic dim the scale must be a fraction of small numbers.
DimExpr scaled(Node &n, const DimExpr &dim, double scale) {
  n.expect(scale > 0 && scale < 1e9, "a scale must be positive");
  if (auto c = dim.constant())
    return int64_t(std::floor(double(*c) * scale));
  for (int64_t denominator = 1; denominator <= 64; ++denominator) {
    double numerator = scale * double(denominator);
    if (std::abs(numerator - std::round(numerator)) < 1e-6 * numerator)
      return DimExpr::floordiv(dim * DimExpr(int64_t(std::round(numerator))), denominator);
  }
  n.unsupported("unsupported: a dynamic dim scaled by " + Twine(std::to_string(scale)));
}

struct Sampling {
  std::string mode, coordinates, nearest;
  SmallVector<double> roi;
};

Results resizeTo(Node &n, const Dims &out, ArrayRef<double> scales, const Sampling &s) {
  return {n.makeAs<ResizeOp>(tensorType(out, elementOf(n[0])), n[0], scales, s.roi, s.mode, s.coordinates, s.nearest,
                             llvm::APFloat(n.number("cubic_coeff_a", -0.75)), n.flag("exclude_outside"),
                             llvm::APFloat(n.number("extrapolation_value", 0)), n.flag("antialias"))};
}

std::string interpolation(Node &n) {
  std::string mode = n.text("mode", "nearest");
  if (mode == "bilinear" || mode == "trilinear")
    mode = "linear";
  n.expect(mode == "nearest" || mode == "linear" || mode == "cubic", "unknown mode '" + mode + "'");
  return mode;
}

/// Upsample, and Resize of opset 10: scales only, coordinates are multiplied.
Results resizeByScales(Node &n, ArrayRef<double> scales) {
  Dims dims = n.dims(n[0]);
  n.expect(scales.size() == dims.size(), "scales must have one entry a dim");
  for (auto [d, scale] : llvm::zip(dims, scales))
    d = scaled(n, d, scale);
  return resizeTo(n, dims, scales, {interpolation(n), "asymmetric", "floor", {}});
}
SmallVector<double> constantScales(Node &n, Value x) {
  auto scales = n.constantNumbers(x);
  if (!scales)
    n.unsupported("unsupported: scales must be constant");
  return *scales;
}
Results upsampleByAttribute(Node &n) { return resizeByScales(n, n.numbers("scales")); }
Results upsampleByInput(Node &n) { return resizeByScales(n, constantScales(n, n[1])); }

Results resize(Node &n) {
  Dims dims = n.dims(n[0]);
  int64_t rank = dims.size();
  auto axes = n.has("axes") ? n.axes(n.integers("axes"), rank) : llvm::to_vector(llvm::seq<int64_t>(0, rank));
  Sampling s{interpolation(n), n.text("coordinate_transformation_mode", "half_pixel"),
             n.text("nearest_mode", "round_prefer_floor"), {}};
  auto isEmpty = [&](Value x) { return !x || numElements(n.dims(x)) == DimExpr(0); };
  if (s.coordinates == "tf_crop_and_resize" && !isEmpty(n.optional(1))) {
    auto roi = n.constantNumbers(n[1]);
    if (!roi)
      n.unsupported("unsupported: roi must be constant");
    n.expect(roi->size() == 2 * axes.size(), "roi must have two entries an axis");
    s.roi.assign(2 * rank, 0);
    std::fill(s.roi.begin() + rank, s.roi.end(), 1);
    for (auto [i, axis] : llvm::enumerate(axes)) {
      s.roi[axis] = (*roi)[i];
      s.roi[rank + axis] = (*roi)[axes.size() + i];
    }
  }
  Dims out = dims;
  SmallVector<double> scales(rank, 1);
  if (!isEmpty(n.optional(2))) {
    auto given = constantScales(n, n[2]);
    n.expect(given.size() == axes.size(), "scales must have one entry an axis");
    for (auto [i, axis] : llvm::enumerate(axes)) {
      scales[axis] = given[i];
      double extent = s.roi.empty() ? 1 : s.roi[rank + axis] - s.roi[axis];
      out[axis] = extent == 1 ? scaled(n, dims[axis], given[i]) : scaled(n, dims[axis], given[i] * extent);
    }
    return resizeTo(n, out, scales, s);
  }
  n.expect(!isEmpty(n.optional(3)), "expected scales or sizes");
  Dims sizes = n.elements(n[3]);
  n.expect(sizes.size() == axes.size(), "sizes must have one entry an axis");
  std::string policy = n.text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch") {
    // One scale for all axes: the smallest (not_larger) or the largest (not_smaller).
    std::optional<double> common;
    for (auto [i, axis] : llvm::enumerate(axes)) {
      if (!sizes[i].isConstant() || !dims[axis].isConstant() || dims[axis] == DimExpr(0))
        n.unsupported("unsupported: keep_aspect_ratio_policy for dynamic dims");
      double scale = double(*sizes[i].constant()) / double(*dims[axis].constant());
      common = !common ? scale : policy == "not_larger" ? std::min(*common, scale) : std::max(*common, scale);
    }
    for (int64_t axis : axes) {
      scales[axis] = *common;
      out[axis] = int64_t(std::floor(*common * double(*dims[axis].constant()) + 0.5));
    }
    return resizeTo(n, out, scales, s);
  }
  for (auto [i, axis] : llvm::enumerate(axes)) {
    out[axis] = sizes[i];
    auto to = sizes[i].constant(), from = dims[axis].constant();
    n.expect(!to || *to >= 0, "a size is negative");
    // 0: the ratio is known at run time only.
    scales[axis] = sizes[i] == dims[axis] ? 1 : to && from && *from > 0 ? double(*to) / double(*from) : 0;
  }
  return resizeTo(n, out, scales, s);
}

Results gridSample(Node &n) {
  std::string mode = n.text("mode", "linear");
  mode = mode == "bilinear" ? "linear" : mode == "bicubic" ? "cubic" : mode;
  return {n.make<GridSampleOp>(n[0], n[1], n.flag("align_corners"), mode, n.text("padding_mode", "zeros"))};
}

Results col2Im(Node &n) {
  Dims in = n.dims(n[0]), image = n.elements(n[1]);
  auto block = n.constantIntegers(n[2]);
  if (!block)
    n.unsupported("unsupported: block_shape must be constant");
  size_t spatial = image.size();
  n.expect(in.size() == 3 && block->size() == spatial, "expected columns of rank 3, and one block size a spatial dim");
  int64_t area = 1;
  for (int64_t d : *block) {
    n.expect(d >= 1 && d < INT32_MAX && area < INT32_MAX, "a block size must be positive");
    area *= d;
  }
  auto channels = DimExpr::divideExactly(in[1], area);
  n.expect(channels.has_value(), "the columns are not divisible by the block's size");
  Dims out{in[0], *channels};
  out.append(image);
  return {n.makeAs<Col2ImOp>(tensorType(out, elementOf(n[0])), n[0], *block, n.integers("strides", spatial, 1),
                             n.integers("dilations", spatial, 1), n.integers("pads", 2 * spatial, 0))};
}

} // namespace

void optc::registerResampling(Registry &r) {
  r.domain = "";
  r.add("Col2Im", 18, col2Im);
  r.add("GridSample", 16, gridSample);
  r.add("Resize", 10, upsampleByInput);
  r.add("Resize", 11, resize);
  r.add("Upsample", 7, upsampleByAttribute);
  r.add("Upsample", 9, upsampleByInput);
}
