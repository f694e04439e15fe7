//===- wgmma.cuh - Products of a warpgroup (sm_90a) -------------*- CUDA -*-===//
//
// sums[64 x N] += lhs[64 x K] * rhs[K x N], K 32 bytes of elements, by 128 threads, both operands in shared memory as
// TensorMaps with 128-byte swizzle leave them. Products run by themselves: sums may not be touched between the first
// product and the wait that ends it.
//
//   thread t holds   row 16 * (t / 32) + t % 32 / 4 + 8 * h, column 8 * j + 2 * (t % 4) + c   in sums[4 * j + 2 * h + c]
//
// Source: PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions".
//
//===----------------------------------------------------------------------===//

#ifndef OPTC_EMULATED
/// An operand whose rows lie along k: rows of 128 bytes, 8 rows a swizzle's period. 32 bytes further are the next k's.
__device__ inline u64 operand_along_k(const void *tile) {
  return u64((shared_address(tile) & 0x3ffff) >> 4) | u64(1) << 16 | u64(1024 >> 4) << 32 | u64(1) << 62;
}
/// A right operand of 2-byte elements whose rows lie along n: boxes of 64 columns and `kDepth` k's, one after the other.
/// 2048 bytes further are the next 16 k's.
template <int kDepth> __device__ inline u64 operand_along_n(const void *tile) {
  return u64((shared_address(tile) & 0x3ffff) >> 4) | u64(kDepth * 128 >> 4) << 16 | u64(1024 >> 4) << 32 | u64(1) << 62;
}
/// The operand `bytes` further on.
__device__ inline u64 advance(u64 operand, int bytes) { return operand + (bytes >> 4); }

/// Before the first product after sums or shared memory have been written by this thread.
__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Until only the newest `kGroups` groups may be under way.
template <int kGroups> __device__ inline void wait_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(kGroups) : "memory");
}
/// Keeps the compiler from moving what touches the sums across.
template <int N> __device__ inline void hold(float (&sums)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i)
    asm volatile("" : "+f"(sums[i]) :: "memory");
}
template <int N> __device__ inline void hold(int (&sums)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i)
    asm volatile("" : "+r"(sums[i]) :: "memory");
}

// The registers of an instruction, as text and as operands.
#define OPTC_REGISTERS_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, " \
  "%21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define OPTC_REGISTERS_64 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, " \
  "%21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, " \
  "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, " \
  "%59, %60, %61, %62, %63"
#define OPTC_REGISTERS_96 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, " \
  "%21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, " \
  "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, " \
  "%59, %60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, " \
  "%78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define OPTC_REGISTERS_128 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, " \
  "%21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, " \
  "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, " \
  "%59, %60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, " \
  "%78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, " \
  "%97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, " \
  "%113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define OPTC_SUMS_4(c, i) c(sums[i]), c(sums[i + 1]), c(sums[i + 2]), c(sums[i + 3])
#define OPTC_SUMS_16(c, i) OPTC_SUMS_4(c, i), OPTC_SUMS_4(c, i + 4), OPTC_SUMS_4(c, i + 8), OPTC_SUMS_4(c, i + 12)
#define OPTC_SUMS_32(c) OPTC_SUMS_16(c, 0), OPTC_SUMS_16(c, 16)
#define OPTC_SUMS_64(c) OPTC_SUMS_32(c), OPTC_SUMS_16(c, 32), OPTC_SUMS_16(c, 48)
#define OPTC_SUMS_96(c) OPTC_SUMS_64(c), OPTC_SUMS_16(c, 64), OPTC_SUMS_16(c, 80)
#define OPTC_SUMS_128(c) OPTC_SUMS_96(c), OPTC_SUMS_16(c, 96), OPTC_SUMS_16(c, 112)

// `kind`: shape and types; `tail`: what follows the operands and the predicate that says whether sums count.
#define OPTC_WGMMA(columns, count, kind, c, lhsNumber, rhsNumber, keepNumber, tail) \
  asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #keepNumber ", 0;\n" \
               "wgmma.mma_async.sync.aligned.m64n" #columns kind " {" OPTC_REGISTERS_##count "}, " \
               "%" #lhsNumber ", %" #rhsNumber ", keep" tail ";\n}" \
               : OPTC_SUMS_##count(c) : "l"(lhs), "l"(rhs), "r"(int(keep)))
#define OPTC_WGMMA_OF(type, sum, c, kind, tail) \
  template <bool kAlongN> __device__ inline void multiply(type, sum (&sums)[32], u64 lhs, u64 rhs, bool keep) { \
    OPTC_WGMMA(64, 32, kind, c, 32, 33, 34, tail); \
  } \
  template <bool kAlongN> __device__ inline void multiply(type, sum (&sums)[64], u64 lhs, u64 rhs, bool keep) { \
    OPTC_WGMMA(128, 64, kind, c, 64, 65, 66, tail); \
  } \
  template <bool kAlongN> __device__ inline void multiply(type, sum (&sums)[96], u64 lhs, u64 rhs, bool keep) { \
    OPTC_WGMMA(192, 96, kind, c, 96, 97, 98, tail); \
  } \
  template <bool kAlongN> __device__ inline void multiply(type, sum (&sums)[128], u64 lhs, u64 rhs, bool keep) { \
    OPTC_WGMMA(256, 128, kind, c, 128, 129, 130, tail); \
  }
