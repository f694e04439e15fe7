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
  /// Where they arrive at run time: f64, one and two entries a dim.
  Value scale, region;
};

Results resizeTo(Node &n, const Dims &out, ArrayRef<double> scales, const Sampling &s) {
  return {n.makeAs<ResizeOp>(tensorType(out, elementOf(n[0])), n[0], s.scale, s.region, scales, s.roi, s.mode,
                             s.coordinates, s.nearest, llvm::APFloat(n.number("cubic_coeff_a", -0.75)),
                             n.flag("exclude_outside"), llvm::APFloat(n.number("extrapolation_value", 0)),
                             n.flag("antialias"))};
}

/// One number a resized axis as one number a dim; `otherwise` for the others.
Value perDim(Node &n, Value list, ArrayRef<int64_t> axes, int64_t rank, double otherwise) {
  SmallVector<Value> parts;
  for (int64_t d = 0; d < rank; ++d) {
    const auto *at = llvm::find(axes, d);
    parts.push_back(at == axes.end() ? n.broadcast(n.scalar(n.b.getF64Type(), otherwise), {1})
                                     : n.slice(list, 0, int64_t(at - axes.begin()), 1));
  }
  return n.concat(parts, 0);
}

/// Sizes of f64 computed at run time as dims: bound after rounding down.
void setSizes(Node &n, Value sizes, ArrayRef<int64_t> axes, Dims &out) {
  Dims bound = n.elements(n.cast(n.make<FloorOp>(sizes), n.i64()));
  for (auto [i, axis] : llvm::enumerate(axes))
    out[axis] = bound[i];
}

/// The dims at `axes` as a vector of f64.
Value sizesOf(Node &n, ArrayRef<DimExpr> dims, ArrayRef<int64_t> axes) {
  Dims chosen;
  for (int64_t axis : axes)
    chosen.push_back(dims[axis]);
  return n.cast(n.fromDims(chosen), n.b.getF64Type());
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
  return resizeTo(n, dims, scales, {interpolation(n), "asymmetric", "floor", {}, {}, {}});
}

/// The vector `x` of one number an axis, in f64.
Value numbersOf(Node &n, Value x, size_t count) {
  n.expect(n.rank(x) == 1 && dimsMayMatch(n.dims(x)[0], DimExpr(int64_t(count))),
           "expected " + Twine(count) + " numbers");
  return n.cast(n.reshape(x, {int64_t(count)}), n.b.getF64Type());
}

Results resizeAtRunTime(Node &n, Value scales, ArrayRef<int64_t> axes, Value extent, Sampling s) {
  Dims dims = n.dims(n[0]), out = dims;
  scales = numbersOf(n, scales, axes.size());
  Value sizes = n.make<MulOp>(sizesOf(n, dims, axes), scales);
  setSizes(n, extent ? n.make<MulOp>(sizes, extent) : sizes, axes, out);
  s.scale = perDim(n, scales, axes, dims.size(), 1);
  return resizeTo(n, out, SmallVector<double>(dims.size(), 0), s);
}

Results upsampleByAttribute(Node &n) { return resizeByScales(n, n.numbers("scales")); }
Results upsampleByInput(Node &n) {
  if (auto scales = n.constantNumbers(n[1]))
    return resizeByScales(n, *scales);
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, n.rank(n[0])));
  return resizeAtRunTime(n, n[1], axes, {}, {interpolation(n), "asymmetric", "floor", {}, {}, {}});
}

/// One scale for all axes: the smallest (not_larger) or the largest (not_smaller) that the sizes ask for.
Results resizeKeepingRatio(Node &n, bool notLarger, const Dims &sizes, ArrayRef<int64_t> axes, Sampling s) {
  Dims dims = n.dims(n[0]), out = dims;
  SmallVector<double> scales(dims.size(), 1);
  std::optional<double> common;
  bool known = true;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    known &= sizes[i].isConstant() && dims[axis].isConstant() && dims[axis] != DimExpr(0);
    if (!known)
      break;
    double scale = double(*sizes[i].constant()) / double(*dims[axis].constant());
    common = !common ? scale : notLarger ? std::min(*common, scale) : std::max(*common, scale);
  }
  if (known) {
    for (int64_t axis : axes) {
      scales[axis] = *common;
      out[axis] = int64_t(std::floor(*common * double(*dims[axis].constant()) + 0.5));
    }
    return resizeTo(n, out, scales, s);
  }
  Value from = sizesOf(n, dims, axes), to = n.cast(n.fromDims(sizes), n.b.getF64Type());
  Value scale = n.make<ReduceOp>(n.make<DivOp>(to, from), ArrayRef<int64_t>(0), notLarger ? "min" : "max");
  scale = n.broadcast(scale, {int64_t(axes.size())});
  setSizes(n, n.make<AddOp>(n.make<MulOp>(from, scale), n.full(from, 0.5)), axes, out);
  s.scale = perDim(n, scale, axes, dims.size(), 1);
  return resizeTo(n, out, SmallVector<double>(dims.size(), 0), s);
}

