//===- EvaluateKernel.cpp - What a kernel should give ---------------------===//

#include "test/codegen/gpu/EvaluateKernel.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/LibraryKernel.h"
#include "test/codegen/gpu/KernelValues.h"

using namespace optc;
using mlir::cast;
using mlir::dyn_cast;

std::vector<int64_t> optc::sizesOf(mlir::Type type, const Sizes &sizes) {
  std::vector<int64_t> dims;
  for (const DimExpr &d : dimsOf(type))
    dims.push_back(*d.evaluate([&](llvm::StringRef s) -> std::optional<int64_t> { return sizes.lookup(s); }));
  return dims;
}

Fill optc::fillOf(KernelOp kernel, size_t operand) {
  if (auto product = readContraction(kernel); product && product->positions && product->positions.getArgNumber() == operand)
    return Fill::positions;
  // Which of a transform's results are infinite and which no numbers depends on the order of its sums.
  bool isFinite = mlir::isa<DftOp>(kernel.getBody().front().front()) || kernel.getKind() == "matmul" || kernel.getKind() == "attention" || kernel.getKind() == "recurrent";
  return isFinite ? Fill::finite : Fill::any;
}

int64_t optc::longestSum(KernelOp kernel, const Sizes &sizes) {
  int64_t longest = 1;
  for (mlir::Operation &op : kernel.getBody().front()) {
    std::vector<int64_t> x;
    llvm::ArrayRef<int64_t> axes;
    if (auto contract = dyn_cast<ContractOp>(op)) {
      x = sizesOf(contract.getLhs().getType(), sizes);
      axes = contract.getLhsContract();
    } else if (auto reduce = dyn_cast<ReduceOp>(op)) {
      x = sizesOf(reduce.getX().getType(), sizes);
      axes = reduce.getAxes();
    } else if (mlir::isa<ConvOp, ConvTransposeOp>(op)) {
      std::vector<int64_t> w = sizesOf(op.getOperand(1).getType(), sizes);
      int64_t terms = 1;
      for (size_t d = 0; d + 1 < w.size(); ++d)
        terms *= w[d];
      longest = std::max(longest, terms);
    } else if (auto scan = dyn_cast<CumulativeOp>(op)) {
      x = sizesOf(scan.getX().getType(), sizes);
      axes = llvm::ArrayRef<int64_t>();
      longest = std::max(longest, x[size_t(scan.getAxis())]);
    } else if (auto recurrent = dyn_cast<RecurrentOp>(op)) {
      x = sizesOf(recurrent.getX().getType(), sizes);
      longest = std::max(longest, x[0] * sizesOf(recurrent.getR().getType(), sizes)[1]);
    }
    int64_t terms = 1;
    for (int64_t axis : axes)
      terms *= x[size_t(axis)];
    longest = std::max(longest, terms);
  }
  return longest;
}

HostValue optc::randomOperand(mlir::Type type, const Sizes &sizes, uint64_t seed, Fill fill) {
  HostValue value =
      HostValue::allocate(dtypeOf(cast<mlir::RankedTensorType>(type).getElementType()), sizesOf(type, sizes));
  fillRandom(value, seed, fill);
  return value;
}

uint64_t optc::acceptedSeed(KernelOp kernel, const Sizes &sizes, uint64_t seed) {
  if (!mlir::isa<MaxRoiPoolOp, MelWeightMatrixOp>(kernel.getBody().front().front()))
    return seed;
  constexpr int kMostTries = 2000;
  for (int tries = 0; tries < kMostTries; ++tries) {
    std::vector<HostValue> inputs;
    for (mlir::Type type : kernel.getOperandTypes())
      inputs.push_back(randomOperand(type, sizes, seed + inputs.size(), fillOf(kernel, inputs.size())));
    auto results = evaluateKernel(kernel, inputs, sizes);
    if (results)
      break;
    llvm::consumeError(results.takeError());
    seed += inputs.size();
  }
  return seed;
}

