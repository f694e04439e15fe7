//===- attention.cuh - What kernels of attention share ----------*- CUDA -*-===//
//
//   y[b, h, q, :] = softmax over k of (scale * query[b, h, q, :] . key[b, h', k, :] + mask) * value[b, h', k, :]
//
// h' = h / (heads / keyHeads). A row that sees no key gives 0. Scores never leave registers: a block takes some queries and goes
// over the keys a tile at a time, with a running maximum and sum a row. A thread has scores and sums of two rows, as matrix
// instructions leave them: row r + 8 * h, column 8 * j + 2 * (t % 4) + c in [4 * j + 2 * h + c]. The epilogue's batch is
// b * heads + h. Source: Dao, "FlashAttention-2" (2023).
//
//===----------------------------------------------------------------------===//

struct AttentionShape {
  int batch, heads, keyHeads, queries, keys;
  int offset;  // query q sees keys up to q + offset, where attention is causal
  int mask[4]; // sizes of the mask [batch, heads, queries, keys] or 1
  float scale; // above 0
};

/// What a block computes: kRows queries of a head. The last queries of a head see most keys: first.
struct AttentionPlace {
  int place, row, batch, head, keyHead;
  __device__ AttentionPlace(const AttentionShape &shape, int rows, int number) {
    const int heads = shape.batch * shape.heads;
    place = number % heads;
    row = ((shape.queries + rows - 1) / rows - 1 - number / heads) * rows;
    batch = place / shape.heads;
    head = place % shape.heads;
    keyHead = head / (shape.heads / shape.keyHeads);
  }
};

/// Tiles of keys that the queries [row, row + kRows) see.
template <int kRows, int kKeys, bool kIsCausal> __device__ inline int keyBlocks(const AttentionShape &shape, int row) {
  int keys = shape.keys;
  if (kIsCausal && row + kRows + shape.offset < keys)
    keys = row + kRows + shape.offset;
  return keys > 0 ? (keys + kKeys - 1) / kKeys : 0;
}

/// No mask; or what is added to the scores.
struct NoMask {
  static constexpr bool kAdds = false;
};
template <typename T> struct AddedMask {
  static constexpr bool kAdds = true;
  const T *values;
  /// The row of a query.
  __device__ const T *row(const AttentionShape &shape, const AttentionPlace &at, int query) const {
    const int *sizes = shape.mask;
    const i64 batch = sizes[0] > 1 ? at.batch : 0, head = sizes[1] > 1 ? at.head : 0, line = sizes[2] > 1 ? query : 0;
    return values + ((batch * sizes[1] + head) * sizes[2] + line) * sizes[3];
  }
};

/// Adds the mask to scores of queries row and row + 8 and keys [first, first + kKeys); those that are not seen become -inf.
template <int kKeys, bool kIsCausal, typename Mask>
__device__ inline void maskScores(float (&scores)[kKeys / 2], const Mask &mask, const AttentionShape &shape, const AttentionPlace &at, int row,
                                  int first) {
  const int column = first + int(threadIdx.x) % 4 * 2;
  if constexpr (Mask::kAdds) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      if (row + 8 * h >= shape.queries)
        continue;
      const auto *line = mask.row(shape, at, row + 8 * h);
#pragma unroll
      for (int j = 0; j < kKeys / 8; ++j)
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          const int k = column + 8 * j + c;
          if (k < shape.keys)
            scores[4 * j + 2 * h + c] += float(line[shape.mask[3] > 1 ? k : 0]) / shape.scale;
        }
    }
  }
  const bool isWhole = first + kKeys <= shape.keys && !(kIsCausal && first + kKeys - 1 > at.row + shape.offset);
  if (isWhole)
    return;
#pragma unroll
  for (int i = 0; i < kKeys / 2; ++i) {
    const int k = column + i / 4 * 8 + i % 2, q = row + i / 2 % 2 * 8;
    if (k >= shape.keys || (kIsCausal && k > q + shape.offset))
      scores[i] = -kInfinity;
  }
}

#ifndef OPTC_EMULATED
/// 2^x, with an error of some 2^-22.
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#endif

/// Of a thread's two rows: the largest score so far, and the sum of powers of 2 relative to it.
template <int kKeys> struct RunningSoftmax {
  float scale, maximum[2] = {-kInfinity, -kInfinity}, total[2] = {0.0f, 0.0f};
  __device__ explicit RunningSoftmax(float factor) : scale(factor * 1.44269504f) {} // to base 2

  /// Scores become powers of 2 relative to the rows' maxima; gives what sums so far are to be multiplied by.
  __device__ void step(float (&scores)[kKeys / 2], float (&rescale)[2]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float most = maximum[h];
#pragma unroll
      for (int j = 0; j < kKeys / 8; ++j)
        most = fmaxf(most, fmaxf(scores[4 * j + 2 * h], scores[4 * j + 2 * h + 1]));
      most = fmaxf(most, shuffle_xor<32>(most, 1));
      most = fmaxf(most, shuffle_xor<32>(most, 2));
      const float shift = shiftOf(most), before = maximum[h];
      maximum[h] = most;
      rescale[h] = rescaleOf(before, h);
      float sum = 0.0f;
#pragma unroll
      for (int j = 0; j < kKeys / 8; ++j)
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float &s = scores[4 * j + 2 * h + c];
          s = exp2_fast(fmaf(s, scale, -shift));
          sum += s;
        }
      total[h] = total[h] * rescale[h] + sum;
    }
  }
  /// What sums relative to another maximum of row h are to be multiplied by.
  __device__ float rescaleOf(float other, int h) const { return exp2_fast(other * scale - shiftOf(maximum[h])); }
  __device__ float shiftOf(float most) const { return most == -kInfinity ? 0.0f : most * scale; } // nothing is seen yet
  /// What the sums are to be multiplied by in the end.
  __device__ void end(float (&inverse)[2]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      total[h] += shuffle_xor<32>(total[h], 1);
      total[h] += shuffle_xor<32>(total[h], 2);
      inverse[h] = total[h] > 0.0f ? 1.0f / total[h] : 0.0f;
    }
  }
};

/// Scores as the left operand of the next product.
template <typename T, int kKeys> __device__ inline void toOperand(u32 (&p)[kKeys / 16][4], const float (&scores)[kKeys / 2]) {
#pragma unroll
  for (int k = 0; k < kKeys / 16; ++k)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = 4 * (2 * k + i / 2) + 2 * (i % 2);
      p[k][i] = pack_pair(T(), scores[at], scores[at + 1]);
    }
}
template <int N> __device__ inline void multiplySums(float (&sums)[N], const float (&rescale)[2]) {
#pragma unroll
  for (int i = 0; i < N; ++i)
    sums[i] *= rescale[i / 2 % 2];
}
