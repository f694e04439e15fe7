//===- gemm_sm90.cuh - Matrix products on Hopper ----------------*- CUDA -*-===//
//
// A block has three warpgroups. One thread of the first copies tiles of 128 bytes of k into a ring of stages in shared
// memory; each of the other two multiplies 64 rows:
//
//   copies       wait until a stage is empty    expect its bytes, copy lhs and rhs boxes
//   products     wait until a stage is full     4 products, once those before are done give their stage back
//
// Blocks stay and take tiles (of kSlices slices each, split_k.cuh) in turn, so that copies for the next tile run during a tile's epilogue.
//
// The launch: 384 threads, kSharedBytes of memory, as many blocks as the device has multiprocessors. lhs
// [batch, rows, depth] and rhs [batch, columns, depth], or for elements of 2 bytes with kAlongN rhs [batch, depth,
// columns]; depth at least 1, rows of both multiples of 16 bytes. Boxes of the maps: kDepth x kRows; kDepth x kColumns, or 64 x kDepth.
//
//===----------------------------------------------------------------------===//

template <typename T, int kColumns, bool kAlongN> struct GemmSm90 {
  typedef typename SumOf<T>::type Sum;
  static constexpr int kRows = 128, kDepth = 128 / sizeof(T), kThreads = 384;
  static constexpr int kLhsBytes = kRows * 128, kRhsBytes = kColumns * 128, kStageBytes = kLhsBytes + kRhsBytes;
  static constexpr int kExchangeColumns = 64, kWarps = 8;
  typedef SumExchange<Sum, kExchangeColumns> Exchange;
  static constexpr int kMostShared = 232448, kOverhead = kWarps * Exchange::kBytes + 256 + kSharedAlignment;
  static constexpr int kFit = (kMostShared - kOverhead) / kStageBytes, kStages = kFit < 8 ? kFit : 8;
  static constexpr int kSharedBytes = kStages * kStageBytes + kOverhead;
  static_assert(!kAlongN || sizeof(T) == 2, "only elements of 2 bytes may lie along n");

  struct Ring {
    int stage = 0;
    u32 phase = 0;
    __device__ void next() {
      if (++stage == kStages) {
        stage = 0;
        phase ^= 1;
      }
    }
  };

  static __device__ void copy(const TensorMap *lhs, const TensorMap *rhs, int rhsBatches, u8 *stage, Barrier *full, int batch,
                              int row, int column, int k) {
    barrier_expect(full, kStageBytes);
    copy_box(stage, lhs, k, row, batch, full);
    const int rhsBatch = rhsBatches > 1 ? batch : 0;
    u8 *to = stage + kLhsBytes;
    if constexpr (kAlongN) {
#pragma unroll
      for (int i = 0; i < kColumns / 64; ++i)
        copy_box(to + i * kDepth * 128, rhs, column + 64 * i, k, rhsBatch, full);
    } else {
      copy_box(to, rhs, k, column, rhsBatch, full);
    }
  }

  template <int kLanes, int kSlices = 1, typename Epilogue>
  static __device__ void run(const TensorMap *lhs, const TensorMap *rhs, int rhsBatches, const ProductShape &shape,
                             const Epilogue &epilogue, u8 *memory, const SplitK<kSlices> &split = {}) {
    u8 *stages = memory + (kSharedAlignment - shared_address(memory) % kSharedAlignment) % kSharedAlignment;
    u8 *exchange = stages + kStages * kStageBytes;
    Barrier *full = reinterpret_cast<Barrier *>(exchange + kWarps * Exchange::kBytes), *empty = full + kStages;
    if (threadIdx.x == 0) {
      for (int s = 0; s < kStages; ++s) {
        barrier_init(full + s, 1);
        barrier_init(empty + s, 2);
      }
      barrier_init_done();
      prefetch_map(lhs);
      prefetch_map(rhs);
    }
    __syncthreads();

    const int steps = (shape.depth + kDepth - 1) / kDepth;
    const TileOrder order = {(shape.rows + kRows - 1) / kRows, (shape.columns + kColumns - 1) / kColumns};
    const int tiles = order.count() * shape.batch, group = threadIdx.x / 128;
    Ring ring;
    if (group == 0) {
      give_registers<40>();
      if (threadIdx.x == 0)
        for (int item = blockIdx.x; item < kSlices * tiles; item += gridDim.x) {
          const int tile = split.tileOf(item, tiles), slice = split.sliceOf(item, tiles), end = split.begin(slice + 1, steps);
          int row, column;
          order.place(tile % order.count(), row, column);
          for (int k = split.begin(slice, steps); k < end; ++k, ring.next()) {
            barrier_wait(empty + ring.stage, ring.phase ^ 1);
            copy(lhs, rhs, rhsBatches, stages + ring.stage * kStageBytes, full + ring.stage, tile / order.count(),
                 row * kRows, column * kColumns, k * kDepth);
          }
        }
    } else {
      take_registers<232>();
      Sum sums[kColumns / 2];
      const int warp = threadIdx.x / 32 % 4, part = group - 1;
      auto giveBack = [&](int stage) {
        if (threadIdx.x % 128 == 0)
          barrier_arrive(empty + stage);
      };
      for (int item = blockIdx.x; item < kSlices * tiles; item += gridDim.x) {
        const int tile = split.tileOf(item, tiles), slice = split.sliceOf(item, tiles);
        const int begin = split.begin(slice, steps), end = split.begin(slice + 1, steps);
        int row, column;
        order.place(tile % order.count(), row, column);
        int before = 0;
        for (int k = begin; k < end; ++k, ring.next()) {
          barrier_wait(full + ring.stage, ring.phase);
          const u8 *stage = stages + ring.stage * kStageBytes;
          const u64 a = operand_along_k(stage + part * 64 * 128);
          const u64 b = kAlongN ? operand_along_n<kDepth>(stage + kLhsBytes) : operand_along_k(stage + kLhsBytes);
          hold(sums);
          begin_products();
#pragma unroll
          for (int i = 0; i < 4; ++i)
            multiply<kAlongN>(T(), sums, advance(a, 32 * i), advance(b, kAlongN ? 2048 * i : 32 * i), k > begin || i > 0);
          end_products();
          hold(sums);
          wait_products<1>();
          if (k > begin)
            giveBack(before);
          before = ring.stage;
        }
        wait_products<0>();
        hold(sums);
        giveBack(before);
        const int top = row * kRows + part * 64 + warp * 16;
        const int warpOfAll = tile * kWarps + part * 4 + warp;
        // Rows that do not exist are not worth the way through memory.
        if (kSlices == 1 || (top < shape.rows && split.arrive(sums, warpOfAll, slice))) {
          Sum *mine = reinterpret_cast<Sum *>(exchange + (part * 4 + warp) * Exchange::kBytes);
#pragma unroll
          for (int c = 0; c < kColumns / kExchangeColumns; ++c) {
            Sum some[kExchangeColumns / 2];
            split.total(some, sums, c * kExchangeColumns / 2, warpOfAll);
            Exchange::template store<kLanes>(mine, some, tile / order.count(), top, column * kColumns + c * kExchangeColumns, shape, epilogue);
          }
        }
      }
    }
  }
};
