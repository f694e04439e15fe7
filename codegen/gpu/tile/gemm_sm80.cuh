//===- gemm_sm80.cuh - Matrix products by warps' instructions ---*- CUDA -*-===//
//
// 8 warps, 4 by 2, share a tile of kRows x kColumns. Threads copy tiles of 128 bytes of k into a ring of stages a piece at a
// time (cp.async), warps read them as matrices (ldmatrix) and multiply in registers (mma.sync). Works from sm_80 on.
//
// The launch: 256 threads, kSharedBytes of memory, blocks that have tiles or parts of them (stream_k.cuh). lhs [batch, rows, depth] and rhs [batch, columns, depth],
// or for elements of 2 bytes with kAlongN rhs [batch, depth, columns]. Bytes of a row are multiples of kLhsPiece and kRhsPiece
// (1, 2, 4, 8 or 16). Where kPadded, rows of rhs are padded with zeros to a multiple of 16 bytes.
//
//===----------------------------------------------------------------------===//

template <typename T, bool kAlongN, int kRows, int kColumns, int kLhsPiece, int kRhsPiece, bool kPadded, int kStages = (kRows + kColumns > 192) ? 3 : 4>
struct GemmSm80 {
  typedef typename SumOf<T>::type Sum;
  static constexpr int kThreads = 256, kDepth = 128 / sizeof(T);
  static constexpr int kLhsBytes = kRows * 128, kRhsBytes = kColumns * 128, kStageBytes = kLhsBytes + kRhsBytes;
  static constexpr int kSharedBytes = kStages * kStageBytes;
  static constexpr int kWarpRows = kRows / 4, kWarpColumns = kColumns / 2;
  typedef SumExchange<Sum, kWarpColumns> Exchange;
  static_assert(8 * Exchange::kBytes <= kSharedBytes, "sums are exchanged where the stages were");
  static_assert(!kAlongN || (sizeof(T) == 2 && kColumns % 64 == 0), "only elements of 2 bytes may lie along n");

  /// kLines rows of 128 bytes from byte `first` on of rows [row, row + kLines) of a matrix of `rows` rows of `bytes` bytes.
  template <int kLines, int kPiece> static __device__ void copyRows(u8 *tile, const u8 *matrix, int row, int rows, i64 first, i64 bytes) {
    typedef RowShare<kPiece, kThreads> Threads;
    const i64 from = first + Threads::byte();
#pragma unroll
    for (int i = 0; i < kLines * Threads::kWords / kThreads; ++i) {
      const int r = Threads::rowOf(i);
      const bool valid = row + r < rows && from < bytes;
      const u8 *source = matrix + (valid ? (row + r) * bytes + from : 0);
      u8 *to = swizzled_at(tile, r, Threads::byte());
      if constexpr (kPiece >= 4)
        copy_bytes<kPiece>(to, source, valid);
      else
        *reinterpret_cast<u32 *>(to) = valid ? load_word<kPiece>(source, int(bytes - from < 4 ? bytes - from : 4)) : 0;
    }
  }

