//===- dft.cuh - Fourier transforms of any length ---------------*- CUDA -*-===//
//
// A block takes lines in turn: x [outer, given, inner, parts] along the second dim, filled up with zeros or cut to `length`. Of a length
// that is a power of two they are transformed by Stockham's algorithm (each step reads one array and writes the other in order), of others
// as a convolution with a chirp (Bluestein), three such transforms. All of it in double.
//
// The launch: 256 threads. The workspace has three arrays of `points` complex numbers for each block; points: the length where it is a
// power of two, else that of 2 * length - 1 or more.
//
//===----------------------------------------------------------------------===//

struct DftShape {
  i64 outer, given, inner, length, bins;
};

struct Complex {
  double re, im;
};
__device__ inline Complex operator+(Complex x, Complex y) { return {x.re + y.re, x.im + y.im}; }
__device__ inline Complex operator-(Complex x, Complex y) { return {x.re - y.re, x.im - y.im}; }
__device__ inline Complex operator*(Complex x, Complex y) { return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; }
__device__ inline Complex conjugate(Complex x) { return {x.re, -x.im}; }
/// exp(i * pi * numerator / denominator).
__device__ inline Complex unit(double numerator, double denominator) {
  Complex x;
  sincospi(numerator / denominator, &x.im, &x.re);
  return x;
}

/// kParts of an element are there, kOutParts are written: re, or re and im.
template <typename T, int kParts, int kOutParts, bool kInverse, bool kOneSided> struct Dft {
  static constexpr int kThreads = 256;

  /// The transform of `from`, with exponents of -i; gives the one of both arrays that has it. All threads have met before and after.
  static __device__ Complex *transform(Complex *from, Complex *to, i64 points) {
    for (i64 stride = 1; stride < points; stride *= 2) {
      const i64 half = points / 2, length = half / stride;
      for (i64 i = int(threadIdx.x); i < half; i += kThreads) {
        const i64 step = i / stride, at = i + step * stride;
        const Complex u = from[i], v = from[i + half];
        to[at] = u + v;
        to[at + stride] = (u - v) * unit(-double(step), double(length));
      }
      __syncthreads();
      Complex *other = from;
      from = to;
      to = other;
    }
    return from;
  }

  static __device__ Complex chirp(i64 k, i64 length) { return unit(-double(u64(k) * u64(k) % u64(2 * length)), double(length)); }

  /// What is transformed; of an inverse the conjugate.
  static __device__ Complex element(const DftShape &s, const T *line, i64 k) {
    // The other half mirrors the one that is given.
    const bool isMirrored = kInverse && kOneSided && k > s.length / 2;
    const i64 at = isMirrored ? s.length - k : k;
    if (at >= s.given)
      return {0, 0};
    const T *from = line + at * s.inner * kParts;
    const Complex x = {sample_value(from[0]), kParts == 2 ? sample_value(from[kParts - 1]) : 0.0};
    return isMirrored != kInverse ? conjugate(x) : x;
  }

  static __device__ void run(const DftShape &s, const T *x, T *y, i8 *workspace) {
    const bool isPower = (s.length & (s.length - 1)) == 0;
    i64 points = 1;
    while (points < (isPower ? s.length : 2 * s.length - 1))
      points *= 2;
    Complex *a = reinterpret_cast<Complex *>(workspace) + i64(blockIdx.x) * 3 * points, *b = a + points, *filter = b + points;
    const int thread = int(threadIdx.x);
    if (!isPower) { // the transform of the chirp, which all lines are convolved with
      for (i64 i = thread; i < points; i += kThreads) {
        const i64 k = i < s.length ? i : points - i;
        a[i] = k < s.length ? conjugate(chirp(k, s.length)) : Complex{0, 0};
      }
      __syncthreads();
      const Complex *transformed = transform(a, b, points);
      for (i64 i = thread; i < points; i += kThreads)
        filter[i] = transformed[i];
      __syncthreads();
    }
    for (i64 line = int(blockIdx.x); line < s.outer * s.inner; line += int(gridDim.x)) {
      const i64 outer = line / s.inner, inner = line % s.inner;
      const T *from = x + (outer * s.given * s.inner + inner) * kParts;
      for (i64 i = thread; i < points; i += kThreads) {
        Complex v = {0, 0};
        if (i < s.length)
          v = isPower ? element(s, from, i) : element(s, from, i) * chirp(i, s.length);
        a[i] = v;
      }
      __syncthreads();
      Complex *result = transform(a, b, points);
      if (!isPower) {
        // Conjugated: the inverse is a transform, too.
        for (i64 i = thread; i < points; i += kThreads)
          result[i] = conjugate(result[i] * filter[i]);
        __syncthreads();
        result = transform(result, result == a ? b : a, points);
      }
      for (i64 k = thread; k < s.bins; k += kThreads) {
        Complex v = result[k];
        if (!isPower)
          v = Complex{v.re / double(points), -v.im / double(points)} * chirp(k, s.length);
        if (kInverse)
          v = {v.re / double(s.length), -v.im / double(s.length)};
        T *to = y + ((outer * s.bins + k) * s.inner + inner) * kOutParts;
        to[0] = sampled<T>(v.re);
        if (kOutParts == 2)
          to[kOutParts - 1] = sampled<T>(v.im);
      }
      // The next line's elements take the place of those that the same thread has read.
    }
  }
};
