//===- tile_products.cu - The tile library's products, plainly --*- CUDA -*-===//
//
// One kernel for each type and layout of operands of each product; follows the tile library. The epilogue stores sums.
//
//===----------------------------------------------------------------------===//

template <typename Out> struct Store {
  Out *y;
  int rows, columns;
  template <typename Sum> __device__ void operator()(int batch, int row, int column, const Sum &sum) const {
    y[(i64(batch) * rows + row) * columns + column] = sum;
  }
  template <typename Sum, int kLanes>
  __device__ void operator()(int batch, int row, int column, const Vec<Sum, kLanes> &sum) const {
    store_each(y + (i64(batch) * rows + row) * columns + column, sum);
  }
};

#define BY_MAPS(name, T, Out, kLanes, kColumns, kAlongN) \
  extern "C" __global__ void __launch_bounds__(384, 1) \
  name(const void *, const void *, Out *y, i64 batch, i64 rows, i64 columns, i64 depth, \
       const __grid_constant__ TensorMap lhs, const __grid_constant__ TensorMap rhs) { \
    GemmSm90<T, kColumns, kAlongN>::run<kLanes>(&lhs, &rhs, int(batch), {int(batch), int(rows), int(columns), int(depth)}, \
                                                Store<Out>{y, int(rows), int(columns)}, launch_memory()); \
  }
#define BY_POINTERS(name, product, Out, kLanes) \
  extern "C" __global__ void __launch_bounds__(256) \
  name(const void *lhs, const void *rhs, Out *y, i64 batch, i64 rows, i64 columns, i64 depth) { \
    product::run<kLanes>(lhs, rhs, int(batch), {int(batch), int(rows), int(columns), int(depth)}, \
                         Store<Out>{y, int(rows), int(columns)}, launch_memory()); \
  }

// Whose steps of k are cut into units.
#define CUT_BY_MAPS(name, T, Out, kLanes, kColumns, kAlongN) \
  extern "C" __global__ void __launch_bounds__(384, 1) \
  name(const void *, const void *, Out *y, i64 batch, i64 rows, i64 columns, i64 depth, i64 units, i64 streamed, i8 *workspace, int *counters, \
       const __grid_constant__ TensorMap lhs, const __grid_constant__ TensorMap rhs) { \
    GemmSm90<T, kColumns, kAlongN>::run<kLanes>(&lhs, &rhs, int(batch), {int(batch), int(rows), int(columns), int(depth)}, \
                                                Store<Out>{y, int(rows), int(columns)}, launch_memory(), \
                                                StreamK{workspace, counters, int(units), int(streamed)}); \
  }
#define CUT_BY_POINTERS(name, product, Out, kLanes) \
  extern "C" __global__ void __launch_bounds__(256) \
  name(const void *lhs, const void *rhs, Out *y, i64 batch, i64 rows, i64 columns, i64 depth, i64 units, i64 streamed, i8 *workspace, int *counters) { \
    product::run<kLanes>(lhs, rhs, int(batch), {int(batch), int(rows), int(columns), int(depth)}, Store<Out>{y, int(rows), int(columns)}, \
                         launch_memory(), StreamK{workspace, counters, int(units), int(streamed)}); \
  }

// Of whose right operands two of four are stored.
#define SPARSE_BY_MAPS(name, T, kLanes, kColumns) \
  extern "C" __global__ void __launch_bounds__(384, 1) \
  name(const void *, const void *, const void *positions, float *y, i64, i64 rows, i64 columns, i64 depth, i64 units, i64 streamed, i8 *workspace, \
       int *counters, const __grid_constant__ TensorMap lhs, const __grid_constant__ TensorMap values) { \
    GemmSparseSm90<T, kColumns>::run<kLanes>(&lhs, &values, positions, {1, int(rows), int(columns), int(depth)}, \
                                             Store<float>{y, int(rows), int(columns)}, launch_memory(), \
                                             StreamK{workspace, counters, int(units), int(streamed)}); \
  }
#define SPARSE_BY_POINTERS(name, product, kLanes) \
  extern "C" __global__ void __launch_bounds__(256) \
  name(const void *lhs, const void *values, const void *positions, float *y, i64, i64 rows, i64 columns, i64 depth, i64 units, i64 streamed, \
       i8 *workspace, int *counters) { \
    product::run<kLanes>(lhs, values, positions, {1, int(rows), int(columns), int(depth)}, Store<float>{y, int(rows), int(columns)}, \
                         launch_memory(), StreamK{workspace, counters, int(units), int(streamed)}); \
  }

// Of whose right operands there are codes.
#define CODES_BY_POINTERS(name, product, hasZeros, kLanes) \
  extern "C" __global__ void __launch_bounds__(256) \
  name(const void *lhs, const void *words, const f16 *scales, const i8 *zeros, float *y, i64, i64 rows, i64 columns, i64 depth, i64 units, i64 streamed, \
       i8 *workspace, int *counters) { \
    product::run<kLanes>(lhs, {words, scales, hasZeros ? zeros : nullptr}, {1, int(rows), int(columns), int(depth)}, Store<float>{y, int(rows), int(columns)}, \
                         launch_memory(), StreamK{workspace, counters, int(units), int(streamed)}); \
  }

