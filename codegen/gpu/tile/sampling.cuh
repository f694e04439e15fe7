//===- sampling.cuh - Elements that are read at computed places -*- CUDA -*-===//
//
// Grids that are sampled between pixels, maxima with their positions, sequences in reverse, sums over neighbouring channels: a thread
// for each element of the result (or a few channels of it), 256 threads a block. Places are computed in double; images are [batch, channels, ...].
//
//===----------------------------------------------------------------------===//

__device__ inline i64 thread_in_grid() { return i64(blockIdx.x) * 256 + int(threadIdx.x); }
template <typename T> __device__ inline double sample_value(T x) { return double(float(x)); }
__device__ inline double sample_value(double x) { return x; }
template <typename T> __device__ inline T sampled(double x) { return T(x); }
template <> __device__ inline f16 sampled<f16>(double x) { return f16(float(x)); }
template <> __device__ inline bf16 sampled<bf16>(double x) { return bf16(float(x)); }

//===-- Grids -------------------------------------------------------------===//

enum GridPadding { kZeros, kBorder, kReflection };

/// Mirrors x at the borders until it is inside.
__device__ inline double reflected(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0)
    return low;
  const double distance = fmod(fabs(x - low), 2 * range);
  return distance <= range ? low + distance : low + 2 * range - distance;
}

template <int kSpatial> struct GridShape {
  i64 batch, channels, places; // places: of the result's image
  i64 dims[kSpatial];          // of x's
};

