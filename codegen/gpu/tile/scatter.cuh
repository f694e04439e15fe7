//===- scatter.cuh - Gathers and scatters at many indices -------*- CUDA -*-===//
//
// Where an index that is read along one dim (or a tuple of them, along the first dims) puts an element, or takes it from. Negative ones count from
// the end; where one is out of range `error` becomes 1, and nothing is written for it.
//
//===----------------------------------------------------------------------===//

/// The position that an index stands for; -1: none.
template <typename I> __device__ inline i64 wrapped_index(I index, i64 size, int *error) {
  const i64 i = i64(index), wrapped = i < 0 ? i + size : i;
  if (wrapped >= 0 && wrapped < size)
    return wrapped;
  *error = 1;
  return -1;
}

/// x and what is indexed have the same rank, indices [dims of both, one after the other].
template <int kRank> struct ElementShape {
  i64 x[kRank], indices[kRank];
  __device__ i64 count() const {
    i64 n = 1;
    for (int d = 0; d < kRank; ++d)
      n *= indices[d];
    return n;
  }
  /// In x, of index number `i` along dim kAxis; -1: out of range.
  template <int kAxis, typename I> __device__ i64 place(const I *list, i64 i, int *error) const {
    const i64 along = wrapped_index(list[i], x[kAxis], error);
    i64 position = 0, stride = 1, rest = i;
#pragma unroll
    for (int d = kRank - 1; d >= 0; --d) {
      position += (d == kAxis ? along : rest % indices[d]) * stride;
      rest /= indices[d];
      stride *= x[d];
    }
    return along < 0 ? -1 : position;
  }
};

/// y[i, j, ..] = x[i, .., indices[i, j, ..], ..]. The launch: 256 threads, one an index.
template <typename T, typename I, int kRank, int kAxis> struct GatherElements {
  static __device__ void run(const ElementShape<kRank> &s, const T *x, const I *indices, T *y, int *error) {
    const i64 i = i64(blockIdx.x) * 256 + int(threadIdx.x);
    if (i >= s.count())
      return;
    const i64 from = s.template place<kAxis>(indices, i, error);
    if (from >= 0)
      y[i] = x[from];
  }
};

/// Updates go to runs of elements: run number `places(..)` of y is y[place * length ..].
template <typename Places> struct ScatterShape {
  i64 all, updates, length; // elements of y, updates, elements of a run
  Places places;
};

/// Indices of single elements along kAxis.
template <int kRank, int kAxis> struct ElementPlaces {
  ElementShape<kRank> shape;
  template <typename I> __device__ i64 operator()(const I *list, i64 i, int *error) const { return shape.template place<kAxis>(list, i, error); }
};
/// Tuples of kDepth indices of the first dims.
template <int kDepth> struct TuplePlaces {
  i64 dims[kDepth];
  template <typename I> __device__ i64 operator()(const I *list, i64 i, int *error) const {
    i64 position = 0;
    bool isInside = true;
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      const i64 along = wrapped_index(list[i * kDepth + d], dims[d], error);
      isInside = isInside && along >= 0;
      position = position * dims[d] + along;
    }
    return isInside ? position : -1;
  }
};

/// Positions of single elements; none counts from the end.
struct FlatPlaces {
  i64 size;
  template <typename I> __device__ i64 operator()(const I *list, i64 i, int *error) const {
    const i64 place = i64(list[i]);
    if (place >= 0 && place < size)
      return place;
    *error = 1;
    return -1;
  }
};

/// Runs of x at tuples of indices, of which each batch has its own: y[batch, tuple, ..] = x[batch, place(tuple), ..]. The launch: 256 threads, one an
/// element of y.
template <int kDepth> struct TupleShape {
  i64 batches, tuples, length; // tuples of a batch
  TuplePlaces<kDepth> places;
};
template <typename T, typename I, int kDepth> struct GatherTuples {
  static __device__ void run(const TupleShape<kDepth> &s, const T *x, const I *indices, T *y, int *error) {
    const i64 i = i64(blockIdx.x) * 256 + int(threadIdx.x);
    if (i >= s.batches * s.tuples * s.length)
      return;
    const i64 tuple = i / s.length, from = s.places(indices, tuple, error);
    i64 runs = 1;
#pragma unroll
    for (int d = 0; d < kDepth; ++d)
      runs *= s.places.dims[d];
    if (from >= 0)
      y[i] = x[(tuple / s.tuples * runs + from) * s.length + i % s.length];
  }
};