Results resize(Node &n) {
  Dims dims = n.dims(n[0]), out = dims;
  int64_t rank = dims.size();
  auto axes = n.has("axes") ? n.axes(n.integers("axes"), rank) : llvm::to_vector(llvm::seq<int64_t>(0, rank));
  int64_t count = axes.size();
  Sampling s{interpolation(n),
             n.text("coordinate_transformation_mode", "half_pixel"),
             n.text("nearest_mode", "round_prefer_floor"),
             {},
             {},
             {}};
  auto isEmpty = [&](Value x) { return !x || numElements(n.dims(x)) == DimExpr(0); };
  Value extent; // of the region, for tf_crop_and_resize
  if (s.coordinates == "tf_crop_and_resize" && !isEmpty(n.optional(1))) {
    Value list = numbersOf(n, n[1], 2 * count);
    Value starts = n.slice(list, 0, 0, count), ends = n.slice(list, 0, count, count);
    extent = n.make<SubOp>(ends, starts);
    if (auto roi = n.constantNumbers(n[1])) {
      s.roi.assign(2 * rank, 0);
      std::fill(s.roi.begin() + rank, s.roi.end(), 1);
      for (auto [i, axis] : llvm::enumerate(axes)) {
        s.roi[axis] = (*roi)[i];
        s.roi[rank + axis] = (*roi)[count + i];
      }
    } else {
      s.region = n.concat({perDim(n, starts, axes, rank, 0), perDim(n, ends, axes, rank, 1)}, 0);
    }
  }
  SmallVector<double> scales(rank, 1);
  if (!isEmpty(n.optional(2))) {
    auto given = n.constantNumbers(n[2]);
    if (!given || s.region)
      return resizeAtRunTime(n, n[2], axes, extent, s);
    n.expect(int64_t(given->size()) == count, "scales must have one entry an axis");
    for (auto [i, axis] : llvm::enumerate(axes)) {
      scales[axis] = (*given)[i];
      double part = s.roi.empty() ? 1 : s.roi[rank + axis] - s.roi[axis];
      out[axis] = scaled(n, dims[axis], (*given)[i] * part);
    }
    return resizeTo(n, out, scales, s);
  }
  n.expect(!isEmpty(n.optional(3)), "expected scales or sizes");
  Dims sizes = n.elements(n[3]);
  n.expect(int64_t(sizes.size()) == count, "sizes must have one entry an axis");
  std::string policy = n.text("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch")
    return resizeKeepingRatio(n, policy == "not_larger", sizes, axes, s);
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
  Dims in = n.dims(n[0]), image = n.elements(n[1]), block = n.elements(n[2]);
  size_t spatial = image.size();
  n.expect(in.size() == 3 && block.size() == spatial,
           "expected columns of rank 3, and one block size a spatial dim");
  int64_t known = 1;
  for (const DimExpr &d : block) {
    n.expect(!d.isConstant() || (*d.constant() >= 1 && *d.constant() < INT32_MAX && known < INT32_MAX),
             "a block size must be positive");
    known *= d.constant().value_or(1);
  }
  DimExpr area = numElements(block);
  auto channels = DimExpr::divideExactly(in[1], area);
  n.expect(channels || !area.isConstant() || !in[1].isConstant(),
           "the columns are not divisible by the block's size");
  Dims out{in[0], channels ? *channels : DimExpr::floordiv(in[1], area)};
  out.append(image);
  return {n.makeAs<Col2ImOp>(tensorType(out, elementOf(n[0])), n[0], DimsAttr::get(n.context(), block),
                             n.integers("strides", spatial, 1), n.integers("dilations", spatial, 1),
                             n.integers("pads", 2 * spatial, 0))};
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
