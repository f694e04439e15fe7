//===- EvaluateKernel.h - What a kernel should give -------------*- C++ -*-===//
//
// A printed kernel with random operands and what the evaluator makes of them: shared by the emulation on the
// host and by the bundle that a device runs.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_GPU_EVALUATEKERNEL_H
#define OPTC_TEST_CODEGEN_GPU_EVALUATEKERNEL_H

#include "codegen/gpu/CudaSource.h"
#include "ir/eval/Evaluate.h"
#include "test/codegen/gpu/Bundle.h"

namespace optc {

/// Of the model's symbols.
using Sizes = llvm::StringMap<int64_t>;

std::vector<int64_t> sizesOf(mlir::Type type, const Sizes &sizes);
/// What is special in an operand of a matrix product would be everywhere in its result.
Fill fillOf(KernelOp kernel, size_t operand);
/// Terms of the kernel's longest sum.
int64_t longestSum(KernelOp kernel, const Sizes &sizes);
/// An operand with the values that a seed gives.
HostValue randomOperand(mlir::Type type, const Sizes &sizes, uint64_t seed, Fill fill);
/// Operand i has the values of `seed` + i: this seed, or the first of those after it whose values the evaluator takes, where a kernel's may be refused (a
/// region of no image, frequencies in the wrong order).
uint64_t acceptedSeed(KernelOp kernel, const Sizes &sizes, uint64_t seed);
/// What the kernel's ops compute, one after the other.
llvm::Expected<std::vector<HostValue>> evaluateKernel(KernelOp kernel, const std::vector<HostValue> &inputs,
                                                      const Sizes &sizes);
/// True for a size that is no operand's.
bool isDefinedBy(KernelOp kernel, llvm::StringRef symbol);
/// The dim of the first result that values decide, where one of its is.
size_t countedDim(KernelOp kernel);
/// With the sizes that the kernel itself defines, as its results have them.
Sizes withDefined(KernelOp kernel, const std::vector<HostValue> &results, const Sizes &sizes);
/// Plan.h's DeviceKernel has what they mean; -1: none.
struct LaunchCounts {
  int64_t workspace, counters, counted, repeats;
};
LaunchCounts launchesOf(const CudaKernel &kernel, const Sizes &sizes);
/// Values of the kernel's size parameters, and blocks of its grid.
std::vector<int64_t> sizeArguments(const CudaKernel &kernel, const Sizes &sizes);
int64_t blocksOf(const CudaKernel &kernel, const Sizes &sizes);
BundleMap mapOf(const DeviceTensorMap &map, const CudaKernel &kernel, const Sizes &sizes);
/// The value of an expression over the kernel's symbols (s0, s1, ...).
int64_t valueOf(const DimExpr &expr, const CudaKernel &kernel, const Sizes &sizes);

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_EVALUATEKERNEL_H
