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

/// Kernels of a model, printed for a GPU and compiled for the host.
class EmulatedKernels {
public:
  EmulatedKernels(mlir::ModuleOp module, const char *target);
  ~EmulatedKernels() {
    if (library)
      dlclose(library);
  }
  /// emulate.h's Schedule, and whether what runs by itself is late.
  void setSchedule(int schedule, bool late) { symbol<void(int, int)>("set_schedule")(schedule, late); }
  /// Runs each kernel once and compares its results.
  void check(const Sizes &sizes);
  CudaSource source;
  void *library = nullptr;

private:
  template <typename Function> Function *symbol(const std::string &name) {
    return reinterpret_cast<Function *>(dlsym(library, name.c_str()));
  }
  ScratchFolder folder;
};

EmulatedKernels::EmulatedKernels(mlir::ModuleOp module, const char *target) {
  mlir::PassManager passes(module.getContext());
  PipelineOptions options;
  options.gpu = true;
  buildPipeline(passes, options);
  EXPECT_TRUE(succeeded(passes.run(module)));
  source = emitCuda(module.lookupSymbol<mlir::func::FuncOp>("main"), {target},
                    [](mlir::Operation *) { return llvm::SmallVector<std::string>(); });
  for (const std::string &problem : source.problems)
    ADD_FAILURE() << problem;
  std::string file = (folder.path + "/kernels.cpp").str(), output = (folder.path + "/kernels.so").str();
  std::error_code error;
  llvm::raw_fd_ostream os(file, error);
  os << "#include \"" OPTC_EMULATE "\"\n" << source.text;
  for (const CudaKernel &kernel : source.kernels)
    os << "extern \"C\" void run_" << kernel.symbol << "(const uint64_t *slots, int64_t blocks) { launch("
       << kernel.symbol << ", slots, blocks, " << kernel.threads << ", " << kernel.sharedBytes << "); }\n";
  os << "extern \"C\" void set_schedule(int schedule, int late) {\n"
        "  emulated::schedule = emulated::Schedule(schedule);\n  emulated::late = late;\n}\n";
  os.close();
  EXPECT_EQ(llvm::sys::ExecuteAndWait(OPTC_CXX, {OPTC_CXX, "-std=c++20", "-O1", "-w", "-ffp-contract=off",
                                                 "-shared", "-fPIC", file, "-o", output}),
            0);
  library = dlopen(output.c_str(), RTLD_NOW | RTLD_LOCAL);
  EXPECT_TRUE(library) << dlerror();
}

void EmulatedKernels::check(const Sizes &sizes) {
  constexpr int64_t kPersistentBlocks = 3; // few, so that blocks take several tiles
  uint64_t seed = 0;
  for (const CudaKernel &kernel : source.kernels) {
    KernelOp op = kernel.op;
    std::vector<HostValue> inputs;
    for (mlir::Type type : op.getOperandTypes())
      inputs.push_back(randomOperand(type, sizes, seed++, takesFinite(op)));
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
    // As emulate_tile.h reads them.
    for (const DeviceTensorMap &map : kernel.maps) {
      auto *words = reinterpret_cast<uint64_t *>(place(128));
      words[0] = slots[map.operand];
      for (int d = 0; d < 3; ++d) {
        words[1 + d] = uint64_t(valueOf(map.sizes[d], kernel, sizes));
        words[4 + d] = uint64_t(map.box[d]);
      }
      words[7] = sizeOf(inputs[map.operand].type);
    }
    auto *run = symbol<void(const uint64_t *, int64_t)>("run_" + kernel.symbol);
    ASSERT_TRUE(run);
    int64_t blocks = blocksOf(kernel, sizes);
    run(slots.data(), kernel.isPersistent ? std::min(blocks, kPersistentBlocks) : blocks);
    for (size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ(compareValues(outputs[i], expected[i], toleranceOf(outputs[i].type)), "") << what;
      const unsigned char *guard = static_cast<unsigned char *>(outputs[i].data) + outputs[i].bytes();
      EXPECT_TRUE(std::all_of(guard, guard + kGuardBytes, [](unsigned char c) { return c == kGuardValue; }))
          << what << ": written beyond its end";
    }
  }
}

class Emulation : public testing::Test {
protected:
  Emulation() : context(mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<OptcDialect, mlir::func::FuncDialect>();
  }
  mlir::MLIRContext context;
};

/// Of emulate.h: in order, reversed, random, warp by warp.
constexpr int kSchedules = 4;

} // namespace

TEST_F(Emulation, agreesWithTheEvaluator) {
  auto module = smallModels(context);
  ASSERT_TRUE(module);
  EmulatedKernels kernels(*module, "sm_90");
  ASSERT_TRUE(kernels.library);
  EXPECT_GT(kernels.source.kernels.size(), 60u);
  EXPECT_TRUE(llvm::any_of(kernels.source.kernels,
                           [](const CudaKernel &k) { return inPlaceOperand(k.op, 0).has_value(); }));
  for (int64_t n : {1, 3, 37, 1031})
    kernels.check({{"n", n}});
  for (int schedule = 1; schedule < kSchedules; ++schedule) {
    kernels.setSchedule(schedule, false);
    kernels.check({{"n", 37}});
  }
}

/// Barriers, copies and products that run by themselves: whatever the order, and however late.
TEST_F(Emulation, productsAgreeWithTheEvaluator) {
  for (const char *target : {"sm_80", "sm_90"}) {
    auto module = smallProducts(context);
    ASSERT_TRUE(module);
    EmulatedKernels kernels(*module, target);
    ASSERT_TRUE(kernels.library);
    for (int schedule = 0; schedule < kSchedules; ++schedule)
      for (bool late : {false, true}) {
        SCOPED_TRACE(std::string(target) + ", schedule " + std::to_string(schedule) + (late ? ", late" : ""));
        kernels.setSchedule(schedule, late);
        kernels.check({{"n", 37}});
      }
    kernels.check({{"n", 1}});
    kernels.check({{"n", 300}});
  }
}
