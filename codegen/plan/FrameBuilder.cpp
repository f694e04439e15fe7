//===- FrameBuilder.cpp - Ops become steps --------------------------------===//

#include "codegen/plan/FrameBuilder.h"
#include "codegen/kernel/LibraryKernel.h"
#include "codegen/kernel/ScalarBody.h"
#include "ir/eval/Evaluate.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

Step FrameBuilder::newStep(Step::Kind kind, Operation *op) {
  Step step;
  step.kind = kind;
  step.name = llvm::join(nodesOf(op->getLoc()), "+");
  if (step.name.empty())
    step.name = op->getName().stripDialect().str();
  step.report = context.stepLocations.size();
  if (parent)
    return step;
  // A branch or loop stands for the nodes in its regions, too.
  SmallVector<Location> locations;
  op->walk<WalkOrder::PreOrder>([&](Operation *inner) { locations.push_back(inner->getLoc()); });
  context.stepLocations.push_back(FusedLoc::get(op->getContext(), locations));
  return step;
}

void FrameBuilder::finish(Step step) { frame.steps.push_back(std::move(step)); }

/// Ends the instructions that run before the step. What is emitted later depends on what the step defines and
/// runs before the next one.
void FrameBuilder::seal(Step &step) { step.programEnd = frame.program.size(); }

LogicalResult FrameBuilder::addOperands(Operation *op, ValueRange values, std::vector<BufferId> &list, bool onDevice) {
  for (mlir::Value value : values) {
    if (!value) {
      list.push_back(kNone);
      continue;
    }
    auto buffer = bufferOf(op, value, onDevice);
    if (failed(buffer))
      return failure();
    list.push_back(*buffer);
  }
  return success();
}

/// Of a loop: what an iteration adds to it is gathered in host memory.
static bool isScanned(Operation *op, size_t result) {
  auto loop = dyn_cast<LoopOp>(op);
  return loop && result >= loop.getInit().size();
}

/// Seals the step: the sizes of results that are known before it are computed before it, the others after.
LogicalResult FrameBuilder::addResults(Operation *op, Step &step) {
  step.outputs.assign(op->getNumResults(), kNone);
  auto isKnown = [&](mlir::Value result) {
    return !isa<RankedTensorType>(result.getType()) ||
           llvm::all_of(dimsOf(result), [&](const DimExpr &d) { return isDefined(d); });
  };
  for (bool known : {true, false}) {
    if (!known) {
      seal(step);
      defineResultDims(op, step);
    }
    for (auto [i, result] : llvm::enumerate(op->getResults())) {
      if (step.outputs[i] != kNone || (known && !isKnown(result)))
        continue;
      auto kernel = dyn_cast<KernelOp>(op);
      if (auto operand = kernel ? inPlaceOperand(kernel, i) : std::nullopt) {
        auto dims = dimRegisters(op, result.getType());
        if (failed(dims))
          return failure();
        step.outputs[i] = newView(result, step.inputs[*operand], std::move(*dims));
        continue;
      }
      bool crosses = isa<IfOp, LoopOp>(op) && !isScanned(op, i) && entersOnDevice(result.getType());
      auto buffer = newResult(op, result, step.onDevice || crosses);
      if (failed(buffer))
        return failure();
      step.outputs[i] = *buffer;
    }
  }
  return success();
}

/// A few integers, as sizes are.
static bool isSmall(Type type) {
  constexpr int64_t kMostElements = 64;
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getNumElements() <= kMostElements && isa<IntegerType>(tensor.getElementType());
}

bool FrameBuilder::entersOnDevice(Type type) const {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return context.device && !context.device->images.empty() && tensor && !isa<StringType>(tensor.getElementType()) && !isSmall(type);
}

/// Not one of what GPUs alone have bodies and products for.
static bool hasHostCode(KernelOp op) {
  return llvm::all_of(op.getBody().front(), [](Operation &inner) {
    if (auto contract = dyn_cast<ContractOp>(inner))
      return elementOf(contract.getLhs()).isF32() || elementOf(contract.getLhs()).isInteger(8);
    return !inner.hasTrait<Elementwise>() || hasScalarBody(&inner);
  });
}

