//===- split_keys.cuh - Attention of few queries and many keys --*- CUDA -*-===//
//
// Few queries of few heads leave most of a device without work, however many keys there are: while a text is decoded, each head has one query.
// The tiles of keys are cut into slices, each of which is a block's, as stream_k.cuh cuts the k's of a product. A slice has maxima and totals of its
// own; the warp that comes last brings all of them to one scale:
//
//   sums = sum over slices of 2^(maximum of the slice - maximum of all) * sums of the slice      and so the totals
//
// How many keys there are may be known when the kernel is launched only: so many slices as they are worth take part, others end at once.
// Source: Dao et al., "Flash-Decoding for long-context inference" (2023).
//
// workspace [tiles][warps][kSlices][sums of a thread / 4 + 1][32 threads][4], counters [tiles][warps]
//
//===----------------------------------------------------------------------===//

template <int kSlices> struct SplitKeys {
  void *workspace;
  int *counters;

  static __device__ int tileOf(int item, int tiles) { return kSlices == 1 ? item : item % tiles; }
  static __device__ int sliceOf(int item, int tiles) { return kSlices == 1 ? 0 : item / tiles; }
  /// Slices that take part where there are so many tiles of keys: ProductTiling.h's keySlices.
  static __device__ int count(int blocks) { return kSlices == 1 || blocks < 6 ? 1 : blocks / 2 < kSlices ? blocks / 2 : kSlices; }

  /// A warp has gone over its slice of `slices`; true for the one that goes on, which has what there is of all slices.
  template <int kSums, int kKeys> __device__ bool join(float (&sums)[kSums], RunningSoftmax<kKeys> &softmax, int warp, int slice, int slices) const {
    if constexpr (kSlices > 1) {
      if (slices == 1)
        return true;
      static_assert(kSums % 4 == 0, "sums are moved by 16 bytes");
      constexpr int kSlice = (kSums + 4) * 32;
      float *all = static_cast<float *>(workspace) + i64(warp) * kSlices * kSlice + threadIdx.x % 32 * 4, *mine = all + slice * kSlice;
      const Vec<float, 4> state = {{softmax.maximum[0], softmax.maximum[1], softmax.total[0], softmax.total[1]}};
      hand_over(mine, &state);
#pragma unroll
      for (int i = 0; i < kSums; i += 4)
        hand_over(mine + (i + 4) * 32, &sums[i]);
      warp_barrier(); // all of the warp's are written
      if (!arrives_last(counters + warp, slices))
        return false;
      for (int s = 0; s < slices; ++s) {
        const Vec<float, 4> of = load<4>(all + s * kSlice);
#pragma unroll
        for (int h = 0; h < 2; ++h)
          softmax.maximum[h] = fmaxf(softmax.maximum[h], of[h]);
      }
#pragma unroll
      for (int i = 0; i < kSums; ++i)
        sums[i] = 0.0f;
      softmax.total[0] = softmax.total[1] = 0.0f;
      for (int s = 0; s < slices; ++s) {
        const Vec<float, 4> of = load<4>(all + s * kSlice);
        float rescale[2];
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          rescale[h] = softmax.rescaleOf(of[h], h);
          softmax.total[h] += of[2 + h] * rescale[h];
        }
#pragma unroll
        for (int i = 0; i < kSums; i += 4) {
          const Vec<float, 4> more = load<4>(all + s * kSlice + (i + 4) * 32);
#pragma unroll
          for (int l = 0; l < 4; ++l)
            sums[i + l] = fmaf(more[l], rescale[l / 2], sums[i + l]);
        }
      }
    }
    return true;
  }
};