#ifdef TILE_SM90
BY_MAPS(bf16_64, bf16, float, 4, 64, false)
BY_MAPS(bf16_128, bf16, float, 8, 128, false)
BY_MAPS(bf16_256, bf16, float, 8, 256, false)
BY_MAPS(bf16_64_along_n, bf16, float, 2, 64, true)
BY_MAPS(bf16_192_along_n, bf16, float, 8, 192, true)
BY_MAPS(f16_256_along_n, f16, float, 4, 256, true)
BY_MAPS(f16_192, f16, float, 1, 192, false)
BY_MAPS(tf32_128, tf32, float, 4, 128, false)
BY_MAPS(i8_64, i8, int, 4, 64, false)
BY_MAPS(i8_256, i8, int, 8, 256, false)
BY_MAPS(u8_128, u8, int, 8, 128, false)
BY_MAPS(f8_128, f8, float, 4, 128, false)
BY_MAPS(f8_64, f8, float, 8, 64, false)
CUT_BY_MAPS(bf16_256_in_slices, bf16, float, 8, 256, true)
CUT_BY_MAPS(bf16_64_in_units, bf16, float, 4, 64, false)
CUT_BY_MAPS(u8_192_in_slices, u8, int, 4, 192, false)
SPARSE_BY_MAPS(sparse_bf16_128, bf16, 8, 128)
SPARSE_BY_MAPS(sparse_bf16_256_in_units, bf16, 4, 256)
SPARSE_BY_MAPS(sparse_f16_64_in_slices, f16, 1, 64)
CUT_BY_MAPS(f8_128_in_units, f8, float, 8, 128, false)
#endif
typedef GemmSm80<bf16, false, 128, 128, 16, 16, false> Bf16;
typedef GemmSm80<bf16, true, 128, 128, 16, 16, false> Bf16AlongN;
typedef GemmSm80<f16, true, 128, 64, 16, 16, false> F16AlongN;
typedef GemmSm80<f16, true, 64, 128, 4, 8, false> F16InPieces;
typedef GemmSm80<tf32, false, 128, 128, 16, 16, false> Tf32;
typedef GemmSm80<i8, false, 64, 128, 16, 16, false> I8;
typedef GemmSparseSm80<bf16, 128, 128, 16> SparseBf16;
typedef GemmSparseSm80<f16, 128, 64, 16> SparseF16;
typedef GemmSparseSm80<bf16, 64, 64, 4> SparseInPieces;
typedef GemmCodesSm80<bf16, CodeRows<i4, f16, 32>, 64, 64> CodesI4;
typedef GemmCodesSm80<bf16, CodeRows<i4, f16, 64>, 64, 128> CodesI4Wide;
typedef GemmCodesSm80<f16, CodeRows<i4, f16, 1 << 20>, 128, 64> CodesI4Tall;
typedef GemmCodesSm80<bf16, CodeRows<i8, f16, 96>, 64, 128> CodesI8;
typedef GemmCodesSm80<bf16, CodeRows<i8, f16, 32>, 64, 64> CodesI8Zeros;
typedef GemmCodesSm80<bf16, CodeRows<f8, f16, 1 << 20>, 128, 64> CodesF8;
typedef GemmSm80<f8, false, 128, 128, 16, 16, false> F8;
typedef GemmSm80<f8, false, 64, 64, 1, 4, false> F8InPieces;
typedef GemmSm80<u8, false, 64, 64, 8, 8, false> U8;
typedef GemmSm80<u8, false, 64, 64, 1, 1, false> U8Bytes;
typedef GemmSm80<bf16, false, 64, 64, 2, 2, false> Bf16Elements;
BY_POINTERS(warp_bf16, Bf16, float, 8)
BY_POINTERS(warp_bf16_along_n, Bf16AlongN, float, 4)
BY_POINTERS(warp_f16_along_n, F16AlongN, float, 1)
BY_POINTERS(warp_f16_in_pieces, F16InPieces, float, 4)
BY_POINTERS(warp_tf32, Tf32, float, 4)
BY_POINTERS(warp_i8, I8, int, 8)
SPARSE_BY_POINTERS(warp_sparse_bf16, SparseBf16, 8)
SPARSE_BY_POINTERS(warp_sparse_f16_in_slices, SparseF16, 4)
SPARSE_BY_POINTERS(warp_sparse_in_units, SparseInPieces, 1)
CODES_BY_POINTERS(codes_i4, CodesI4, false, 8)
CODES_BY_POINTERS(codes_i4_wide, CodesI4Wide, true, 4)
CODES_BY_POINTERS(codes_i4_tall, CodesI4Tall, true, 1)
CODES_BY_POINTERS(codes_i8_in_units, CodesI8, false, 8)
CODES_BY_POINTERS(codes_i8_zeros, CodesI8Zeros, true, 2)
CODES_BY_POINTERS(codes_f8, CodesF8, false, 4)
BY_POINTERS(warp_f8, F8, float, 8)
BY_POINTERS(warp_f8_in_pieces, F8InPieces, float, 4)
BY_POINTERS(warp_u8, U8, int, 4)
BY_POINTERS(warp_u8_bytes, U8Bytes, int, 8)
BY_POINTERS(warp_bf16_elements, Bf16Elements, float, 2)
CUT_BY_POINTERS(warp_bf16_in_slices, Bf16, float, 8)
CUT_BY_POINTERS(warp_i8_in_units, I8, int, 4)
