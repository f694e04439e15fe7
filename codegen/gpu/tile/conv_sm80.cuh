//===- conv_sm80.cuh - Convolutions by warps' instructions ------*- CUDA -*-===//
//
// An implicit matrix product (gemm_sm80.cuh): rows are the pixels of all results (image_rows.cuh).
//
// The launch: 256 threads, kSharedBytes of memory, blocks that have tiles or parts of them (stream_k.cuh). image [batch, height, width, channels], the bytes of a pixel a
// multiple of kPiece; filter [columns, depth], rows padded with zeros to a multiple of 16 bytes.
//
//===----------------------------------------------------------------------===//

template <typename T, int kRows, int kColumns, int kPiece, int kPadding> struct ConvSm80 {
  typedef GemmSm80<T, false, kRows, kColumns, kPiece, 16, true> Product;
  static constexpr int kSharedBytes = Product::kSharedBytes;

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const void *images, const void *filter, const ConvShape &s, const Epilogue &epilogue, u8 *stages,
                             const Split &split = {}) {
    const int rows = s.batch * s.rows;
    const TileOrder order = {(rows + kRows - 1) / kRows, (s.columns + kColumns - 1) / kColumns};
    const i64 filterBytes = (i64(s.depth) * sizeof(T) + 15) / 16 * 16;
    const int steps = (s.depth + Product::kDepth - 1) / Product::kDepth;
    const auto cut = split.of(order.count(), steps);
    cut.template each<false>(order.count(), steps, [&](const TileShare &share) {
      const TilePlace place = order.placeOf<kRows, kColumns>(share.tile);
      ImageRows<T, kRows, kPiece, kPadding, Product::kThreads> pixels;
      pixels.place(place.row, s);
      auto copy = [&](int step, u8 *lhsTile, u8 *rhsTile) {
        pixels.copy(step, static_cast<const u8 *>(images), s, lhsTile);
        Product::template copyRows<kColumns, 16>(rhsTile, static_cast<const u8 *>(filter), place.column, s.columns, i64(step) * 128, filterBytes);
      };
      Product::template multiply<kLanes>(copy, place, share, {1, rows, s.columns, s.depth}, cut, OfAllPixels<Epilogue>{epilogue, s.rows}, stages);
    });
  }
};
