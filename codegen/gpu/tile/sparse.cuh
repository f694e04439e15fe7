//===- sparse.cuh - Operands of which two of four are stored ----*- CUDA -*-===//
//
// Matrix instructions take a left operand of which two of each four k's are zeros as the other two and their positions, in half of the time. It is a product's
// constant right operand, whose columns are the rows of these instructions; what they sum is turned on its way to the epilogue (SumExchange::storeTurned).
//
//   values      [N, K / 2]               of 16 bits, in order
//   positions   [N / 16, K / 128, 16, 4] of u32: row r of 16, as instruction i of the 128 k's has it in thread 4 * g + t, at [2 * g + t][i]: in its lower half
//               row g, in its upper row g + 8, k's from 16 * t on of 32, 2 bits each
//
// N is a multiple of 16, K of 128, padded with zeros. Source: PTX ISA, "Matrix multiply-accumulate operation using mma.sp instruction with sparse matrix A".
//
//===----------------------------------------------------------------------===//

/// How far a step goes: 128 bytes of values.
constexpr int kSparseDepth = 128;

/// The positions of a step of one 16 rows, an instruction each, as the thread gives them.
__device__ inline Vec<u32, 4> positions_of(const void *positions, int rows, int row, int steps, int step) {
  const int tiles = (rows + 15) / 16, tile = row / 16 < tiles ? row / 16 : tiles - 1; // of rows beyond the last any will do
  const int lane = threadIdx.x % 32;
  return load<4>(static_cast<const u32 *>(positions) + ((i64(tile) * steps + step) * 16 + lane / 4 * 2 + lane % 2) * 4);
}
