//===- sort.cuh - Sorts rows, or finds their first elements -----*- CUDA -*-===//
//
// x is [outer, n, inner], sorted along n: the first k of each row in order, with their positions. A row is cut into tiles:
//
//   launch 0     a block sorts a tile in shared memory (Batcher's bitonic network) and keeps its first k
//   launch r     pairs of sorted runs become one, of which the first k are kept: a block finds by bisection what of both runs makes up its
//                tile of the result ("merge path": Green, McColl, Bader, "GPU Merge Path")
//
// Elements have keys, and an order of the caller's says which of two comes first: by their keys (NaN is the largest value and equals itself), or by what
// it finds at their positions. Of equal elements the first one comes first. So the order is total and what is found does not depend on how threads
// take turns.
//
// The launch: kTile / 2 threads, a block for each tile of a row; ceil(log2(tiles)) + 1 launches, the last of which gives its elements to a sink:
// sink(row, place, position in the row). The workspace has twice a key and a position for each element. n is below 2^31.
//
//===----------------------------------------------------------------------===//

/// What elements are compared by.
template <typename T> struct SortKey { typedef T type; };
template <> struct SortKey<f16> { typedef float type; };
template <> struct SortKey<bf16> { typedef float type; };

template <typename T> __device__ inline bool sorts_below(T x, T y) { return x < y; }
__device__ inline bool sorts_below(float x, float y) { return !is_nan(x) && (is_nan(y) || x < y); }
__device__ inline bool sorts_below(double x, double y) { return !is_nan(x) && (is_nan(y) || x < y); }
/// Negative where x is below y, 0 where they are equal.
template <typename Key> __device__ inline int compare_keys(Key x, Key y) { return sorts_below(x, y) ? -1 : sorts_below(y, x); }

/// An order of elements: negative where the first one comes first, 0 where their positions decide. `byPosition`: they always do, so that elements stay
/// where they are.
template <bool kLargest> struct ByKey {
  bool byPosition = false;
  template <typename Element> __device__ int operator()(const Element &x, const Element &y) const {
    return byPosition ? 0 : kLargest ? compare_keys(y.key, x.key) : compare_keys(x.key, y.key);
  }
};

struct SortShape {
  i64 outer, n, inner, k;
};

