//===- gemm_simt.cuh - Matrix products by multiply-adds ---------*- CUDA -*-===//
//
// What is strictly f32, or has rows that no tensor core takes, or is summed in double or integers: 256 threads, a tile of kTile x kTile, 8 x 8 sums a
// thread for 128, 4 x 4 for 64. Tiles of 16 k's lie in shared memory with k outermost; the next one is read into registers while one is multiplied.
//
// The launch: 256 threads, kSharedBytes of memory, blocks that have tiles or parts of them (stream_k.cuh). lhs [batch, rows, depth], rhs [batch, depth, columns], or
// [batch, columns, depth] where kAlongK. Vectors of kLhsLanes and kRhsLanes elements divide the rows of lhs and rhs.
//
//===----------------------------------------------------------------------===//

template <typename T, int kTile, int kLhsLanes, int kRhsLanes, bool kAlongK> struct GemmSimt {
  typedef typename SumOf<T>::type Sum;
  static constexpr int kDepth = 16, kThreads = 256, kParts = kTile / 64;
  // Padded: stores of turned tiles meet few bank conflicts.
  static constexpr int kPitch = kTile + 4, kTileFloats = kDepth * 2 * kPitch, kSharedBytes = 2 * kTileFloats * sizeof(Sum);

  /// A tile of kTile lines along k, in registers: vectors of kLanes elements of a line.
  template <int kLanes> struct AlongK {
    static constexpr int kVectors = kTile * kDepth / kLanes / kThreads;
    Vec<Sum, kLanes> values[kVectors];
    static __device__ int lineOf(int i) { return (i * kThreads + int(threadIdx.x)) / (kDepth / kLanes); }
    static __device__ int depthOf(int i) { return (i * kThreads + int(threadIdx.x)) % (kDepth / kLanes) * kLanes; }
    __device__ void read(const T *matrix, int line, int lines, int k, int depth) {
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        const int r = line + lineOf(i), d = k + depthOf(i);
        values[i] = splat<kLanes>(Sum(0));
        if (r < lines && d < depth) {
          const Vec<T, kLanes> v = load<kLanes>(matrix + i64(r) * depth + d);
#pragma unroll
          for (int l = 0; l < kLanes; ++l)
            values[i][l] = Sum(v[l]);
        }
      }
    }
    __device__ void write(Sum *tile) const {
#pragma unroll
      for (int i = 0; i < kVectors; ++i)
#pragma unroll
        for (int l = 0; l < kLanes; ++l)
          tile[(depthOf(i) + l) * kPitch + lineOf(i)] = values[i][l];
    }
  };
  /// A tile of 16 lines of kTile columns.
  template <int kLanes> struct AlongN {
    static constexpr int kVectors = kTile * kDepth / kLanes / kThreads;
    Vec<Sum, kLanes> values[kVectors];
    static __device__ int depthOf(int i) { return (i * kThreads + int(threadIdx.x)) / (kTile / kLanes); }
    static __device__ int columnOf(int i) { return (i * kThreads + int(threadIdx.x)) % (kTile / kLanes) * kLanes; }
    __device__ void read(const T *matrix, int column, int columns, int k, int depth) {
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        const int c = column + columnOf(i), d = k + depthOf(i);
        values[i] = splat<kLanes>(Sum(0));
        if (c < columns && d < depth) {
          const Vec<T, kLanes> v = load<kLanes>(matrix + i64(d) * columns + c);
#pragma unroll
          for (int l = 0; l < kLanes; ++l)
            values[i][l] = Sum(v[l]);
        }
      }
    }
    __device__ void write(Sum *tile) const {
#pragma unroll
      for (int i = 0; i < kVectors; ++i)
        *reinterpret_cast<Vec<Sum, kLanes> *>(tile + depthOf(i) * kPitch + columnOf(i)) = values[i];
    }
  };
  template <bool kIsAlongK, int kLanes> struct RhsTile;
  template <int kLanes> struct RhsTile<true, kLanes> { typedef AlongK<kLanes> type; };
  template <int kLanes> struct RhsTile<false, kLanes> { typedef AlongN<kLanes> type; };

  /// read(k) takes both tiles from k on into registers, write(stage) puts them into shared memory, where `tiles` is.
  template <int kLanes, typename Read, typename Write, typename Split, typename Epilogue>
  static __device__ void multiply(const Read &read, const Write &write, const Sum *tiles, const TilePlace &place, const TileShare &share, const ProductShape &shape,
                                  const Split &split, const Epilogue &epilogue) {
    const int batch = place.batch, row = place.row, column = place.column;
    // A thread has rows 4 * y + 64 * i and columns 4 * x + 64 * j, four of each.
    const int x = threadIdx.x % 16, y = threadIdx.x / 16;
    Sum sums[kParts][4][kParts][4] = {};
    const int begin = share.begin * kDepth, end = share.end * kDepth;
    read(begin);
    write(0);
    __syncthreads();
    for (int k = begin, stage = 0; k < end; k += kDepth, stage ^= 1) {
      if (k + kDepth < end)
        read(k + kDepth);
      const Sum *ta = tiles + stage * kTileFloats, *tb = ta + kDepth * kPitch;
#pragma unroll (kTile == 128 ? kDepth : 4)
      for (int d = 0; d < kDepth; ++d) {
        Vec<Sum, 4> u[kParts], v[kParts];
#pragma unroll
        for (int i = 0; i < kParts; ++i) {
          u[i] = load<4>(ta + d * kPitch + 4 * y + 64 * i);
          v[i] = load<4>(tb + d * kPitch + 4 * x + 64 * i);
        }
#pragma unroll
        for (int i = 0; i < kParts; ++i)
#pragma unroll
          for (int r = 0; r < 4; ++r)
#pragma unroll
            for (int j = 0; j < kParts; ++j)
#pragma unroll
              for (int c = 0; c < 4; ++c)
                sums[i][r][j][c] = multiply_add(u[i][r], v[j][c], sums[i][r][j][c]);
      }
      if (k + kDepth < end)
        write(stage ^ 1);
      __syncthreads();
    }
    static_assert(4 % kLanes == 0, "a thread has 4 neighbouring columns");
    constexpr int kSums = 16 * kParts * kParts;
    split.template finish<kSums>(reinterpret_cast<const Sum(&)[kSums]>(sums), share, threadIdx.x / 32, [&](const Sum *all, int) {
#pragma unroll
      for (int i = 0; i < kParts; ++i)
#pragma unroll
        for (int r = 0; r < 4; ++r)
#pragma unroll
          for (int j = 0; j < kParts; ++j)
#pragma unroll
            for (int c = 0; c < 4; c += kLanes) {
              const int atRow = row + 4 * y + 64 * i + r, atColumn = column + 4 * x + 64 * j + c;
              if (atRow < shape.rows && atColumn < shape.columns) {
                Vec<Sum, kLanes> sum;
#pragma unroll
                for (int l = 0; l < kLanes; ++l)
                  sum[l] = all[((i * 4 + r) * kParts + j) * 4 + c + l];
                epilogue(batch, atRow, atColumn, epilogue_value(sum));
              }
            }
    });
  }

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const T *lhsMatrices, const T *rhsMatrices, int rhsBatches, const ProductShape &shape, const Epilogue &epilogue,
                             u8 *memory, const Split &split = {}) {
    const TileOrder order = {(shape.rows + kTile - 1) / kTile, (shape.columns + kTile - 1) / kTile};
    const int tiles = order.count() * shape.batch, steps = (shape.depth + kDepth - 1) / kDepth;
    const auto cut = split.of(tiles, steps);
    cut.template each<false>(tiles, steps, [&](const TileShare &share) {
      const TilePlace place = order.placeOf<kTile, kTile>(share.tile);
      const T *lhs = lhsMatrices + i64(place.batch) * shape.rows * shape.depth;
      const T *rhs = rhsMatrices + i64(rhsBatches > 1 ? place.batch : 0) * shape.columns * shape.depth;
      AlongK<kLhsLanes> a;
      typename RhsTile<kAlongK, kRhsLanes>::type b;
      Sum *stages = reinterpret_cast<Sum *>(memory);
      auto read = [&](int k) {
        a.read(lhs, place.row, shape.rows, k, shape.depth);
        b.read(rhs, place.column, shape.columns, k, shape.depth);
      };
      auto write = [&](int stage) {
        a.write(stages + stage * kTileFloats);
        b.write(stages + stage * kTileFloats + kDepth * kPitch);
      };
      multiply<kLanes>(read, write, stages, place, share, shape, cut, epilogue);
    });
  }
};
