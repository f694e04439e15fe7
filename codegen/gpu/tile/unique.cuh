//===- unique.cuh - The different elements of a tensor ----------*- CUDA -*-===//
//
// y has each element of x once, in order of value or of where it comes first; first where that is, inverse [n] the place in y of each element of x,
// counts how often it is there. After the launches that sort x (sort.cuh), with equal elements side by side in their order:
//
//   0    heads of runs of equal elements are marked where they are in x, and counted for each tile
//   1    what comes before each tile of the sorted elements; `count` is all of them. Marks are counted for each tile of x
//   2    each sorted element learns its run, and each run its head. What comes before each tile of x
//   3    each mark learns how many are before it in x
//   4    results
//
// The launch: kTile / 2 threads, a block a tile. The workspace is the sort's, then three int for each element and two int64 for each tile.
//
//===----------------------------------------------------------------------===//

struct UniqueShape {
  i64 n;
};

template <typename T, int kTile, bool kSorted> struct Unique {
  typedef SortRows<T, kTile, false> Sort;
  static constexpr int kThreads = Sort::kThreads;

  /// Before each of the block's two elements a thread, and in all. `flags`: of them.
  static __device__ i64 before(const bool *flags, i64 *slots) {
    const i64 own = i64(flags[0]) + i64(flags[1]);
    return scan_block<kThreads>(own, slots, [](i64 a, i64 b) { return a + b; }) - own;
  }

  static __device__ void run(const UniqueShape &s, const T *x, T *y, i64 *first, i64 *inverse, i64 *counts, i8 *workspace, i64 *count, int launch) {
    __shared__ i64 slots[2 * kThreads];
    const i64 tiles = (s.n + kTile - 1) / kTile, keyBytes = (s.n * i64(sizeof(typename Sort::Key)) + 15) / 16 * 16, positionBytes = (s.n * 4 + 15) / 16 * 16;
    int rounds = 1;
    while ((i64(kTile) << (rounds - 1)) < s.n)
      ++rounds;
    // What the last round of the sort does not read.
    int *order = reinterpret_cast<int *>(workspace + 2 * keyBytes + (rounds - 1) % 2 * positionBytes);
    int *runs = reinterpret_cast<int *>(workspace + 2 * keyBytes + 2 * positionBytes);
    int *marks = reinterpret_cast<int *>(workspace + 2 * keyBytes + 3 * positionBytes), *heads = reinterpret_cast<int *>(workspace + 2 * keyBytes + 4 * positionBytes);
    i64 *ofSorted = reinterpret_cast<i64 *>(workspace + 2 * keyBytes + 5 * positionBytes), *ofMarks = ofSorted + tiles;
    if (launch < rounds) {
      Sort::run({1, s.n, 1, s.n}, x, false, workspace, launch, [&](i64, i64 place, int at) { order[place] = at; });
      return;
    }
    const int step = launch - rounds;
    const i64 tile = i64(blockIdx.x), begin = tile * kTile + int(threadIdx.x) * 2;
    auto isHead = [&](i64 j) {
      if (j == 0)
        return true;
      const typename Sort::Key a = x[order[j - 1]], b = x[order[j]];
      return sorts_below(a, b) || sorts_below(b, a);
    };
    bool flags[2];
#pragma unroll
    for (int k = 0; k < 2; ++k)
      flags[k] = begin + k < s.n && (step == 0 || step == 2 || step == 4 ? isHead(begin + k) : marks[begin + k] != 0);
    if (step < 4) {
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
      if (flags[k]) {
        y[to] = x[at];
        first[to] = at;
        counts[to] = (run + 1 < *count ? heads[run + 1] : s.n) - head;
      }
    }
  }
};