llvm::Expected<std::vector<HostValue>>
optc::evaluateKernel(KernelOp kernel, const std::vector<HostValue> &inputs, const Sizes &sizes) {
  llvm::DenseMap<mlir::Value, HostValue> values;
  for (auto [argument, input] : llvm::zip(kernel.getBody().getArguments(), inputs))
    values[argument] = input;
  std::vector<HostValue> results;
  for (mlir::Operation &op : kernel.getBody().front()) {
    if (auto constant = dyn_cast<ConstantOp>(op)) {
      values[constant] = *valueOf(constant.getValue());
      continue;
    }
    if (auto yield = dyn_cast<YieldOp>(op)) {
      for (mlir::Value v : yield.getValues())
        results.push_back(values[v]);
      break;
    }
    llvm::SmallVector<const HostValue *> operands;
    for (mlir::Value operand : referenceOperands(&op))
      operands.push_back(operand ? &values[operand] : nullptr);
    llvm::SmallVector<HostValue> outputs;
    if (Status status = evaluate(&op, operands, outputs, sizes); !status.ok())
      return llvm::createStringError(status.message);
    for (auto [result, output] : llvm::zip(op.getResults(), outputs))
      values[result] = output;
  }
  return results;
}

bool optc::isDefinedBy(KernelOp kernel, llvm::StringRef symbol) {
  auto isResultOf = [&](mlir::TypeRange types) {
    return llvm::any_of(types, [&](mlir::Type type) {
      bool found = false;
      for (const DimExpr &d : dimsOf(type))
        d.forEachSymbol([&](llvm::StringRef s) { found |= s == symbol; });
      return found;
    });
  };
  return isResultOf(kernel.getResultTypes()) && !isResultOf(kernel.getOperandTypes()) &&
         mlir::isa<NonZeroOp, NmsOp, UniqueOp>(kernel.getBody().front().front());
}

size_t optc::countedDim(KernelOp kernel) {
  mlir::Operation &op = kernel.getBody().front().front();
  auto unique = dyn_cast<UniqueOp>(op);
  return mlir::isa<NonZeroOp>(op) ? 1 : unique ? size_t(sliceAxis(unique).value_or(0)) : 0;
}

Sizes optc::withDefined(KernelOp kernel, const std::vector<HostValue> &results, const Sizes &sizes) {
  Sizes all = sizes;
  for (auto [type, result] : llvm::zip(kernel.getResultTypes(), results))
    for (auto [d, dim] : llvm::zip(dimsOf(type), result.dims))
      if (auto symbol = d.asSymbol())
        all.try_emplace(*symbol, dim);
  return all;
}

LaunchCounts optc::launchesOf(const CudaKernel &kernel, const Sizes &sizes) {
  auto value = [&](const std::optional<DimExpr> &expr, int64_t otherwise) { return expr ? valueOf(*expr, kernel, sizes) : otherwise; };
  return {value(kernel.workspace, -1), value(kernel.counters, -1), value(kernel.counted, -1), value(kernel.repeats, -1)};
}

std::vector<int64_t> optc::sizeArguments(const CudaKernel &kernel, const Sizes &sizes) {
  std::vector<int64_t> arguments;
  for (const std::string &symbol : kernel.symbols)
    arguments.push_back(sizes.lookup(symbol));
  return arguments;
}

int64_t optc::valueOf(const DimExpr &expr, const CudaKernel &kernel, const Sizes &sizes) {
  Sizes canonical;
  for (auto [i, size] : llvm::enumerate(sizeArguments(kernel, sizes)))
    canonical["s" + std::to_string(i)] = size;
  return *expr.evaluate([&](llvm::StringRef s) -> std::optional<int64_t> { return canonical.lookup(s); });
}

int64_t optc::blocksOf(const CudaKernel &kernel, const Sizes &sizes) {
  return valueOf(kernel.blocks, kernel, sizes);
}

BundleMap optc::mapOf(const DeviceTensorMap &map, const CudaKernel &kernel, const Sizes &sizes) {
  auto valuesOf = [&](llvm::ArrayRef<DimExpr> list) {
    std::vector<int64_t> values;
    for (const DimExpr &d : list)
      values.push_back(valueOf(d, kernel, sizes));
    return values;
  };
  return {map.operand,
          valueOf(map.offset, kernel, sizes),
          valuesOf(map.sizes),
          valuesOf(map.strides),
          {map.box.begin(), map.box.end()}};
}
