//===- conv_direct.cuh - Convolutions element by element --------*- CUDA -*-===//
//
// What no product takes: groups, more dims, types that are multiplied nowhere else, filters between the pixels of a transposed
// convolution, taps at computed places, columns that are summed back. A thread for each pixel and kLanes neighbouring channels of the
// result; 256 threads a block. Images are channels-last but where a function says else.
//
//===----------------------------------------------------------------------===//

/// What elements are summed in: integers modulo 2^32 or 2^64.
template <typename T> struct DirectSum { typedef u32 type; };
template <> struct DirectSum<i64> { typedef u64 type; };
template <> struct DirectSum<u64> { typedef u64 type; };
template <> struct DirectSum<float> { typedef float type; };
template <> struct DirectSum<f16> { typedef float type; };
template <> struct DirectSum<bf16> { typedef float type; };
template <> struct DirectSum<double> { typedef double type; };

__device__ inline float direct_multiply_add(float x, float y, float sum) { return fmaf(x, y, sum); }
__device__ inline double direct_multiply_add(double x, double y, double sum) { return fma(x, y, sum); }
__device__ inline u32 direct_multiply_add(u32 x, u32 y, u32 sum) { return x * y + sum; }
__device__ inline u64 direct_multiply_add(u64 x, u64 y, u64 sum) { return x * y + sum; }

/// A window over an image of `in`, at places of `out`.
template <int kSpatial> struct DirectWindow {
  i64 in[kSpatial], out[kSpatial], size[kSpatial], strides[kSpatial], dilations[kSpatial], low[kSpatial];
  static __device__ i64 product(const i64 (&sizes)[kSpatial]) {
    i64 n = 1;
#pragma unroll
    for (int d = 0; d < kSpatial; ++d)
      n *= sizes[d];
    return n;
  }
  __device__ i64 taps() const { return product(size); }
  /// Elements of an image, of a result's.
  __device__ i64 inputs() const { return product(in); }
  __device__ i64 outputs() const { return product(out); }
  /// The element of the image under a tap; -1 beside it.
  __device__ i64 under(i64 output, i64 tap) const {
    i64 offset = 0, stride = 1;
    bool isInside = true;
#pragma unroll
    for (int d = kSpatial - 1; d >= 0; --d) {
      const i64 at = output % out[d] * strides[d] - low[d] + tap % size[d] * dilations[d];
      output /= out[d];
      tap /= size[d];
      isInside = isInside && at >= 0 && at < in[d];
      offset += at * stride;
      stride *= in[d];
    }
    return isInside ? offset : -1;
  }
  /// The place of the window that has an element of the image under a tap; -1 where there is none.
  __device__ i64 over(i64 input, i64 tap) const {
    i64 place = 0, stride = 1;
    bool isInside = true;
#pragma unroll
    for (int d = kSpatial - 1; d >= 0; --d) {
      const i64 from = input % in[d] + low[d] - tap % size[d] * dilations[d], at = from / strides[d];
      input /= in[d];
      tap /= size[d];
      isInside = isInside && from >= 0 && at * strides[d] == from && at < out[d];
      place += at * stride;
      stride *= out[d];
    }
    return isInside ? place : -1;
  }
};

template <int kSpatial> struct DirectConvShape {
  i64 images, channels, outChannels, groups;
  DirectWindow<kSpatial> window;
};

/// filter [taps, channels / groups, outChannels]; transposed [taps, channels, outChannels / groups], the window sliding over the result.
/// kLanes divides the channels of a group of the result.
template <typename T, typename W, typename Y, int kSpatial, int kLanes, bool kTransposed> struct DirectConv {
  typedef typename DirectSum<Y>::type Sum;
  static __device__ void run(const DirectConvShape<kSpatial> &s, const T *x, const W *filter, Y *y) {
    const i64 thread = thread_in_grid(), pixels = kTransposed ? s.window.inputs() : s.window.outputs();
    const i64 places = kTransposed ? s.window.outputs() : s.window.inputs(), parts = s.outChannels / kLanes;
    if (thread >= s.images * pixels * parts)
      return;
    const i64 pixel = thread / parts % pixels, image = thread / parts / pixels, channel = thread % parts * kLanes;
    const i64 groupIn = s.channels / s.groups, groupOut = s.outChannels / s.groups, group = channel / groupOut;
    const i64 columns = kTransposed ? groupOut : s.outChannels, rows = kTransposed ? s.channels : groupIn;
    x += image * places * s.channels + group * groupIn;
    filter += kTransposed ? group * groupIn * groupOut + channel % groupOut : channel;
    Vec<Sum, kLanes> sums = splat<kLanes>(Sum(0));
    for (i64 tap = 0; tap < s.window.taps(); ++tap) {
      const i64 place = kTransposed ? s.window.over(pixel, tap) : s.window.under(pixel, tap);
      if (kTransposed && place < 0)
        continue;
      // Padding is multiplied, too: 0 times infinity is NaN.
      const T *from = x + maximum(place, i64(0)) * s.channels;
      const W *weights = filter + tap * rows * columns;
      for (i64 c = 0; c < groupIn; ++c) {
        const Sum v = place < 0 ? Sum(0) : Sum(from[c]);
        const Vec<W, kLanes> w = load<kLanes>(weights + c * columns);
#pragma unroll
        for (int l = 0; l < kLanes; ++l)
          sums[l] = direct_multiply_add(v, Sum(w[l]), sums[l]);
      }
    }
    Vec<Y, kLanes> result;
#pragma unroll
    for (int l = 0; l < kLanes; ++l)
      result[l] = Y(sums[l]);
    store(y + thread * kLanes, result);
  }
};

