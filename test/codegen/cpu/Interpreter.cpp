//===- Interpreter.cpp - Ops on host values, with control flow ------------===//

#include "Interpreter.h"
#include <cstring>

using namespace optc;
using namespace optc::test;
using mlir::dyn_cast;

static int64_t integerOf(const HostValue &value) {
  int64_t x = 0;
  load(value, 0, 1, &x);
  return x;
}

void Interpreter::define(mlir::Value value, const HostValue &is, bool anew) {
  if (auto type = dyn_cast<mlir::RankedTensorType>(value.getType()))
    for (auto [dim, size] : llvm::zip(dimsOf(type), is.dims))
      if (auto symbol = dim.asSymbol(); symbol && (anew || !symbols.count(*symbol)))
        symbols[*symbol] = size;
  values[value] = is;
}

/// Equal values one after the other, as a new first dim.
static HostValue stack(const std::vector<HostValue> &parts, mlir::Type type) {
  auto tensor = mlir::cast<mlir::RankedTensorType>(type);
  std::vector<int64_t> dims = parts.empty() ? std::vector<int64_t>(tensor.getRank() - 1, 0) : parts.front().dims;
  dims.insert(dims.begin(), int64_t(parts.size()));
  HostValue out = HostValue::allocate(dtypeOf(tensor.getElementType()), dims);
  char *to = out.as<char>();
  for (const HostValue &part : parts) {
    std::memcpy(to, part.data, part.bytes());
    to += part.bytes();
  }
  return out;
}

Status Interpreter::runLoop(LoopOp op, std::vector<HostValue> &outputs) {
  int64_t trips = op.getTripCount() ? integerOf(values[op.getTripCount()]) : INT64_MAX;
  bool go = !op.getCondition() || integerOf(values[op.getCondition()]);
  size_t carried = op.getInit().size();
  std::vector<std::vector<HostValue>> scanned(op.getNumResults() - carried);
  std::vector<HostValue> state;
  for (mlir::Value v : op.getInit())
    state.push_back(values[v]);
  for (int64_t i = 0; i < trips && go; ++i) {
    HostValue counter = HostValue::allocate(DType::i64, {});
    *counter.as<int64_t>() = i;
    std::vector<HostValue> arguments{counter}, yielded;
    arguments.insert(arguments.end(), state.begin(), state.end());
    if (Status status = run(op.getBody().front(), arguments, yielded); !status.ok())
      return status;
    if (op.getCondition())
      go = integerOf(yielded[0]);
    state.assign(yielded.begin() + 1, yielded.begin() + 1 + carried);
    for (size_t k = 0; k < scanned.size(); ++k)
      scanned[k].push_back(yielded[1 + carried + k]);
  }
  outputs = state;
  for (auto [k, parts] : llvm::enumerate(scanned))
    outputs.push_back(stack(parts, op.getResult(carried + k).getType()));
  return Status::success();
}

Status Interpreter::runOp(mlir::Operation *op, std::vector<HostValue> &outputs) {
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    outputs = {*valueOf(constant.getValue())};
    return Status::success();
  }
  if (auto bind = dyn_cast<BindOp>(op)) {
    for (auto [i, symbol] : llvm::enumerate(bind.getSymbols().getAsValueRange<mlir::StringAttr>()))
      load(values[bind.getX()], int64_t(i), 1, &symbols[symbol]);
    return Status::success();
  }
  if (auto branch = dyn_cast<IfOp>(op))
    return run(integerOf(values[branch.getCondition()]) ? branch.getThenRegion().front() : branch.getElseRegion().front(), {}, outputs);
  if (auto loop = dyn_cast<LoopOp>(op))
    return runLoop(loop, outputs);
  llvm::SmallVector<const HostValue *> operands;
  for (mlir::Value operand : referenceOperands(op))
    operands.push_back(operand ? &values[operand] : nullptr);
  llvm::SmallVector<HostValue> results;
  Status status = evaluate(op, operands, results, symbols);
  outputs.assign(results.begin(), results.end());
  return status.ok() ? status : Status::error(op->getName().getStringRef().str() + ": " + status.message);
}

Status Interpreter::run(mlir::Block &block, llvm::ArrayRef<HostValue> arguments, std::vector<HostValue> &results) {
  for (auto [argument, value] : llvm::zip(block.getArguments(), arguments))
    define(argument, value, /*anew=*/true);
  for (mlir::Operation &op : block.without_terminator()) {
    std::vector<HostValue> outputs;
    if (Status status = runOp(&op, outputs); !status.ok())
      return status;
    for (auto [result, output] : llvm::zip(op.getResults(), outputs))
      define(result, output, /*anew=*/block.getParentOp()->getName().getStringRef() == "optc.loop");
  }
  results.clear();
  for (mlir::Value v : block.getTerminator()->getOperands())
    results.push_back(values[v]);
  return Status::success();
}
