//===- unique.cuh - The different slices of a tensor ------------*- CUDA -*-===//
//
// Of x [outer, n, inner] y [outer, count, inner] has each slice along n once, in order of value (the first elements that differ decide) or of where it
// comes first; first where that is, inverse [n] the place in y of each slice of x, counts how often it is there. Slices of one element (outer and inner
// are 1) are sorted by it alone; those of more have their first element as a key and are looked at where keys are equal. After the launches that sort
// x (sort.cuh), with equal slices side by side in their order:
//
//   0    heads of runs of equal slices are marked where they are in x, and counted for each tile
//   1    what comes before each tile of the sorted slices; `count` is all of them. Marks are counted for each tile of x
//   2    each sorted slice learns its run, and each run its head. What comes before each tile of x
//   3    each mark learns how many are before it in x
//   4    results; of slices all but y
//   5    slices are copied to y, by all threads
//
// The launch: kTile / 2 threads, a block a tile; of slices any number of blocks more, which step 5 is for. The workspace is the sort's, then three int
// for each slice and two int64 for each tile.
//
//===----------------------------------------------------------------------===//

struct UniqueShape {
  i64 outer, n, inner;
};

/// The first element of each slice; of slices without elements something that is the same for all.
template <typename T> struct FirstOfSlices {
  const T *x;
  i64 inner;
  bool isEmpty;
  __device__ T operator[](i64 i) const { return isEmpty ? T(0.0f) : x[i * inner]; }
};

/// kSlices: of more than one element, or not known to be of one.
template <typename T, int kTile, bool kSorted, bool kSlices> struct Unique {
  typedef SortRows<T, kTile> Sort;
  typedef typename Sort::Key Key;
  typedef typename Sort::Element Element;
  static constexpr int kThreads = Sort::kThreads;

  /// Before each of the block's two elements a thread, and in all. `flags`: of them.
  static __device__ i64 before(const bool *flags, i64 *slots) {
    const i64 own = i64(flags[0]) + i64(flags[1]);
    return scan_block<kThreads>(own, slots, [](i64 a, i64 b) { return a + b; }) - own;
  }

  /// Slices whose keys are equal: negative where a's is below b's, 0 where all elements are equal.
  static __device__ int compareSlices(const UniqueShape &s, const T *x, i64 a, i64 b) {
    for (i64 outer = 0; outer < s.outer; ++outer)
      for (i64 i = 0; i < s.inner; ++i) {
        const T *elements = x + outer * s.n * s.inner + i;
        if (const int way = compare_keys(Key(elements[a * s.inner]), Key(elements[b * s.inner])); way != 0)
          return way;
      }
    return 0;
  }

  static __device__ void run(const UniqueShape &s, const T *x, T *y, i64 *first, i64 *inverse, i64 *counts, i8 *workspace, i64 *count, int launch) {
    __shared__ i64 slots[2 * kThreads];
    const i64 tiles = (s.n + kTile - 1) / kTile, keyBytes = (s.n * i64(sizeof(Key)) + 15) / 16 * 16, positionBytes = (s.n * 4 + 15) / 16 * 16;
    int rounds = 1;
    while ((i64(kTile) << (rounds - 1)) < s.n)
      ++rounds;
    const int step = launch - rounds;
    if (step == 5) { // of slices
      const i64 all = s.outer * *count * s.inner;
      for (i64 i = i64(blockIdx.x) * kThreads + int(threadIdx.x); i < all; i += i64(gridDim.x) * kThreads) {
        const i64 slice = i / s.inner;
        y[i] = x[(slice / *count * s.n + first[slice % *count]) * s.inner + i % s.inner];
      }
      return;
    }
    const i64 tile = i64(blockIdx.x), begin = tile * kTile + int(threadIdx.x) * 2;
    if (tile >= tiles)
      return;
    // What the last round of the sort does not read.
    int *order = reinterpret_cast<int *>(workspace + 2 * keyBytes + (rounds - 1) % 2 * positionBytes);
    int *runs = reinterpret_cast<int *>(workspace + 2 * keyBytes + 2 * positionBytes);
    int *marks = reinterpret_cast<int *>(workspace + 2 * keyBytes + 3 * positionBytes), *heads = reinterpret_cast<int *>(workspace + 2 * keyBytes + 4 * positionBytes);
    i64 *ofSorted = reinterpret_cast<i64 *>(workspace + 2 * keyBytes + 5 * positionBytes), *ofMarks = ofSorted + tiles;
    const FirstOfSlices<T> keys = {x, s.inner, kSlices && s.outer * s.inner == 0};
    auto compare = [&](const Element &a, const Element &b) {
      const int way = compare_keys(a.key, b.key);
      if constexpr (kSlices)
        return way != 0 ? way : compareSlices(s, x, a.at, b.at);
      return way;
    };
    if (launch < rounds) {
      Sort::run({1, s.n, 1, s.n}, keys, compare, workspace, launch, [&](i64, i64 place, int at) { order[place] = at; });
      return;
    }
    if (step < 4) {
      bool flags[2];
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const i64 i = begin + k;
        auto element = [&](i64 j) { return Element{Key(keys[order[j]]), order[j]}; };
        if (i >= s.n)
          flags[k] = false;
        else if (step == 0)
          flags[k] = i == 0 || compare(element(i - 1), element(i)) != 0;
        else
          flags[k] = marks[step == 2 ? order[i] : i] != 0;
      }
      const i64 earlier = before(flags, slots);
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const i64 i = begin + k, upTo = earlier + (k ? flags[0] : 0);
        if (i >= s.n)
          continue;
        if (step == 0)
          marks[order[i]] = flags[k];
        if (step == 2) {
          runs[i] = int(ofSorted[tile] + upTo + flags[k] - 1);
          if (flags[k])
            heads[runs[i]] = int(i);
        }
        if (step == 3 && flags[k])
          marks[i] = int(ofMarks[tile] + upTo);
      }
      if (step < 2 && int(threadIdx.x) == kThreads - 1)
        (step == 0 ? ofSorted : ofMarks)[tile] = earlier + flags[0] + flags[1];
      __syncthreads();
      if (tile == 0 && (step == 1 || step == 2)) {
        i64 *parts = step == 1 ? ofSorted : ofMarks;
        const i64 all = sums_before<kThreads>(parts, parts, tiles, slots);
        if (step == 1 && threadIdx.x == 0)
          *count = all;
      }
      return;
    }
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      const i64 j = begin + k;
      if (j >= s.n)
        continue;
      const int run = runs[j], head = heads[run], at = order[head];
      const i64 to = kSorted ? run : marks[at];
      inverse[order[j]] = to;
      if (j == head) {
        if constexpr (!kSlices)
          y[to] = x[at];
        first[to] = at;
        counts[to] = (run + 1 < *count ? heads[run + 1] : s.n) - head;
      }
    }
  }
};
