//===- Tune.cpp - Kernels cut as is fastest on this machine ---------------===//

#include "tools/compiler/Tune.h"
#include "codegen/gpu/CudaSource.h"
#include "codegen/kernel/Kernel.h"
#include "tools/compiler/CompileGpu.h"
#include "tools/compiler/NativeModel.h"
#include "tools/tensors/RandomTensor.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include <chrono>
#include <cmath>

using namespace mlir;
using namespace optc;

static std::string whatOf(KernelOp kernel) {
  auto typesOf = [](TypeRange types) { return llvm::join(llvm::map_range(types, tensorText), ", "); };
  return kernel.getKind().str() + " " + typesOf(kernel.getOperandTypes()) + " -> " + typesOf(kernel.getResultTypes());
}

std::vector<TunableKernel> optc::tunableKernels(func::FuncOp model, ArrayRef<CpuTarget> targets, ArrayRef<GpuTarget> gpuTargets) {
  // Distinct kernels in the model's order.
  std::vector<std::string> texts;
  std::vector<TunableKernel> distinct;
  llvm::StringMap<size_t> numbers;
  model.walk<WalkOrder::PreOrder>([&](KernelOp kernel) {
    if (kernel.getKind() != "matmul" && kernel.getKind() != "conv")
      return WalkResult::skip();
    CanonicalKernel canonical = canonicalize(kernel);
    auto [it, isNew] = numbers.try_emplace(canonical.text, texts.size());
    if (isNew) {
      distinct.push_back({{}, "", canonical.hash(), whatOf(kernel), "", {}});
      texts.push_back(canonical.text);
    }
    distinct[it->second].uses.push_back(kernel);
    return WalkResult::skip();
  });
  std::vector<TunableKernel> tunable;
  auto add = [&](StringRef target, StringRef attribute, ArrayRef<SmallVector<Tiling>> tilings) {
    for (auto [kernel, ways] : llvm::zip(distinct, tilings))
      if (ways.size() > 1) {
        tunable.push_back(kernel);
        tunable.back().target = target;
        tunable.back().attribute = attribute;
        tunable.back().tilings = ways;
      }
  };
  for (const GpuTarget &target : gpuTargets)
    add(target.name, target.name, deviceTilings(texts, target));
  if (gpuTargets.empty())
    add(targets.front().name, kCpuTiling, llvm::map_to_vector(distinct, [](const TunableKernel &kernel) { return cpuTilings(kernel.uses.front()); }));
  return tunable;
}

namespace {

using Clock = std::chrono::steady_clock;

/// Of the ways that a generator offers those that are tried: not many that differ in the last number alone, as how often tiles are cut.
SmallVector<Tiling> triedOf(ArrayRef<Tiling> offered, size_t most) {
  constexpr size_t kMost = 10, kAlike = 3;
  SmallVector<Tiling> tried;
  for (const Tiling &tiling : offered) {
    auto isAlike = [&](const Tiling &other) { return ArrayRef(other).drop_back() == ArrayRef(tiling).drop_back(); };
    if (tried.size() < std::min(most, kMost) && size_t(llvm::count_if(tried, isAlike)) < kAlike)
      tried.push_back(tiling);
  }
  return tried;
}

/// A kernel in all ways, each on operands of its own.
OwningOpRef<ModuleOp> sideBySide(const TunableKernel &tunable) {
  KernelOp kernel = tunable.uses.front();
  OpBuilder b(kernel.getContext());
  Location loc = b.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  b.setInsertionPointToEnd(module->getBody());
  SmallVector<Type> inputs, results;
  for (size_t i = 0; i < tunable.tilings.size(); ++i) {
    llvm::append_range(inputs, kernel.getOperandTypes());
    llvm::append_range(results, kernel.getResultTypes());
  }
  auto main = b.create<func::FuncOp>(loc, "main", b.getFunctionType(inputs, results));
  Block *entry = main.addEntryBlock();
  b.setInsertionPointToStart(entry);
  SmallVector<mlir::Value> returned;
  for (const auto &[i, tiling] : llvm::enumerate(tunable.tilings)) {
    auto clone = cast<KernelOp>(b.clone(*kernel.getOperation()));
    clone->setOperands(entry->getArguments().slice(i * kernel.getNumOperands(), kernel.getNumOperands()));
    clone->removeAttr(kInPlace); // inputs are the caller's
    setTiling(clone, tunable.attribute, tiling);
    llvm::append_range(returned, clone.getResults());
  }
  b.create<func::ReturnOp>(loc, returned);
  return module;
}

/// Nanoseconds of each of the model's kernels on one side: the best of a few rounds' means, as other work on the machine only adds to it.
Error timesOf(NativeModel &model, bool onDevice, SmallVector<double> &times) {
  constexpr int kRounds = 5, kLeastRuns = 3;
  constexpr std::chrono::milliseconds kRound(30);
  std::vector<HostValue> inputs;
  Random random{1};
  for (const Port &port : model.plan().inputs) {
    inputs.push_back(HostValue::allocate(port.type, port.dims));
    if (inputs.back().bytes() && !inputs.back().data)
      return Error::at("", "out of memory");
    fillRandom(inputs.back(), 100, random);
  }
  SmallVector<size_t> steps;
  for (const auto &[i, step] : llvm::enumerate(model.plan().frames[0].steps))
    if (step.kind == Step::Kind::kernel && step.onDevice == onDevice)
      steps.push_back(i);
  times.assign(steps.size(), std::numeric_limits<double>::infinity());
  for (int round = -1; round < kRounds; ++round) { // the first one warms up
    model.profile(true);
    Clock::time_point start = Clock::now();
    for (int run = 0; run < kLeastRuns || (round >= 0 && Clock::now() - start < kRound); ++run)
      if (Error error = model.run(inputs))
        return error;
    for (auto [time, step] : llvm::zip(times, steps))
      if (const StepTime &t = model.times()[step]; round >= 0 && t.runs)
        time = std::min(time, double(t.nanoseconds) / double(t.runs));
  }
  return Error::success();
}

double bytesOf(KernelOp kernel) {
  double bytes = 0;
  for (TypeRange types : {TypeRange(kernel.getOperandTypes()), TypeRange(kernel.getResultTypes())})
    for (Type type : types) {
      auto tensor = cast<RankedTensorType>(type);
      bytes += double(tensor.getNumElements()) * std::max(1u, memoryType(tensor.getElementType()).getIntOrFloatBitWidth() / 8);
    }
  return bytes;
}

} // namespace

