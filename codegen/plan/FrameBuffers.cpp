//===- FrameBuffers.cpp - Buffers, storages, lifetimes --------------------===//

#include "codegen/plan/FrameBuilder.h"
#include "ir/eval/Evaluate.h"
#include "runtime/Instructions.h"

using namespace mlir;
using namespace optc;

FailureOr<BufferId> FrameBuilder::newBuffer(Operation *op, mlir::Value value, Storage storage) {
  Buffer buffer;
  if (auto tensor = dyn_cast<RankedTensorType>(value.getType())) {
    buffer.type = dtypeOf(tensor.getElementType());
    if (buffer.type == DType::none)
      return op->emitError("unsupported type ") << tensor.getElementType();
    auto dims = dimRegisters(op, tensor);
    if (failed(dims))
      return failure();
    buffer.dims = std::move(*dims);
    storage.bytes = byteRegister(tensor);
    if (buffer.type == DType::string)
      storage.kind = Storage::Kind::object;
    else if (storage.kind == Storage::Kind::arena && !knownOnEntry[storage.bytes])
      storage.kind = Storage::Kind::dynamic;
  } else {
    buffer.kind = isa<SequenceType>(value.getType()) ? HostValue::Kind::sequence : HostValue::Kind::optional;
    storage.kind = Storage::Kind::object;
  }
  buffer.storage = frame.storages.size();
  frame.storages.push_back(storage);
  BufferId id = frame.buffers.size();
  frame.buffers.push_back(std::move(buffer));
  buffers[storage.onDevice][value] = id;
  return id;
}

FailureOr<BufferId> FrameBuilder::newResult(Operation *op, mlir::Value value, bool onDevice) {
  Storage storage;
  storage.onDevice = onDevice;
  storage.firstStep = storage.lastStep = frame.steps.size();
  return newBuffer(op, value, storage);
}

BufferId FrameBuilder::newView(mlir::Value value, BufferId of, std::vector<RegisterId> dims) {
  Buffer buffer = frame.buffers[of];
  buffer.dims = std::move(dims);
  BufferId id = frame.buffers.size();
  bool onDevice = frame.storages[buffer.storage].onDevice;
  frame.buffers.push_back(std::move(buffer));
  buffers[onDevice][value] = id;
  return id;
}

FailureOr<BufferId> FrameBuilder::copyAcross(Operation *user, mlir::Value value, bool toDevice) {
  BufferId from = buffers[!toDevice][value];
  if (frame.storages[frame.buffers[from].storage].kind == Storage::Kind::object)
    return user->emitError("internal: a value of the GPU that is no tensor");
  Step step = newStep(Step::Kind::copy, user);
  step.name = "copy " + step.name + (toDevice ? " to the GPU" : " from the GPU");
  step.inputs = {from};
  auto to = newResult(user, value, toDevice);
  if (failed(to))
    return failure();
  step.outputs = {*to};
  seal(step);
  finish(std::move(step));
  return *to;
}

FailureOr<BufferId> FrameBuilder::bufferOf(Operation *user, mlir::Value value, bool onDevice) {
  if (auto it = buffers[onDevice].find(value); it != buffers[onDevice].end())
    return it->second;
  if (buffers[!onDevice].contains(value) && !isWeight(value))
    return copyAcross(user, value, onDevice);
  if (!isWeight(value))
    return user->emitError("internal: operand has no buffer: ") << value;
  if (auto tensor = dyn_cast<RankedTensorType>(value.getType()); tensor && isa<StringType>(tensor.getElementType()))
    return constantStrings(user, value);
  auto [it, inserted] = context.weightIds.try_emplace(value, context.result.weights.size());
  if (inserted)
    context.result.weights.push_back(value);
  Storage storage;
  storage.kind = Storage::Kind::weight;
  storage.index = it->second;
  storage.onDevice = onDevice;
  return newBuffer(user, value, storage);
}

