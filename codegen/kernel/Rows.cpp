//===- Rows.cpp - Kernels made of passes over rows ------------------------===//

#include "codegen/kernel/Rows.h"
#include "codegen/kernel/ScalarBody.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

int64_t optc::elementCost(Operation *op) {
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<ConstantOp, BroadcastOp, ReshapeOp>([](auto) { return 0; })
      .Case<ExpOp, LogOp, SigmoidOp, SiluOp, TanhOp, ErfOp, GeluOp, SinOp, CosOp, Log1pOp, Expm1Op, SoftplusOp>(
          [](auto) { return 10; })
      .Case<PowOp, TanOp, AsinOp, AcosOp, AtanOp, SinhOp, CoshOp, AsinhOp, AcoshOp, AtanhOp>([](auto) { return 20; })
      .Case<DivOp, ReciprocalOp>([](auto) { return 4; })
      .Case<SqrtOp, RsqrtOp, ModOp>([](auto) { return 6; })
      .Case<TransposeOp, SliceOp, PadOp, ConcatOp, GatherOp>([](auto) { return 6; })
      .Default([](Operation *) { return 1; });
}

namespace {

/// Where the elements of a value of the space are computed: the passes that read it.
class RowAnalysis {
public:
  RowAnalysis(KernelOp kernel, RowKernel &rows) : kernel(kernel), rows(rows) {}

  void run() {
    Block &body = kernel.getBody().front();
    auto yield = cast<YieldOp>(body.getTerminator());
    unsigned count = 0;
    for (Operation &op : body.without_terminator()) {
      unsigned stage = 0;
      for (Value operand : op.getOperands())
        stage = std::max(stage, stageOf.lookup(operand));
      if (isa<ReduceOp, ArgReduceOp>(op)) {
        pass(stage).reductions.push_back(&op);
        ++stage;
      }
      stageOf[op.getResult(0)] = stage;
      count = std::max(count, stage);
    }
    for (auto [i, result] : llvm::enumerate(yield.getValues()))
      if (dimsOf(result) == rows.dims)
        pass(stageOf.lookup(result)).results.push_back(i);
      else
        rows.rowResults.push_back(i);
    chooseKept(body, yield);
  }

private:
  RowPass &pass(unsigned i) {
    if (rows.passes.size() <= i)
      rows.passes.resize(i + 1);
    return rows.passes[i];
  }
  KeptValue *keptOf(Value value) {
    for (KeptValue &k : rows.kept)
      if (k.value == value)
        return &k;
    return nullptr;
  }

  /// Notes that pass `p` computes `value` and what it is made of.
  void visit(Value value, unsigned p) {
    Operation *op = value.getDefiningOp();
    if (!op || isa<ReduceOp, ArgReduceOp>(op) || !passesOf[value].insert(p))
      return;
    if (KeptValue *k = keptOf(value); k && k->pass < p)
      return;
    for (Value operand : op->getOperands())
      visit(operand, p);
  }
  void visitAll() {
    passesOf.clear();
    auto yield = cast<YieldOp>(kernel.getBody().front().getTerminator());
    for (auto [p, pass] : llvm::enumerate(rows.passes)) {
      for (Operation *r : pass.reductions)
        visit(r->getOperand(0), p);
      for (unsigned result : pass.results)
        visit(yield.getValues()[result], p);
    }
  }

  /// Of one element, up to what is kept or comes from memory.
  int64_t costOf(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return 1;
    if (isa<ReduceOp, ArgReduceOp, ConstantOp>(op) || dimsOf(value) != rows.dims)
      return 0;
    int64_t cost = elementCost(op);
    for (Value operand : op->getOperands())
      cost += costOf(operand);
    return cost;
  }

  /// From the last value backwards: once a value is kept, what it is made of is computed in one pass only.
  void chooseKept(Block &body, YieldOp yield) {
    constexpr int64_t kDear = 4; // more than two loads and an addition
    visitAll();
    for (Operation &op : llvm::reverse(body.without_terminator())) {
      Value value = op.getResult(0);
      if (dimsOf(value) != rows.dims || passesOf[value].size() < 2)
        continue;
      auto result = llvm::find(yield.getValues(), value);
      Type element = elementOf(value);
      bool readBack = result != yield.getValues().end() && registerType(element) == memoryType(element);
      if (costOf(value) <= (readBack ? 1 : kDear))
        continue;
      KeptValue k;
      k.value = value;
      k.pass = *std::min_element(passesOf[value].begin(), passesOf[value].end());
      if (readBack)
        k.result = result - yield.getValues().begin();
      rows.kept.push_back(k);
      visitAll();
    }
    for (KeptValue &k : rows.kept) {
      if (k.result >= 0) {
        // The pass that computes it stores it.
        for (RowPass &pass : rows.passes)
          llvm::erase(pass.results, unsigned(k.result));
        rows.passes[k.pass].results.push_back(k.result);
        continue;
      }
      k.offset = rows.scratchBytes;
      unsigned bytes = std::max(1u, registerType(elementOf(k.value)).getIntOrFloatBitWidth() / 8);
      DimExpr elements = rows.isInnermost() ? rows.length() : rows.length() * DimExpr(kRowColumns);
      rows.scratchBytes = rows.scratchBytes + DimExpr::ceildiv(elements * DimExpr(int64_t(bytes)), 64) * DimExpr(64);
    }
  }

  KernelOp kernel;
  RowKernel &rows;
  llvm::DenseMap<Value, unsigned> stageOf;
  llvm::DenseMap<Value, llvm::SmallSetVector<unsigned, 4>> passesOf;
};

} // namespace

std::optional<RowKernel> optc::readRows(KernelOp kernel) {
  RowKernel rows;
  bool found = false, uniform = true;
  for (Operation &op : kernel.getBody().front()) {
    int64_t axis;
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      if (reduce.getAxes().size() != 1)
        return std::nullopt;
      axis = reduce.getAxes().front();
    } else if (auto arg = dyn_cast<ArgReduceOp>(op)) {
      axis = arg.getAxis();
    } else {
      continue;
    }
    Dims dims = dimsOf(op.getOperand(0));
    uniform &= !found || (dims == rows.dims && axis == rows.axis);
    rows.dims = dims;
    rows.axis = axis;
    found = true;
  }
  if (!found || !uniform)
    return std::nullopt;
  RowAnalysis(kernel, rows).run();
  return rows;
}

DimExpr RowKernel::tiles() const {
  DimExpr tiles = 1;
  for (size_t i = 0; i < dims.size(); ++i)
    if (int64_t(i) != axis)
      tiles = tiles * (i + 1 == dims.size() ? DimExpr::ceildiv(dims[i], kRowColumns) : dims[i]);
  return tiles;
}

KernelSchedule optc::scheduleRows(KernelOp kernel) {
  KernelSchedule schedule;
  std::optional<RowKernel> rows = readRows(kernel);
  if (!rows)
    return schedule; // the generator reports it
  schedule.tiles = rows->tiles();
  schedule.scratchBytes = rows->scratchBytes;
  return schedule;
}
