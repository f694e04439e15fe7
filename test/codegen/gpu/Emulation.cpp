//===- Emulation.cpp - Printed CUDA against the evaluator -----------------===//
//
// Kernels are printed for a GPU, compiled as host C++ on top of emulate.h, and run on random values; each
// result is compared with what the evaluator makes of the kernel's ops. No GPU and no CUDA are needed.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Kernel.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/codegen/gpu/Emulator.h"
#include "test/codegen/gpu/EvaluateKernel.h"
#include "test/codegen/gpu/KernelValues.h"
#include "test/codegen/gpu/Models.h"
#include "test/codegen/gpu/TileProducts.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>

using namespace optc;

namespace {

/// Kernels of a model, printed for a GPU and compiled for the host.
class EmulatedKernels {
public:
  EmulatedKernels(mlir::ModuleOp module, const char *target);
  /// Runs each kernel once and compares its results.
  void check(const Sizes &given);
  CudaSource source;
  std::unique_ptr<Emulator> emulator;
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
  std::vector<Emulator::Kernel> kernels;
  for (const CudaKernel &kernel : source.kernels)
    kernels.push_back({kernel.symbol, kernel.threads, kernel.sharedBytes});
  emulator = std::make_unique<Emulator>(source.text, kernels);
}

void EmulatedKernels::check(const Sizes &given) {
  uint64_t seed = 0;
  for (const CudaKernel &kernel : source.kernels) {
    KernelOp op = kernel.op;
    std::vector<HostValue> inputs;
    for (mlir::Type type : op.getOperandTypes())
      inputs.push_back(randomOperand(type, given, seed++, takesFinite(op)));
    std::string what;
    llvm::raw_string_ostream(what) << op;
    auto evaluated = evaluateKernel(op, inputs, given);
    ASSERT_TRUE(bool(evaluated)) << what << llvm::toString(evaluated.takeError());
    std::vector<HostValue> expected = std::move(*evaluated);
    Sizes sizes = withDefined(op, expected, given);
    std::vector<HostValue> outputs;
    EmulatedMemory memory;
    std::vector<uint64_t> slots;
    auto place = [&](size_t bytes) {
      slots.push_back(reinterpret_cast<uint64_t>(memory.place(bytes)));
      return reinterpret_cast<void *>(slots.back());
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
    LaunchCounts counts = launchesOf(kernel, sizes);
    int64_t found = -1;
    HostValue workspace(DType::u8, {std::max<int64_t>(counts.workspace, 0)}, nullptr);
    if (counts.workspace >= 0)
      workspace.data = place(size_t(counts.workspace));
    if (counts.counted >= 0)
      slots.push_back(reinterpret_cast<uint64_t>(&found));
    size_t number = slots.size();
    if (counts.repeats >= 0)
      slots.push_back(0);
    for (const DeviceTensorMap &map : kernel.maps)
      slots.push_back(reinterpret_cast<uint64_t>(memory.placeMap(mapOf(map, kernel, sizes),
                                                                 reinterpret_cast<void *>(slots[map.operand]),
                                                                 sizeOf(inputs[map.operand].type))));
    int64_t blocks = blocksOf(kernel, sizes);
    for (int64_t launch = 0; launch < std::max<int64_t>(counts.repeats, counts.repeats < 0); ++launch) {
      if (counts.repeats >= 0)
        slots[number] = uint64_t(launch);
      emulator->run(kernel.symbol, slots, kernel.isPersistent ? std::min(blocks, kPersistentBlocks) : blocks);
      if (launch + 1 == counts.counted && blocks > 0)
        EXPECT_EQ(found, expected[0].dims[mlir::isa<NonZeroOp>(op.getBody().front().front()) ? 1 : 0]) << what;
    }
    if (workspace.data)
      EXPECT_TRUE(EmulatedMemory::guardIsWhole(workspace)) << what << ": written beyond the workspace";
    for (size_t i = 0; i < outputs.size(); ++i) {
      EXPECT_EQ(compareValues(outputs[i], expected[i], toleranceOf(outputs[i].type, longestSum(op, sizes))),
                "")
          << what;
      EXPECT_TRUE(EmulatedMemory::guardIsWhole(outputs[i])) << what << ": written beyond its end";
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

} // namespace

TEST_F(Emulation, agreesWithTheEvaluator) {
  auto module = smallModels(context);
  ASSERT_TRUE(module);
  EmulatedKernels kernels(*module, "sm_90");
  ASSERT_TRUE(kernels.emulator->isReady());
  EXPECT_GT(kernels.source.kernels.size(), 60u);
  EXPECT_TRUE(llvm::any_of(kernels.source.kernels,
                           [](const CudaKernel &k) { return inPlaceOperand(k.op, 0).has_value(); }));
  for (int64_t n : {1, 3, 37, 1031})
    kernels.check({{"n", n}});
  for (int schedule = 1; schedule < Emulator::kSchedules; ++schedule) {
    kernels.emulator->setSchedule(schedule, false);
    kernels.check({{"n", 37}});
  }
}

/// Barriers, copies and products that run by themselves: whatever the order, and however late.
TEST_F(Emulation, productsAgreeWithTheEvaluator) {
  for (const char *target : {"sm_80", "sm_90"}) {
    auto module = smallProducts(context);
    ASSERT_TRUE(module);
    EmulatedKernels kernels(*module, target);
    ASSERT_TRUE(kernels.emulator->isReady());
    for (int schedule = 0; schedule < Emulator::kSchedules; ++schedule)
      for (bool late : {false, true}) {
        SCOPED_TRACE(std::string(target) + ", schedule " + std::to_string(schedule) + (late ? ", late" : ""));
        kernels.emulator->setSchedule(schedule, late);
        kernels.check({{"n", 37}});
      }
    kernels.check({{"n", 1}});
    kernels.check({{"n", 300}});
  }
}

TEST_F(Emulation, libraryAgreesWithTheEvaluator) {
  auto module = smallLibrary(context);
  ASSERT_TRUE(module);
  EmulatedKernels kernels(*module, "sm_80");
  ASSERT_TRUE(kernels.emulator->isReady());
  for (int64_t n : {1, 37, 1500})
    kernels.check({{"n", n}});
  for (int schedule = 1; schedule < Emulator::kSchedules; ++schedule) {
    kernels.emulator->setSchedule(schedule, false);
    kernels.check({{"n", 37}});
  }
}

TEST_F(Emulation, recurrencesAgreeWithTheEvaluator) {
  auto module = smallRecurrent(context);
  ASSERT_TRUE(module);
  EmulatedKernels kernels(*module, "sm_80");
  ASSERT_TRUE(kernels.emulator->isReady());
  for (int schedule = 0; schedule < Emulator::kSchedules; ++schedule) {
    kernels.emulator->setSchedule(schedule, false);
    kernels.check({{"n", 5}});
  }
  kernels.check({{"n", 1}});
  kernels.check({{"n", 0}});
}

TEST_F(Emulation, attentionAgreesWithTheEvaluator) {
  for (const char *target : {"sm_80", "sm_90"}) {
    auto module = smallAttention(context);
    ASSERT_TRUE(module);
    EmulatedKernels kernels(*module, target);
    ASSERT_TRUE(kernels.emulator->isReady());
    for (int schedule = 0; schedule < Emulator::kSchedules; ++schedule) {
      SCOPED_TRACE(std::string(target) + ", schedule " + std::to_string(schedule));
      kernels.emulator->setSchedule(schedule, schedule != 0);
      kernels.check({{"n", 37}});
    }
    kernels.check({{"n", 300}});
  }
}

TEST_F(Emulation, tileProductsAgreeWithAPlainLoop) {
  for (const char *name : {"sm_80", "sm_90"}) {
    GpuTarget target{name};
    std::vector<TileProduct> products = tileProducts(target);
    std::vector<Emulator::Kernel> kernels;
    for (const TileProduct &p : products)
      kernels.push_back({p.symbol, p.columns ? 384 : 256, p.sharedBytes});
    Emulator emulator(tileProductSource(target), kernels);
    ASSERT_TRUE(emulator.isReady());
    int schedule = 0;
    for (const TileProduct &p : products) {
      std::vector<Value> operands;
      Value expected;
      BundleCase c = tileProductCase(p, 2, 133, 72, 208, operands, expected);
      EmulatedMemory memory;
      std::vector<uint64_t> slots;
      for (const Value &x : operands) {
        void *to = memory.place(x.bytes());
        std::memcpy(to, x.data, x.bytes());
        slots.push_back(reinterpret_cast<uint64_t>(to));
      }
      Value got(expected.type, expected.dims, memory.place(expected.bytes()));
      slots.push_back(reinterpret_cast<uint64_t>(got.data));
      slots.insert(slots.end(), c.sizes.begin(), c.sizes.end());
      for (const BundleMap &map : c.maps)
        slots.push_back(reinterpret_cast<uint64_t>(
            memory.placeMap(map, reinterpret_cast<void *>(slots[size_t(map.operand)]), sizeOf(p.type))));
      emulator.setSchedule(schedule++ % Emulator::kSchedules, true);
      emulator.run(c.symbol, slots, c.isPersistent ? std::min(c.blocks, kPersistentBlocks) : c.blocks);
      EXPECT_EQ(compareValues(got, expected, c.results[0].tolerance), "") << c.what;
      EXPECT_TRUE(EmulatedMemory::guardIsWhole(got)) << c.what;
    }
  }
}