/// Weights are bytes: strings are made by a step.
FailureOr<BufferId> FrameBuilder::constantStrings(Operation *user, mlir::Value value) {
  llvm::DenseMap<mlir::Value, HostValue> cache;
  std::string problem;
  auto known = evaluateWeight(value, cache, &problem);
  if (failed(known))
    return user->emitError(problem);
  Step step = newStep(Step::Kind::library, value.getDefiningOp());
  step.function = "constant_strings";
  const auto *texts = known->as<std::string>();
  step.attributes.set("value", std::vector<std::string>(texts, texts + known->size()));
  auto buffer = newResult(user, value);
  if (failed(buffer))
    return failure();
  step.outputs = {*buffer};
  seal(step);
  finish(std::move(step));
  return *buffer;
}

/// Outputs are written where the caller wants them: the value's storage becomes the output's. What cannot be
/// (an input, a weight, a value that is already another output) is copied.
LogicalResult FrameBuilder::assignOutputs(Operation *terminator, ArrayRef<bool> onDevice) {
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    auto buffer = bufferOf(terminator, value, onDevice[i]);
    if (failed(buffer))
      return failure();
    Storage &storage = frame.storages[frame.buffers[*buffer].storage];
    if (storage.kind == Storage::Kind::object) {
      frame.outputs.push_back(*buffer);
      continue;
    }
    if (storage.kind == Storage::Kind::arena || storage.kind == Storage::Kind::dynamic) {
      storage.kind = Storage::Kind::output;
      storage.index = i;
      frame.outputs.push_back(*buffer);
      continue;
    }
    Step step = newStep(Step::Kind::copy, terminator);
    step.name = "copy to output " + std::to_string(i);
    // From the GPU where it is there: who has outputs in its memory needs no way over the host's.
    auto there = buffers[true].find(value);
    step.inputs = {there != buffers[true].end() && !isWeight(value) ? there->second : *buffer};
    Buffer copy = frame.buffers[*buffer];
    Storage target;
    target.kind = Storage::Kind::output;
    target.index = i;
    target.onDevice = onDevice[i];
    target.bytes = frame.storages[copy.storage].bytes;
    copy.storage = frame.storages.size();
    frame.storages.push_back(target);
    frame.buffers.push_back(copy);
    step.outputs = {BufferId(frame.buffers.size() - 1)};
    frame.outputs.push_back(step.outputs[0]);
    seal(step);
    finish(std::move(step));
  }
  return success();
}

void FrameBuilder::computeLifetimes() {
  std::vector<bool> seen(frame.storages.size());
  for (auto [i, step] : llvm::enumerate(frame.steps))
    for (auto *list : {&step.inputs, &step.outputs})
      for (BufferId b : *list) {
        if (b == kNone)
          continue;
        uint32_t s = frame.buffers[b].storage;
        if (!seen[s])
          frame.storages[s].firstStep = i;
        seen[s] = true;
        frame.storages[s].lastStep = i;
      }
}

/// Places the arenas now when every size in them is a constant.
void FrameBuilder::place() {
  std::map<RegisterId, int64_t> values = constantsOf(frame);
  std::vector<Lifetime> lifetimes[2];
  std::vector<uint32_t> placed[2];
  for (auto [i, s] : llvm::enumerate(frame.storages)) {
    if (s.kind != Storage::Kind::arena)
      continue;
    auto it = values.find(s.bytes);
    if (it == values.end())
      return;
    lifetimes[s.onDevice].push_back({uint64_t(it->second), s.firstStep, s.lastStep});
    placed[s.onDevice].push_back(i);
  }
  for (bool onDevice : {false, true}) {
    std::vector<uint64_t> offsets;
    (onDevice ? frame.deviceArenaBytes : frame.arenaBytes) = packArena(lifetimes[onDevice], offsets);
    for (auto [i, s] : llvm::enumerate(placed[onDevice]))
      frame.storages[s].offset = offsets[i];
  }
  frame.isStatic = true;
}
