//===- gemm_sm90.cuh - Matrix products on Hopper ----------------*- CUDA -*-===//
//
// A block has three warpgroups. One thread of the first copies tiles of 128 bytes of k into a ring of stages in shared
// memory; each of the other two multiplies 64 rows:
//
//   copies       wait until a stage is empty    expect its bytes, copy lhs and rhs boxes
//   products     wait until a stage is full     4 products, once those before are done give their stage back
//
// Blocks stay and take tiles, or parts of them (stream_k.cuh), in turn, so that copies for the next tile run during a tile's epilogue.
//
// The launch: 384 threads, kSharedBytes of memory, as many blocks as the device has multiprocessors. lhs
// [batch, rows, depth] and rhs [batch, columns, depth], or for elements of 2 bytes with kAlongN rhs [batch, depth,
// columns]; depth at least 1, rows of both multiples of 16 bytes. Boxes of the maps: kDepth x kRows; kDepth x kColumns, or 64 x kDepth.
//
//===----------------------------------------------------------------------===//

/// The stages of tiles of kRows x kColumns in a block's memory, the places where its warps exchange sums, and what the block has to do.
template <int kRows, int kColumns, int kDepth, int kStageBytes, int kExchangeBytes> struct WarpgroupStages {
  static constexpr int kWarps = 8, kMostShared = 232448, kOverhead = kWarps * kExchangeBytes + 256 + kSharedAlignment;
  static constexpr int kFit = (kMostShared - kOverhead) / kStageBytes, kStages = kFit < 8 ? kFit : 8;
  static constexpr int kSharedBytes = kStages * kStageBytes + kOverhead;

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

  struct Work {
    u8 *stages, *exchange;
    Barrier *full, *empty;
    TileOrder order;
    int batch, steps;
    __device__ Work(const ProductShape &shape, u8 *memory)
        : stages(memory + (kSharedAlignment - shared_address(memory) % kSharedAlignment) % kSharedAlignment), exchange(stages + kStages * kStageBytes),
          full(reinterpret_cast<Barrier *>(exchange + kWarps * kExchangeBytes)), empty(full + kStages),
          order{(shape.rows + kRows - 1) / kRows, (shape.columns + kColumns - 1) / kColumns}, batch(shape.batch), steps((shape.depth + kDepth - 1) / kDepth) {}
    /// Makes the barriers. A stage is full once so many have arrived, and the bytes that were to come.
    __device__ void begin(int arrivals) const {
      if (threadIdx.x == 0) {
        for (int s = 0; s < kStages; ++s) {
          barrier_init(full + s, arrivals);
          barrier_init(empty + s, 2);
        }
        barrier_init_done();
      }
      __syncthreads();
    }
    __device__ TilePlace placeOf(const TileShare &share) const { return order.template placeOf<kRows, kColumns>(share.tile); }
    template <typename Split> __device__ auto cutBy(const Split &split) const { return split.of(order.count() * batch, steps); }
    /// use(share) for all that the block has.
    template <typename Split, typename Use> __device__ void each(const Split &split, const Use &use) const { split.template each<true>(order.count() * batch, steps, use); }
    /// By one thread: copy(stage, full, place, k) begins the copies of a step once its stage is empty; they arrive at the barrier.
    template <typename Split, typename Copy> __device__ void copyAll(const Split &split, const Copy &copy) const {
      Ring ring;
      each(split, [&](const TileShare &share) {
        const TilePlace place = placeOf(share);
        for (int k = share.begin; k < share.end; ++k, ring.next()) {
          barrier_wait(empty + ring.stage, ring.phase ^ 1);
          copy(stages + ring.stage * kStageBytes, full + ring.stage, place, k);
        }
      });
    }
  };
};

