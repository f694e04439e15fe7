//===- image_rows.cuh - Rows of a product gathered from images --*- CUDA -*-===//
//
// The left operand of a convolution as a product: a row is a pixel of a result, its bytes are gathered from the image tap by tap as they are
// copied. What lies outside of the image is kPadding in every byte.
//
// kThreads threads share tiles of 128 bytes of k (async.cuh). The bytes of a pixel are a multiple of kPiece.
//
//===----------------------------------------------------------------------===//

/// 16 equal bytes.
template <int kValue> struct alignas(16) EqualBytes {
  u8 bytes[16] = {kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue, kValue};
};
template <int kValue> __device__ const EqualBytes<kValue> equal_bytes = {};

template <typename T, int kRows, int kPiece, int kPadding, int kThreads> struct ImageRows {
  typedef RowShare<kPiece, kThreads> Threads;
  static constexpr int kLines = kRows * Threads::kWords / kThreads;
  static constexpr int kUnit = kPiece < 4 ? kPiece : Threads::kWord, kUnits = Threads::kWord / kUnit;
  /// Of the rows that this thread copies: the pixel under the first tap, the first row of its image.
  int top[kLines], left[kLines], imageRow[kLines];

  /// Rows [row, row + kRows).
  __device__ void place(int row, const ConvShape &s) {
    const int rows = s.batch * s.rows;
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      const int pixel = row + Threads::rowOf(i), inImage = pixel % s.rows;
      top[i] = pixel < rows ? inImage / s.outWidth * s.strideY - s.padY : -(1 << 28); // beyond the image under every tap
      left[i] = inImage % s.outWidth * s.strideX - s.padX;
      imageRow[i] = pixel / s.rows * s.height;
    }
  }

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

  /// Starts the copies of a step's bytes.
  __device__ void copy(int step, const u8 *image, const ConvShape &s, u8 *tile) const {
    const i64 pixelBytes = i64(s.channels) * sizeof(T);
    Taps taps;
    taps.place(step * 128 + Threads::byte(), s);
#pragma unroll
    for (int i = 0; i < kLines; ++i) {
      u8 *to = swizzled_at(tile, Threads::rowOf(i), Threads::byte());
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
  }
};
