//===- conv_sm80.cuh - Convolutions by warps' instructions ------*- CUDA -*-===//
//
// An implicit matrix product (gemm_sm80.cuh): rows are the pixels of all results, a row's bytes are gathered from the image tap
// by tap as they are copied. What lies outside of the image is kPadding in every byte.
//
// The launch: 256 threads, kSharedBytes of memory, a block a tile (of kSlices a slice, split_k.cuh). image [batch, height, width, channels], the bytes of a pixel a
// multiple of kPiece; filter [columns, depth], rows padded with zeros to a multiple of 16 bytes.
//
//===----------------------------------------------------------------------===//

/// 16 equal bytes.
template <int kValue> struct alignas(16) EqualBytes {
  u8 bytes[16] = {kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue};
};
template <int kValue> __device__ const EqualBytes<kValue> equal_bytes = {};

template <typename T, int kRows, int kColumns, int kPiece, int kPadding> struct ConvSm80 {
  typedef GemmSm80<T, false, kRows, kColumns, kPiece, 16, true> Product;
  typedef typename Product::template Share<kPiece> Threads;
  static constexpr int kSharedBytes = Product::kSharedBytes, kLines = kRows * Threads::kWords / Product::kThreads;
  static constexpr int kUnit = kPiece < 4 ? kPiece : Threads::kWord, kUnits = Threads::kWord / kUnit;

  /// Where under the filter a thread's units of bytes of a step are.
  struct Taps {
    int y[kUnits], x[kUnits], byte[kUnits];
    __device__ void place(int first, const ConvShape &s) {
      const int pixelBytes = s.channels * int(sizeof(T)), depthBytes = s.depth * int(sizeof(T));
#pragma unroll
      for (int u = 0; u < kUnits; ++u) {
        const int from = first + u * kUnit, tap = from / pixelBytes;
        y[u] = from < depthBytes ? tap / s.kernelWidth * s.dilationY : -(1 << 29); // beyond the image
        x[u] = tap % s.kernelWidth * s.dilationX;
        byte[u] = from % pixelBytes;
      }
    }
  };

  template <int kLanes, int kSlices = 1, typename Epilogue>
  static __device__ void run(const void *images, const void *filter, const ConvShape &s, const Epilogue &epilogue, u8 *stages,
                             const SplitK<kSlices> &split = {}) {
    const int rows = s.batch * s.rows;
    const TileOrder order = {(rows + kRows - 1) / kRows, (s.columns + kColumns - 1) / kColumns};
    const int tile = split.tileOf(int(blockIdx.x), order.count());
    int rowTile, columnTile;
    order.place(tile, rowTile, columnTile);
    const int row = rowTile * kRows, column = columnTile * kColumns;
    const u8 *image = static_cast<const u8 *>(images);
    // Of the rows that this thread copies: the pixel under the first tap, the first row of its image.
    int top[kLines], left[kLines], imageRow[kLines];
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      const int pixel = row + Threads::rowOf(i), inImage = pixel % s.rows;
      top[i] = pixel < rows ? inImage / s.outWidth * s.strideY - s.padY : -(1 << 28); // beyond the image under every tap
      left[i] = inImage % s.outWidth * s.strideX - s.padX;
      imageRow[i] = pixel / s.rows * s.height;
    }
    const i64 pixelBytes = i64(s.channels) * sizeof(T), filterBytes = (i64(s.depth) * sizeof(T) + 15) / 16 * 16;
    auto copy = [&](int step, u8 *lhsTile, u8 *rhsTile) {
      Taps taps;
      taps.place(step * 128 + Threads::byte(), s);
#pragma unroll
      for (int i = 0; i < kLines; ++i) {
        u8 *to = Product::at(lhsTile, Threads::rowOf(i), Threads::byte());
        u32 word = 0;
#pragma unroll
        for (int u = 0; u < kUnits; ++u) {
          const int y = top[i] + taps.y[u], x = left[i] + taps.x[u];
          const bool valid = y >= 0 && y < s.height && x >= 0 && x < s.width;
          const u8 *padding = kPadding ? equal_bytes<kPadding>.bytes : image;
          const u8 *from = valid ? image + (i64(imageRow[i] + y) * s.width + x) * pixelBytes + taps.byte[u] : padding;
          if constexpr (kPiece >= 4)
            copy_bytes<kPiece>(to, from, valid || kPadding);
          else if (valid || kPadding)
            word |= load_word<kPiece>(from, kPiece) << (8 * kUnit * u);
        }
        if constexpr (kPiece < 4)
          *reinterpret_cast<u32 *>(to) = word;
      }
      Product::template copyRows<kColumns, 16>(rhsTile, static_cast<const u8 *>(filter), column, s.columns, i64(step) * 128, filterBytes);
    };
    Product::template multiply<kLanes>(copy, {0, row, column, tile, split.sliceOf(int(blockIdx.x), order.count())}, {1, rows, s.columns, s.depth}, split,
                                       OfAllPixels<Epilogue>{epilogue, s.rows}, stages);
  }
};
