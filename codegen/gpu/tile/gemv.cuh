//===- gemv.cuh - Matrix products of a few rows -----------------*- CUDA -*-===//
//
// What is limited by reading the right operand: each of its elements is read once, as many at a time as are in a vector, and multiplied with
// all rows (kRows) of the left one. Sums are f32, or of bytes i32; their order does not depend on the device.
//
// The launch: 256 threads, a block for some columns of a batch's result. lhs [batch, rows, depth].
//
//===----------------------------------------------------------------------===//

/// rhs [batch, columns, depth], rows padded with zeros to a multiple of 16 bytes where kPadded: kGroup threads a column, which meet by shuffles.
/// Vectors of kVec elements divide the depth.
template <typename T, int kRows, int kVec, int kGroup, bool kPadded> struct GemvAlongK {
  typedef typename SumOf<T>::type Sum;
  typedef typename RightOf<T>::type Right;
  static constexpr int kThreads = 256, kColumns = kThreads / kGroup;

  template <int kLanes, typename Epilogue>
  static __device__ void run(const void *lhsMatrices, const void *rhsMatrices, int rhsBatches, const ProductShape &shape,
                             const Epilogue &epilogue, u8 *) {
    static_assert(kLanes == 1, "a thread has single sums");
    const int tiles = (shape.columns + kColumns - 1) / kColumns, batch = int(blockIdx.x) / tiles;
    const int column = int(blockIdx.x) % tiles * kColumns + int(threadIdx.x) / kGroup, lane = int(threadIdx.x) % kGroup;
    constexpr int kPerPiece = 16 / sizeof(T);
    const int pitch = kPadded ? (shape.depth + kPerPiece - 1) / kPerPiece * kPerPiece : shape.depth;
    const T *lhs = static_cast<const T *>(lhsMatrices) + i64(batch) * kRows * shape.depth;
    const Right *rhs = static_cast<const Right *>(rhsMatrices) + (i64(rhsBatches > 1 ? batch : 0) * shape.columns + column) * pitch;
    Sum sums[kRows] = {};
    if (column < shape.columns) {
#pragma unroll 4
      for (int k = lane * kVec; k < shape.depth; k += kGroup * kVec) {
        const Vec<Right, kVec> w = load<kVec>(rhs + k);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const Vec<T, kVec> x = load<kVec>(lhs + i64(r) * shape.depth + k);
#pragma unroll
          for (int i = 0; i < kVec; ++i)
            sums[r] = multiply_add(x[i], w[i], sums[r]);
        }
      }
    }
#pragma unroll
    for (int offset = kGroup / 2; offset > 0; offset /= 2)
#pragma unroll
      for (int r = 0; r < kRows; ++r)
        sums[r] += shuffle_xor<kGroup>(sums[r], offset);
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      if (lane == r % kGroup && column < shape.columns)
        epilogue(batch, r, column, sums[r]);
  }
};

/// rhs [batch, depth, columns]: kWide threads side by side have kVec columns each, the others of a block other k's; they meet in shared memory, of
/// kSharedBytes. Vectors of kVec elements divide the columns.
template <typename T, int kRows, int kVec, int kWide> struct GemvAlongN {
  static constexpr int kThreads = 256, kColumns = kWide * kVec, kHigh = kThreads / kWide, kSharedBytes = kThreads * kVec * 4;

  template <int kLanes, typename Epilogue>
  static __device__ void run(const void *lhsMatrices, const void *rhsMatrices, int rhsBatches, const ProductShape &shape,
                             const Epilogue &epilogue, u8 *memory) {
    static_assert(kLanes == 1, "a thread has single sums");
    const int tiles = (shape.columns + kColumns - 1) / kColumns, batch = int(blockIdx.x) / tiles, first = int(blockIdx.x) % tiles * kColumns;
    const int x = int(threadIdx.x) % kWide, y = int(threadIdx.x) / kWide, column = first + x * kVec;
    const T *lhs = static_cast<const T *>(lhsMatrices) + i64(batch) * kRows * shape.depth;
    const T *rhs = static_cast<const T *>(rhsMatrices) + i64(rhsBatches > 1 ? batch : 0) * shape.columns * shape.depth + column;
    float sums[kRows][kVec] = {};
    if (column < shape.columns) {
#pragma unroll 4
      for (int k = y; k < shape.depth; k += kHigh) {
        const Vec<T, kVec> w = load<kVec>(rhs + i64(k) * shape.columns);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const float factor = float(lhs[i64(r) * shape.depth + k]);
#pragma unroll
          for (int i = 0; i < kVec; ++i)
            sums[r][i] = fmaf(factor, float(w[i]), sums[r][i]);
        }
      }
    }
    float *parts = reinterpret_cast<float *>(memory);
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int i = 0; i < kVec; ++i) {
        float mine = 0.0f;
#pragma unroll
        for (int row = 0; row < kRows; ++row) // which is in a register
          mine = row == r ? sums[row][i] : mine;
        parts[y * kColumns + x * kVec + i] = mine;
      }
      __syncthreads();
      for (int c = int(threadIdx.x); c < kColumns; c += kThreads)
        if (first + c < shape.columns) {
          float sum = 0.0f;
          for (int part = 0; part < kHigh; ++part)
            sum += parts[part * kColumns + c];
          epilogue(batch, r, first + c, sum);
        }
      __syncthreads(); // parts have been read
    }
  }
};
