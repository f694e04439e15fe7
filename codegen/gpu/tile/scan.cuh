//===- scan.cuh - Running sums and products ---------------------*- CUDA -*-===//
//
// x and y are [outer, n, inner], scanned along n, in parts of a row; a row of several parts takes three launches:
//
//   0    the total of each part
//   1    what comes before each part: a running total of the totals
//   2    each part, from what comes before it
//
// Totals are of double for floats, modulo 2^64 for integers, in an order that does not depend on the data. Values along n that are neighbours
// (inner is 1) are a block's, 8 a thread; others, and
// short rows, a thread's, with neighbouring threads in neighbouring rows.
//
// The workspace has a total for each part of each row, [outer, parts] or [parts, outer * inner].
//
//===----------------------------------------------------------------------===//

template <typename T> struct ScanAccumulator { typedef u64 type; };
template <> struct ScanAccumulator<f16> { typedef double type; };
template <> struct ScanAccumulator<bf16> { typedef double type; };
template <> struct ScanAccumulator<float> { typedef double type; };
template <> struct ScanAccumulator<double> { typedef double type; };
__device__ inline double scan_value(f16 x) { return double(float(x)); }
__device__ inline double scan_value(bf16 x) { return double(float(x)); }
__device__ inline double scan_value(float x) { return double(x); }
__device__ inline double scan_value(double x) { return x; }
template <typename T> __device__ inline u64 scan_value(T x) { return u64(i64(x)); }
template <typename T> __device__ inline T scanned(double x) { return T(x); }
template <> __device__ inline f16 scanned<f16>(double x) { return f16(float(x)); }
template <> __device__ inline bf16 scanned<bf16>(double x) { return bf16(float(x)); }
template <typename T> __device__ inline T scanned(u64 x) { return T(x); }

/// What all threads up to this one have, combined. `slots`: of 2 * kThreads values; free again once all threads have met.
template <int kThreads, typename A, typename Combine> __device__ inline A scan_block(A x, A *slots, const Combine &combine) {
  const int thread = int(threadIdx.x);
  A *from = slots, *to = slots + kThreads;
  from[thread] = x;
  __syncthreads();
  for (int step = 1; step < kThreads; step *= 2) {
    to[thread] = thread >= step ? combine(from[thread - step], from[thread]) : from[thread];
    __syncthreads();
    A *other = from;
    from = to;
    to = other;
  }
  return from[thread];
}

/// What comes before each number of a list, in `to` (which may be the list), by one block; gives the sum of all. `slots` as of scan_block.
template <int kThreads> __device__ inline i64 sums_before(const i64 *from, i64 *to, i64 size, i64 *slots) {
  i64 running = 0;
  for (i64 first = 0; first < size; first += kThreads) {
    const i64 i = first + int(threadIdx.x), own = i < size ? from[i] : 0;
    const i64 upTo = scan_block<kThreads>(own, slots, [](i64 a, i64 b) { return a + b; });
    if (i < size)
      to[i] = running + upTo - own;
    __syncthreads();
    if (int(threadIdx.x) == kThreads - 1)
      slots[0] = running + upTo;
    __syncthreads();
    running = slots[0];
    __syncthreads();
  }
  return running;
}

struct ScanShape {
  i64 outer, n, inner;
};

/// Along neighbours. The launch: 256 threads, a block for each part of a row.
template <typename T, bool kProduct, bool kExclusive, bool kReverse> struct ScanRows {
  static constexpr int kThreads = 256, kItems = 8, kPart = kThreads * kItems;
  typedef typename ScanAccumulator<T>::type A;

  static __device__ A combine(A x, A y) { return kProduct ? x * y : x + y; }
  /// `total` of the threads before this one, and of all of the block.
  static __device__ void before(A own, A &earlier, A &all, A *slots) {
    const int thread = int(threadIdx.x);
    __shared__ A inclusive[kThreads];
    __syncthreads();
    inclusive[thread] = scan_block<kThreads>(own, slots, [](A x, A y) { return combine(x, y); });
    __syncthreads();
    earlier = thread > 0 ? inclusive[thread - 1] : A(kProduct);
    all = inclusive[kThreads - 1];
  }

  static __device__ void run(const ScanShape &s, const T *x, T *y, i8 *workspace, int launch) {
    __shared__ A slots[2 * kThreads];
    const i64 parts = (s.n + kPart - 1) / kPart, row = i64(blockIdx.x) / parts, part = i64(blockIdx.x) % parts;
    A *totals = reinterpret_cast<A *>(workspace) + row * parts;
    A earlier, all;
    if (launch == 1) {
      if (part > 0)
        return;
      A running = A(kProduct);
      for (i64 first = 0; first < parts; first += kThreads) {
        const i64 i = first + int(threadIdx.x);
        before(i < parts ? totals[i] : A(kProduct), earlier, all, slots);
        if (i < parts)
          totals[i] = combine(running, earlier);
        running = combine(running, all);
      }
      return;
    }
    // Elements in the order in which they are scanned.
    const i64 begin = part * kPart + int(threadIdx.x) * kItems;
    auto placeOf = [&](i64 i) { return row * s.n + (kReverse ? s.n - 1 - i : i); };
    A values[kItems], own = A(kProduct);
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      values[k] = begin + k < s.n ? scan_value(x[placeOf(begin + k)]) : A(kProduct);
      own = combine(own, values[k]);
    }
    before(own, earlier, all, slots);
    if (launch == 0 && parts > 1) {
      if (threadIdx.x == 0)
        totals[part] = all;
      return;
    }
    A running = parts > 1 ? combine(totals[part], earlier) : earlier;
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      const A next = combine(running, values[k]);
      if (begin + k < s.n)
        y[placeOf(begin + k)] = scanned<T>(kExclusive ? running : next);
      running = next;
    }
  }
};

/// Across, or along short rows. The launch: 256 threads, a thread for each part of a row.
template <typename T, bool kProduct, bool kExclusive, bool kReverse> struct ScanColumns {
  static constexpr int kThreads = 256, kPart = 128;
  typedef typename ScanAccumulator<T>::type A;

  static __device__ A combine(A x, A y) { return kProduct ? x * y : x + y; }

  static __device__ void run(const ScanShape &s, const T *x, T *y, i8 *workspace, int launch) {
    const i64 parts = (s.n + kPart - 1) / kPart, rows = s.outer * s.inner, thread = i64(blockIdx.x) * kThreads + int(threadIdx.x);
    const i64 part = thread / rows, row = thread % rows;
    if (part >= parts)
      return;
    A *totals = reinterpret_cast<A *>(workspace);
    A running = A(kProduct);
    if (launch == 1) {
      for (i64 p = 0; part == 0 && p < parts; ++p) {
        const A total = totals[p * rows + row];
        totals[p * rows + row] = running;
        running = combine(running, total);
      }
      return;
    }
    const bool isTotal = launch == 0 && parts > 1;
    if (!isTotal && parts > 1)
      running = totals[part * rows + row];
    const i64 end = minimum((part + 1) * kPart, s.n), base = row / s.inner * s.n * s.inner + row % s.inner;
    for (i64 i = part * kPart; i < end; ++i) {
      const i64 place = base + (kReverse ? s.n - 1 - i : i) * s.inner;
      const A next = combine(running, scan_value(x[place]));
      if (!isTotal)
        y[place] = scanned<T>(kExclusive ? running : next);
      running = next;
    }
    if (isTotal)
      totals[part * rows + row] = running;
  }
};