/// A few sizes that the host has: a launch and a copy back would take longer than they do.
bool FrameBuilder::isShapeArithmetic(KernelOp op) {
  return hasHostCode(op) && llvm::all_of(op.getResultTypes(), isSmall) && llvm::all_of(op.getOperands(), [&](mlir::Value value) {
           return isSmall(value.getType()) && (buffers[0].contains(value) || isWeight(value));
         });
}

/// A result has a size that nothing before it has.
bool FrameBuilder::definesSize(KernelOp op) {
  return llvm::any_of(op.getResultTypes(), [&](Type type) { return llvm::any_of(dimsOf(type), [&](const DimExpr &d) { return !isDefined(d); }); });
}

uint32_t FrameBuilder::placeOnDevice(KernelOp op, StringRef text, const Step &step) {
  if (!context.device || (!isLibraryKernel(op) && isShapeArithmetic(op)))
    return kNone;
  auto it = context.device->numbers.find(text);
  if (it != context.device->numbers.end() && (!context.device->countsResults(it->second) || definesSize(op)))
    return it->second;
  if (isLibraryKernel(op)) // it is reported as a library step
    return kNone;
  context.result.hostKernels.push_back({step.name, op.getKind().str(), context.device->refusals.lookup(text)});
  return kNone;
}

LogicalResult FrameBuilder::addKernel(KernelOp op) {
  Step step = newStep(Step::Kind::kernel, op);
  CanonicalKernel canonical = canonicalize(op);
  uint32_t onDevice = placeOnDevice(op, canonical.text, step);
  step.onDevice = onDevice != kNone;
  if (!step.onDevice && isLibraryKernel(op))
    return addLibraryKernel(op);
  if (failed(addOperands(op, op.getOperands(), step.inputs, step.onDevice)))
    return failure();
  KernelSchedule schedule = scheduleOf(op);
  if (step.onDevice) {
    step.target = onDevice;
  } else {
    auto [it, inserted] = context.kernelIds.try_emplace(canonical.text, context.result.kernelTexts.size());
    if (inserted) {
      context.result.kernelTexts.push_back(canonical.text);
      context.result.kernelNames.push_back(step.name);
    }
    step.target = it->second;
  }
  for (const std::string &symbol : canonical.symbols)
    step.registers.push_back(symbolRegister(symbol));
  step.flops = expressionRegister(schedule.flops);
  if (!step.onDevice) {
    step.tiles = expressionRegister(schedule.tiles);
    step.scratch = schedule.scratchBytes == DimExpr(0) ? kNone : expressionRegister(schedule.scratchBytes);
  }
  if (!step.onDevice && step.tiles == kNone)
    return op.emitError("the number of tiles is not determined by the inputs");
  if (failed(addResults(op, step)))
    return failure();
  // Sizes that the kernel itself defines have registers now.
  for (auto [symbol, r] : llvm::zip(canonical.symbols, step.registers))
    if (r == kNone && (r = symbolRegister(symbol)) == kNone)
      return op.emitError("the size '") << symbol << "' is not determined by the inputs";
  finish(std::move(step));
  return success();
}

/// The op of a kernel that GPUs alone have code for.
LogicalResult FrameBuilder::addLibraryKernel(KernelOp op) {
  Operation &inner = op.getBody().front().front();
  for (auto [argument, operand] : llvm::zip(op.getBody().getArguments(), op.getOperands())) {
    auto buffer = bufferOf(op, operand);
    if (failed(buffer))
      return failure();
    buffers[0][argument] = *buffer;
  }
  if (failed(addLibrary(&inner)))
    return failure();
  for (auto [result, of] : llvm::zip(op.getResults(), inner.getResults()))
    buffers[0][result] = buffers[0][of];
  return success();
}