/// Columns x [images, channels * taps, places] summed into y [images, channels, image], tap by tap. `error` becomes 1 where x has other sizes.
template <int kSpatial> struct ColumnsShape {
  i64 images, channels;
  i64 sizes[3]; // x's
  DirectWindow<kSpatial> window;
};
template <typename T, int kSpatial> struct Col2Im {
  typedef typename DirectSum<T>::type Sum;
  static __device__ void run(const ColumnsShape<kSpatial> &s, const T *x, T *y, int *error) {
    const i64 thread = thread_in_grid(), pixels = s.window.inputs(), places = s.window.outputs(), taps = s.window.taps();
    if (thread >= s.images * s.channels * pixels)
      return;
    if (s.sizes[0] != s.images || s.sizes[1] != s.channels * taps || s.sizes[2] != places) {
      *error = 1;
      return;
    }
    const T *columns = x + thread / pixels * taps * places;
    Sum sum = 0;
    for (i64 tap = 0; tap < taps; ++tap)
      if (const i64 place = s.window.over(thread % pixels, tap); place >= 0)
        sum += Sum(columns[tap * places + place]);
    y[thread] = T(sum);
  }
};

template <int kSpatial> struct DeformShape {
  i64 images, channels, outChannels, groups, parts; // parts: groups of channels with places of their own
  DirectWindow<kSpatial> window;
};

/// Each tap of each pixel reads between the elements around its own place, `offset` [images, parts * taps * kSpatial, pixels] from where it
/// would be; `mask` [images, parts * taps, pixels], where it is there, scales what is read. x [images, channels, ...],
/// filter [outChannels, channels / groups, taps].
template <typename T, int kSpatial> struct DeformConv {
  static constexpr int kChannels = 8; // a thread's

  /// Between neighbours; those outside are 0.
  static __device__ double sample(const T *plane, const i64 *dims, const double *at) {
    i64 below[kSpatial];
    double fraction[kSpatial];
#pragma unroll
    for (int d = 0; d < kSpatial; ++d) {
      if (!(at[d] > -1 && at[d] < double(dims[d])))
        return 0;
      below[d] = i64(floor(at[d]));
      fraction[d] = at[d] - double(below[d]);
    }
    double sum = 0;
#pragma unroll
    for (int corner = 0; corner < 1 << kSpatial; ++corner) {
      double weight = 1;
      i64 offset = 0;
      bool isInside = true;
#pragma unroll
      for (int d = 0; d < kSpatial; ++d) {
        const i64 p = below[d] + (corner >> d & 1);
        weight *= corner >> d & 1 ? fraction[d] : 1 - fraction[d];
        isInside = isInside && p >= 0 && p < dims[d];
        offset = offset * dims[d] + p;
      }
      if (isInside)
        sum += weight * sample_value(plane[offset]);
    }
    return sum;
  }

  static __device__ void run(const DeformShape<kSpatial> &s, const T *x, const T *filter, const T *offset, const T *mask, T *y) {
    const i64 pixels = s.window.outputs(), taps = s.window.taps(), thread = thread_in_grid();
    const i64 groupIn = s.channels / s.groups, groupOut = s.outChannels / s.groups, parts = (groupOut + kChannels - 1) / kChannels;
    if (thread >= s.images * s.groups * parts * pixels)
      return;
    const i64 pixel = thread % pixels, part = thread / pixels % parts, group = thread / pixels / parts % s.groups, image = thread / pixels / parts / s.groups;
    const i64 first = group * groupOut + part * kChannels, count = minimum(i64(kChannels), groupOut - part * kChannels);
    double sums[kChannels] = {};
    for (i64 c = 0; c < groupIn; ++c) {
      const i64 channel = group * groupIn + c;
      const T *plane = x + (image * s.channels + channel) * s.window.inputs();
      for (i64 tap = 0; tap < taps; ++tap) {
        const i64 field = (image * s.parts + channel / (s.channels / s.parts)) * taps + tap;
        double at[kSpatial];
        i64 restOfPixel = pixel, restOfTap = tap;
#pragma unroll
        for (int d = kSpatial - 1; d >= 0; --d) {
          at[d] = double(restOfPixel % s.window.out[d] * s.window.strides[d] - s.window.low[d] + restOfTap % s.window.size[d] * s.window.dilations[d]) +
                  sample_value(offset[(field * kSpatial + d) * pixels + pixel]);
          restOfPixel /= s.window.out[d];
          restOfTap /= s.window.size[d];
        }
        double value = sample(plane, s.window.in, at);
        if (mask)
          value *= sample_value(mask[field * pixels + pixel]);
#pragma unroll
        for (int k = 0; k < kChannels; ++k)
          if (k < count)
            sums[k] += value * sample_value(filter[((first + k) * groupIn + c) * taps + tap]);
      }
    }
#pragma unroll
    for (int k = 0; k < kChannels; ++k)
      if (k < count)
        y[(image * s.outChannels + first + k) * pixels + pixel] = sampled<T>(sums[k]);
  }
};
