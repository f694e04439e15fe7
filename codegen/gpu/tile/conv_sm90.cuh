//===- conv_sm90.cuh - Convolutions on Hopper -------------------*- CUDA -*-===//
//
// An implicit matrix product (gemm_sm90.cuh), whose rows are the pixels of all results (image_rows.cuh). The first warpgroup gathers them, each
// thread some bytes, while one of its threads copies boxes of the filter:
//
//   wait until a stage is empty    begin to copy what belongs there
//   kBehind stages later           wait until one's own bytes are there, make them known to the products, arrive
//
// The launch: 384 threads, kSharedBytes of memory, as many blocks as the device has multiprocessors. image [batch, height, width, channels], the bytes
// of a pixel a multiple of kPiece; filter [columns, depth], rows padded with zeros to a multiple of 16 bytes: boxes of kDepth x kColumns.
//
//===----------------------------------------------------------------------===//

template <typename T, int kColumns, int kPiece, int kPadding> struct ConvSm90 {
  typedef GemmSm90<T, kColumns, false> Product;
  static constexpr int kSharedBytes = Product::kSharedBytes, kBehind = 2, kCopiers = 128;
  static_assert(Product::kStages > kBehind, "a stage that is waited for is none whose bytes are on their way");

  template <typename Split>
  static __device__ void copyAll(const typename Product::Work &work, const u8 *images, const TensorMap *filter, const ConvShape &s,
                                 const Split &split) {
    ImageRows<T, Product::kRows, kPiece, kPadding, kCopiers> pixels;
    typename Product::Ring ring, arrived;
    int under = 0; // stages whose bytes are on their way
    auto arrive = [&] {
      publish_copies();
      barrier_arrive(work.full + arrived.stage);
      arrived.next();
    };
    work.each(split, [&](const TileShare &share) {
      const TilePlace place = work.placeOf(share);
      pixels.place(place.row, s);
      for (int k = share.begin; k < share.end; ++k, ring.next()) {
        barrier_wait(work.empty + ring.stage, ring.phase ^ 1);
        u8 *stage = work.stages + ring.stage * Product::kStageBytes;
        if (threadIdx.x == 0) {
          barrier_expect(work.full + ring.stage, Product::kRhsBytes);
          copy_box(stage + Product::kLhsBytes, filter, k * Product::kDepth, place.column, 0, work.full + ring.stage);
        }
        pixels.copy(k, images, s, stage);
        end_copies();
        if (under < kBehind) {
          ++under;
        } else {
          wait_copies<kBehind>();
          arrive();
        }
      }
    });
    wait_copies<0>();
    for (; under > 0; --under)
      arrive();
  }

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const void *images, const TensorMap *filter, const ConvShape &s, const Epilogue &epilogue, u8 *memory,
                             const Split &split = {}) {
    const ProductShape shape = {1, s.batch * s.rows, s.columns, s.depth};
    const typename Product::Work work(shape, memory);
    // Its threads, and the filter's bytes.
    work.begin(kCopiers + 1);
    const auto cut = work.cutBy(split);
    if (threadIdx.x < kCopiers) {
      give_registers<72>();
      copyAll(work, static_cast<const u8 *>(images), filter, s, cut);
    } else {
      take_registers<216>();
      Product::template multiplyAll<kLanes>(work, shape, OfAllPixels<Epilogue>{epilogue, s.rows}, cut);
    }
  }
};
