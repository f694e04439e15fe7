//===- EmulatedLaunch.cpp - Launches and what they should give ------------===//

#include "test/codegen/gpu/EmulatedLaunch.h"
#include "codegen/kernel/Kernel.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/codegen/gpu/KernelValues.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace optc;

void EmulatedLaunch::run(Emulator &emulator) const {
  std::vector<uint64_t> arguments = slots;
  // What the launch does not write itself is not a number.
  if (workspace.data)
    std::memset(workspace.data, 0xff, workspace.bytes());
  int64_t repeats = counts.repeats < 0 ? 1 : counts.repeats;
  for (int64_t i = 0; i < repeats; ++i) {
    if (counts.repeats >= 0)
      arguments[numberSlot] = uint64_t(i);
    emulator.run(symbol, arguments, blocks);
    // Results have memory for the size that is expected.
    if (i + 1 == counts.counted && blocks > 0 && *found != size)
      return;
  }
}

std::string EmulatedLaunch::compare() const {
  if (found && blocks > 0 && *found != size)
    return what + ": counts " + std::to_string(*found) + " instead of " + std::to_string(size);
  if (workspace.data && !EmulatedMemory::guardIsWhole(workspace))
    return what + ": written beyond the workspace";
  for (int64_t i = 0; counters.data && i < counters.size(); ++i)
    if (counters.as<int32_t>()[i] != 0)
      return what + ": counter " + std::to_string(i) + " is not zero again";
  if (counters.data && !EmulatedMemory::guardIsWhole(counters))
    return what + ": written beyond the counters";
  for (size_t i = 0; i < results.size(); ++i) {
    if (std::string difference = compareValues(results[i], expected[i], tolerances[i]); !difference.empty())
      return what + ": " + difference;
    if (!EmulatedMemory::guardIsWhole(results[i]))
      return what + ": written beyond its end";
  }
  return "";
}

/// Memory of so many bytes becomes the next argument.
static void *place(EmulatedLaunch &launch, size_t bytes) {
  void *memory = launch.memory.place(bytes);
  launch.slots.push_back(reinterpret_cast<uint64_t>(memory));
  return memory;
}

/// What blocks and launches share.
static void placeShared(EmulatedLaunch &launch) {
  if (launch.counts.workspace >= 0) {
    launch.workspace = Value(DType::u8, {launch.counts.workspace}, nullptr);
    launch.workspace.data = place(launch, size_t(launch.counts.workspace));
  }
  if (launch.counts.counters >= 0) {
    launch.counters = Value(DType::i32, {launch.counts.counters}, nullptr);
    launch.counters.data = place(launch, launch.counters.bytes());
    std::memset(launch.counters.data, 0, launch.counters.bytes());
  }
}

llvm::Expected<EmulatedLaunch> optc::launchOf(const CudaKernel &kernel, const Sizes &given, uint64_t seed) {
  KernelOp op = kernel.op;
  EmulatedLaunch launch;
  launch.symbol = kernel.symbol;
  llvm::raw_string_ostream(launch.what) << op;
  std::vector<HostValue> inputs;
  seed = acceptedSeed(op, given, seed);
  for (auto [i, type] : llvm::enumerate(op.getOperandTypes()))
    inputs.push_back(randomOperand(type, given, seed++, fillOf(op, i)));
  auto evaluated = evaluateKernel(op, inputs, given);
  if (!evaluated)
    return evaluated.takeError();
  Sizes sizes = withDefined(op, *evaluated, given);
  for (const HostValue &input : inputs)
    std::memcpy(place(launch, input.bytes()), input.data, input.bytes());
  for (auto [i, result] : llvm::enumerate(*evaluated)) {
    void *own = place(launch, result.bytes());
    auto operand = inPlaceOperand(op, i);
    launch.results.emplace_back(result.type, result.dims, operand ? reinterpret_cast<void *>(launch.slots[*operand]) : own);
    launch.tolerances.push_back(toleranceOf(result.type, longestSum(op, sizes)));
  }
  launch.expected = std::move(*evaluated);
  for (int64_t size : sizeArguments(kernel, sizes))
    launch.slots.push_back(uint64_t(size));
  if (kernel.checksIndices)
    std::memset(place(launch, sizeof(int32_t)), 0, sizeof(int32_t));
  launch.counts = launchesOf(kernel, sizes);
  placeShared(launch);
  if (launch.counts.counted >= 0) {
    launch.found = static_cast<int64_t *>(place(launch, sizeof(int64_t)));
    *launch.found = -1;
    launch.size = launch.expected[0].dims[countedDim(op)];
  }
  launch.numberSlot = launch.slots.size();
  if (launch.counts.repeats >= 0)
    launch.slots.push_back(0);
  for (const DeviceTensorMap &map : kernel.maps)
    launch.slots.push_back(reinterpret_cast<uint64_t>(
        launch.memory.placeMap(mapOf(map, kernel, sizes), reinterpret_cast<void *>(launch.slots[map.operand]), sizeOf(inputs[map.operand].type))));
  int64_t blocks = blocksOf(kernel, sizes);
  launch.blocks = kernel.residentBlocks ? std::min(blocks, kPersistentBlocks) : blocks;
  return launch;
}

EmulatedLaunch optc::launchOf(const TileProduct &product, int64_t batch, int64_t rows, int64_t columns, int64_t depth) {
  std::vector<Value> operands;
  EmulatedLaunch launch;
  launch.expected.emplace_back();
  BundleCase c = tileProductCase(product, batch, rows, columns, depth, operands, launch.expected.front());
  launch.symbol = c.symbol;
  launch.what = c.what;
  for (const Value &x : operands)
    std::memcpy(place(launch, x.bytes()), x.data, x.bytes());
  const Value &expected = launch.expected.front();
  launch.results.emplace_back(expected.type, expected.dims, place(launch, expected.bytes()));
  launch.tolerances = {c.results[0].tolerance};
  launch.slots.insert(launch.slots.end(), c.sizes.begin(), c.sizes.end());
  launch.counts.workspace = c.workspace;
  launch.counts.counters = c.counters;
  placeShared(launch);
  for (const BundleMap &map : c.maps)
    launch.slots.push_back(
        reinterpret_cast<uint64_t>(launch.memory.placeMap(map, reinterpret_cast<void *>(launch.slots[size_t(map.operand)]), sizeOf(product.type))));
  launch.blocks = c.residentBlocks ? std::min(c.blocks, kPersistentBlocks) : c.blocks;
  return launch;
}

llvm::Expected<CudaSource> optc::printKernels(mlir::ModuleOp module, const GpuTarget &target) {
  mlir::PassManager passes(module.getContext());
  PipelineOptions options;
  options.gpu = true;
  buildPipeline(passes, options);
  if (failed(passes.run(module)))
    return llvm::createStringError("the passes failed");
  CudaSource source = emitCuda(module.lookupSymbol<mlir::func::FuncOp>("main"), target, [](mlir::Operation *) { return llvm::SmallVector<std::string>(); });
  if (!source.problems.empty())
    return llvm::createStringError(source.problems.front());
  return source;
}
