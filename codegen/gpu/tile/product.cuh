//===- product.cuh - What the matrix products share -------------*- CUDA -*-===//
//
//   y[b, m, n] = epilogue(sum over k of lhs[b, m, k] * rhs[b, k, n])
//
// Products differ in how they sum; a tile's sums always end in an epilogue, a functor that is given kLanes neighbouring
// columns of a row, n being a multiple of kLanes, and stores what it makes of them:
//
//   epilogue(batch, row, column, Vec<float, kLanes> sum)          a float where kLanes is 1
//
//===----------------------------------------------------------------------===//

/// e4m3 in memory.
struct f8 {
  u8 bits;
  /// Exponent and fraction are those of an f32 that is 2^120 times smaller: the bias is 7 in place of 127.
  __device__ operator float() const {
    const u32 magnitude = bits & 0x7f;
    const float x = magnitude == 0x7f ? kNan : bits_to_float(magnitude << 20) * bits_to_float(0x7b800000u);
    return bits & 0x80 ? -x : x;
  }
};
/// f32 in memory, of which the product reads 19 bits.
struct tf32 {
  float value;
};

/// What products of elements are summed in: integers of 32 and 64 bits modulo 2^width. Of u8 the right operand is i8.
template <typename T> struct SumOf { typedef float type; };
template <> struct SumOf<double> { typedef double type; };
template <> struct SumOf<int> { typedef int type; };
template <> struct SumOf<i64> { typedef i64 type; };
template <> struct SumOf<i8> { typedef int type; };
template <> struct SumOf<u8> { typedef int type; };

/// Instructions sum products of e4m3 with some 13 bits: only those of a step of k's, to which sums in f32 are added then.
template <typename T> constexpr bool kSumsBySteps = false;
template <> constexpr bool kSumsBySteps<f8> = true;

/// The first of two where kFirst.
template <bool kFirst, typename T, typename U> __device__ inline auto &either(T &x, U &y) {
  if constexpr (kFirst)
    return x;
  else
    return y;
}

/// What an element of the right operand is.
template <typename T> struct RightOf { typedef T type; };
template <> struct RightOf<u8> { typedef i8 type; };

/// sum + x * y, of bytes exactly.
template <typename T, typename U> __device__ inline float multiply_add(T x, U y, float sum) { return fmaf(float(x), float(y), sum); }
template <typename T, typename U> __device__ inline int multiply_add(T x, U y, int sum) { return int(x) * int(y) + sum; }
__device__ inline double multiply_add(double x, double y, double sum) { return fma(x, y, sum); }
__device__ inline int multiply_add(int x, int y, int sum) { return wrap_add(wrap_mul(x, y), sum); }
__device__ inline i64 multiply_add(i64 x, i64 y, i64 sum) { return wrap_add(wrap_mul(x, y), sum); }

/// `bytes` (at most 4) bytes of a place that is a multiple of kUnit (1 or 2) only; zeros after them.
template <int kUnit> __device__ inline u32 load_word(const u8 *p, int bytes) {
  u32 word = 0;
#pragma unroll
  for (int i = 0; i < 4; i += kUnit)
    if (i < bytes)
      word |= u32(kUnit == 1 ? p[i] : *reinterpret_cast<const u16 *>(p + i)) << (8 * i);
  return word;
}

/// A vector as the epilogue takes it.
template <typename Sum, int kLanes> __device__ inline const Vec<Sum, kLanes> &epilogue_value(const Vec<Sum, kLanes> &sum) {
  return sum;
}
template <typename Sum> __device__ inline Sum epilogue_value(const Vec<Sum, 1> &sum) { return sum[0]; }

#ifndef OPTC_EMULATED
/// Two elements in a register, the first in the lower half.
__device__ inline u32 pack_pair(bf16, float x, float y) {
  u32 pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(y), "f"(x));
  return pair;
}
__device__ inline u32 pack_pair(f16, float x, float y) {
  u32 pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(y), "f"(x));
  return pair;
}
#endif

struct ProductShape {
  int batch, rows, columns, depth;
};

/// A convolution's product: a row is a pixel of the result, a k an input channel under a tap. image [batch, height, width, channels].
struct ConvShape {
  int batch, rows, columns, depth; // rows: pixels of one result; depth: taps * channels
  int height, width, channels, outWidth, kernelWidth;
  int strideY, strideX, dilationY, dilationX, padY, padX;
};

/// An epilogue for rows that are the pixels of all results.
template <typename Epilogue> struct OfAllPixels {
  const Epilogue &epilogue;
  int pixels; // of one result
  template <typename Sum> __device__ void operator()(int, int row, int column, const Sum &sum) const {
    const int batch = row / pixels;
    epilogue(batch, row - batch * pixels, column, sum);
  }
};