  /// copy(step, lhs, rhs) starts the copies of a step's tiles to where they belong.
  template <int kLanes, typename Copy, typename Split, typename Epilogue>
  static __device__ void multiply(const Copy &copy, const TilePlace &place, const TileShare &share, const ProductShape &shape, const Split &split,
                                  const Epilogue &epilogue, u8 *stages) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warpRow = warp / 2 * kWarpRows, warpColumn = warp % 2 * kWarpColumns;
    const int bytes = shape.depth * int(sizeof(T));
    auto start = [&](int step) {
      u8 *stage = stages + step % kStages * kStageBytes;
      copy(step, stage, stage + kLhsBytes);
    };
    __syncthreads(); // what sums were exchanged through has been read
    Sum sums[kWarpRows / 16][kWarpColumns / 2] = {};
    constexpr bool bySteps = kSumsBySteps<T>;
    run_steps<kStages>(share.begin, share.end, start, [&](int step) {
      const u8 *a = stages + step % kStages * kStageBytes, *b = a + kLhsBytes;
      Sum stepSums[bySteps ? kWarpRows / 16 : 1][bySteps ? kWarpColumns / 2 : 4] = {};
      auto part = [&](int k) { // 32 bytes of k
        u32 x[kWarpRows / 16][4], y[kWarpColumns / 16][4];
#pragma unroll
        for (int i = 0; i < kWarpRows / 16; ++i)
          load_matrices(x[i], swizzled_at(a, warpRow + 16 * i + lane % 16, 32 * k + lane / 16 * 16));
#pragma unroll
        for (int j = 0; j < kWarpColumns / 16; ++j) {
          const int column = warpColumn + 16 * j;
          if constexpr (kAlongN)
            load_matrices_transposed(y[j], swizzled_at(b + column / 64 * kDepth * 128, 16 * k + lane % 16, column % 64 * 2 + lane / 16 * 16));
          else
            load_matrices(y[j], swizzled_at(b, column + lane % 8 + lane / 16 * 8, 32 * k + lane / 8 % 2 * 16));
        }
#pragma unroll
        for (int i = 0; i < kWarpRows / 16; ++i)
#pragma unroll
          for (int j = 0; j < kWarpColumns / 8; ++j) {
            Sum(&four)[4] = *reinterpret_cast<Sum(*)[4]>(bySteps ? &stepSums[i][4 * j] : &sums[i][4 * j]);
            multiply_registers(T(), four, x[i], y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]);
          }
      };
      const int left = bytes - step * 128;
      if (left > 96) {
#pragma unroll
        for (int k = 0; k < 4; ++k)
          part(k);
      } else {
        for (int k = 0; k * 32 < left; ++k)
          part(k);
      }
      if constexpr (bySteps)
#pragma unroll
        for (int i = 0; i < kWarpRows / 16; ++i)
#pragma unroll
          for (int j = 0; j < kWarpColumns / 2; ++j)
            sums[i][j] += stepSums[i][j];
    });
    constexpr int kRowSums = kWarpColumns / 2, kSums = kWarpRows / 16 * kRowSums;
    Sum *mine = reinterpret_cast<Sum *>(stages) + warp * (Exchange::kBytes / sizeof(Sum));
    split.template finish<kRowSums>(reinterpret_cast<const Sum(&)[kSums]>(sums), share, warp, [&](const Sum *some, int first) {
      Exchange::template store<kLanes>(mine, some, place.batch, place.row + warpRow + 16 * (first / kRowSums), place.column + warpColumn, shape, epilogue);
    });
  }

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const void *lhsMatrices, const void *rhsMatrices, int rhsBatches, const ProductShape &shape,
                             const Epilogue &epilogue, u8 *stages, const Split &split = {}) {
    const TileOrder order = {(shape.rows + kRows - 1) / kRows, (shape.columns + kColumns - 1) / kColumns};
    const i64 lhsBytes = i64(shape.depth) * sizeof(T), rhsBytes = kPadded ? (lhsBytes + 15) / 16 * 16 : lhsBytes;
    const int tiles = order.count() * shape.batch, steps = (shape.depth + kDepth - 1) / kDepth;
    const auto cut = split.of(tiles, steps);
    cut.template each<false>(tiles, steps, [&](const TileShare &share) {
      const TilePlace place = order.placeOf<kRows, kColumns>(share.tile);
      const u8 *lhs = static_cast<const u8 *>(lhsMatrices) + place.batch * shape.rows * lhsBytes;
      const u8 *rhs = static_cast<const u8 *>(rhsMatrices) + (rhsBatches > 1 ? place.batch : 0) * shape.columns * rhsBytes;
      auto copy = [&](int step, u8 *lhsTile, u8 *rhsTile) {
        copyRows<kRows, kLhsPiece>(lhsTile, lhs, place.row, shape.rows, i64(step) * 128, lhsBytes);
        if constexpr (kAlongN) {
          // Tiles of 64 columns, a row for each k.
#pragma unroll
          for (int c = 0; c < kColumns / 64; ++c)
            copyRows<kDepth, kRhsPiece>(rhsTile + c * kDepth * 128, rhs, step * kDepth, shape.depth, (i64(place.column) + 64 * c) * sizeof(T),
                                        i64(shape.columns) * sizeof(T));
        } else {
          copyRows<kColumns, kRhsPiece>(rhsTile, rhs, place.column, shape.columns, i64(step) * 128, rhsBytes);
        }
      };
      multiply<kLanes>(copy, place, share, shape, cut, epilogue, stages);
    });
  }
};
