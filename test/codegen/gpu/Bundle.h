//===- Bundle.h - Kernels to be tried on a device ---------------*- C++ -*-===//
//
// A folder that a machine with a GPU needs nothing else for: cubins, and for each kernel its launch, its
// operands (by seed, see KernelValues.h) and what the evaluator makes of them. Large results are compared at
// some elements only.
//
//   manifest     a line a kernel's head, operand, result, tensor map
//   N.cubin      machine code
//   expected     the elements of all results, one after the other
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_GPU_BUNDLE_H
#define OPTC_TEST_CODEGEN_GPU_BUNDLE_H

#include "runtime/reference/Reference.h"
#include "test/codegen/gpu/KernelValues.h"

namespace optc {

struct BundleOperand {
  DType type;
  std::vector<int64_t> dims;
  uint64_t seed;
  Fill fill;
};

struct BundleResult {
  DType type;
  std::vector<int64_t> dims;
  double tolerance;
  int64_t operand;  // whose memory it takes, or -1
  int64_t samples;  // elements that are compared (samplePositions); 0: all
  int64_t offset;   // in `expected`, in bytes
  int64_t rows = 0; // along rowDim that are compared (samplePositions of its size); 0: none is left out
  int64_t rowDim = 0;

  /// Positions of the elements that are compared, in the order of `expected`; none: all are.
  std::vector<int64_t> positions() const;
};

/// How boxes of an operand are copied (TensorMap in codegen/gpu/tile/async.cuh), innermost dim first, in
/// elements; strides of the dims after the innermost.
struct BundleMap {
  int64_t operand, offset;
  std::vector<int64_t> sizes, strides, box;
};

/// One kernel's launches.
struct BundleCase {
  std::string cubin, symbol, what;
  int64_t blocks, threads, sharedBytes;
  /// Blocks that each multiprocessor of the device has at most, which take turns where there is more to do; 0: as many as there are.
  int64_t residentBlocks;
  bool checksIndices;
  /// Measured too: it is large enough.
  bool timed;
  /// Operations of the launch, 2 a multiply-add; 0: what counts is bytes.
  double flops;
  std::vector<int64_t> sizes;
  std::vector<BundleOperand> operands;
  std::vector<BundleResult> results;
  std::vector<BundleMap> maps;
  /// Of the kernel's launches (Plan.h's DeviceKernel); -1: none.
  int64_t workspace = -1, counters = -1, counted = -1, repeats = -1;
};

struct Bundle {
  std::string target; // "sm_90"
  std::vector<BundleCase> cases;

  Status write(const std::string &folder) const;
  static Status read(const std::string &folder, Bundle &bundle);
};

/// The elements of a result of `size` elements that are compared.
std::vector<int64_t> samplePositions(int64_t size, int64_t samples);

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_BUNDLE_H
