//===- nms.cuh - Non-maximum suppression ------------------------*- CUDA -*-===//
//
// Of each batch and class the boxes that overlap no kept one with a higher score, [count, 3]: batch, class, box.
//
//   launches 0 ..    the scores of each batch and class are sorted (sort.cuh), the highest first
//   then             a block a batch and class keeps boxes in that order, as many as may be
//   then             the first block adds up how many come before those of each batch and class; `count` is all of them
//   then             each block writes what it kept
//
// A block takes as many candidates at a time as it has threads: each is compared with all that are kept, then the ones that are left with each
// other in turn. Arithmetic is of double, products rounded before they are added to.
//
// The launch: kTile / 2 threads, a block for each tile of a row of scores. The workspace is the sort's, then two int64 for each batch and class.
//
//===----------------------------------------------------------------------===//

/// Corners.
struct NmsBox {
  double top, left, bottom, right;
  __device__ double area() const { return rounded_product(bottom - top, right - left); }
};
/// The smaller and the larger, as std::min and std::max have it where one is NaN.
__device__ inline double first_or_less(double x, double y) { return y < x ? y : x; }
__device__ inline double first_or_more(double x, double y) { return x < y ? y : x; }

__device__ inline double nms_overlap(const NmsBox &a, const NmsBox &b) {
  const double height = first_or_less(a.bottom, b.bottom) - first_or_more(a.top, b.top);
  const double width = first_or_less(a.right, b.right) - first_or_more(a.left, b.left);
  if (!(height > 0 && width > 0))
    return 0;
  const double both = rounded_product(height, width), areaA = a.area(), areaB = b.area(), either = areaA + areaB - both;
  return areaA > 0 && areaB > 0 && either > 0 ? both / either : 0;
}

struct NmsShape {
  i64 batches, classes, n;
};

/// T: of boxes. S: of scores. kCenter: boxes are (x, y, width, height). Limit: int or i64.
template <typename T, typename S, typename Limit, typename Iou, typename Score, int kTile, bool kCenter> struct Nms {
  typedef SortRows<S, kTile> Sort;
  static constexpr int kThreads = Sort::kThreads;

  static __device__ NmsBox boxAt(const T *b) {
    const double v[4] = {double(float_or_double(b[0])), double(float_or_double(b[1])), double(float_or_double(b[2])), double(float_or_double(b[3]))};
    if (kCenter)
      return {v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2};
    return {first_or_less(v[0], v[2]), first_or_less(v[1], v[3]), first_or_more(v[0], v[2]), first_or_more(v[1], v[3])};
  }
  template <typename V> static __device__ float float_or_double(V x) { return float(x); }
  static __device__ double float_or_double(double x) { return x; }

  /// Keeps boxes of the block's row; `order` has the candidates, the first of which become those that are kept.
  static __device__ i64 keep(const NmsShape &s, i64 row, const T *boxes, const S *scores, i64 most, double iou, const Score *threshold, int *order) {
    __shared__ NmsBox shared[kThreads];
    __shared__ bool isLeft[kThreads];
    const int thread = int(threadIdx.x);
    boxes += row / s.classes * s.n * 4;
    scores += row * s.n;
    i64 kept = 0;
    for (i64 first = 0; first < s.n && kept < most; first += kThreads) {
      const i64 i = first + thread;
      const int at = i < s.n ? order[i] : 0;
      const double score = i < s.n ? double(float_or_double(scores[at])) : 0;
      bool left = i < s.n && (threshold ? score > double(float_or_double(*threshold)) : !is_nan(score));
      const NmsBox own = boxAt(boxes + i64(at) * 4);
      for (i64 from = 0; from < kept; from += kThreads) {
        __syncthreads();
        if (from + thread < kept)
          shared[thread] = boxAt(boxes + i64(order[from + thread]) * 4);
        __syncthreads();
        const int count = int(minimum(i64(kThreads), kept - from));
        for (int j = 0; left && j < count; ++j)
          left = !(nms_overlap(shared[j], own) > iou);
      }
      __syncthreads();
      shared[thread] = own;
      isLeft[thread] = left;
      __syncthreads();
      for (int j = 0; j < kThreads && kept < most; ++j) {
        if (!isLeft[j]) // the same for all threads: those before are decided
          continue;
        if (thread == j)
          order[kept] = at;
        ++kept;
        if (thread > j && left && nms_overlap(shared[j], own) > iou)
          isLeft[thread] = left = false;
        __syncthreads();
      }
      __syncthreads();
    }
    return kept;
  }

  static __device__ void run(const NmsShape &s, const T *boxes, const S *scores, const Limit *limit, const Iou *iou, const Score *threshold, i64 *y,
                             i8 *workspace, i64 *count, int launch) {
    const i64 rows = s.batches * s.classes, tiles = (s.n + kTile - 1) / kTile, all = rows * s.n;
    const i64 keyBytes = (all * i64(sizeof(typename Sort::Key)) + 15) / 16 * 16, positionBytes = (all * 4 + 15) / 16 * 16;
    int rounds = 1;
    while ((i64(kTile) << (rounds - 1)) < s.n)
      ++rounds;
    // What the last round of the sort does not read.
    int *order = reinterpret_cast<int *>(workspace + 2 * keyBytes + (rounds - 1) % 2 * positionBytes);
    i64 *counts = reinterpret_cast<i64 *>(workspace + 2 * keyBytes + 2 * positionBytes);
    if (launch < rounds) {
      Sort::run({rows, s.n, 1, s.n}, scores, ByKey<true>(), workspace, launch, [&](i64 row, i64 place, int at) { order[row * s.n + place] = at; });
      return;
    }
    const i64 row = i64(blockIdx.x) / tiles;
    if (launch == rounds + 1) {
      __shared__ i64 slots[2 * kThreads];
      if (blockIdx.x > 0)
        return;
      const i64 all = sums_before<kThreads>(counts, counts + rows, rows, slots);
      if (threadIdx.x == 0)
        *count = all;
      return;
    }
    if (i64(blockIdx.x) % tiles > 0)
      return;
    if (launch == rounds) {
      const i64 given = limit ? i64(*limit) : 0, most = minimum(maximum(given, i64(0)), s.n);
      const i64 kept = keep(s, row, boxes, scores, most, iou ? double(float_or_double(*iou)) : 0, threshold, order + row * s.n);
      if (threadIdx.x == 0)
        counts[row] = kept;
      return;
    }
    for (i64 i = int(threadIdx.x); i < counts[row]; i += kThreads) {
      i64 *to = y + (counts[rows + row] + i) * 3;
      to[0] = row / s.classes;
      to[1] = row % s.classes;
      to[2] = order[row * s.n + i];
    }
  }
};
