//===- split_k.cuh - Sums of which blocks have slices -----------*- CUDA -*-===//
//
// A product of few tiles leaves most of a device without work. Where its k's are many, they are cut into slices, each of which is a block's:
//
//   item = slice * tiles + tile      the tile's steps of k from steps * slice / kSlices on
//
// A warp writes its sums to the workspace and counts itself among those that have the same place of the same tile. The one that comes last adds
// what all have written, from the first slice to the last, and goes on to the epilogue: results are the same bits whichever comes last.
//
// Why not a second launch, which would need no counters: it takes 2 to 3 us, and the products that are cut take some 5. Why warps and not blocks: a
// warp's sums lie in the same registers in every slice, so that nothing else of its block has to be waited for. Nobody waits for other
// blocks at all, whichever of them run at the same time. Counters are zero before a launch and after it, so that graphs can be launched again.
//
// workspace [tiles][warps][kSlices][sums of a thread / 4][32 threads][4], counters [tiles][warps]
//
//===----------------------------------------------------------------------===//

template <int kSlices> struct SplitK {
  void *workspace;
  int *counters;

  static __device__ int tileOf(int item, int tiles) { return kSlices == 1 ? item : item % tiles; }
  static __device__ int sliceOf(int item, int tiles) { return kSlices == 1 ? 0 : item / tiles; }
  /// The first of a slice's steps. Slices differ by one step at most.
  static __device__ int begin(int slice, int steps) { return int(i64(steps) * slice / kSlices); }

  /// A warp has summed its slice; true for the one that goes on. `warp`: its place among those of all tiles.
  template <typename Sum, int kSums> __device__ bool arrive(const Sum (&sums)[kSums], int warp, int slice) const {
    if constexpr (kSlices == 1) {
      return true;
    } else {
      static_assert(kSums % 4 == 0 && sizeof(Sum) == 4, "sums are moved by 16 bytes");
      Sum *place = placeOf<Sum>(warp, slice, kSums);
#pragma unroll
      for (int i = 0; i < kSums; i += 4)
        hand_over(place + i * 32, &sums[i]);
      warp_barrier(); // all of the warp's are written
      return arrives_last(counters + warp, kSlices);
    }
  }

  /// Of the warp that goes on: some of its sums over all slices, from number `first` on.
  template <typename Sum, int kSome, int kSums> __device__ void total(Sum (&some)[kSome], const Sum (&sums)[kSums], int first, int warp) const {
    if constexpr (kSlices == 1) {
#pragma unroll
      for (int i = 0; i < kSome; ++i)
        some[i] = sums[first + i];
    } else {
#pragma unroll
      for (int i = 0; i < kSome; ++i)
        some[i] = 0;
      const Sum *place = placeOf<Sum>(warp, 0, kSums) + first * 32;
      // As many loads under way as there are registers for.
#pragma unroll (kSome < 32 ? 4 : kSums < 64 ? 2 : 1)
      for (int s = 0; s < kSlices; ++s)
#pragma unroll
        for (int i = 0; i < kSome; i += 4) {
          const Vec<Sum, 4> more = load<4>(place + (s * kSums + i) * 32);
#pragma unroll
          for (int l = 0; l < 4; ++l)
            some[i + l] += more[l];
        }
    }
  }

private:
  template <typename Sum> __device__ Sum *placeOf(int warp, int slice, int sums) const {
    return static_cast<Sum *>(workspace) + (i64(warp) * kSlices + slice) * sums * 32 + threadIdx.x % 32 * 4;
  }
};
