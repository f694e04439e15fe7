//===- Emulator.h - Kernels as code of the host -----------------*- C++ -*-===//
//
// Compiles printed kernels on top of emulate.h and runs them.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_GPU_EMULATOR_H
#define OPTC_TEST_CODEGEN_GPU_EMULATOR_H

#include "test/codegen/gpu/Bundle.h"
#include "llvm/ADT/SmallString.h"
#include <memory>

namespace optc {

class Emulator {
public:
  struct Kernel {
    std::string symbol;
    int64_t threads, sharedBytes;
  };
  /// Not ready where the text cannot be compiled, which is said.
  Emulator(const std::string &text, const std::vector<Kernel> &kernels);
  Emulator(const Emulator &) = delete;
  ~Emulator();
  bool isReady() const { return library != nullptr; }

  /// Of emulate.h: in order, reversed, random, warp by warp.
  static constexpr int kSchedules = 4;
  /// What runs by itself and is done as late as it may be: nothing, all, products, copies.
  static constexpr int kLate = 4;
  void setSchedule(int schedule, int late);
  /// Each slot holds a pointer or an integer.
  void run(const std::string &symbol, const std::vector<uint64_t> &slots, int64_t blocks);

private:
  void *library = nullptr;
  llvm::SmallString<128> folder;
};

/// Memory as a launch finds it: aligned as on a device, with a guard behind.
class EmulatedMemory {
public:
  void *place(size_t bytes);
  /// What a launch takes for a TensorMap, as emulate_tile.h reads it.
  void *placeMap(const BundleMap &map, const void *operand, size_t elementBytes);
  static bool guardIsWhole(const Value &result);

private:
  std::vector<std::shared_ptr<unsigned char>> memory;
};

/// Few, so that blocks of a persistent kernel take several tiles.
constexpr int64_t kPersistentBlocks = 3;

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_EMULATOR_H
