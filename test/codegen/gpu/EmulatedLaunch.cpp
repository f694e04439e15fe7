//===- EmulatedLaunch.cpp - Launches and what they should give ------------===//

#include "test/codegen/gpu/EmulatedLaunch.h"
#include "codegen/kernel/Kernel.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/codegen/gpu/KernelValues.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace optc;

std::string EmulatedLaunch::compare() const {
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

llvm::Expected<EmulatedLaunch> optc::launchOf(const CudaKernel &kernel, const Sizes &sizes, uint64_t seed) {
  KernelOp op = kernel.op;
  EmulatedLaunch launch;
  launch.symbol = kernel.symbol;
  llvm::raw_string_ostream(launch.what) << op;
  std::vector<HostValue> inputs;
  for (mlir::Type type : op.getOperandTypes())
    inputs.push_back(randomOperand(type, sizes, seed++, takesFinite(op)));
  auto evaluated = evaluateKernel(op, inputs, sizes);
  if (!evaluated)
    return evaluated.takeError();
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
  for (const DeviceTensorMap &map : kernel.maps)
    launch.slots.push_back(reinterpret_cast<uint64_t>(
        launch.memory.placeMap(mapOf(map, kernel, sizes), reinterpret_cast<void *>(launch.slots[map.operand]), sizeOf(inputs[map.operand].type))));
  int64_t blocks = blocksOf(kernel, sizes);
  launch.blocks = kernel.isPersistent ? std::min(blocks, kPersistentBlocks) : blocks;
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
  for (const BundleMap &map : c.maps)
    launch.slots.push_back(
        reinterpret_cast<uint64_t>(launch.memory.placeMap(map, reinterpret_cast<void *>(launch.slots[size_t(map.operand)]), sizeOf(product.type))));
  launch.blocks = c.isPersistent ? std::min(c.blocks, kPersistentBlocks) : c.blocks;
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
