//===- attention_sm90.cuh - Attention on Hopper -----------------*- CUDA -*-===//
//
//   y[b, h, q, :] = softmax over k of (scale * query[b, h, q, :] . key[b, h', k, :] + mask) * value[b, h', k, :]
//
// h' = h / (heads / keyHeads). A row that sees no key gives 0. Scores never leave registers: a block takes 128 queries and goes over the keys 128 at a
// time, with a running maximum and sum a row. One thread of the first warpgroup copies keys and values into rings of two
// stages; each of the other two has 64 queries:
//
//   scores(i) = query * key(i)           asked for together with
//   y += p(i - 1) * value(i - 1)         which runs while the softmax of scores(i) is computed
//
// The launch: 384 threads, kSharedBytes of memory, a block for 128 queries of a head. Maps have four dims, of query
// [batch, heads, queries, kHead], of key and value [batch, keyHeads, keys, kHead], whatever their strides; boxes of 64 x 128.
// The epilogue's batch is b * heads + h. Source: Dao, "FlashAttention-2"
// (2023); Shah et al., "FlashAttention-3" (2024).
//
//===----------------------------------------------------------------------===//

struct AttentionShape {
  int batch, heads, keyHeads, queries, keys;
  int offset;  // query q sees keys up to q + offset, where attention is causal
  float scale; // above 0
};

/// No mask; or what is added to the scores, with strides in elements.
struct NoMask {
  static constexpr bool kAdds = false;
  __device__ float at(int batch, int head, int query, int key) const { return 0.0f; }
};
template <typename T> struct AddedMask {
  static constexpr bool kAdds = true;
  const T *values;
  i64 strides[4];
  __device__ float at(int batch, int head, int query, int key) const {
    return float(values[batch * strides[0] + head * strides[1] + query * strides[2] + key * strides[3]]);
  }
};

