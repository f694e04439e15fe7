//===- resize.cuh - Resampling in all modes ---------------------*- CUDA -*-===//
//
// Along each resized dim an element of the result is a weighted sum of x's elements (runtime/reference/Resize.cpp has the formulas); a thread adds up
// the product of these sums over the dims. Coordinates are of float, which decides what is nearest; weights and sums of double.
//
// The launch: 256 threads, one an element of the result. `error` becomes 1 where a scale or a coordinate is out of range.
//
//===----------------------------------------------------------------------===//

enum ResizeMode { kNearest, kLinear, kCubic };
enum ResizeCoordinates { kHalfPixel, kHalfPixelSymmetric, kPytorchHalfPixel, kAlignCorners, kAsymmetric, kCropAndResize, kHalfPixelForNearest };
enum NearestMode { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

template <int kRank> struct ResizeShape {
  i64 x[kRank], y[kRank];
};
/// Output over input size, 0: the ratio of the sizes; regions of x, from 0 to 1.
template <int kRank> struct ResizeScales {
  double scales[kRank], starts[kRank], ends[kRank];
};
struct ResizeFormula {
  double cubicA, extrapolation;
};

template <typename T, int kRank, int kMode, int kCoordinates, int kRounding, bool kExcludeOutside, bool kAntialias> struct Resize {
  /// A dim at the thread's place.
  struct Dim {
    double x, step, total; // place in x; the kernel is that much wider; what weights are divided by
    i64 first, last, size; // taps
    bool isKept;
  };

  static __device__ float source(float x, float n, float m, float scale, float start, float end) {
    switch (kCoordinates) {
    case kAsymmetric:
      return x / scale;
    case kAlignCorners:
      return m == 1 ? 0 : x * (n - 1) / (m - 1);
    case kPytorchHalfPixel:
      return m > 1 ? (x + 0.5f) / scale - 0.5f : 0;
    case kHalfPixelForNearest:
      return (x + 0.5f) / scale;
    case kCropAndResize:
      return m > 1 ? start * (n - 1) + x * (end - start) * (n - 1) / (m - 1) : 0.5f * (start + end) * (n - 1);
    case kHalfPixelSymmetric:
      return n / 2 * (1 - m / (scale * n)) + (x + 0.5f) / scale - 0.5f;
    default:
      return (x + 0.5f) / scale - 0.5f;
    }
  }
  static __device__ i64 nearest(double x) {
    return kRounding == kFloor ? i64(floor(x)) : kRounding == kCeil ? i64(ceil(x)) : kRounding == kRoundPreferCeil ? i64(floor(x + 0.5)) : i64(ceil(x - 0.5));
  }
  static __device__ double weight(const Dim &d, i64 p, double a) {
    if (kMode == kNearest)
      return 1;
    if (kExcludeOutside && (p < 0 || p >= d.size))
      return 0;
    const double t = fabs((double(p) - d.x) * d.step);
    if (kMode == kLinear)
      return fmax(0.0, 1 - t);
    return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
  }

  /// Over the first kDims dims, the last of them outermost; `offset` of those after them, `stride` of the last. Each weight is rounded, and each
  /// product, as the evaluator has them: integers are rounded in the end.
  template <int kDims> static __device__ double sum(const T *x, const Dim *dims, i64 offset, i64 stride, double a) {
    if constexpr (kDims == 0) {
      return sample_value(x[offset]);
    } else {
      const Dim &d = dims[kDims - 1];
      if (d.isKept)
        return sum<kDims - 1>(x, dims, offset + d.first * stride, stride * d.size, a);
      double all = 0;
      for (i64 p = d.first; p <= d.last; ++p)
        if (const double w = weight(d, p, a); w != 0)
          all += rounded_product(w / d.total, sum<kDims - 1>(x, dims, offset + minimum(maximum(p, i64(0)), d.size - 1) * stride, stride * d.size, a));
      return all;
    }
  }

  static __device__ void run(const ResizeShape<kRank> &s, const T *x, const double *scales, const double *regions, T *y, const ResizeScales<kRank> &given,
                             const ResizeFormula &formula, int *error) {
    const i64 thread = thread_in_grid();
    i64 all = 1, rest = thread;
    for (int d = 0; d < kRank; ++d)
      all *= s.y[d];
    if (thread >= all)
      return;
    Dim dims[kRank];
    bool isOutside = false;
#pragma unroll
    for (int d = kRank - 1; d >= 0; --d) {
      const i64 i = rest % s.y[d], in = s.x[d], out = s.y[d];
      rest /= s.y[d];
      double ratio = scales ? scales[d] : given.scales[d];
      if (ratio == 0)
        ratio = in > 0 ? double(out) / double(in) : 1;
      const float scale = float(ratio), start = float(regions ? regions[d] : given.starts[d]), end = float(regions ? regions[kRank + d] : given.ends[d]);
      dims[d] = {0, 1, 1, i, i, in, in == out && scale == 1 && kCoordinates != kCropAndResize};
      if (dims[d].isKept)
        continue;
      const double place = source(float(i), float(in), float(out), scale, start, end);
      const double step = kAntialias ? fmin(double(scale), 1.0) : 1.0, radius = (kMode == kCubic ? 2 : 1) / step;
      if (!(scale > 0 && scale < 1e9f) || !(fabs(start) < 1e6f && fabs(end) < 1e6f) || in == 0 || !(fabs(place) < 1e15) || radius * double(out) > 1e9) {
        *error = 1;
        return;
      }
      isOutside = isOutside || (kCoordinates == kCropAndResize && !(place >= 0 && place <= double(in - 1)));
      dims[d].x = place;
      dims[d].step = step;
      if (kMode == kNearest) {
        dims[d].first = dims[d].last = minimum(maximum(nearest(place), i64(0)), in - 1);
        continue;
      }
      const i64 middle = i64(floor(place)), reach = i64(ceil(radius));
      dims[d].first = middle - reach + 1;
      dims[d].last = middle + reach;
      if (kAntialias || kExcludeOutside) {
        dims[d].total = 0;
        for (i64 p = dims[d].first; p <= dims[d].last; ++p)
          dims[d].total += weight(dims[d], p, formula.cubicA);
      }
    }
    if constexpr (kMode == kNearest) {
      i64 offset = 0;
#pragma unroll
      for (int d = 0; d < kRank; ++d)
        offset = offset * s.x[d] + dims[d].first;
      y[thread] = isOutside ? resized(formula.extrapolation) : x[offset];
    } else {
      y[thread] = resized(isOutside ? formula.extrapolation : sum<kRank>(x, dims, 0, 1, formula.cubicA));
    }
  }
  /// Integers are rounded.
  static __device__ T resized(double v) {
    if constexpr (typename SortKey<T>::type(0.5f) != typename SortKey<T>::type(0))
      return sampled<T>(v);
    else
      return T(i64(rint(v)));
  }
};
