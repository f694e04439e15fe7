//===- mma.cuh - Products of a warp (sm_80) ---------------------*- CUDA -*-===//
//
// sums[16 x 8] += lhs[16 x K] * rhs[K x 8], K 32 bytes of elements, all in registers. With t the thread's number in its
// warp, and r a register of 4 bytes along k:
//
//   lhs    row t / 4 + 8 * (i % 2), r t % 4 + 4 * (i / 2)      in lhs[i]
//   rhs    column t / 4, r t % 4 + 4 * i                       in rhs[i]
//   sums   row t / 4 + 8 * h, column 2 * (t % 4) + c           in sums[2 * h + c]
//
// Source: PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions".
//
//===----------------------------------------------------------------------===//

#ifndef OPTC_EMULATED
/// Four 8x8 matrices of 2-byte elements: thread 8 * i + r gives the address of row r of matrix i, 16 bytes. Of matrix i, thread
/// t gets row t / 4, elements 2 * (t % 4) and the next; transposed: column t / 4.
__device__ inline void load_matrices(u32 (&x)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(shared_address(row)) : "memory");
}
__device__ inline void load_matrices_transposed(u32 (&x)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]) : "r"(shared_address(row)) : "memory");
}

#define OPTC_MMA(type, sum, c, kind) \
  __device__ inline void multiply_registers(type, sum (&sums)[4], const u32 (&lhs)[4], u32 rhs0, u32 rhs1) { \
    asm volatile("mma.sync.aligned." kind " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
                 : c(sums[0]), c(sums[1]), c(sums[2]), c(sums[3]) \
                 : "r"(lhs[0]), "r"(lhs[1]), "r"(lhs[2]), "r"(lhs[3]), "r"(rhs0), "r"(rhs1)); \
  }
OPTC_MMA(bf16, float, "+f", "m16n8k16.row.col.f32.bf16.bf16.f32")
OPTC_MMA(f16, float, "+f", "m16n8k16.row.col.f32.f16.f16.f32")
OPTC_MMA(tf32, float, "+f", "m16n8k8.row.col.f32.tf32.tf32.f32")
OPTC_MMA(i8, int, "+r", "m16n8k32.row.col.s32.s8.s8.s32")
OPTC_MMA(u8, int, "+r", "m16n8k32.row.col.s32.u8.s8.s32")

/// sums[16 x 8] += lhs[16 x 32] * rhs[32 x 8] of 2-byte elements, where of each four k's of the left operand two are there (sparse.cuh). lhs: as above, of 16 k's
/// that are there; rhs: column t / 4, r t % 4 + 4 * i in rhs[i].
#if __CUDA_ARCH__ >= 1000 // older compilers do not know that positions may be in order, older chips do not mind
#define OPTC_MMA_SPARSE "mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32."
#else
#define OPTC_MMA_SPARSE "mma.sp.sync.aligned.m16n8k32.row.col.f32."
#endif
#define OPTC_MMA_SPARSE_OF(type, name) \
  __device__ inline void multiply_sparse(type, float (&sums)[4], const u32 (&lhs)[4], const u32 (&rhs)[4], u32 positions) { \
    asm volatile(OPTC_MMA_SPARSE name "." name ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, {%0, %1, %2, %3}, %12, 0x0;" \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]) \
                 : "r"(lhs[0]), "r"(lhs[1]), "r"(lhs[2]), "r"(lhs[3]), "r"(rhs[0]), "r"(rhs[1]), "r"(rhs[2]), "r"(rhs[3]), "r"(positions)); \
  }
OPTC_MMA_SPARSE_OF(bf16, "bf16")
OPTC_MMA_SPARSE_OF(f16, "f16")

/// 2^8 times two f16.
__device__ inline u32 times_256(u32 halves) {
  asm("mul.rn.f16x2 %0, %0, %1;" : "+r"(halves) : "r"(0x5c005c00));
  return halves;
}
#endif

#if !defined(OPTC_EMULATED) && __CUDA_ARCH__ >= 890
OPTC_MMA(f8, float, "+f", "m16n8k32.row.col.f32.e4m3.e4m3.f32")
#else
/// Two of four e4m3 as f16, which have all of their values: from byte `kFirst` (0 or 2) on.
template <int kFirst> __device__ inline u32 halves_of(u32 codes) {
  // A code in the upper byte of each half.
  const u32 high = kFirst == 0 ? codes << 8 & 0xff00 | codes << 16 & 0xff000000 : codes >> 8 & 0xff00 | codes & 0xff000000;
  const u32 magnitude = high & 0x7f007f00, isNan = (magnitude + 0x01000100) & 0x80008000;
  // As f16 it is 2^8 times smaller: the bias is 15 in place of 7.
  return times_256((high & 0x80008000) | magnitude >> 1) | (isNan >> 15) * 0x7fff;
}
/// Chips before sm_89 multiply them as f16: first the lower two of each register, then the upper two.
__device__ inline void multiply_registers(f8, float (&sums)[4], const u32 (&lhs)[4], u32 rhs0, u32 rhs1) {
  multiply_registers(f16(), sums, {halves_of<0>(lhs[0]), halves_of<0>(lhs[1]), halves_of<2>(lhs[0]), halves_of<2>(lhs[1])}, halves_of<0>(rhs0), halves_of<2>(rhs0));
  multiply_registers(f16(), sums, {halves_of<0>(lhs[2]), halves_of<0>(lhs[3]), halves_of<2>(lhs[2]), halves_of<2>(lhs[3])}, halves_of<0>(rhs1), halves_of<2>(rhs1));
}
#endif