template <typename T, int kHead, bool kIsCausal> struct AttentionSm90 {
  static constexpr int kRows = 128, kKeys = 128, kThreads = 384, kStages = 2;
  static constexpr int kBoxBytes = 128 * 128, kBoxes = kHead / 64, kTileBytes = kBoxes * kBoxBytes;
  static constexpr int kWarps = 8;
  typedef SumExchange<float, 64> Exchange;
  static constexpr int kSharedBytes =
      (1 + 2 * kStages) * kTileBytes + kWarps * Exchange::kBytes + 256 + kSharedAlignment;
  static_assert(kHead == 64 || kHead == 128, "boxes of 64 elements, sums in registers");

  static __device__ void copyTile(u8 *to, const TensorMap *map, int row, int head, int batch, Barrier *full) {
    barrier_expect(full, kTileBytes);
#pragma unroll
    for (int i = 0; i < kBoxes; ++i)
      copy_box(to + i * kBoxBytes, map, 64 * i, row, head, batch, full);
  }

  /// Blocks of keys that the queries [row, row + kRows) see.
  static __device__ int countBlocks(const AttentionShape &shape, int row) {
    int keys = shape.keys;
    if (kIsCausal && row + kRows + shape.offset < keys)
      keys = row + kRows + shape.offset;
    return keys > 0 ? (keys + kKeys - 1) / kKeys : 0;
  }

  /// Asks for scores of 64 queries and the keys of a tile.
  static __device__ void askScores(float (&scores)[kKeys / 2], const u8 *queries, const u8 *keys) {
    begin_products();
#pragma unroll
    for (int k = 0; k < kHead / 16; ++k) {
      const int at = k / 4 * kBoxBytes + k % 4 * 32;
      multiply<false>(T(), scores, operand_along_k(queries + at), operand_along_k(keys + at), k != 0);
    }
    end_products();
  }
  static __device__ void askValues(float (&sums)[kHead / 2], const u32 (&p)[kKeys / 16][4], const u8 *values) {
    const u64 rhs = operand_along_n<kKeys>(values);
    begin_products();
#pragma unroll
    for (int k = 0; k < kKeys / 16; ++k)
      multiply_registers(T(), sums, p[k], advance(rhs, 2048 * k), true);
    end_products();
  }

  template <int kLanes, typename Mask, typename Epilogue>
  static __device__ void run(const TensorMap *query, const TensorMap *key, const TensorMap *value, const Mask &added,
                             const AttentionShape &shape, const Epilogue &epilogue, u8 *memory) {
    u8 *queries = memory + (kSharedAlignment - shared_address(memory) % kSharedAlignment) % kSharedAlignment;
    u8 *keys = queries + kTileBytes, *values = keys + kStages * kTileBytes, *exchange = values + kStages * kTileBytes;
    Barrier *queriesFull = reinterpret_cast<Barrier *>(exchange + kWarps * Exchange::kBytes);
    Barrier *keysFull = queriesFull + 1, *keysEmpty = keysFull + kStages, *valuesFull = keysEmpty + kStages,
            *valuesEmpty = valuesFull + kStages;
    if (threadIdx.x == 0) {
      barrier_init(queriesFull, 1);
      for (int s = 0; s < kStages; ++s) {
        barrier_init(keysFull + s, 1);
        barrier_init(valuesFull + s, 1);
        barrier_init(keysEmpty + s, 2);
        barrier_init(valuesEmpty + s, 2);
      }
      barrier_init_done();
    }
    __syncthreads();

    // The last queries of a head see most keys: first.
    const int rowTiles = (shape.queries + kRows - 1) / kRows, heads = shape.batch * shape.heads;
    const int place = int(blockIdx.x) % heads, row = (rowTiles - 1 - int(blockIdx.x) / heads) * kRows;
    const int batch = place / shape.heads, head = place % shape.heads, keyHead = head / (shape.heads / shape.keyHeads);
    const int blocks = countBlocks(shape, row), group = threadIdx.x / 128;
    // Block i is the i-th from the end: what has to be masked comes first.
    if (group == 0) {
      give_registers<24>();
      if (threadIdx.x == 0) {
        copyTile(queries, query, row, head, batch, queriesFull);
        for (int i = 0; i < blocks; ++i) {
          const int stage = i % kStages, first = (blocks - 1 - i) * kKeys;
          const u32 phase = i / kStages & 1;
          barrier_wait(keysEmpty + stage, phase ^ 1);
          copyTile(keys + stage * kTileBytes, key, first, keyHead, batch, keysFull + stage);
          barrier_wait(valuesEmpty + stage, phase ^ 1);
          copyTile(values + stage * kTileBytes, value, first, keyHead, batch, valuesFull + stage);
        }
      }
      return;
    }
    take_registers<240>();
    const int part = group - 1, warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    const u8 *mine = queries + part * 64 * 128;
    const int firstRow = row + part * 64 + warp * 16 + lane / 4; // and 8 further on
    const float scale = shape.scale * 1.44269504f;               // to base 2
    float sums[kHead / 2] = {}, scores[kKeys / 2], maximum[2] = {-kInfinity, -kInfinity}, total[2] = {0.0f, 0.0f};
    u32 p[kKeys / 16][4];
    auto giveBack = [&](Barrier *empty) {
      if (threadIdx.x % 128 == 0)
        barrier_arrive(empty);
    };
    auto mask = [&](int block) {
      const int first = (blocks - 1 - block) * kKeys;
      if constexpr (Mask::kAdds) {
#pragma unroll
        for (int i = 0; i < kKeys / 2; ++i) {
          const int k = first + i / 4 * 8 + lane % 4 * 2 + i % 2, q = firstRow + i / 2 % 2 * 8;
          if (k < shape.keys && q < shape.queries)
            scores[i] += added.at(batch, head, q, k) / shape.scale;
        }
      }
      const bool isWhole = first + kKeys <= shape.keys && !(kIsCausal && first + kKeys - 1 > row + shape.offset);
      if (isWhole)
        return;
#pragma unroll
      for (int i = 0; i < kKeys / 2; ++i) {
        const int k = first + i / 4 * 8 + lane % 4 * 2 + i % 2, q = firstRow + i / 2 % 2 * 8;
        if (k >= shape.keys || (kIsCausal && k > q + shape.offset))
          scores[i] = -kInfinity;
      }
    };
    // Scores become powers of 2 relative to the rows' maxima; gives what sums so far are to be multiplied by.
    auto softmax = [&](float (&rescale)[2]) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float most = maximum[h];
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j)
          most = fmaxf(most, fmaxf(scores[4 * j + 2 * h], scores[4 * j + 2 * h + 1]));
        most = fmaxf(most, shuffle_xor<32>(most, 1));
        most = fmaxf(most, shuffle_xor<32>(most, 2));
        const float shift = most == -kInfinity ? 0.0f : most * scale; // nothing is seen yet
        rescale[h] = exp2_fast(maximum[h] * scale - shift);
        maximum[h] = most;
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
    };
    auto toOperand = [&] {
#pragma unroll
      for (int k = 0; k < kKeys / 16; ++k)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int at = 4 * (2 * k + i / 2) + 2 * (i % 2);
          p[k][i] = pack_pair(T(), scores[at], scores[at + 1]);
        }
    };
    auto multiplySums = [&](const float (&rescale)[2]) {
#pragma unroll
      for (int i = 0; i < kHead / 2; ++i)
        sums[i] *= rescale[i / 2 % 2];
    };

    if (blocks > 0) {
      float rescale[2];
      barrier_wait(queriesFull, 0);
      barrier_wait(keysFull, 0);
      hold(scores);
      askScores(scores, mine, keys);
      wait_products<0>();
      hold(scores);
      giveBack(keysEmpty);
      mask(0);
      softmax(rescale);
      toOperand();
      for (int i = 1; i < blocks; ++i) {
        const int stage = i % kStages, before = (i - 1) % kStages;
        barrier_wait(keysFull + stage, i / kStages & 1);
        hold(scores);
        hold(sums);
        askScores(scores, mine, keys + stage * kTileBytes);
        barrier_wait(valuesFull + before, (i - 1) / kStages & 1);
        askValues(sums, p, values + before * kTileBytes);
        wait_products<1>();
        hold(scores);
        giveBack(keysEmpty + stage);
        mask(i);
        softmax(rescale);
        wait_products<0>();
        hold(sums);
        giveBack(valuesEmpty + before);
        multiplySums(rescale);
        toOperand();
      }
      const int last = (blocks - 1) % kStages;
      barrier_wait(valuesFull + last, (blocks - 1) / kStages & 1);
      hold(sums);
      askValues(sums, p, values + last * kTileBytes);
      wait_products<0>();
      hold(sums);
    }
    float inverse[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      total[h] += shuffle_xor<32>(total[h], 1);
      total[h] += shuffle_xor<32>(total[h], 2);
      inverse[h] = total[h] > 0.0f ? 1.0f / total[h] : 0.0f;
    }
    multiplySums(inverse);
    const ProductShape result = {1, shape.queries, kHead, 0};
    float *room = reinterpret_cast<float *>(exchange + (part * 4 + warp) * Exchange::kBytes);
#pragma unroll
    for (int c = 0; c < kBoxes; ++c)
      Exchange::template store<kLanes>(room, sums + 32 * c, place, row + part * 64 + warp * 16, 64 * c, result, epilogue);
  }
};
