//===- gemm_sparse_sm80.cuh - Sparse products by warps' instructions -*- CUDA -*-===//
//
// gemm_sm80.cuh with a right operand of which two of four are stored (sparse.cuh): 8 warps, 4 by 2, share kRows of its columns and kColumns of the result's rows.
//
// The launch: 256 threads, kSharedBytes of memory, blocks that have tiles or parts of them (stream_k.cuh). lhs [rows, depth], whose bytes are multiples of kPiece.
//
//===----------------------------------------------------------------------===//

template <typename T, int kRows, int kColumns, int kPiece> struct GemmSparseSm80 {
  typedef GemmSm80<T, false, kRows, kColumns, 16, kPiece, false> Dense;
  static constexpr int kThreads = 256, kValueBytes = kRows * 128, kHalfBytes = kColumns * 128, kStageBytes = kValueBytes + 2 * kHalfBytes;
  static constexpr int kStages = 98304 / kStageBytes, kSharedBytes = kStages * kStageBytes;
  static constexpr int kWarpRows = kRows / 4, kWarpColumns = kColumns / 2;
  typedef SumExchange<float, kWarpRows> Exchange;

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const void *lhs, const void *values, const void *positions, const ProductShape &shape, const Epilogue &epilogue, u8 *stages,
                             const Split &split = {}) {
    const TileOrder order = {(shape.columns + kRows - 1) / kRows, (shape.rows + kColumns - 1) / kColumns};
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warpRow = warp / 2 * kWarpRows, warpColumn = warp % 2 * kWarpColumns;
    const int depthSteps = (shape.depth + kSparseDepth - 1) / kSparseDepth;
    const auto cut = split.of(order.count(), depthSteps);
    cut.template each<false>(order.count(), depthSteps, [&](const TileShare &share) {
      const TilePlace place = order.placeOf<kRows, kColumns>(share.tile);
      const int row = place.row, column = place.column, steps = share.steps;
      __syncthreads(); // what sums were exchanged through has been read
      auto start = [&](int step) {
        u8 *stage = stages + step % kStages * kStageBytes;
        Dense::template copyRows<kRows, 16>(stage, static_cast<const u8 *>(values), row, shape.columns, i64(step) * 128, i64(steps) * 128);
#pragma unroll
        for (int half = 0; half < 2; ++half)
          Dense::template copyRows<kColumns, kPiece>(stage + kValueBytes + half * kHalfBytes, static_cast<const u8 *>(lhs), column, shape.rows, i64(step) * 256 + half * 128,
                                                     i64(shape.depth) * sizeof(T));
      };
      // Of the step that is next.
      Vec<u32, 4> places[kWarpRows / 16];
      auto findPlaces = [&](int step) {
#pragma unroll
        for (int i = 0; i < kWarpRows / 16; ++i)
          places[i] = positions_of(positions, shape.columns, row + warpRow + 16 * i, steps, step);
      };
      if (share.begin < share.end)
        findPlaces(share.begin);
      float sums[kWarpRows / 16][kWarpColumns / 2] = {};
      run_steps<kStages>(share.begin, share.end, start, [&](int step) {
        const u8 *a = stages + step % kStages * kStageBytes, *b = a + kValueBytes;
        Vec<u32, 4> now[kWarpRows / 16];
#pragma unroll
        for (int i = 0; i < kWarpRows / 16; ++i)
          now[i] = places[i];
        if (step + 1 < share.end)
          findPlaces(step + 1);
#pragma unroll
        for (int k = 0; k < 4; ++k) { // 32 k's
          u32 x[kWarpRows / 16][4], y[kWarpColumns / 8][4];
#pragma unroll
          for (int i = 0; i < kWarpRows / 16; ++i)
            load_matrices(x[i], swizzled_at(a, warpRow + 16 * i + lane % 16, 32 * k + lane / 16 * 16));
#pragma unroll
          for (int j = 0; j < kWarpColumns / 8; ++j)
            load_matrices(y[j], swizzled_at(b + k / 2 * kHalfBytes, warpColumn + 8 * j + lane % 8, k % 2 * 64 + lane / 8 * 16));
#pragma unroll
          for (int i = 0; i < kWarpRows / 16; ++i)
#pragma unroll
            for (int j = 0; j < kWarpColumns / 8; ++j)
              multiply_sparse(T(), *reinterpret_cast<float(*)[4]>(&sums[i][4 * j]), x[i], y[j], now[i][k]);
        }
      });
      constexpr int kRowSums = kWarpColumns / 2, kSums = kWarpRows / 16 * kRowSums;
      float *mine = reinterpret_cast<float *>(stages) + warp * (Exchange::kBytes / sizeof(float));
      cut.template finish<kSums>(reinterpret_cast<const float(&)[kSums]>(sums), share, warp, [&](const float *all, int) {
#pragma unroll
        for (int q = 0; q < kWarpColumns / 16; ++q)
          Exchange::template storeTurned<kLanes, kRowSums>(mine, all + 8 * q, 0, column + warpColumn + 16 * q, row + warpRow, shape, epilogue);
      });
    });
  }
};
