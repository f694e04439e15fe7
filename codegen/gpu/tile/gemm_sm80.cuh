//===- gemm_sm80.cuh - Matrix products by warps' instructions ---*- CUDA -*-===//
//
// 8 warps, 4 by 2, a tile of 128 x 128: 32 rows and 64 columns each. Threads copy tiles of 128 bytes of k into a ring of
// stages 16 bytes at a time (cp.async), warps read them as matrices (ldmatrix) and multiply in registers (mma.sync). Works
// from sm_80 on.
//
// The launch: 256 threads, kSharedBytes of memory, a block a tile. lhs [batch, rows, depth] and rhs [batch, columns, depth],
// or for elements of 2 bytes with kAlongN rhs [batch, depth, columns]; rows of both multiples of 16 bytes.
//
//===----------------------------------------------------------------------===//

template <typename T, bool kAlongN> struct GemmSm80 {
  typedef typename SumOf<T>::type Sum;
  static constexpr int kRows = 128, kColumns = 128, kDepth = 128 / sizeof(T), kThreads = 256, kStages = 3;
  static constexpr int kLhsBytes = kRows * 128, kRhsBytes = kColumns * 128, kStageBytes = kLhsBytes + kRhsBytes;
  static constexpr int kSharedBytes = kStages * kStageBytes;
  static constexpr int kWarpColumns = 64;
  typedef SumExchange<Sum, kWarpColumns> Exchange;
  static_assert(8 * Exchange::kBytes <= kSharedBytes, "sums are exchanged where the stages were");
  static_assert(!kAlongN || sizeof(T) == 2, "only elements of 2 bytes may lie along n");

  /// 16-byte piece `piece` of a row of 128 bytes: permuted, so that 8 rows' same pieces lie in different banks.
  static __device__ u8 *at(u8 *tile, int row, int piece) { return tile + row * 128 + ((piece ^ row % 8) << 4); }
  static __device__ const u8 *at(const u8 *tile, int row, int piece) { return at(const_cast<u8 *>(tile), row, piece); }

  /// 128 rows of 128 bytes from byte `first` on of rows [row, row + 128) of a matrix of `rows` rows of `bytes` bytes.
  static __device__ void copyRows(u8 *tile, const u8 *matrix, int row, int rows, i64 first, i64 bytes) {
#pragma unroll
    for (int i = 0; i < 128 * 8 / kThreads; ++i) {
      const int item = i * kThreads + int(threadIdx.x), r = item / 8, piece = item % 8;
      const i64 from = first + piece * 16;
      const bool valid = row + r < rows && from < bytes;
      copy_16_bytes(at(tile, r, piece), matrix + (valid ? (row + r) * bytes + from : 0), valid);
    }
  }
  /// rhs along n: kDepth rows of 2 * 128 columns' bytes, as two tiles of 128 bytes a row.
  static __device__ void copyDepth(u8 *tile, const u8 *matrix, int k, int depth, i64 first, i64 bytes) {
#pragma unroll
    for (int i = 0; i < kDepth * 16 / kThreads; ++i) {
      const int item = i * kThreads + int(threadIdx.x), r = item / 16, piece = item % 16;
      const i64 from = first + piece * 16;
      const bool valid = k + r < depth && from < bytes;
      copy_16_bytes(at(tile + piece / 8 * kDepth * 128, r, piece % 8), matrix + (valid ? (k + r) * bytes + from : 0), valid);
    }
  }

  template <int kLanes, typename Epilogue>
  static __device__ void run(const T *lhsMatrices, const T *rhsMatrices, int rhsBatches, const ProductShape &shape,
                             const Epilogue &epilogue, u8 *stages) {
    const TileOrder order = {(shape.rows + kRows - 1) / kRows, (shape.columns + kColumns - 1) / kColumns};
    const int batch = int(blockIdx.x) / order.count();
    int rowTile, columnTile;
    order.place(int(blockIdx.x) % order.count(), rowTile, columnTile);
    const int row = rowTile * kRows, column = columnTile * kColumns;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warpRow = warp / 2 * 32, warpColumn = warp % 2 * 64;
    const int steps = (shape.depth + kDepth - 1) / kDepth;
    const u8 *lhs = reinterpret_cast<const u8 *>(lhsMatrices + i64(batch) * shape.rows * shape.depth);
    const u8 *rhs = reinterpret_cast<const u8 *>(rhsMatrices + i64(rhsBatches > 1 ? batch : 0) * shape.columns * shape.depth);
    auto copy = [&](int step) {
      u8 *stage = stages + step % kStages * kStageBytes;
      const i64 lineBytes = i64(shape.depth) * sizeof(T);
      copyRows(stage, lhs, row, shape.rows, i64(step) * 128, lineBytes);
      if constexpr (kAlongN)
        copyDepth(stage + kLhsBytes, rhs, step * kDepth, shape.depth, i64(column) * sizeof(T), i64(shape.columns) * sizeof(T));
      else
        copyRows(stage + kLhsBytes, rhs, column, shape.columns, i64(step) * 128, lineBytes);
    };

    Sum sums[2][32] = {};
#pragma unroll
    for (int s = 0; s < kStages - 1; ++s) {
      if (s < steps)
        copy(s);
      end_copies();
    }
    for (int step = 0; step < steps; ++step) {
      wait_copies<kStages - 2>();
      __syncthreads(); // the stage's bytes are there, and the one before has been read
      if (step + kStages - 1 < steps)
        copy(step + kStages - 1);
      end_copies();
      const u8 *a = stages + step % kStages * kStageBytes, *b = a + kLhsBytes;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        u32 x[2][4], y[4][4];
#pragma unroll
        for (int i = 0; i < 2; ++i)
          load_matrices(x[i], at(a, warpRow + 16 * i + lane % 16, 2 * k + lane / 16));
#pragma unroll
        for (int j = 0; j < 4; ++j)
          if constexpr (kAlongN)
            load_matrices_transposed(y[j], at(b + warpColumn / 64 * kDepth * 128, 16 * k + lane % 16, 2 * j + lane / 16));
          else
            load_matrices(y[j], at(b, warpColumn + 16 * j + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
#pragma unroll
        for (int i = 0; i < 2; ++i)
#pragma unroll
          for (int j = 0; j < 8; ++j) {
            Sum(&part)[4] = *reinterpret_cast<Sum(*)[4]>(&sums[i][4 * j]);
            multiply_registers(T(), part, x[i], y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]);
          }
      }
    }
    wait_copies<0>();
    __syncthreads();
    Sum *mine = reinterpret_cast<Sum *>(stages) + warp * (Exchange::kBytes / sizeof(Sum));
#pragma unroll
    for (int i = 0; i < 2; ++i)
      Exchange::template store<kLanes>(mine, sums[i], batch, row + warpRow + 16 * i, column + warpColumn, shape, epilogue);
  }
};
