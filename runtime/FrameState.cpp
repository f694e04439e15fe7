//===- FrameState.cpp - Sizes and memory of a frame -----------------------===//

#include "runtime/FrameState.h"
#include "runtime/Instructions.h"
#include <cstring>

using namespace optc;

void optc::makeOwned(Value &value) {
  for (Value &item : value.items)
    makeOwned(item);
  if (value.kind != Value::Kind::tensor || !value.data || value.storage)
    return;
  Value copy = Value::allocate(value.type, value.dims);
  if (value.type == DType::string)
    for (int64_t i = 0; i < value.size(); ++i)
      copy.as<std::string>()[i] = value.as<std::string>()[i];
  else if (copy.data)
    std::memcpy(copy.data, value.data, value.bytes());
  value = std::move(copy);
}

FrameState::FrameState(Session &session, uint32_t index)
    : session(session), frame(session.program.plan.frames[index]), isTop(index == 0),
      registers(frame.registers), pointers(frame.storages.size()), owned(frame.storages.size()),
      blocks(frame.storages.size()), views(frame.buffers.size()), viewChecks(frame.buffers.size()),
      given(frame.outputs.size()), readyAt(frame.registers), functions(frame.steps.size()),
      children(frame.steps.size()), loopValues(frame.steps.size()),
      firstBuffer(frame.storages.size(), kNone) {
  std::vector<bool> constant(frame.registers), written(frame.buffers.size());
  for (const Instruction &in : frame.program)
    if (in.op == Instruction::Op::constant)
      constant[in.target] = true;
  for (size_t i = 0; i < frame.steps.size(); ++i) {
    if (frame.steps[i].kind == Step::Kind::library)
      functions[i] = findReference(frame.steps[i].function);
    for (BufferId b : frame.steps[i].outputs)
      written[b] = true;
    const Step &step = frame.steps[i];
    for (uint32_t p = step.programBegin; p < step.programEnd; ++p)
      readyAt[frame.program[p].target] = uint32_t(i);
    for (const DimDefinition &d : step.definitions)
      readyAt[d.target] = uint32_t(i) + 1;
    if (step.kind == Step::Kind::bind)
      for (RegisterId r : step.registers)
        readyAt[r] = uint32_t(i) + 1;
  }
  bool usesDevice = std::any_of(frame.storages.begin(), frame.storages.end(), [](const Storage &s) { return s.onDevice; });
  if (session.device && (isTop || usesDevice)) {
    device = isTop ? std::make_unique<gpu::DeviceSession>(*session.device, frame, session.choice.stream)
                   : std::make_unique<gpu::DeviceSession>(*session.device, frame, *session.top->device);
    if (isTop)
      ports = std::make_unique<DevicePorts>(frame);
    // What takes no memory of its own when it runs may be launched with what follows it.
    deviceEnd.resize(frame.steps.size());
    for (size_t i = frame.steps.size(); i-- > 0;) {
      auto takesMemory = [&](BufferId b) { return frame.storages[frame.buffers[b].storage].kind == Storage::Kind::dynamic; };
      auto isAlone = [&](const Step &step) { return !step.definitions.empty() || std::any_of(step.outputs.begin(), step.outputs.end(), takesMemory); };
      bool joins = i + 1 < frame.steps.size() && frame.steps[i + 1].onDevice && !isAlone(frame.steps[i]) && !isAlone(frame.steps[i + 1]);
      deviceEnd[i] = frame.steps[i].onDevice ? (joins ? deviceEnd[i + 1] : uint32_t(i) + 1) : 0;
    }
  }
  for (uint32_t p = frame.steps.empty() ? frame.entryEnd : frame.steps.back().programEnd;
       p < frame.program.size(); ++p)
    readyAt[frame.program[p].target] = uint32_t(frame.steps.size());
  for (size_t i = 0; i < frame.buffers.size(); ++i) {
    const Buffer &b = frame.buffers[i];
    views[i].type = b.type;
    views[i].kind = b.kind;
    views[i].dims.resize(b.dims.size());
    if (firstBuffer[b.storage] == kNone)
      firstBuffer[b.storage] = BufferId(i);
    const Buffer &first = frame.buffers[firstBuffer[b.storage]];
    bool known = true;
    for (auto *dims : {&b.dims, &first.dims})
      for (RegisterId r : *dims)
        known &= constant[r];
    viewChecks[i] = !written[i] && !known && b.dims != first.dims && frame.storages[b.storage].bytes != kNone;
  }
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

void FrameState::execute(uint32_t begin, uint32_t end) {
  for (uint32_t i = begin; i < end; ++i)
    optc::execute(frame.program[i], registers.data());
}

void FrameState::executeAfter(size_t index) {
  bool last = index + 1 == frame.steps.size();
  execute(frame.steps[index].programEnd,
          last ? uint32_t(frame.program.size()) : frame.steps[index + 1].programEnd);
}

Status FrameState::bindInputs(std::span<const Value *const> inputs) {
  auto dimOf = [&](const DimBinding &b) -> int64_t {
    const std::vector<int64_t> &dims = inputs[b.input]->dims;
    return b.axis < dims.size() ? dims[b.axis] : -1;
  };
  for (const DimBinding &b : frame.bindings)
    if (!b.check)
      registers[b.target] = dimOf(b);
  execute(0, frame.entryEnd);
  for (const DimBinding &b : frame.bindings)
    if (b.check && registers[b.target] != dimOf(b))
      return Status::error(isTop ? "input '" + session.program.plan.inputs[b.input].name + "': dim " +
                                       std::to_string(b.axis) + " is " + std::to_string(dimOf(b)) +
                                       ", expected " + std::to_string(registers[b.target])
                                 : "a value's dim changed inside a loop or branch");
  return Status::success();
}

Status FrameState::checkDims(const Buffer &buffer) const {
  for (RegisterId r : buffer.dims)
    if (registers[r] < 0)
      return Status::error("a result would have a negative size: " + std::to_string(registers[r]));
  return Status::success();
}

int64_t FrameState::bytesOf(const Buffer &buffer) const {
  int64_t bytes = int64_t(sizeOf(buffer.type));
  for (RegisterId r : buffer.dims)
    bytes = mulSaturating(bytes, registers[r]);
  return bytes;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Status FrameState::place(std::span<const Value *const> inputs) {
  for (size_t i = 0; i < frame.storages.size(); ++i) {
    const Storage &s = frame.storages[i];
    if (s.kind == Storage::Kind::input)
      pointers[i] = inputs[s.index]->data;
    else if (s.kind == Storage::Kind::weight && !pointers[i]) // they stay where they are
      pointers[i] = s.onDevice ? reinterpret_cast<void *>(device->weightAt(s.offset)) : const_cast<char *>(session.program.weights) + s.offset;
    else if (s.kind == Storage::Kind::output)
      pointers[i] = nullptr;
  }
  for (size_t i = 0; i < frame.inputs.size(); ++i)
    if (isObject(frame.inputs[i]))
      object(frame.inputs[i]) = *inputs[i];
  return ports ? fetchInputs(inputs) : Status::success();
}

Status FrameState::reserveArena(bool onDevice, uint64_t bytes, char *&base) {
  if (onDevice) {
    if (bytes)
      if (Status status = device->reserve(bytes); !status.ok())
        return status;
    base = bytes ? reinterpret_cast<char *>(device->arena()) : nullptr;
    return Status::success();
  }
  if (!arena.reserve(bytes))
    return outOfMemory(bytes);
  base = static_cast<char *>(arena.memory.get());
  return Status::success();
}

/// Gives the arenas' storages their place, from the plan or by packing for these sizes.
Status FrameState::layOut() {
  bool same = frame.isStatic || laidOutSizes.size() == frame.storages.size();
  if (!frame.isStatic) {
    for (bool onDevice : {false, true})
      lifetimes[onDevice].assign(frame.storages.size(), {0, 0, 0});
    laidOutSizes.resize(frame.storages.size());
    for (size_t i = 0; i < frame.storages.size(); ++i) {
      const Storage &s = frame.storages[i];
      int64_t bytes = 0;
      if (s.kind == Storage::Kind::arena) {
        bytes = registers[s.bytes];
        if (firstBuffer[i] != kNone)
          if (Status status = checkDims(frame.buffers[firstBuffer[i]]); !status.ok())
            return status;
        if (bytes < 0 || bytes > kMostBytes)
          return Status::error("the sizes of the inputs give a negative or impossible shape");
      }
      same &= laidOutSizes[i] == uint64_t(bytes);
      laidOutSizes[i] = uint64_t(bytes);
      lifetimes[s.onDevice][i] = {uint64_t(bytes), s.firstStep, s.lastStep};
    }
  }
  for (bool onDevice : {false, true}) {
    if (onDevice && !device)
      break;
    uint64_t &size = arenaSizes[onDevice];
    if (frame.isStatic)
      size = onDevice ? frame.deviceArenaBytes : frame.arenaBytes;
    else if (!same)
      size = packArena(lifetimes[onDevice], arenaOffsets[onDevice]);
    char *base = nullptr;
    if (Status status = reserveArena(onDevice, size, base); !status.ok()) {
      laidOutSizes.clear();
      arenaBases[onDevice] = nullptr;
      return status;
    }
    if (same && base == arenaBases[onDevice] && !(onDevice && ports && ports->hasShared))
      continue;
    arenaBases[onDevice] = base;
    for (size_t i = 0; i < frame.storages.size(); ++i)
      if (frame.storages[i].kind == Storage::Kind::arena && frame.storages[i].onDevice == onDevice)
        pointers[i] = base + (frame.isStatic ? frame.storages[i].offset : arenaOffsets[onDevice][i]);
  }
  return ports ? shareOutputs() : Status::success();
}

const Value &FrameState::view(BufferId buffer) {
  const Buffer &b = frame.buffers[buffer];
  if (isObject(buffer))
    return object(buffer);
  Value &v = views[buffer];
  for (size_t i = 0; i < b.dims.size(); ++i)
    v.dims[i] = registers[b.dims[i]];
  v.data = pointers[b.storage];
  return v;
}

/// A view (a reshape) must have as many elements as the storage: a shape that came in as values may not.
Status FrameState::checkView(BufferId buffer) {
  const Buffer &b = frame.buffers[buffer];
  if (Status status = checkDims(b); !status.ok())
    return status;
  int64_t have = registers[frame.storages[b.storage].bytes];
  if (bytesOf(b) == have)
    return Status::success();
  return Status::error("a tensor of " + std::to_string(have / int64_t(std::max<size_t>(1, sizeOf(b.type)))) +
                       " elements cannot have shape " + shapeText(view(buffer).dims));
}

Status FrameState::prepare(BufferId buffer) {
  const Buffer &b = frame.buffers[buffer];
  const Storage &s = frame.storages[b.storage];
  if (s.kind != Storage::Kind::dynamic && s.kind != Storage::Kind::output)
    return Status::success();
  if (s.kind == Storage::Kind::output && pointers[b.storage])
    return Status::success();
  if (Status status = checkDims(b); !status.ok())
    return status;
  int64_t bytes = bytesOf(b);
  if (bytes > kMostBytes)
    return Status::error("a result has an impossible size");
  if (s.kind == Storage::Kind::output && !isOutputOnDevice(s)) {
    if (Status status = takeOutput(s, uint64_t(bytes), s.onDevice); !status.ok())
      return status;
    pointers[b.storage] = results[s.index].data;
    return Status::success();
  }
  if (s.onDevice) {
    gpu::DevicePointer address = 0;
    if (Status status = device->grow(b.storage, uint64_t(bytes), address); !status.ok())
      return status;
    pointers[b.storage] = reinterpret_cast<void *>(address);
    return Status::success();
  }
  if (!blocks[b.storage].reserve(uint64_t(bytes)))
    return outOfMemory(uint64_t(bytes));
  pointers[b.storage] = blocks[b.storage].memory.get();
  return Status::success();
}

Status FrameState::takeOutput(const Storage &s, uint64_t bytes, bool onDevice) {
  Value &result = results[s.index];
  if (given[s.index] && result.bytes() < bytes) {
    std::string name =
        isTop ? "'" + session.program.plan.outputs[s.index].name + "'" : std::to_string(s.index);
    return Status::error("output " + name + ": the memory given is for shape " + shapeText(result.dims) +
                         ", the result has " + std::to_string(bytes) + " bytes");
  }
  // Memory that an earlier run allocated is used again where it suffices.
  if (result.data && result.bytes() >= bytes)
    return Status::success();
  if (onDevice) {
    if (Status status = device->allocate(bytes, result.storage); !status.ok())
      return status;
  } else {
    Memory memory = allocateAligned(bytes ? bytes : 1);
    if (!memory)
      return outOfMemory(bytes);
    result.storage = std::shared_ptr<void>(memory.release(), std::free);
  }
  result.data = result.storage.get();
  // So much until the run has its shape.
  result.type = DType::u8;
  result.dims = {int64_t(bytes)};
  return Status::success();
}

Status FrameState::adopt(BufferId buffer, Value &&value) {
  const Buffer &b = frame.buffers[buffer];
  const Storage &s = frame.storages[b.storage];
  if (s.kind == Storage::Kind::object) {
    makeOwned(value);
    owned[b.storage] = std::move(value);
    return Status::success();
  }
  if (value.kind != Value::Kind::tensor || value.type != b.type || value.dims != view(buffer).dims)
    return Status::error("the result has shape " + shapeText(value.dims) + ", expected " +
                         shapeText(view(buffer).dims));
  if (s.kind == Storage::Kind::output && !given[s.index] && value.storage && !isOutputOnDevice(s)) {
    Value &result = results[s.index];
    result.type = value.type;
    result.dims = value.dims;
    result.data = pointers[b.storage] = value.data;
    result.storage = std::move(value.storage);
    return Status::success();
  }
  if (s.kind == Storage::Kind::dynamic && value.storage) {
    pointers[b.storage] = value.data;
    owned[b.storage] = std::move(value);
    return Status::success();
  }
  if (Status status = prepare(buffer); !status.ok())
    return status;
  if (value.data != pointers[b.storage] && value.bytes()) {
    if (s.onDevice)
      return device->copy(pointers[b.storage], value.data, value.bytes());
    std::memcpy(pointers[b.storage], value.data, value.bytes());
  }
  return Status::success();
}

Status FrameState::finishDevice() {
  if (device)
    if (Status status = device->finish(); !status.ok())
      return status;
  for (auto &pair : children)
    for (auto &state : pair)
      if (state)
        if (Status status = state->finishDevice(); !status.ok())
          return status;
  return Status::success();
}

/// Gives the results their shapes.
Status FrameState::finish() {
  for (size_t i = 0; i < frame.outputs.size(); ++i) {
    BufferId b = frame.outputs[i];
    Value &result = results[i];
    if (isObject(b)) {
      result = object(b);
      continue;
    }
    if (viewChecks[b])
      if (Status status = checkView(b); !status.ok())
        return status;
    if (Status status = isOutputOnDevice(storageOf(b)) ? sendOutput(i) : prepare(b); !status.ok()) // prepare: an empty result that no step wrote
      return status;
    const Value &v = view(b);
    if (given[i] && result.dims != v.dims)
      return Status::error(isTop
                               ? "output '" + session.program.plan.outputs[i].name + "' has shape " +
                                     shapeText(v.dims) + ", the memory given is for " + shapeText(result.dims)
                               : "result " + std::to_string(i) + " has shape " + shapeText(v.dims) +
                                     ", expected " + shapeText(result.dims));
    result.type = v.type;
    result.kind = v.kind;
    result.dims = v.dims;
  }
  return Status::success();
}

uint64_t FrameState::arenaBytes() const {
  uint64_t total = arena.capacity + scratch.capacity + (device ? device->bytes() : 0);
  for (const Block &block : blocks)
    total += block.capacity;
  for (auto &pair : children)
    for (auto &state : pair)
      total += state ? state->arenaBytes() : 0;
  return total;
}
