//===- KernelValues.h - What kernels are tried on ---------------*- C++ -*-===//
//
// Random operands that a seed gives anywhere, and how far results may be from what is expected. No LLVM: the
// program that runs kernels on a device has none.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_GPU_KERNELVALUES_H
#define OPTC_TEST_CODEGEN_GPU_KERNELVALUES_H

#include "runtime/reference/Value.h"

namespace optc {

/// Bytes behind a result that nobody may write, and what they hold.
constexpr size_t kGuardBytes = 64;
constexpr unsigned char kGuardValue = 0xa5;

/// A number that looks random, for each pair.
uint64_t hashOf(uint64_t seed, uint64_t i);

/// What operands are filled with: small numbers, so that sums stay exact enough to compare, and now and then,
/// but not in every stretch of 1024 elements, what is special: infinities, NaN, zeros of both signs; small numbers
/// alone; positions of two of four in words of 32 bits (codegen/gpu/tile/sparse.cuh); codes of 4 or 8 bits in signed bytes, all that there are.
enum class Fill { any, finite, positions, codes };
void fillRandom(Value &value, uint64_t seed, Fill fill);

/// What rounding may differ by, in parts of the expected value or of 1: between the ops of a kernel the
/// evaluator rounds to the type, the kernel does not. `terms`: of the longest sum, of values of about 1 in
/// f32 (the bound of Higham, "Accuracy and Stability of Numerical Algorithms", 4.2; tensor cores align and
/// truncate, hence four units of rounding).
double toleranceOf(DType type, int64_t terms);

/// Says where `got` first differs from what is expected, and how often; empty: nowhere. `positions` of the
/// elements of `got` that `expected` holds; empty: all of them.
std::string compareValues(const Value &got, const Value &expected, double tolerance,
                          const std::vector<int64_t> &positions = {});

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_KERNELVALUES_H