#define OPTC_WGMMA_HALF(type, name, columns, count, lhsNumber, rhsNumber, keepNumber) \
  template <bool kAlongN> __device__ inline void multiply(type, float (&sums)[count], u64 lhs, u64 rhs, bool keep) { \
    if constexpr (kAlongN) \
      OPTC_WGMMA(columns, count, "k16.f32." name "." name, "+f", lhsNumber, rhsNumber, keepNumber, ", 1, 1, 0, 1"); \
    else \
      OPTC_WGMMA(columns, count, "k16.f32." name "." name, "+f", lhsNumber, rhsNumber, keepNumber, ", 1, 1, 0, 0"); \
  }
#define OPTC_WGMMA_EITHER(type, name) \
  OPTC_WGMMA_HALF(type, name, 64, 32, 32, 33, 34) \
  OPTC_WGMMA_HALF(type, name, 128, 64, 64, 65, 66) \
  OPTC_WGMMA_HALF(type, name, 192, 96, 96, 97, 98) \
  OPTC_WGMMA_HALF(type, name, 256, 128, 128, 129, 130)

/// One product; `keep`: sums are added to, else replaced. The first argument says the type of the elements; the right
/// operand lies along k or along n.
OPTC_WGMMA_EITHER(bf16, "bf16")
OPTC_WGMMA_EITHER(f16, "f16")
OPTC_WGMMA_OF(tf32, float, "+f", "k8.f32.tf32.tf32", ", 1, 1")
OPTC_WGMMA_OF(f8, float, "+f", "k32.f32.e4m3.e4m3", ", 1, 1")
OPTC_WGMMA_OF(i8, int, "+r", "k32.s32.s8.s8", "")
OPTC_WGMMA_OF(u8, int, "+r", "k32.s32.u8.s8", "")

/// One product of a left operand of which two of each four k's are there (sparse.cuh), 32 bytes of 16 of 32 k's; both operands lie along k.
#define OPTC_WGMMA_SPARSE(type, name, columns, count, lhsNumber, rhsNumber, placesNumber, keepNumber) \
  __device__ inline void multiply_sparse(type, float (&sums)[count], u64 lhs, u64 rhs, u32 positions, bool keep) { \
    asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #keepNumber ", 0;\n" \
                 "wgmma.mma_async.sp.sync.aligned.m64n" #columns "k32.f32." name "." name " {" OPTC_REGISTERS_##count "}, " \
                 "%" #lhsNumber ", %" #rhsNumber ", %" #placesNumber ", 0, keep, 1, 1, 0, 0;\n}" \
                 : OPTC_SUMS_##count("+f") : "l"(lhs), "l"(rhs), "r"(positions), "r"(int(keep))); \
  }
#define OPTC_WGMMA_SPARSE_OF(type, name) \
  OPTC_WGMMA_SPARSE(type, name, 64, 32, 32, 33, 34, 35) \
  OPTC_WGMMA_SPARSE(type, name, 128, 64, 64, 65, 66, 67) \
  OPTC_WGMMA_SPARSE(type, name, 256, 128, 128, 129, 130, 131)
OPTC_WGMMA_SPARSE_OF(bf16, "bf16")
OPTC_WGMMA_SPARSE_OF(f16, "f16")

/// The same with the left operand in registers: lhs[i] holds row t % 32 / 4 + 8 * (i % 2) of the warp's 16, elements
/// 2 * (t % 4) + 8 * (i / 2) and the next. The right operand lies along n.
#define OPTC_WGMMA_REGISTERS(type, columns, count, name, n0, n1, n2, n3, rhsNumber, keepNumber) \
  __device__ inline void multiply_registers(type, float (&sums)[count], const u32 (&lhs)[4], u64 rhs, bool keep) { \
    asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %" #keepNumber ", 0;\n" \
                 "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." name "." name " {" OPTC_REGISTERS_##count "}, " \
                 "{%" #n0 ", %" #n1 ", %" #n2 ", %" #n3 "}, %" #rhsNumber ", keep, 1, 1, 1;\n}" \
                 : OPTC_SUMS_##count("+f") \
                 : "r"(lhs[0]), "r"(lhs[1]), "r"(lhs[2]), "r"(lhs[3]), "l"(rhs), "r"(int(keep))); \
  }
OPTC_WGMMA_REGISTERS(bf16, 64, 32, "bf16", 32, 33, 34, 35, 36, 37)
OPTC_WGMMA_REGISTERS(bf16, 128, 64, "bf16", 64, 65, 66, 67, 68, 69)
OPTC_WGMMA_REGISTERS(f16, 64, 32, "f16", 32, 33, 34, 35, 36, 37)
OPTC_WGMMA_REGISTERS(f16, 128, 64, "f16", 64, 65, 66, 67, 68, 69)
#endif