LogicalResult FrameBuilder::addLibrary(Operation *op) {
  Step step = newStep(Step::Kind::library, op);
  step.function = referenceName(op).str();
  if (!findReference(step.function))
    return op->emitError("unsupported operator: no kernel and no library function for '") << step.function << "'";
  if (failed(addOperands(op, referenceOperands(op), step.inputs)))
    return failure();
  bool known = true;
  step.attributes = attributesOf(op, [&](StringRef name, DimsAttr dims) -> std::optional<std::vector<int64_t>> {
    if (auto constants = dims.constants())
      return std::vector<int64_t>(constants->begin(), constants->end());
    RegisterList list{name.str(), {}};
    for (const DimExpr &d : dims.dims()) {
      list.registers.push_back(expressionRegister(d));
      known &= list.registers.back() != kNone;
    }
    step.registerAttributes.push_back(std::move(list));
    return std::nullopt;
  });
  if (!known)
    return op->emitError("a size is not determined by the inputs");
  if (failed(addResults(op, step)))
    return failure();
  finish(std::move(step));
  return success();
}

LogicalResult FrameBuilder::addBind(BindOp op) {
  Step step = newStep(Step::Kind::bind, op);
  if (failed(addOperands(op, op.getX(), step.inputs)))
    return failure();
  seal(step);
  for (auto symbol : op.getSymbols().getAsValueRange<StringAttr>()) {
    RegisterId r = newRegister();
    knownOnEntry.push_back(false);
    symbols[symbol] = r;
    step.registers.push_back(r);
  }
  finish(std::move(step));
  return success();
}

/// A view of the operand: no step.
LogicalResult FrameBuilder::addReshape(ReshapeOp op) {
  bool isAnywhere = buffers[0].contains(op.getX()) || buffers[1].contains(op.getX());
  if (!isAnywhere && failed(bufferOf(op, op.getX())))
    return failure();
  // Wherever the operand is by now.
  for (bool onDevice : {false, true}) {
    auto it = buffers[onDevice].find(op.getX());
    if (it == buffers[onDevice].end())
      continue;
    BufferId source = it->second;
    if (frame.storages[frame.buffers[source].storage].kind == Storage::Kind::object)
      return addLibrary(op);
    auto dims = dimRegisters(op, op.getType());
    if (failed(dims))
      return failure();
    newView(op.getY(), source, std::move(*dims));
  }
  return success();
}

uint32_t FrameBuilder::addFrame(FrameBuilder &child) {
  context.result.plan.frames.push_back(child.take());
  return context.result.plan.frames.size() - 1;
}

/// Values from around a region that it uses, weights excepted (every frame reaches those itself).
static SmallVector<mlir::Value> capturedBy(ArrayRef<Region *> regions) {
  llvm::SetVector<mlir::Value> captured;
  for (Region *region : regions) {
    llvm::SetVector<mlir::Value> used;
    getUsedValuesDefinedAbove(*region, *region, used);
    for (mlir::Value value : used)
      if (!isWeight(value))
        captured.insert(value);
  }
  return captured.takeVector();
}

LogicalResult FrameBuilder::addIf(IfOp op) {
  Step step = newStep(Step::Kind::branch, op);
  SmallVector<mlir::Value> captured = capturedBy({&op.getThenRegion(), &op.getElseRegion()});
  if (failed(addOperands(op, op.getCondition(), step.inputs)))
    return failure();
  Sides sides;
  for (mlir::Value value : captured) {
    sides.inputs.push_back(entersOnDevice(value.getType()));
    if (failed(addOperands(op, value, step.inputs, sides.inputs.back())))
      return failure();
  }
  for (Type type : op.getResultTypes())
    sides.outputs.push_back(entersOnDevice(type));
  FrameBuilder thenFrame(context, this), elseFrame(context, this);
  if (failed(thenFrame.build(op.getThenRegion().front(), captured, sides)) ||
      failed(elseFrame.build(op.getElseRegion().front(), captured, sides)))
    return failure();
  step.target = addFrame(thenFrame);
  addFrame(elseFrame);
  // Nested frames were appended before: the pair is adjacent because both were built first.
  if (failed(addResults(op, step)))
    return failure();
  finish(std::move(step));
  return success();
}

