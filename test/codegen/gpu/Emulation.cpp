//===- Emulation.cpp - Printed CUDA against the evaluator -----------------===//
//
// Kernels are printed for a GPU, compiled as host C++ on top of emulate.h, and run on random values; each
// result is compared with what the evaluator makes of the kernel's ops. No GPU and no CUDA are needed.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Kernel.h"
#include "test/codegen/gpu/EmulatedLaunch.h"
#include "test/codegen/gpu/Models.h"
#include <gtest/gtest.h>
#include <cmath>
#include <numeric>

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
  auto printed = printKernels(module, {target});
  if (!printed) {
    ADD_FAILURE() << llvm::toString(printed.takeError());
    return;
  }
  source = std::move(*printed);
  std::vector<Emulator::Kernel> kernels;
  for (const CudaKernel &kernel : source.kernels)
    kernels.push_back({kernel.symbol, kernel.threads, kernel.sharedBytes});
  emulator = std::make_unique<Emulator>(source.text, kernels);
}

void EmulatedKernels::check(const Sizes &given) {
  uint64_t seed = 0;
  for (CudaKernel &kernel : source.kernels) {
    auto launch = launchOf(kernel, given, seed);
    ASSERT_TRUE(bool(launch)) << llvm::toString(launch.takeError());
    seed += kernel.op->getNumOperands();
    launch->run(*emulator);
    EXPECT_EQ(launch->compare(), "");
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
  ASSERT_TRUE(kernels.emulator && kernels.emulator->isReady());
  EXPECT_GT(kernels.source.kernels.size(), 60u);
  EXPECT_TRUE(llvm::any_of(kernels.source.kernels,
                           [](const CudaKernel &k) { return inPlaceOperand(k.op, 0).has_value(); }));
  for (int64_t n : {1, 3, 37, 1031})
    kernels.check({{"n", n}});
  for (int schedule = 1; schedule < Emulator::kSchedules; ++schedule) {
    kernels.emulator->setSchedule(schedule, 0);
    kernels.check({{"n", 37}});
  }
}

/// Barriers, copies and products that run by themselves: whatever the order, and however late.
TEST_F(Emulation, productsAgreeWithTheEvaluator) {
  for (const char *target : {"sm_80", "sm_90"}) {
    auto module = smallProducts(context);
    ASSERT_TRUE(module);
    EmulatedKernels kernels(*module, target);
    ASSERT_TRUE(kernels.emulator && kernels.emulator->isReady());
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

TEST_F(Emulation, wideConvolutionsAgreeWithTheEvaluator) {
  for (const char *target : {"sm_80", "sm_90"}) {
    SCOPED_TRACE(target);
    auto module = wideConvolution(context);
    ASSERT_TRUE(module);
    EmulatedKernels kernels(*module, target);
    ASSERT_TRUE(kernels.emulator && kernels.emulator->isReady());
    for (bool late : {false, true}) {
      kernels.emulator->setSchedule(1, late);
      kernels.check({{"n", 7}});
    }
  }
}

/// Slices of sums: whichever block comes last, the results are the same bits, and the launch can be repeated.
static void checkSlices(EmulatedKernels &kernels, const Sizes &sizes) {
  for (CudaKernel &kernel : kernels.source.kernels) {
    if (kernel.op.getKind() == "loops") // turns an operand
      continue;
    EXPECT_TRUE(kernel.counters.has_value()) << kernel.definition;
    auto launch = launchOf(kernel, sizes, 1);
    ASSERT_TRUE(bool(launch)) << llvm::toString(launch.takeError());
    std::string first;
    for (int schedule = 0; schedule < Emulator::kSchedules; ++schedule)
      for (int late : {0, 1}) {
        SCOPED_TRACE("schedule " + std::to_string(schedule) + (late ? ", late" : ""));
        kernels.emulator->setSchedule(schedule, late);
        launch->run(*kernels.emulator);
        EXPECT_EQ(launch->compare(), "");
        std::string bytes(launch->results[0].as<char>(), launch->results[0].bytes());
        if (first.empty())
          first = bytes;
        EXPECT_TRUE(bytes == first) << launch->what;
      }
  }
}

TEST_F(Emulation, splitProductsAgreeWithTheEvaluator) {
  for (const char *target : {"sm_80", "sm_90"}) {
    SCOPED_TRACE(target);
    auto module = smallSplits(context);
    ASSERT_TRUE(module);
    EmulatedKernels kernels(*module, target);
    ASSERT_TRUE(kernels.emulator && kernels.emulator->isReady());
    checkSlices(kernels, {});
  }
}

/// As many units as there are blocks: of one tile, of some tiles, and tiles that are whole beside them.
TEST_F(Emulation, anyRowsAgreeWithTheEvaluator) {
  for (const char *target : {"sm_80", "sm_90"}) {
    auto module = anyRows(context);
    ASSERT_TRUE(module);
    EmulatedKernels kernels(*module, target);
    ASSERT_TRUE(kernels.emulator && kernels.emulator->isReady());
    for (int64_t n : {70, 500}) {
      SCOPED_TRACE(std::string(target) + ", n = " + std::to_string(n));
      checkSlices(kernels, {{"n", n}});
    }
    for (int64_t n : {1, 1100, 1200})
      kernels.check({{"n", n}});
  }
}

/// Keys for one slice, for some of them, and for all.
TEST_F(Emulation, splitKeysAgreeWithTheEvaluator) {
  auto module = smallDecoding(context);
  ASSERT_TRUE(module);
  EmulatedKernels kernels(*module, "sm_80");
  ASSERT_TRUE(kernels.emulator && kernels.emulator->isReady());
  for (int64_t n : {37, 500, 2100})
    checkSlices(kernels, {{"n", n}});
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
    ASSERT_TRUE(kernels.emulator && kernels.emulator->isReady());
    for (int schedule = 0; schedule < Emulator::kSchedules; ++schedule) {
      SCOPED_TRACE(std::string(target) + ", schedule " + std::to_string(schedule));
      kernels.emulator->setSchedule(schedule, schedule % Emulator::kLate);
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
      EmulatedLaunch launch = launchOf(p, 2, 133, 72, 208);
      emulator.setSchedule(schedule++ % Emulator::kSchedules, true);
      launch.run(emulator);
      EXPECT_EQ(launch.compare(), "");
    }
  }
}

// A warpgroup's own sums have 13 bits: those of thousands of products of one sign would lose the last ones.
TEST_F(Emulation, longSumsOfE4m3KeepTheirFraction) {
  GpuTarget target{"sm_90"};
  std::vector<TileProduct> products = tileProducts(target);
  auto product = llvm::find_if(products, [](const TileProduct &p) { return llvm::StringRef(p.symbol) == "f8_128"; });
  Emulator emulator(tileProductSource(target, [](llvm::StringRef symbol) { return symbol == "f8_128"; }), {{product->symbol, 384, product->sharedBytes}});
  ASSERT_TRUE(emulator.isReady());
  constexpr int64_t kRows = 5, kColumns = 16, kDepth = 4096;
  EmulatedLaunch launch = launchOf(*product, 1, kRows, kColumns, kDepth);
  auto positive = [&](size_t operand, int64_t lines) {
    Value x(DType::f8e4m3fn, {lines, kDepth}, reinterpret_cast<void *>(launch.slots[operand]));
    std::vector<double> values(size_t(x.size()));
    load(x, 0, x.size(), values.data());
    for (double &v : values)
      v = std::fabs(v);
    store(x, 0, x.size(), values.data());
    return values;
  };
  std::vector<double> lhs = positive(0, kRows), rhs = positive(1, kColumns), sums(kRows * kColumns);
  for (size_t i = 0; i < sums.size(); ++i)
    sums[i] = std::inner_product(&lhs[i / kColumns * kDepth], &lhs[i / kColumns * kDepth] + kDepth, &rhs[i % kColumns * kDepth], 0.0);
  store(launch.expected[0], 0, int64_t(sums.size()), sums.data());
  launch.tolerances = {0x1p-11};
  launch.run(emulator);
  EXPECT_EQ(launch.compare(), "");
}