/// grid [batch, places, kSpatial], the last dim's coordinate first. kTaps along each dim: 1 nearest, 2 linear, 4 cubic. `error` becomes 1 where x has
/// no element.
template <typename T, typename G, int kSpatial, int kTaps, int kPadding, bool kAlignCorners> struct GridSample {
  static constexpr int kChannels = 8; // a thread's

  /// Positions (-1: contributes 0) and weights of the taps along a dim of n elements.
  static __device__ void tapsAt(double g, i64 n, i64 *positions, double *weights) {
    const double last = double(n - 1), low = kAlignCorners ? 0 : -0.5, high = kAlignCorners ? last : last + 0.5;
    double x = kAlignCorners ? (g + 1) / 2 * last : ((g + 1) * double(n) - 1) / 2;
    if (!(fabs(x) < 1e15)) // no place: nothing, or the first element
      x = kPadding == kZeros ? -1e9 : 0;
    if (kTaps == 1)
      x = rint(x);
    if (x < low || x > high) {
      if (kPadding == kBorder)
        x = fmin(fmax(x, 0.0), last);
      else if (kPadding == kReflection)
        x = reflected(x, low, high);
    }
    if constexpr (kTaps == 1) {
      positions[0] = i64(rint(x));
      weights[0] = 1;
    } else {
      const double whole = floor(x), r = x - whole;
#pragma unroll
      for (int k = 0; k < kTaps; ++k)
        positions[k] = i64(whole) - (kTaps == 4) + k;
      if constexpr (kTaps == 2) {
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
#pragma unroll
    for (int k = 0; k < kTaps; ++k) {
      if (positions[k] >= 0 && positions[k] < n)
        continue;
      if (kPadding == kZeros)
        positions[k] = -1;
      else
        positions[k] = minimum(maximum(kPadding == kBorder ? positions[k] : i64(reflected(double(positions[k]), low, high)), i64(0)), n - 1);
    }
  }

  static __device__ void run(const GridShape<kSpatial> &s, const T *x, const G *grid, T *y, int *error) {
    const i64 groups = (s.channels + kChannels - 1) / kChannels, thread = thread_in_grid();
    if (thread >= s.batch * groups * s.places)
      return;
    const i64 place = thread % s.places, image = thread / s.places / groups, first = thread / s.places % groups * kChannels;
    i64 positions[kSpatial][kTaps], inputs = 1;
    double weights[kSpatial][kTaps];
#pragma unroll
    for (int d = 0; d < kSpatial; ++d) {
      tapsAt(sample_value(grid[(image * s.places + place) * kSpatial + kSpatial - 1 - d]), s.dims[d], positions[d], weights[d]);
      inputs *= s.dims[d];
    }
    if (inputs == 0) {
      *error = 1;
      return;
    }
    constexpr int kRows = kSpatial > 1 ? kTaps : 1, kPlanes = kSpatial > 2 ? kTaps : 1;
    const i64 end = minimum(first + kChannels, s.channels);
    for (i64 c = first; c < end; ++c) {
      const T *from = x + (image * s.channels + c) * inputs;
      double sum = 0;
      // The first dim's taps are the fastest, as the evaluator adds them up.
#pragma unroll
      for (int k2 = 0; k2 < kPlanes; ++k2)
#pragma unroll
        for (int k1 = 0; k1 < kRows; ++k1)
#pragma unroll
          for (int k0 = 0; k0 < kTaps; ++k0) {
            const int taps[3] = {k0, k1, k2};
            i64 offset = 0;
            double weight = 1;
            bool isInside = true;
#pragma unroll
            for (int d = 0; d < kSpatial; ++d) {
              isInside = isInside && positions[d][taps[d]] >= 0;
              offset = offset * s.dims[d] + positions[d][taps[d]];
              weight *= weights[d][taps[d]];
            }
            if (isInside)
              sum += weight * sample_value(from[offset]);
          }
      y[(image * s.channels + c) * s.places + place] = sampled<T>(sum);
    }
  }
};

//===-- Windows -----------------------------------------------------------===//

template <int kSpatial> struct MaxWindowShape {
  i64 planes;
  i64 in[kSpatial], out[kSpatial], window[kSpatial], strides[kSpatial], dilations[kSpatial], low[kSpatial];
};

/// The largest element under each window, and its position in x. NaN is the largest; of equal ones the first.
template <typename T, int kSpatial, bool kColumnMajor> struct MaxPoolIndices {
  static __device__ void run(const MaxWindowShape<kSpatial> &s, const T *x, T *y, i64 *indices) {
    const i64 thread = thread_in_grid();
    i64 inputs = 1, outputs = 1, taps = 1;
#pragma unroll
    for (int d = 0; d < kSpatial; ++d) {
      inputs *= s.in[d];
      outputs *= s.out[d];
      taps *= s.window[d];
    }
    if (thread >= s.planes * outputs)
      return;
    const i64 plane = thread / outputs, output = thread % outputs;
    i64 found = -1;
    typename SortKey<T>::type best = 0;
    for (i64 tap = 0; tap < taps; ++tap) {
      i64 restOfTap = tap, restOfOutput = output, offset = 0, stride = 1;
      bool isInside = true;
#pragma unroll
      for (int d = kSpatial - 1; d >= 0; --d) {
        const i64 at = restOfOutput % s.out[d] * s.strides[d] - s.low[d] + restOfTap % s.window[d] * s.dilations[d];
        restOfOutput /= s.out[d];
        restOfTap /= s.window[d];
        isInside = isInside && at >= 0 && at < s.in[d];
        offset += at * stride;
        stride *= s.in[d];
      }
      if (!isInside)
        continue;
      const typename SortKey<T>::type v = x[plane * inputs + offset];
      if (found < 0 || v > best || (is_nan(v) && !is_nan(best))) {
        best = v;
        found = offset;
      }
    }
    i64 index = plane * inputs + maximum(found, i64(0));
    if (kColumnMajor && kSpatial >= 2) {
      const i64 height = s.in[kSpatial - 2], width = s.in[kSpatial - 1], inner = index % (height * width);
      index += inner % width * height + inner / width - inner;
    }
    y[thread] = found < 0 ? lowest_of<T>() : x[plane * inputs + found];
    indices[thread] = index;
  }
  template <typename V> static __device__ V lowest_of() {
    typedef typename SortKey<V>::type Key;
    if constexpr (Key(0.5f) != Key(0))
      return V(-kInfinity);
    else
      return V(-1) < V(0) ? V(u64(1) << (sizeof(V) * 8 - 1)) : V(0);
  }
};

//===-- Sequences and channels --------------------------------------------===//

/// x [outer, first, between, second, inner], of which kTimeFirst says which is the time; lengths of the other.
struct SequenceShape {
  i64 outer, first, between, second, inner;
};
template <typename T, typename L, bool kTimeFirst> struct ReverseSequence {
  static __device__ void run(const SequenceShape &s, const T *x, const L *lengths, T *y, int *error) {
    const i64 thread = thread_in_grid();
    if (thread >= s.outer * s.first * s.between * s.second * s.inner)
      return;
    const i64 second = thread / s.inner % s.second, first = thread / (s.inner * s.second * s.between) % s.first;
    const i64 time = kTimeFirst ? first : second, steps = kTimeFirst ? s.first : s.second, stride = kTimeFirst ? s.inner * s.second * s.between : s.inner;
    const i64 length = i64(lengths[kTimeFirst ? second : first]);
    if (length < 0 || length > steps)
      *error = 1;
    else
      y[thread] = x[thread + (time < length ? length - 1 - 2 * time : 0) * stride];
  }
};

/// Local response normalisation of x [outer, channels, inner] over `size` neighbouring channels; `factor`: alpha / size.
struct ChannelShape {
  i64 outer, channels, inner, size;
};
template <typename T> struct Lrn {
  static __device__ void run(const ChannelShape &s, const T *x, T *y, double factor, double beta, double bias) {
    const i64 thread = thread_in_grid();
    if (thread >= s.outer * s.channels * s.inner)
      return;
    const i64 channel = thread / s.inner % s.channels, last = minimum(s.channels - 1, channel + s.size / 2);
    const T *own = x + thread - channel * s.inner;
    double sum = 0;
    for (i64 c = maximum(i64(0), channel - (s.size - 1) / 2); c <= last; ++c) {
      const double v = sample_value(own[c * s.inner]);
      sum += v * v;
    }
    y[thread] = sampled<T>(sample_value(x[thread]) / pow(bias + factor * sum, beta));
  }
};