Error optc::measureTilings(ArrayRef<TunableKernel> kernels, ArrayRef<CpuTarget> targets, ArrayRef<GpuTarget> gpuTargets, const CompileOptions &options,
                           llvm::function_ref<void(const std::string &)> progress, Tuning &tuning) {
  // What is less may be the noise of a shared machine.
  constexpr double kWorthwhile = 0.97, kMostBytes = 4e9;
  CompileOptions measured = options;
  measured.emit = Emit::so;
  auto notMeasured = [](const std::string &why, ExitCode code) {
    Error error = Error::at("optc", "kernels cannot be measured on this machine: " + why);
    error.exitCode = code;
    return error;
  };
  for (auto [i, tunable] : llvm::enumerate(kernels)) {
    std::pair place{tunable.target, tunable.hash};
    // What another version of the compiler offered is measured anew.
    if (auto known = tuning.kernels.find(place); known != tuning.kernels.end() && llvm::is_contained(tunable.tilings, known->second.tiling))
      continue;
    progress("tune " + std::to_string(i + 1) + " of " + std::to_string(kernels.size()) + ": " + tunable.what);
    TunableKernel tried = tunable;
    tried.tilings = triedOf(tunable.tilings, std::max<size_t>(1, size_t(kMostBytes / std::max(1.0, bytesOf(tunable.uses.front())))));
    OwningOpRef<ModuleOp> module = sideBySide(tried);
    auto main = module->lookupSymbol<func::FuncOp>("main");
    std::optional<DeviceCode> device;
    if (!gpuTargets.empty()) {
      CompileResult result;
      device = compileForGpus(main, gpuTargets, measured, result);
      if (!device)
        return notMeasured(StringRef(result.messages.front()).split("error: ").second.str(), result.code);
    }
    auto built = buildPlan(main, {}, device ? &*device : nullptr);
    if (failed(built))
      return internalError("no plan for a kernel to be measured");
    NativeModel model;
    SmallVector<double> times;
    Error error = model.build(*built, targets, options.jobs);
    if (!error)
      error = timesOf(model, !gpuTargets.empty(), times);
    if (error && error.exitCode != ExitCode::internal)
      return notMeasured(error.message, gpuTargets.empty() ? error.exitCode : ExitCode::toolchain);
    if (error)
      return error;
    if (times.size() != tried.tilings.size() || llvm::any_of(times, [](double t) { return !std::isfinite(t); }))
      return internalError("kernels to be measured are not the steps of their plan");
    size_t best = size_t(llvm::min_element(times) - times.begin());
    if (times[best] > kWorthwhile * times[0])
      best = 0;
    tuning.kernels[place] = {tunable.what, tried.tilings[best], std::llround(times[best]), tried.tilings[0], std::llround(times[0])};
  }
  return Error::success();
}

size_t optc::applyTuning(ArrayRef<TunableKernel> kernels, const Tuning &tuning) {
  size_t count = 0;
  for (const TunableKernel &tunable : kernels) {
    auto found = tuning.kernels.find({tunable.target, tunable.hash});
    if (found == tuning.kernels.end() || !llvm::is_contained(tunable.tilings, found->second.tiling))
      continue;
    ++count;
    if (found->second.tiling != tunable.tilings.front())
      for (KernelOp use : tunable.uses)
        setTiling(use, tunable.attribute, found->second.tiling);
  }
  return count;
}