/// Where a tile begins.
struct TilePlace {
  int batch, row, column;
};

/// Blocks take tiles in an order that keeps what they read together in the second-level cache: down the
/// rows of a group of `kGroup` rows of tiles, then on to its next column.
struct TileOrder {
  static constexpr int kGroup = 16;
  int rowTiles, columnTiles;
  __device__ int count() const { return rowTiles * columnTiles; }
  __device__ void place(int tile, int &row, int &column) const {
    const int first = tile / (kGroup * columnTiles) * kGroup;
    const int rows = rowTiles - first < kGroup ? rowTiles - first : kGroup;
    const int inGroup = tile - first * columnTiles;
    row = first + inGroup % rows;
    column = inGroup / rows;
  }
  /// Of tiles of so many rows and columns, those of all batches numbered.
  template <int kRows, int kColumns> __device__ TilePlace placeOf(int tile) const {
    int row, column;
    place(tile % count(), row, column);
    return {tile / count(), row * kRows, column * kColumns};
  }
};

/// Sums of 16 rows and `kColumns` columns that a warp has in the registers of matrix instructions (thread t: row
/// t / 4 + 8 * h, column 8 * j + 2 * (t % 4) + c in sums[4 * j + 2 * h + c]) go through the warp's part of shared memory
/// to the epilogue, which is given whole rows.
template <typename Sum, int kColumns> struct SumExchange {
  static constexpr int kBytes = 16 * kColumns * 4;
  /// Groups of 8 columns are permuted by the row, so that neither side meets bank conflicts.
  static __device__ int at(int row, int column) {
    return row * kColumns + ((column / 8 ^ row % (kColumns / 8)) * 8) + column % 8;
  }
  template <int kLanes, typename Epilogue>
  static __device__ void store(Sum *part, const Sum *sums, int batch, int row, int column, const ProductShape &shape,
                               const Epilogue &epilogue) {
    const int lane = threadIdx.x % 32;
    warp_barrier(); // what was here has been read
#pragma unroll
    for (int j = 0; j < kColumns / 8; ++j)
#pragma unroll
      for (int h = 0; h < 2; ++h)
        *reinterpret_cast<Vec<Sum, 2> *>(part + at(lane / 4 + 8 * h, 8 * j + lane % 4 * 2)) =
            Vec<Sum, 2>{{sums[4 * j + 2 * h], sums[4 * j + 2 * h + 1]}};
    giveRows<kLanes>(part, batch, row, column, shape, epilogue);
  }
  /// The same of a product whose rows are the result's columns: of 16 of the result's rows, of which the instructions' matrices have two columns of 8.
  /// Matrices one below the other are kStride sums apart.
  template <int kLanes, int kStride, typename Epilogue>
  static __device__ void storeTurned(Sum *part, const Sum *sums, int batch, int row, int column, const ProductShape &shape, const Epilogue &epilogue) {
    const int lane = threadIdx.x % 32;
    warp_barrier(); // what was here has been read
#pragma unroll
    for (int i = 0; i < kColumns / 16; ++i)
#pragma unroll
      for (int s = 0; s < 8; ++s)
        part[at(s / 4 * 8 + lane % 4 * 2 + s % 2, 16 * i + lane / 4 + s / 2 % 2 * 8)] = sums[i * kStride + s];
    giveRows<kLanes>(part, batch, row, column, shape, epilogue);
  }

private:
  template <int kLanes, typename Epilogue>
  static __device__ void giveRows(const Sum *part, int batch, int row, int column, const ProductShape &shape, const Epilogue &epilogue) {
    constexpr int kPerRow = kColumns / kLanes;
    const int lane = threadIdx.x % 32;
    warp_barrier();
#pragma unroll
    for (int i = 0; i < 16 * kPerRow / 32; ++i) {
      const int item = i * 32 + lane, r = item / kPerRow, c = item % kPerRow * kLanes;
      if (row + r < shape.rows && column + c < shape.columns) {
        Vec<Sum, kLanes> sum;
        constexpr int kStep = kLanes < 4 ? kLanes : 4;
#pragma unroll
        for (int k = 0; k < kLanes; k += kStep)
          *reinterpret_cast<Vec<Sum, kStep> *>(&sum[k]) = *reinterpret_cast<const Vec<Sum, kStep> *>(part + at(r, c + k));
        epilogue(batch, row + r, column + c, epilogue_value(sum));
      }
    }
  }
};
