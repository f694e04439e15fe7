//===- attention_sm80.cuh - Attention by warps' instructions ----*- CUDA -*-===//
//
// A block takes 64 queries, 16 a warp, and goes over the keys 64 at a time (attention.cuh). Threads copy keys and values into
// two stages each (cp.async): while scores are computed, values and the next keys are on their way. Works from sm_80 on.
//
// The launch: 128 threads, kSharedBytes of memory, a block for 64 queries of a head (and a slice of the keys, split_keys.cuh). kDepth and kWidth: elements of a query and of a
// value, rounded up to multiples of 16; these are multiples of 8, and so are strides.
//
//===----------------------------------------------------------------------===//

/// [batch, heads, rows, columns] in memory; strides in elements, columns side by side.
template <typename T> struct HeadView {
  const T *data;
  i64 batch, head, row;
  int columns;
};

template <typename T, int kDepth, int kWidth, bool kIsCausal> struct AttentionSm80 {
  static constexpr int kRows = 64, kKeys = 64, kThreads = 128, kStages = 2;
  static constexpr int kBoxBytes = 64 * 128, kKeyBytes = (kDepth + 63) / 64 * kBoxBytes, kValueBytes = (kWidth + 63) / 64 * kBoxBytes;
  static constexpr int kExchangeBytes = kThreads / 32 * SumExchange<float, 64>::kBytes;
  static constexpr int kStageBytes = kStages * (kKeyBytes + kValueBytes), kSharedBytes = kKeyBytes + (kStageBytes > kExchangeBytes ? kStageBytes : kExchangeBytes);
  static_assert(kDepth % 16 == 0 && kWidth % 16 == 0, "products of 16 elements");

  /// Byte `byte` of a row of a tile: boxes of 128 bytes a row.
  static __device__ u8 *at(u8 *tile, int row, int byte) { return swizzled_at(tile + byte / 128 * kBoxBytes, row, byte % 128); }
  /// 64 rows of kColumns elements from row `row` of `rows` on; zeros where there are none.
  template <int kColumns> static __device__ void copyTile(u8 *tile, const HeadView<T> &view, const T *matrix, int row, int rows) {
    constexpr int kPieces = kColumns / 8;
#pragma unroll
    for (int i = 0; i < 64 * kPieces / kThreads; ++i) {
      const int item = i * kThreads + int(threadIdx.x), r = item / kPieces, piece = item % kPieces;
      const bool valid = row + r < rows && piece * 8 < view.columns;
      copy_bytes<16>(at(tile, r, piece * 16), matrix + (valid ? (row + r) * view.row + piece * 8 : 0), valid);
    }
  }
  /// 16 rows and kColumns columns of sums to the epilogue.
  template <int kLanes, int kColumns, typename Epilogue>
  static __device__ void store(float *room, const float *sums, int place, int row, int column, const ProductShape &shape, const Epilogue &epilogue) {
    constexpr int kPart = kColumns >= 64 ? 64 : kColumns >= 32 ? 32 : 16;
    SumExchange<float, kPart>::template store<kLanes>(room, sums, place, row, column, shape, epilogue);
    if constexpr (kColumns > kPart)
      store<kLanes, kColumns - kPart>(room, sums + kPart / 2, place, row, column + kPart, shape, epilogue);
  }

  template <int kLanes, int kSlices = 1, typename Mask, typename Epilogue>
  static __device__ void run(const HeadView<T> &query, const HeadView<T> &key, const HeadView<T> &value, const Mask &mask,
                             const AttentionShape &shape, const Epilogue &epilogue, u8 *memory, const SplitKeys<kSlices> &split = {}) {
    u8 *queries = memory, *keys = queries + kKeyBytes, *values = keys + kStages * kKeyBytes;
    const int tiles = shape.batch * shape.heads * ((shape.queries + kRows - 1) / kRows), tile = split.tileOf(int(blockIdx.x), tiles);
    const AttentionPlace place(shape, kRows, tile);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, firstRow = place.row + 16 * warp + lane / 4; // and 8 further on
    const int all = keyBlocks<kRows, kKeys, kIsCausal>(shape, place.row), slices = split.count(all), slice = split.sliceOf(int(blockIdx.x), tiles);
    if (slice >= slices)
      return;
    const int end = all * (slice + 1) / slices, blocks = end - all * slice / slices;
    const T *keyMatrix = key.data + place.batch * key.batch + place.keyHead * key.head;
    const T *valueMatrix = value.data + place.batch * value.batch + place.keyHead * value.head;
    // Block i is the i-th from the slice's end: what has to be masked comes first.
    auto copyKeys = [&](int i) {
      if (i < blocks)
        copyTile<kDepth>(keys + i % kStages * kKeyBytes, key, keyMatrix, (end - 1 - i) * kKeys, shape.keys);
      end_copies();
    };
    auto copyValues = [&](int i) {
      if (i < blocks)
        copyTile<kWidth>(values + i % kStages * kValueBytes, value, valueMatrix, (end - 1 - i) * kKeys, shape.keys);
      end_copies();
    };
    copyTile<kDepth>(queries, query, query.data + place.batch * query.batch + place.head * query.head, place.row, shape.queries);
    copyKeys(0);
    copyValues(0);

    u32 q[kDepth / 16][4];
    float sums[kWidth / 2] = {};
    RunningSoftmax<kKeys> softmax(shape.scale);
    for (int i = 0; i < blocks; ++i) {
      wait_copies<1>();
      __syncthreads(); // keys are there, and those before have been read
      copyKeys(i + 1);
      if (i == 0)
#pragma unroll
        for (int k = 0; k < kDepth / 16; ++k)
          load_matrices(q[k], at(queries, 16 * warp + lane % 16, 32 * k + lane / 16 * 16));
      float scores[kKeys / 2] = {};
      u8 *tile = keys + i % kStages * kKeyBytes;
#pragma unroll
      for (int k = 0; k < kDepth / 16; ++k)
#pragma unroll
        for (int j = 0; j < kKeys / 16; ++j) {
          u32 y[4];
          load_matrices(y, at(tile, 16 * j + lane % 8 + lane / 16 * 8, 32 * k + lane / 8 % 2 * 16));
          multiply_registers(T(), *reinterpret_cast<float(*)[4]>(&scores[8 * j]), q[k], y[0], y[1]);
          multiply_registers(T(), *reinterpret_cast<float(*)[4]>(&scores[8 * j + 4]), q[k], y[2], y[3]);
        }
      float rescale[2];
      u32 p[kKeys / 16][4];
      maskScores<kKeys, kIsCausal>(scores, mask, shape, place, firstRow, (end - 1 - i) * kKeys);
      softmax.step(scores, rescale);
      toOperand<T, kKeys>(p, scores);
      multiplySums(sums, rescale);
      wait_copies<1>();
      __syncthreads(); // values are there, and those before have been read
      copyValues(i + 1);
      tile = values + i % kStages * kValueBytes;
#pragma unroll
      for (int k = 0; k < kKeys / 16; ++k)
#pragma unroll
        for (int j = 0; j < kWidth / 16; ++j) {
          u32 y[4];
          load_matrices_transposed(y, at(tile, 16 * k + lane % 16, 32 * j + lane / 16 * 16));
          multiply_registers(T(), *reinterpret_cast<float(*)[4]>(&sums[8 * j]), p[k], y[0], y[1]);
          multiply_registers(T(), *reinterpret_cast<float(*)[4]>(&sums[8 * j + 4]), p[k], y[2], y[3]);
        }
    }
    wait_copies<0>();
    __syncthreads(); // sums are exchanged where the stages were
    // Queries that do not exist are not worth the way through memory.
    if (kSlices > 1 && place.row + 16 * warp >= shape.queries)
      return;
    if (!split.join(sums, softmax, tile * (kThreads / 32) + warp, slice, slices))
      return;
    float inverse[2];
    softmax.end(inverse);
    multiplySums(sums, inverse);
    float *room = reinterpret_cast<float *>(keys + warp * SumExchange<float, 64>::kBytes);
    const ProductShape result = {1, shape.queries, value.columns, 0};
    store<kLanes, kWidth>(room, sums, place.place, place.row + 16 * warp, 0, result, epilogue);
  }
};
