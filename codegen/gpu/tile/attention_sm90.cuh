//===- attention_sm90.cuh - Attention on Hopper -----------------*- CUDA -*-===//
//
// A block takes 128 queries and goes over the keys 128 at a time (attention.cuh). One thread of the first warpgroup copies keys
// and values into rings of two stages; each of the other two has 64 queries:
//
//   scores(i) = query * key(i)           asked for together with
//   y += p(i - 1) * value(i - 1)         which runs while the softmax of scores(i) is computed
//
// The launch: 384 threads, kSharedBytes of memory, a block for 128 queries of a head. Maps have four dims, of query
// [batch, heads, queries, kHead], of key and value [batch, keyHeads, keys, kHead], whatever their strides; boxes of 64 x 128.
// Source: Shah et al., "FlashAttention-3" (2024).
//
//===----------------------------------------------------------------------===//

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
  static __device__ void run(const TensorMap *query, const TensorMap *key, const TensorMap *value, const Mask &mask,
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

    const AttentionPlace at(shape, kRows, int(blockIdx.x));
    const int blocks = keyBlocks<kRows, kKeys, kIsCausal>(shape, at.row), group = threadIdx.x / 128;
    // Block i is the i-th from the end: what has to be masked comes first.
    if (group == 0) {
      give_registers<24>();
      if (threadIdx.x == 0) {
        copyTile(queries, query, at.row, at.head, at.batch, queriesFull);
        for (int i = 0; i < blocks; ++i) {
          const int stage = i % kStages, first = (blocks - 1 - i) * kKeys;
          const u32 phase = i / kStages & 1;
          barrier_wait(keysEmpty + stage, phase ^ 1);
          copyTile(keys + stage * kTileBytes, key, first, at.keyHead, at.batch, keysFull + stage);
          barrier_wait(valuesEmpty + stage, phase ^ 1);
          copyTile(values + stage * kTileBytes, value, first, at.keyHead, at.batch, valuesFull + stage);
        }
      }
      return;
    }
    take_registers<240>();
    const int part = group - 1, warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    const u8 *mine = queries + part * 64 * 128;
    const int firstRow = at.row + part * 64 + warp * 16 + lane / 4; // and 8 further on
    float sums[kHead / 2] = {}, scores[kKeys / 2];
    RunningSoftmax<kKeys> softmax(shape.scale);
    u32 p[kKeys / 16][4];
    auto giveBack = [&](Barrier *empty) {
      if (threadIdx.x % 128 == 0)
        barrier_arrive(empty);
    };
    auto hide = [&](int block) {
      maskScores<kKeys, kIsCausal>(scores, mask, shape, at, firstRow, (blocks - 1 - block) * kKeys);
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
      hide(0);
      softmax.step(scores, rescale);
      toOperand<T, kKeys>(p, scores);
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
        hide(i);
        softmax.step(scores, rescale);
        wait_products<0>();
        hold(sums);
        giveBack(valuesEmpty + before);
        multiplySums(sums, rescale);
        toOperand<T, kKeys>(p, scores);
      }
      const int last = (blocks - 1) % kStages;
      barrier_wait(valuesFull + last, (blocks - 1) / kStages & 1);
      hold(sums);
      askValues(sums, p, values + last * kTileBytes);
      wait_products<0>();
      hold(sums);
    }
    float inverse[2];
    softmax.end(inverse);
    multiplySums(sums, inverse);
    const ProductShape result = {1, shape.queries, kHead, 0};
    float *room = reinterpret_cast<float *>(exchange + (part * 4 + warp) * Exchange::kBytes);
#pragma unroll
    for (int c = 0; c < kBoxes; ++c)
      Exchange::template store<kLanes>(room, sums + 32 * c, at.place, at.row + part * 64 + warp * 16, 64 * c, result, epilogue);
  }
};