/// Where several updates go to the same place, the last one stays:
///
///   launch 0     y is x (null: zeros); no place has an update
///   launch 1     each place learns the last of its updates
///   launch 2     that update is written
///
/// The launch: 256 threads, blocks that take turns. The workspace has an int64 for each run of y.
template <typename T, typename I, typename Places> struct Scatter {
  static __device__ void run(const ScatterShape<Places> &s, const T *x, const I *indices, const T *updates, T *y, int *error,
                             i8 *workspace, int launch) {
    i64 *last = reinterpret_cast<i64 *>(workspace);
    const i64 first = i64(blockIdx.x) * 256 + int(threadIdx.x), step = i64(gridDim.x) * 256;
    if (launch == 0) {
      for (i64 i = first; i < s.all; i += step)
        y[i] = x ? x[i] : T(0.0f);
      for (i64 i = first; s.length > 0 && i < s.all / s.length; i += step)
        last[i] = -1;
      return;
    }
    if (launch == 1) {
      for (i64 i = first; i < s.updates; i += step)
        if (const i64 to = s.places(indices, i, error); to >= 0 && s.length > 0)
          atomicMax(last + to, i);
      return;
    }
    for (i64 i = first; i < s.updates * s.length; i += step) {
      const i64 update = i / s.length, to = s.places(indices, update, error);
      if (to >= 0 && last[to] == update)
        y[to * s.length + i % s.length] = updates[i];
    }
  }
};

enum Combination { kAdd, kMul, kMin, kMax };

/// What updates are combined in: rounded to T after each.
template <typename T> struct Combined { typedef T type; };
template <> struct Combined<f16> { typedef double type; };
template <> struct Combined<bf16> { typedef double type; };
template <> struct Combined<float> { typedef double type; };
template <typename T> __device__ inline T combined_value(T x) { return x; }
__device__ inline double combined_value(f16 x) { return double(float(x)); }
__device__ inline double combined_value(bf16 x) { return double(float(x)); }
__device__ inline double combined_value(float x) { return double(x); }
template <typename T> __device__ inline T rounded_to(double x) { return T(x); }
template <> __device__ inline f16 rounded_to<f16>(double x) { return f16(float(x)); }
template <> __device__ inline bf16 rounded_to<bf16>(double x) { return bf16(float(x)); }
template <typename T, typename A> __device__ inline T combined_element(A x) {
  if constexpr (sizeof(A) == sizeof(T))
    return x;
  else
    return rounded_to<T>(x);
}
template <int kHow, typename A> __device__ inline A combined(A into, A update) {
  if constexpr (kHow == kAdd || kHow == kMul) {
    if constexpr (A(0.5) != A(0))
      return kHow == kAdd ? into + update : into * update;
    else
      return kHow == kAdd ? A(u64(into) + u64(update)) : A(u64(into) * u64(update));
  } else {
    const bool stays = into != into || (kHow == kMin ? into < update : into > update);
    return stays ? into : update;
  }
}

/// Updates of the same place are combined in their order, which a sort by place keeps:
///
///   launch 0              y is x, and each update learns its place
///   then                  updates are sorted by place (sort.cuh)
///   the last launch       the first update of each place combines all of it
///
/// The launch: kTile / 2 threads, a block for each tile of updates. The workspace has an int64 for each update, then the order, then the sort's.
template <typename T, typename I, typename Places, int kHow, int kTile> struct ScatterCombined {
  typedef SortRows<i64, kTile> Sort;
  static __device__ void run(const ScatterShape<Places> &s, const T *x, const I *indices, const T *updates, T *y, int *error,
                             i8 *workspace, int launch) {
    constexpr int kThreads = Sort::kThreads;
    i64 *place = reinterpret_cast<i64 *>(workspace);
    int *order = reinterpret_cast<int *>(workspace + s.updates * 8);
    const i64 first = i64(blockIdx.x) * kThreads + int(threadIdx.x), step = i64(gridDim.x) * kThreads;
    if (launch == 0) {
      for (i64 i = first; i < s.all; i += step)
        y[i] = x[i];
      for (i64 i = first; i < s.updates; i += step)
        place[i] = s.places(indices, i, error);
      return;
    }
    int rounds = 1;
    while ((i64(kTile) << (rounds - 1)) < s.updates)
      ++rounds;
    if (launch <= rounds) {
      if (s.updates > 0 && i64(blockIdx.x) < (s.updates + kTile - 1) / kTile)
        Sort::run({1, s.updates, 1, s.updates}, place, ByKey<false>(), workspace + (s.updates * 12 + 15) / 16 * 16, launch - 1,
                  [&](i64, i64 to, int at) { order[to] = at; });
      return;
    }
    for (i64 i = first; i < s.updates * s.length; i += step) {
      const i64 begin = i / s.length, within = i % s.length, to = place[order[begin]];
      if (to < 0 || (begin > 0 && place[order[begin - 1]] == to))
        continue;
      T value = y[to * s.length + within];
      for (i64 j = begin; j < s.updates && place[order[j]] == to; ++j)
        value = combined_element<T>(combined<kHow>(combined_value(value), combined_value(updates[i64(order[j]) * s.length + within])));
      y[to * s.length + within] = value;
    }
  }
};