template <typename T, int kTile> struct SortRows {
  static constexpr int kThreads = kTile / 2;
  typedef typename SortKey<T>::type Key;
  struct Element {
    Key key;
    int at; // in the row; -1: none, which comes last
  };

  template <typename Order> static __device__ bool before(const Element &x, const Element &y, const Order &order) {
    if (x.at < 0 || y.at < 0)
      return y.at < 0 && x.at >= 0;
    const int way = order(x, y);
    return way != 0 ? way < 0 : x.at < y.at;
  }

  /// Sorts the tile.
  template <typename Order> static __device__ void sort(Element *tile, const Order &order) {
    for (int size = 2; size <= kTile; size *= 2)
      for (int step = size / 2; step > 0; step /= 2) {
        __syncthreads();
        const int i = int(threadIdx.x) / step * 2 * step + int(threadIdx.x) % step, j = i + step;
        const Element x = tile[i], y = tile[j];
        if ((i & size) == 0 ? before(y, x, order) : before(x, y, order)) {
          tile[i] = y;
          tile[j] = x;
        }
      }
    __syncthreads();
  }

  /// How many of the first `d` elements of two merged runs are of the first one; a(i) and b(i) give their elements.
  template <typename A, typename B, typename Order>
  static __device__ i64 split(i64 d, i64 lengthA, i64 lengthB, const A &a, const B &b, const Order &order) {
    i64 low = maximum(d - lengthB, i64(0)), high = minimum(d, lengthA);
    while (low < high) {
      const i64 middle = (low + high) / 2;
      if (before(b(d - 1 - middle), a(middle), order))
        high = middle;
      else
        low = middle + 1;
    }
    return low;
  }

  /// One launch. x: a pointer, or what gives elements like one.
  template <typename X, typename Order, typename Sink>
  static __device__ void run(const SortShape &s, const X &x, const Order &order, i8 *workspace, int launch, const Sink &sink) {
    __shared__ Element tile[kTile];
    __shared__ i64 bounds[2];
    const int thread = int(threadIdx.x);
    const i64 tiles = maximum((s.n + kTile - 1) / kTile, i64(1)), row = i64(blockIdx.x) / tiles, first = i64(blockIdx.x) % tiles * kTile;
    const i64 all = s.outer * s.inner * s.n, keyBytes = (all * i64(sizeof(Key)) + 15) / 16 * 16, positionBytes = (all * 4 + 15) / 16 * 16;
    auto keysOf = [&](int round) { return reinterpret_cast<Key *>(workspace + (round & 1) * keyBytes) + row * s.n; };
    auto positionsOf = [&](int round) { return reinterpret_cast<int *>(workspace + 2 * keyBytes + (round & 1) * positionBytes) + row * s.n; };
    const bool isLast = (i64(kTile) << launch) >= s.n;
    auto put = [&](i64 place, const Element &e) {
      if (isLast) {
        sink(row, place, e.at);
      } else {
        keysOf(launch)[place] = e.key;
        positionsOf(launch)[place] = e.at;
      }
    };
    if (launch == 0) {
      const i64 base = row / s.inner * s.n * s.inner + row % s.inner;
      for (int i = thread; i < kTile; i += kThreads)
        tile[i] = first + i < s.n ? Element{Key(x[base + (first + i) * s.inner]), int(first + i)} : Element{Key(), -1};
      sort(tile, order);
      for (int i = thread; i < kTile; i += kThreads)
        if (i < s.k && tile[i].at >= 0)
          put(first + i, tile[i]);
      return;
    }
    // Runs of the launch before are `width` apart, as long as their elements and k let them be.
    const i64 width = i64(kTile) << (launch - 1), run = first / (2 * width) * 2 * width, begin = first - run;
    auto lengthOf = [&](i64 start) { return minimum(maximum(minimum(width, s.n - start), i64(0)), s.k); };
    const i64 lengthA = lengthOf(run), lengthB = lengthOf(run + width), length = minimum(lengthA + lengthB, s.k);
    if (begin >= length)
      return;
    const Key *keys = keysOf(launch - 1);
    const int *positions = positionsOf(launch - 1);
    auto elementAt = [&](i64 place) { return Element{keys[place], positions[place]}; };
    const i64 end = minimum(begin + kTile, length);
    if (thread < 2)
      bounds[thread] = split(thread ? end : begin, lengthA, lengthB, [&](i64 i) { return elementAt(run + i); },
                             [&](i64 i) { return elementAt(run + width + i); }, order);
    __syncthreads();
    const i64 beginA = bounds[0], beginB = begin - beginA;
    const int countA = int(bounds[1] - beginA), count = int(end - begin), countB = count - countA;
    for (int i = thread; i < count; i += kThreads)
      tile[i] = elementAt(i < countA ? run + beginA + i : run + width + beginB + i - countA);
    __syncthreads();
    for (int i = thread; i < count; i += kThreads) {
      const Element *a = tile, *b = tile + countA;
      const int ofA = int(split(i, countA, countB, [&](i64 j) { return a[j]; }, [&](i64 j) { return b[j]; }, order)), ofB = i - ofA;
      const bool takesA = ofB >= countB || (ofA < countA && before(a[ofA], b[ofB], order));
      put(run + begin + i, takesA ? a[ofA] : b[ofB]);
    }
  }
};

/// The first k of each row and their positions, [outer, k, inner]; `error` becomes 1 where k is more than n. Unsorted, all of a row keep their
/// order.
template <typename T, int kTile, bool kLargest, bool kSorted> struct TopK {
  static __device__ void run(const SortShape &s, const T *x, T *values, i64 *positions, int *error, i8 *workspace, int launch) {
    if (s.k > s.n)
      *error = 1;
    SortRows<T, kTile>::run(s, x, ByKey<kLargest>{!kSorted && s.k == s.n}, workspace, launch, [&](i64 row, i64 place, int at) {
      const i64 outer = row / s.inner, inner = row % s.inner, to = (outer * s.k + place) * s.inner + inner;
      values[to] = x[(outer * s.n + at) * s.inner + inner];
      positions[to] = at;
    });
  }
};
