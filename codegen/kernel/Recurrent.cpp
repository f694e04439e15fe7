//===- Recurrent.cpp - Kernels of recurrent layers ------------------------===//

#include "codegen/kernel/Recurrent.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace optc;

int64_t optc::gatesOf(RecurrentOp op) { return op.getCell() == "lstm" ? 4 : op.getCell() == "gru" ? 3 : 1; }

SmallVector<int64_t> optc::productsOf(RecurrentOp op) {
  if (op.getCell() == "gru" && !op.getResetAfter())
    return {2, 1};
  return {gatesOf(op)};
}

SmallVector<Activation> optc::activationsOf(RecurrentOp op) {
  size_t needed = op.getCell() == "lstm" ? 3 : op.getCell() == "gru" ? 2 : 1;
  auto names = op.getActivations().getValue();
  if (names.size() < needed || op.getAlpha().size() < needed || op.getBeta().size() < needed)
    return {};
  SmallVector<Activation> functions;
  for (size_t i = 0; i < needed; ++i) {
    StringRef name = cast<StringAttr>(names[i]).getValue();
    if (!isActivation(name))
      return {};
    functions.push_back({name, op.getAlpha()[i], op.getBeta()[i]});
  }
  return functions;
}

/// The argument that is unpacked to `value`; null when it is absent or something else.
static BlockArgument argumentUnder(Value value) {
  while (value && isa_and_nonnull<SliceOp, ReshapeOp, TransposeOp, PadOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return dyn_cast_or_null<BlockArgument>(value);
}

/// The recurrence's result that a result of the kernel is or, with that of the other direction, is stacked
/// of.
static OpResult resultUnder(Value value) {
  while (isa_and_nonnull<ReshapeOp, ConcatOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return isa_and_nonnull<RecurrentOp>(value.getDefiningOp()) ? cast<OpResult>(value) : OpResult();
}

std::optional<RecurrentKernel> optc::readRecurrent(KernelOp kernel) {
  RecurrentKernel c;
  Block &body = kernel.getBody().front();
  llvm::append_range(c.directions, body.getOps<RecurrentOp>());
  if (c.directions.empty())
    return std::nullopt;
  RecurrentOp op = c.op();
  Dims x = dimsOf(op.getX()), r = dimsOf(op.getR());
  auto hidden = r[1].constant();
  if (op.getW() || !hidden)
    return std::nullopt;
  c.steps = x[0];
  c.batch = x[1];
  c.hidden = *hidden;
  c.input = argumentUnder(op.getX());
  if (productsOf(op).size() == 1)
    c.weights = {argumentUnder(op.getR())};
  else if (auto gates = op.getR().getDefiningOp<ConcatOp>())
    for (Value part : gates.getXs())
      c.weights.push_back(argumentUnder(part));
  c.resetBias = argumentUnder(op.getBias());
  c.peephole = argumentUnder(op.getPeephole());
  c.lengths = argumentUnder(op.getLengths());
  c.h0 = argumentUnder(op.getH0());
  c.c0 = argumentUnder(op.getC0());
  for (Value value : cast<YieldOp>(body.getTerminator()).getValues()) {
    OpResult result = resultUnder(value);
    if (!result)
      return std::nullopt;
    c.results.push_back(result.getResultNumber());
  }
  if (!c.input || c.weights.size() != productsOf(op).size() ||
      !llvm::all_of(c.weights, [](BlockArgument w) { return bool(w); }))
    return std::nullopt;
  return c;
}

int64_t RecurrentKernel::rowsPerTile() const {
  constexpr int64_t kResident = 1 << 20; // bytes of weights that stay in L2
  if (gatesOf(op()) * hidden * hidden * 4 <= kResident)
    return kSequences;
  // Two tiles at least, so that two threads have work.
  auto rows = batch.constant();
  return rows ? std::clamp<int64_t>(*rows / 2 / kSequences, 1, 4) * kSequences : 2 * kSequences;
}

int64_t RecurrentKernel::slotOf(State state) const {
  switch (state) {
  case evenH:
    return 0;
  case oddH:
    return 1;
  case cellState:
  case updateGate:
    return 2;
  case resetState:
    return 3;
  }
  return 0;
}

KernelSchedule optc::scheduleRecurrent(KernelOp kernel) {
  KernelSchedule schedule;
  auto c = readRecurrent(kernel);
  if (!c)
    return schedule;
  DimExpr directions(int64_t(c->directions.size()));
  schedule.tiles = directions * c->rowBlocks();
  schedule.scratchBytes = c->stateBytes() * c->stateCount() + c->sumBytes();
  schedule.flops = DimExpr(2 * gatesOf(c->op()) * c->hidden * c->hidden) * directions * c->steps * c->batch;
  return schedule;
}