template <typename T, int kColumns, bool kAlongN> struct GemmSm90 {
  typedef typename SumOf<T>::type Sum;
  static constexpr int kRows = 128, kDepth = 128 / sizeof(T), kThreads = 384;
  static constexpr int kLhsBytes = kRows * 128, kRhsBytes = kColumns * 128, kStageBytes = kLhsBytes + kRhsBytes;
  static constexpr int kExchangeColumns = 64, kWarps = 8;
  typedef SumExchange<Sum, kExchangeColumns> Exchange;
  typedef WarpgroupStages<kRows, kColumns, kDepth, kStageBytes, Exchange::kBytes> Stages;
  typedef typename Stages::Ring Ring;
  typedef typename Stages::Work Work;
  static constexpr int kStages = Stages::kStages, kSharedBytes = Stages::kSharedBytes;
  static_assert(!kAlongN || sizeof(T) == 2, "only elements of 2 bytes may lie along n");

  static __device__ void copy(const TensorMap *lhs, const TensorMap *rhs, int rhsBatches, u8 *stage, Barrier *full, const TilePlace &place, int k) {
    barrier_expect(full, kStageBytes);
    copy_box(stage, lhs, k, place.row, place.batch, full);
    const int rhsBatch = rhsBatches > 1 ? place.batch : 0;
    u8 *to = stage + kLhsBytes;
    if constexpr (kAlongN) {
#pragma unroll
      for (int i = 0; i < kColumns / 64; ++i)
        copy_box(to + i * kDepth * 128, rhs, place.column + 64 * i, k, rhsBatch, full);
    } else {
      copy_box(to, rhs, k, place.column, rhsBatch, full);
    }
  }

  /// By the second and third warpgroup.
  template <int kLanes, typename Split, typename Epilogue>
  static __device__ void multiplyAll(const Work &work, const ProductShape &shape, const Epilogue &epilogue, const Split &split) {
    constexpr int kSums = kColumns / 2;
    Ring ring;
    Sum sums[kSums], stepSums[kSumsBySteps<T> ? kSums : 1];
    Sum(&multiplied)[kSums] = either<kSumsBySteps<T>>(stepSums, sums);
    const int warp = threadIdx.x / 32 % 4, part = threadIdx.x / 128 - 1;
    auto giveBack = [&](int stage) {
      if (threadIdx.x % 128 == 0)
        barrier_arrive(work.empty + stage);
    };
    work.each(split, [&](const TileShare &share) {
      const TilePlace place = work.placeOf(share);
      int before = 0;
      if constexpr (kSumsBySteps<T>)
#pragma unroll
        for (int i = 0; i < kSums; ++i)
          sums[i] = 0;
      for (int k = share.begin; k < share.end; ++k, ring.next()) {
        barrier_wait(work.full + ring.stage, ring.phase);
        const u8 *stage = work.stages + ring.stage * kStageBytes;
        const u64 a = operand_along_k(stage + part * 64 * 128);
        const u64 b = kAlongN ? operand_along_n<kDepth>(stage + kLhsBytes) : operand_along_k(stage + kLhsBytes);
        hold(multiplied);
        begin_products();
#pragma unroll
        for (int i = 0; i < 4; ++i)
          multiply<kAlongN>(T(), multiplied, advance(a, 32 * i), advance(b, kAlongN ? 2048 * i : 32 * i), i > 0 || (k > share.begin && !kSumsBySteps<T>));
        end_products();
        hold(multiplied);
        if constexpr (kSumsBySteps<T>) {
          // The other warpgroup's products run meanwhile.
          wait_products<0>();
          hold(stepSums);
          giveBack(ring.stage);
#pragma unroll
          for (int i = 0; i < kSums; ++i)
            sums[i] += stepSums[i];
          continue;
        }
        wait_products<1>();
        if (k > share.begin)
          giveBack(before);
        before = ring.stage;
      }
      if constexpr (!kSumsBySteps<T>) {
        wait_products<0>();
        hold(sums);
        giveBack(before);
      }
      const int top = place.row + part * 64 + warp * 16;
      // Rows that do not exist are not worth the way through memory.
      if (top < shape.rows) {
        Sum *mine = reinterpret_cast<Sum *>(work.exchange + (part * 4 + warp) * Exchange::kBytes);
        split.template finish<kExchangeColumns / 2>(sums, share, part * 4 + warp, [&](const Sum *some, int first) {
          Exchange::template store<kLanes>(mine, some, place.batch, top, place.column + 2 * first, shape, epilogue);
        });
      }
    });
  }

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const TensorMap *lhs, const TensorMap *rhs, int rhsBatches, const ProductShape &shape,
                             const Epilogue &epilogue, u8 *memory, const Split &split = {}) {
    const Work work(shape, memory);
    if (threadIdx.x == 0) {
      prefetch_map(lhs);
      prefetch_map(rhs);
    }
    work.begin(1);
    const auto cut = work.cutBy(split);
    if (threadIdx.x < 128) {
      give_registers<40>();
      if (threadIdx.x == 0)
        work.copyAll(cut, [&](u8 *stage, Barrier *full, const TilePlace &place, int k) { copy(lhs, rhs, rhsBatches, stage, full, place, k * kDepth); });
    } else {
      take_registers<232>();
      multiplyAll<kLanes>(work, shape, epilogue, cut);
    }
  }
};
