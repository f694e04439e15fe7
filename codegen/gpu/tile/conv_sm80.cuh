//===- conv_sm80.cuh - Convolutions by warps' instructions ------*- CUDA -*-===//
//
// An implicit matrix product (gemm_sm80.cuh): rows are the pixels of all results (image_rows.cuh).
//
// The launch: 256 threads, kSharedBytes of memory, a block a tile (of kSlices a slice, split_k.cuh). image [batch, height, width, channels], the bytes of a pixel a
// multiple of kPiece; filter [columns, depth], rows padded with zeros to a multiple of 16 bytes.
//
//===----------------------------------------------------------------------===//

template <typename T, int kRows, int kColumns, int kPiece, int kPadding> struct ConvSm80 {
  typedef GemmSm80<T, false, kRows, kColumns, kPiece, 16, true> Product;
  static constexpr int kSharedBytes = Product::kSharedBytes;

  template <int kLanes, int kSlices = 1, typename Epilogue>
  static __device__ void run(const void *images, const void *filter, const ConvShape &s, const Epilogue &epilogue, u8 *stages,
                             const SplitK<kSlices> &split = {}) {
    const int rows = s.batch * s.rows;
    const TileOrder order = {(rows + kRows - 1) / kRows, (s.columns + kColumns - 1) / kColumns};
    const int tile = split.tileOf(int(blockIdx.x), order.count());
    int rowTile, columnTile;
    order.place(tile, rowTile, columnTile);
    const int row = rowTile * kRows, column = columnTile * kColumns;
    ImageRows<T, kRows, kPiece, kPadding, Product::kThreads> pixels;
    pixels.place(row, s);
    const i64 filterBytes = (i64(s.depth) * sizeof(T) + 15) / 16 * 16;
    auto copy = [&](int step, u8 *lhsTile, u8 *rhsTile) {
      pixels.copy(step, static_cast<const u8 *>(images), s, lhsTile);
      Product::template copyRows<kColumns, 16>(rhsTile, static_cast<const u8 *>(filter), column, s.columns, i64(step) * 128, filterBytes);
    };
    Product::template multiply<kLanes>(copy, {0, row, column, tile, split.sliceOf(int(blockIdx.x), order.count())}, {1, rows, s.columns, s.depth}, split,
                                       OfAllPixels<Epilogue>{epilogue, s.rows}, stages);
  }
};
