//===- gemm_sparse_sm90.cuh - Sparse products on Hopper ---------*- CUDA -*-===//
//
// gemm_sm90.cuh with a right operand of which two of four are stored (sparse.cuh): each of two warpgroups multiplies 64 of its columns with kColumns of the
// result's rows. Positions come to registers from memory, a step ahead.
//
// The launch: 384 threads, kSharedBytes of memory, as many blocks as the device has multiprocessors. lhs [rows, depth], whose rows are multiples of 16 bytes.
// Boxes of the maps: 64 x kColumns; of the values 64 x kRows.
//
//===----------------------------------------------------------------------===//

template <typename T, int kColumns> struct GemmSparseSm90 {
  static constexpr int kRows = 128, kThreads = 384, kValueBytes = kRows * 128, kHalfBytes = kColumns * 128, kStageBytes = kValueBytes + 2 * kHalfBytes;
  typedef SumExchange<float, 16> Exchange;
  typedef WarpgroupStages<kRows, kColumns, kSparseDepth, kStageBytes, Exchange::kBytes> Stages;
  typedef typename Stages::Ring Ring;
  typedef typename Stages::Work Work;
  static constexpr int kSharedBytes = Stages::kSharedBytes;

  static __device__ void copy(const TensorMap *lhs, const TensorMap *values, u8 *stage, Barrier *full, const TilePlace &place, int k) {
    barrier_expect(full, kStageBytes);
    copy_box(stage, values, k * 64, place.row, 0, full);
#pragma unroll
    for (int half = 0; half < 2; ++half)
      copy_box(stage + kValueBytes + half * kHalfBytes, lhs, k * kSparseDepth + half * 64, place.column, 0, full);
  }

  template <int kLanes, typename Split, typename Epilogue>
  static __device__ void multiplyAll(const Work &work, const void *positions, const ProductShape &shape, const Epilogue &epilogue, const Split &split) {
    Ring ring;
    float sums[kColumns / 2];
    const int warp = threadIdx.x / 32 % 4, part = threadIdx.x / 128 - 1;
    auto giveBack = [&](int stage) {
      if (threadIdx.x % 128 == 0)
        barrier_arrive(work.empty + stage);
    };
    work.each(split, [&](const TileShare &share) {
      const TilePlace place = work.placeOf(share);
      const int top = place.row + part * 64 + warp * 16;
      Vec<u32, 4> next = positions_of(positions, shape.columns, top, work.steps, share.begin);
      for (int k = share.begin; k < share.end; ++k, ring.next()) {
        const Vec<u32, 4> places = next;
        if (k + 1 < share.end)
          next = positions_of(positions, shape.columns, top, work.steps, k + 1);
        barrier_wait(work.full + ring.stage, ring.phase);
        const u8 *stage = work.stages + ring.stage * kStageBytes;
        const u64 a = operand_along_k(stage + part * 64 * 128);
        hold(sums);
        begin_products();
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const u64 b = operand_along_k(stage + kValueBytes + i / 2 * kHalfBytes);
          multiply_sparse(T(), sums, advance(a, 32 * i), advance(b, i % 2 * 64), places[i], k > share.begin || i > 0);
        }
        end_products();
        hold(sums);
        // Products may not run while the next ones' positions are made ready; those of the other warpgroup do.
        wait_products<0>();
        hold(sums);
        giveBack(ring.stage);
      }
      // Columns that do not exist are not worth the way through memory.
      if (top < shape.columns) {
        float *mine = reinterpret_cast<float *>(work.exchange + (part * 4 + warp) * Exchange::kBytes);
        split.template finish<8>(sums, share, part * 4 + warp, [&](const float *some, int first) {
          Exchange::template storeTurned<kLanes, 8>(mine, some, 0, place.column + 2 * first, top, shape, epilogue);
        });
      }
    });
  }

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const TensorMap *lhs, const TensorMap *values, const void *positions, const ProductShape &shape, const Epilogue &epilogue, u8 *memory,
                             const Split &split = {}) {
    const Work work({1, shape.columns, shape.rows, shape.depth}, memory);
    if (threadIdx.x == 0) {
      prefetch_map(lhs);
      prefetch_map(values);
    }
    work.begin(1);
    const auto cut = work.cutBy(split);
    if (threadIdx.x < 128) {
      give_registers<40>();
      if (threadIdx.x == 0)
        work.copyAll(cut, [&](u8 *stage, Barrier *full, const TilePlace &place, int k) { copy(lhs, values, stage, full, place, k); });
    } else {
      take_registers<232>();
      multiplyAll<kLanes>(work, positions, shape, epilogue, cut);
    }
  }
};
