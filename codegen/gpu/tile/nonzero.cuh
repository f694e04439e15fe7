//===- nonzero.cuh - Positions of elements that are not zero ----*- CUDA -*-===//
//
// y [rank, count] has the indices of the elements of x that are not 0, in row-major order.
//
//   launch 0     each block counts those of its part
//   launch 1     the first block adds up what comes before each part; `count` is all of them
//   launch 2     each block writes the indices of its part
//
// The launch: 256 threads, a block for each 2048 elements. The workspace has an int64 for each block.
//
//===----------------------------------------------------------------------===//

template <int kRank> struct NonZeroShape {
  i64 dims[kRank];
};

template <typename T> __device__ inline bool is_nonzero(T x) { return x != T(0); }
__device__ inline bool is_nonzero(f16 x) { return float(x) != 0; }
__device__ inline bool is_nonzero(bf16 x) { return float(x) != 0; }

template <typename T, int kRank> struct NonZero {
  static constexpr int kThreads = 256, kItems = 8, kPart = kThreads * kItems;

  static __device__ void run(const NonZeroShape<kRank> &s, const T *x, i64 *y, i8 *workspace, i64 *count, int launch) {
    __shared__ i64 slots[2 * kThreads];
    const int thread = int(threadIdx.x);
    i64 *parts = reinterpret_cast<i64 *>(workspace), size = 1;
    for (int d = 0; d < kRank; ++d)
      size *= s.dims[d];
    if (launch == 1) {
      if (blockIdx.x > 0)
        return;
      const i64 all = sums_before<kThreads>(parts, parts, (size + kPart - 1) / kPart, slots);
      if (thread == 0)
        *count = all;
      return;
    }
    const i64 begin = i64(blockIdx.x) * kPart + thread * kItems;
    bool isHit[kItems];
    i64 own = 0;
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      isHit[k] = begin + k < size && is_nonzero(x[begin + k]);
      own += isHit[k];
    }
    const i64 upTo = scan_block<kThreads>(own, slots, [](i64 a, i64 b) { return a + b; });
    if (launch == 0) {
      if (thread == kThreads - 1)
        parts[blockIdx.x] = upTo;
      return;
    }
    i64 place = parts[blockIdx.x] + upTo - own;
    const i64 columns = *count;
#pragma unroll
    for (int k = 0; k < kItems; ++k) {
      if (!isHit[k])
        continue;
      i64 rest = begin + k;
#pragma unroll
      for (int d = kRank - 1; d >= 0; --d) {
        y[d * columns + place] = rest % s.dims[d];
        rest /= s.dims[d];
      }
      ++place;
    }
  }
};
