//===- conv_simt.cuh - Convolutions by multiply-adds ------------*- CUDA -*-===//
//
// An implicit matrix product of f32 (gemm_simt.cuh): a row is a pixel of the result, a k an input channel under a tap, gathered from
// the image as the tile is read.
//
// The launch: 256 threads, GemmSimt's memory, blocks that have tiles or parts of them (stream_k.cuh). image [batch, height, width, channels]; filter in panels [columns / 16][taps *
// channels][16]. Vectors of kLanes elements divide the channels.
//
//===----------------------------------------------------------------------===//

template <typename T, int kTile, int kImageLanes> struct ConvSimt {
  typedef GemmSimt<T, kTile, kImageLanes, 4, false> Product;
  typedef typename Product::template AlongK<kImageLanes> Layout;
  static constexpr int kDepth = Product::kDepth, kPitch = Product::kPitch;

  /// The tile's pixels, along k.
  struct Image {
    Layout tile;
    int top[Layout::kVectors], left[Layout::kVectors];
    __device__ void place(int row, const ConvShape &s) {
#pragma unroll
      for (int i = 0; i < Layout::kVectors; ++i) {
        const int pixel = row + Layout::lineOf(i);
        top[i] = pixel < s.rows ? pixel / s.outWidth * s.strideY - s.padY : -(1 << 28); // beyond the image under every tap
        left[i] = pixel % s.outWidth * s.strideX - s.padX;
      }
    }
    __device__ void read(const T *image, int k, const ConvShape &s) {
#pragma unroll
      for (int i = 0; i < Layout::kVectors; ++i) {
        const int d = k + Layout::depthOf(i), tap = d / s.channels;
        const int y = top[i] + tap / s.kernelWidth * s.dilationY, x = left[i] + tap % s.kernelWidth * s.dilationX;
        tile.values[i] = splat<kImageLanes>(0.0f);
        if (d < s.depth && y >= 0 && y < s.height && x >= 0 && x < s.width) {
          const Vec<T, kImageLanes> v = load<kImageLanes>(image + (i64(y) * s.width + x) * s.channels + d % s.channels);
#pragma unroll
          for (int l = 0; l < kImageLanes; ++l)
            tile.values[i][l] = float(v[l]);
        }
      }
    }
  };
  /// 16 k's of the tile's columns, out of panels of 16.
  struct Filter {
    static constexpr int kVectors = kTile * kDepth / 4 / Product::kThreads;
    Vec<float, 4> values[kVectors];
    static __device__ int depthOf(int i) { return (i * Product::kThreads + int(threadIdx.x)) / (kTile / 4); }
    static __device__ int columnOf(int i) { return (i * Product::kThreads + int(threadIdx.x)) % (kTile / 4) * 4; }
    __device__ void read(const float *panels, int column, int k, const ConvShape &s) {
#pragma unroll
      for (int i = 0; i < kVectors; ++i) {
        const int c = column + columnOf(i), d = k + depthOf(i);
        values[i] = splat<4>(0.0f);
        if (c < s.columns && d < s.depth)
          values[i] = load<4>(panels + (i64(c / 16) * s.depth + d) * 16 + c % 16);
      }
    }
    __device__ void write(float *tile) const {
#pragma unroll
      for (int i = 0; i < kVectors; ++i)
        *reinterpret_cast<Vec<float, 4> *>(tile + depthOf(i) * kPitch + columnOf(i)) = values[i];
    }
  };

  template <int kLanes, typename Split = WholeTiles, typename Epilogue>
  static __device__ void run(const T *images, const float *panels, const ConvShape &s, const Epilogue &epilogue, u8 *memory,
                             const Split &split = {}) {
    const TileOrder order = {(s.rows + kTile - 1) / kTile, (s.columns + kTile - 1) / kTile};
    const int tiles = order.count() * s.batch, steps = (s.depth + kDepth - 1) / kDepth;
    const auto cut = split.of(tiles, steps);
    cut.template each<false>(tiles, steps, [&](const TileShare &share) {
      const TilePlace place = order.placeOf<kTile, kTile>(share.tile);
      const T *image = images + i64(place.batch) * s.height * s.width * s.channels;
      Image a;
      a.place(place.row, s);
      Filter b;
      float *stages = reinterpret_cast<float *>(memory);
      auto read = [&](int k) {
        a.read(image, k, s);
        b.read(panels, place.column, k, s);
      };
      auto write = [&](int stage) {
        a.tile.write(stages + stage * Product::kTileFloats);
        b.write(stages + stage * Product::kTileFloats + kDepth * kPitch);
      };
      Product::template multiply<kLanes>(read, write, stages, place, share, {s.batch, s.rows, s.columns, s.depth}, cut, epilogue);
    });
  }
};
