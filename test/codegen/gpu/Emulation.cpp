//===- Emulation.cpp - Printed CUDA against the evaluator -----------------===//
//
// Kernels are printed for a GPU, compiled as host C++ on top of emulate.h, and run on random values; each
// result is compared with what the evaluator makes of the kernel's ops. No GPU and no CUDA are needed.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Kernel.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/codegen/gpu/EvaluateKernel.h"
#include "test/codegen/gpu/KernelValues.h"
#include "test/codegen/gpu/Models.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <dlfcn.h>
#include <gtest/gtest.h>

using namespace optc;

namespace {

/// A folder that goes with the test.
struct ScratchFolder {
  llvm::SmallString<128> path;
  ScratchFolder() { (void)llvm::sys::fs::createUniqueDirectory("optc-emulation", path); }
  ~ScratchFolder() { (void)llvm::sys::fs::remove_directories(path); }
};

/// Runs each kernel once and compares its results.
void check(const CudaSource &source, void *library, const Sizes &sizes) {
  uint64_t seed = 0;
  for (const CudaKernel &kernel : source.kernels) {
    KernelOp op = kernel.op;
    std::vector<HostValue> inputs;
    for (mlir::Type type : op.getOperandTypes())
      inputs.push_back(randomOperand(type, sizes, seed++));
    std::string what;
    llvm::raw_string_ostream(what) << op;
    auto evaluated = evaluateKernel(op, inputs, sizes);
    ASSERT_TRUE(bool(evaluated)) << what << llvm::toString(evaluated.takeError());
    std::vector<HostValue> expected = std::move(*evaluated);
    std::vector<HostValue> outputs;
    std::vector<std::shared_ptr<unsigned char>> memory;
    std::vector<uint64_t> slots;
    // Aligned as on a device, with a guard behind.
    auto place = [&](size_t bytes) {
      size_t whole = (bytes + kGuardBytes + 255) / 256 * 256;
      memory.emplace_back(static_cast<unsigned char *>(std::aligned_alloc(256, whole)), std::free);
      std::memset(memory.back().get(), kGuardValue, whole);
      slots.push_back(reinterpret_cast<uint64_t>(memory.back().get()));
      return memory.back().get();
    };
    for (const HostValue &input : inputs)
      std::memcpy(place(input.bytes()), input.data, input.bytes());
    for (auto [i, result] : llvm::enumerate(expected)) {
      void *own = place(result.bytes());
      auto operand = inPlaceOperand(op, i);
      outputs.emplace_back(result.type, result.dims,
                           operand ? reinterpret_cast<void *>(slots[*operand]) : own);
    }
    for (int64_t size : sizeArguments(kernel, sizes))
      slots.push_back(uint64_t(size));
    int32_t error = 0;
    if (kernel.checksIndices)
      slots.push_back(reinterpret_cast<uint64_t>(&error));
    auto run = reinterpret_cast<void (*)(const uint64_t *, int64_t)>(
        dlsym(library, ("run_" + kernel.symbol).c_str()));
    ASSERT_TRUE(run);
    run(slots.data(), blocksOf(kernel, sizes));
    for (size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ(compareValues(outputs[i], expected[i], toleranceOf(outputs[i].type)), "") << what;
      const unsigned char *guard = static_cast<unsigned char *>(outputs[i].data) + outputs[i].bytes();
      EXPECT_TRUE(std::all_of(guard, guard + kGuardBytes, [](unsigned char c) { return c == kGuardValue; }))
          << what << ": written beyond its end";
    }
  }
}

} // namespace

TEST(Emulation, agreesWithTheEvaluator) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  auto module = smallModels(context);
  ASSERT_TRUE(module);
  mlir::PassManager passes(&context);
  buildPipeline(passes);
  ASSERT_TRUE(succeeded(passes.run(*module)));
  CudaSource source = emitCuda(module->lookupSymbol<mlir::func::FuncOp>("main"), {"sm_90"},
                               [](mlir::Operation *) { return llvm::SmallVector<std::string>(); });
  for (const std::string &problem : source.problems)
    ADD_FAILURE() << problem;
  EXPECT_GT(source.kernels.size(), 60u);
  EXPECT_TRUE(
      llvm::any_of(source.kernels, [](const CudaKernel &k) { return inPlaceOperand(k.op, 0).has_value(); }));

  ScratchFolder folder;
  std::string file = (folder.path + "/kernels.cpp").str(), output = (folder.path + "/kernels.so").str();
  {
    std::error_code error;
    llvm::raw_fd_ostream os(file, error);
    os << "#include \"" OPTC_EMULATE "\"\n" << source.text;
    for (const CudaKernel &kernel : source.kernels)
      os << "extern \"C\" void run_" << kernel.symbol << "(const uint64_t *slots, int64_t blocks) { launch("
         << kernel.symbol << ", slots, blocks, " << kernel.threads << "); }\n";
  }
  ASSERT_EQ(llvm::sys::ExecuteAndWait(OPTC_CXX, {OPTC_CXX, "-std=c++20", "-O1", "-w", "-ffp-contract=off",
                                                 "-shared", "-fPIC", file, "-o", output}),
            0);
  void *library = dlopen(output.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(library) << dlerror();
  for (int64_t n : {1, 3, 37, 1031})
    check(source, library, {{"n", n}});
  dlclose(library);
}
