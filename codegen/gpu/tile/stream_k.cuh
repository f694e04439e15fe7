//===- stream_k.cuh - Which steps of which tiles a block sums ---*- CUDA -*-===//
//
// A product whose tiles fill the last of a device's waves badly leaves a part of it without work. Its steps of k, tile after tile, are a row that is cut
// into as many equal units as there are to be blocks at work; a unit may begin and end within tiles:
//
//   tile      0         1         2         3         4
//   steps     |---------|---------|---------|---------|---------|
//   units     |---- 0 ----|---- 1 ----|---- 2 ----|---- 3 ----|     5 tiles in the time of 1.25 and not of 2
//
// Of more tiles than two for each unit, only the first `streamed` are cut; the rest are summed whole, the same number by each unit. Units that are a
// multiple of the tiles are each a slice of one tile's steps (split-K).
//
// A warp writes its sums of a tile that it has not all steps of to the workspace, and counts itself among those that have the same place of that tile.
// The one that comes last adds what all have written, in the order of the steps, and goes on to the epilogue: results are the same bits whichever comes last.
//
// Why not a second launch, which would need no counters: it takes 2 to 3 us, and the products that are cut take some 5. Why warps and not blocks: a
// warp's sums lie in the same registers in every unit, so that nothing else of its block has to be waited for. Nobody waits for other
// blocks at all, whichever of them run at the same time. Counters are zero before a launch and after it, so that graphs can be launched again.
// Source: Osama et al., "Stream-K: Work-Centric Parallel Decomposition for Dense Matrix-Matrix Multiplication on the GPU" (2023).
//
// workspace [units][1 or 2: the first tile of a unit, its last][8 warps][sums of a thread / 4][32 threads][4], counters [streamed][8 warps]
//
//===----------------------------------------------------------------------===//

/// Steps [begin, end) of the `steps` of a tile, numbered among those of all batches.
struct TileShare {
  int tile, begin, end, steps;
};

// What a product is given says by of(tiles, steps) how it is cut.

/// Nothing is cut.
struct WholeTiles {
  __device__ WholeTiles of(int, int) const { return *this; }
  /// use(share) for all that the block has. `kInTurns`: there may be less blocks than tiles.
  template <bool kInTurns, typename Use> __device__ void each(int tiles, int steps, const Use &use) const {
    int tile = blockIdx.x;
    do
      use(TileShare{tile, 0, steps, steps});
    while (kInTurns && (tile += gridDim.x) < tiles);
  }
  /// A warp of 8 has summed its share. give(some, first), by the warp that goes on: kSome of its sums over all steps, from number `first` on, for all of them.
  template <int kSome, typename Sum, int kSums, typename Give> static __device__ void finish(const Sum (&sums)[kSums], const TileShare &, int, const Give &give) {
#pragma unroll
    for (int first = 0; first < kSums; first += kSome) {
      Sum some[kSome];
#pragma unroll
      for (int i = 0; i < kSome; ++i)
        some[i] = sums[first + i];
      give(some, first);
    }
  }
};

/// The first `streamed` tiles, if any, have at least as many steps as there are units.
struct StreamK {
  static constexpr int kWarps = 8;
  void *workspace;
  int *counters;
  int units, streamed;

  __device__ StreamK of(int, int) const { return *this; }
  template <bool kInTurns, typename Use> __device__ void each(int tiles, int steps, const Use &use) const {
    for (int unit = blockIdx.x; unit < units; unit += kInTurns ? gridDim.x : units) {
      const int end = begin(unit + 1, steps);
      int tile = streamed > 0 ? begin(unit, steps) / steps : unit, first = streamed > 0 ? begin(unit, steps) % steps : 0;
      while (tile < tiles) {
        const bool isCut = tile < streamed;
        use(TileShare{tile, first, isCut && end - tile * steps < steps ? end - tile * steps : steps, steps});
        first = 0;
        tile = !isCut ? tile + units : (tile + 1) * steps < end ? tile + 1 : streamed + unit;
      }
    }
  }

  /// Whole tiles have a path of their own: the registers of what comes back from the workspace are not those of what was summed.
  template <int kSome, typename Sum, int kSums, typename Give> __device__ void finish(const Sum (&sums)[kSums], const TileShare &share, int warp, const Give &give) const {
    static_assert(kSome % 4 == 0 && sizeof(Sum) == 4, "sums are moved by 16 bytes");
    if (hasWhole() && share.end - share.begin == share.steps) {
      WholeTiles::finish<kSome>(sums, share, warp, give);
      return;
    }
    Sum *place = placeOf<Sum>(unitOf(share, share.begin), share, warp, kSums);
#pragma unroll
    for (int i = 0; i < kSums; i += 4)
      hand_over(place + i * 32, &sums[i]);
    warp_barrier(); // all of the warp's are written
    const int begin = unitOf(share, 0), end = unitOf(share, share.steps - 1) + 1;
    if (!arrives_last(counters + share.tile * kWarps + warp, end - begin))
      return;
#pragma unroll
    for (int first = 0; first < kSums; first += kSome) {
      Sum some[kSome] = {};
      // As many loads under way as there are registers for.
#pragma unroll (kSome < 32 ? 4 : kSums < 64 ? 2 : 1)
      for (int unit = begin; unit < end; ++unit) {
        const Sum *from = placeOf<Sum>(unit, share, warp, kSums) + first * 32;
#pragma unroll
        for (int i = 0; i < kSome; i += 4) {
          const Vec<Sum, 4> more = load<4>(from + i * 32);
#pragma unroll
          for (int l = 0; l < 4; ++l)
            some[i + l] += more[l];
        }
      }
      give(some, first);
    }
  }

private:
  /// Some tiles may be one unit's: each unit is not a slice of one.
  __device__ bool hasWhole() const { return streamed == 0 || units % streamed != 0 || units == streamed; }
  /// The first of a unit's steps among those of all tiles. Units differ by one step at most.
  __device__ int begin(int unit, int steps) const { return int(i64(streamed) * steps * unit / units); }
  /// Which has a step of the share's tile.
  __device__ int unitOf(const TileShare &share, int step) const {
    return int(((i64(share.tile) * share.steps + step + 1) * units - 1) / (i64(streamed) * share.steps));
  }
  template <typename Sum> __device__ Sum *placeOf(int unit, const TileShare &share, int warp, int sums) const {
    const int ofUnit = units % streamed == 0 ? 1 : 2, which = ofUnit > 1 && begin(unit, share.steps) < share.tile * share.steps;
    return static_cast<Sum *>(workspace) + (i64(unit * ofUnit + which) * kWarps + warp) * sums * 32 + threadIdx.x % 32 * 4;
  }
};

/// Of tiles that are known when the kernel is launched only, in whole waves of its blocks. As ProductTiling.h has it: cut where a wave would leave an eighth of
/// the blocks without work, into units of four steps at least, and no tile into more than 16.
struct StreamAny {
  void *workspace; // for as many units as there are blocks
  int *counters;   // of two tiles for each of them
  __device__ StreamK of(int tiles, int steps) const {
    const int blocks = gridDim.x, waves = (tiles + blocks - 1) / blocks;
    if (steps < 8 || i64(tiles) * 8 > i64(waves) * blocks * 7)
      return {workspace, counters, blocks, 0};
    const int slices = steps < 64 ? steps / 4 : 16, units = tiles < blocks && tiles * slices < blocks ? tiles * slices : blocks;
    return {workspace, counters, units, tiles < 2 * units ? tiles : units + tiles % units};
  }
};
