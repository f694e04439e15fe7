//===- FramePorts.cpp - Inputs and outputs in a GPU's memory --------------===//
//
// The plan has a model's inputs and outputs in host memory and copies them to and from the GPU. What a caller has in the GPU's memory is not
// copied: the storage that the copy would fill, or take from, is the caller's memory for that run. Not so where the host reads it, too,
// where several outputs are one value, and where the address is not a multiple of what kernels read at a time.
//
//===----------------------------------------------------------------------===//

#include "runtime/FrameState.h"

using namespace optc;

/// Vectors, asynchronous copies and tensor maps.
static bool isAligned(const void *address) { return reinterpret_cast<uintptr_t>(address) % 16 == 0; }

DevicePorts::DevicePorts(const Frame &frame)
    : readByHost(frame.storages.size()), writer(frame.storages.size()), inputs(frame.inputs.size()), outputs(frame.outputs.size()), copyTo(frame.outputs.size()) {
  std::vector<bool> isWritten(frame.storages.size());
  for (const Step &step : frame.steps) {
    for (BufferId b : step.inputs) {
      if (b == kNone)
        continue;
      uint32_t s = frame.buffers[b].storage;
      bool isInputsCopy = step.kind == Step::Kind::copy && frame.storages[s].kind == Storage::Kind::input;
      if (!step.onDevice && !isInputsCopy)
        readByHost[s] = true;
    }
    for (BufferId b : step.outputs) {
      uint32_t s = frame.buffers[b].storage;
      writer[s] = isWritten[s] ? nullptr : &step;
      isWritten[s] = true;
    }
  }
  for (size_t i = 0; i < frame.storages.size(); ++i)
    if (frame.storages[i].kind == Storage::Kind::output && writer[i] && writer[i]->kind == Step::Kind::copy)
      copyTo[frame.storages[i].index] = writer[i];
}

void FrameState::placePorts(std::span<const Value *const> inputs, const OnDevice &where) {
  for (size_t i = 0; i < inputs.size(); ++i)
    ports->inputs[i] = OnDevice::has(where.inputs, i) ? inputs[i]->data : nullptr;
  for (size_t i = 0; i < results.size(); ++i)
    ports->outputs[i] = OnDevice::has(where.outputs, i);
}

Status FrameState::fetchInputs(std::span<const Value *const> inputs) {
  for (size_t i = 0; i < frame.storages.size(); ++i) {
    const Storage &s = frame.storages[i];
    if (s.kind != Storage::Kind::input || !ports->inputs[s.index])
      continue;
    pointers[i] = nullptr;
    if (!ports->readByHost[i])
      continue;
    uint64_t bytes = inputs[s.index]->bytes();
    if (!blocks[i].reserve(bytes))
      return outOfMemory(bytes);
    pointers[i] = blocks[i].memory.get();
    if (Status status = device->download(pointers[i], ports->inputs[s.index], bytes); !status.ok())
      return status;
  }
  return Status::success();
}

bool FrameState::sharesInput(const Step &copy) {
  uint32_t to = frame.buffers[copy.outputs[0]].storage;
  const Storage &origin = storageOf(copy.inputs[0]);
  if (!isInputOnDevice(origin) || !frame.storages[to].onDevice || ports->writer[to] != &copy)
    return false;
  void *address = ports->inputs[origin.index];
  if (!isAligned(address))
    return false;
  pointers[to] = address;
  ports->hasShared = true;
  return true;
}

Status FrameState::shareOutputs() {
  ports->hasShared = false;
  std::vector<uint32_t> shared;
  for (size_t i = 0; i < frame.outputs.size(); ++i) {
    if (!ports->outputs[i] || !ports->copyTo[i])
      continue;
    uint32_t from = frame.buffers[ports->copyTo[i]->inputs[0]].storage;
    if (frame.storages[from].kind != Storage::Kind::arena || !frame.storages[from].onDevice)
      continue;
    // An input's copy may be the caller's memory itself.
    bool isCopy = ports->writer[from] && ports->writer[from]->kind == Step::Kind::copy;
    if (isCopy || std::find(shared.begin(), shared.end(), from) != shared.end())
      continue;
    int64_t bytes = registers[frame.storages[from].bytes];
    if (Status status = takeOutput(storageOf(frame.outputs[i]), uint64_t(bytes), true); !status.ok())
      return status;
    if (!isAligned(results[i].data))
      continue;
    pointers[from] = results[i].data;
    shared.push_back(from);
    ports->hasShared = true;
  }
  return Status::success();
}

Status FrameState::sendOutput(size_t output) {
  const Buffer &b = frame.buffers[frame.outputs[output]];
  uint64_t bytes = uint64_t(bytesOf(b));
  if (Status status = takeOutput(frame.storages[b.storage], bytes, true); !status.ok())
    return status;
  if (ports->copyTo[output] || bytes == 0)
    return Status::success();
  return device->upload(results[output].data, pointers[b.storage], bytes);
}