LogicalResult FrameBuilder::addLoop(LoopOp op) {
  Step step = newStep(Step::Kind::loop, op);
  SmallVector<mlir::Value> captured = capturedBy({&op.getBody()});
  if (failed(addOperands(op, {op.getTripCount(), op.getCondition()}, step.inputs)))
    return failure();
  step.carried = op.getInit().size();
  // The iteration's number comes in; the condition goes out, and what is gathered.
  Sides sides{{false}, {false}};
  for (auto [init, result] : llvm::zip(op.getInit(), op.getResults().take_front(step.carried))) {
    sides.inputs.push_back(entersOnDevice(result.getType()));
    sides.outputs.push_back(sides.inputs.back());
    if (failed(addOperands(op, init, step.inputs, sides.inputs.back())))
      return failure();
  }
  sides.outputs.append(op->getNumResults() - step.carried, false);
  for (mlir::Value value : captured) {
    sides.inputs.push_back(entersOnDevice(value.getType()));
    if (failed(addOperands(op, value, step.inputs, sides.inputs.back())))
      return failure();
  }
  FrameBuilder body(context, this);
  if (failed(body.build(op.getBody().front(), captured, sides)))
    return failure();
  step.target = addFrame(body);
  if (failed(addResults(op, step)))
    return failure();
  finish(std::move(step));
  return success();
}

LogicalResult FrameBuilder::addOp(Operation *op) {
  if (llvm::all_of(op->getResults(), [](mlir::Value v) { return isWeight(v); }) && op->getNumResults() > 0)
    return success(); // made when it is used
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](KernelOp o) { return addKernel(o); })
      .Case([&](ReshapeOp o) { return addReshape(o); })
      .Case([&](BindOp o) { return addBind(o); })
      .Case([&](IfOp o) { return addIf(o); })
      .Case([&](LoopOp o) { return addLoop(o); })
      .Default([&](Operation *o) {
        if (o->getNumResults() == 1 && isa<NoneType>(o->getResult(0).getType()))
          return success(); // stands for an absent operand
        return addLibrary(o);
      });
}

LogicalResult FrameBuilder::build(Block &block, ArrayRef<mlir::Value> captured, const Sides &sides) {
  SmallVector<mlir::Value> inputs(block.args_begin(), block.args_end());
  inputs.append(captured.begin(), captured.end());
  bindInputs(inputs);
  for (auto [i, value] : llvm::enumerate(inputs)) {
    Storage storage;
    storage.kind = Storage::Kind::input;
    storage.index = i;
    storage.onDevice = sides.inputs[i];
    auto buffer = newBuffer(block.getParentOp(), value, storage);
    if (failed(buffer))
      return failure();
    frame.inputs.push_back(*buffer);
  }
  for (Operation &op : block.without_terminator()) {
    if (failed(addOp(&op)))
      return failure();
  }
  if (failed(assignOutputs(block.getTerminator(), sides.outputs)))
    return failure();

  // Move what is known on entry to the front; each step keeps the instructions that wait for values.
  std::vector<Instruction> entry, late;
  std::vector<uint32_t> lateBefore;
  for (const Instruction &instruction : frame.program) {
    lateBefore.push_back(late.size());
    (knownOnEntry[instruction.target] ? entry : late).push_back(instruction);
  }
  lateBefore.push_back(late.size());
  uint32_t begin = entry.size();
  for (Step &step : frame.steps) {
    step.programBegin = begin;
    begin = step.programEnd = entry.size() + lateBefore[step.programEnd];
  }
  frame.entryEnd = entry.size();
  frame.program = std::move(entry);
  frame.program.insert(frame.program.end(), late.begin(), late.end());
  computeLifetimes();
  place();
  return success();
}
