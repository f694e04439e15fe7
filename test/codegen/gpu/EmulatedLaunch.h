//===- EmulatedLaunch.h - Launches and what they should give ----*- C++ -*-===//
//
// A kernel's launch on random operands in memory of the host, with what the evaluator or a plain loop makes of them.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_GPU_EMULATEDLAUNCH_H
#define OPTC_TEST_CODEGEN_GPU_EMULATEDLAUNCH_H

#include "test/codegen/gpu/Emulator.h"
#include "test/codegen/gpu/EvaluateKernel.h"
#include "test/codegen/gpu/TileProducts.h"

namespace optc {

struct EmulatedLaunch {
  std::string symbol, what;
  std::vector<uint64_t> slots;
  int64_t blocks = 0;
  LaunchCounts counts{-1, -1, -1, -1};
  /// Where the launches differ, and where the kernel writes the size of its results; and that size.
  size_t numberSlot = 0;
  int64_t *found = nullptr;
  int64_t size = 0;
  Value workspace, counters;
  std::vector<Value> expected;
  std::vector<double> tolerances;
  /// In the launch's memory.
  std::vector<Value> results;
  EmulatedMemory memory;

  /// All of the kernel's launches.
  void run(Emulator &emulator) const;
  /// Once it has run: where results differ from what is expected; empty: nowhere.
  std::string compare() const;
};

/// Of a printed kernel.
llvm::Expected<EmulatedLaunch> launchOf(const CudaKernel &kernel, const Sizes &sizes, uint64_t seed);
/// Of one of tile_products.cu.
EmulatedLaunch launchOf(const TileProduct &product, int64_t batch, int64_t rows, int64_t columns, int64_t depth);

/// The kernels of a model, printed for a GPU.
llvm::Expected<CudaSource> printKernels(mlir::ModuleOp module, const GpuTarget &target);

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_EMULATEDLAUNCH_H
