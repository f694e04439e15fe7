//===- FrameControl.cpp - Branches and loops ------------------------------===//
//
// Both run sub-frames. A branch's results are written where the step wants them when their shapes are known
// before; a loop's carried values alternate between two sets of memory, which later runs use again.
//
//===----------------------------------------------------------------------===//

#include "runtime/FrameState.h"
#include <cstring>

using namespace optc;

FrameState &FrameState::child(size_t step, uint32_t which, uint32_t frameIndex) {
  auto &slot = children[step][which];
  if (!slot)
    slot = std::make_unique<FrameState>(session, frameIndex);
  return *slot;
}

Status FrameState::runBranch(const Step &step, size_t index) {
  int64_t condition = 0;
  const Value &c = view(step.inputs[0]);
  if (c.size() != 1)
    return Status::error("the condition must have one element");
  load(c, 0, 1, &condition);
  std::vector<const Value *> inputs;
  for (size_t i = 1; i < step.inputs.size(); ++i)
    inputs.push_back(&view(step.inputs[i]));
  std::vector<Value> outputs(step.outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (isShaped(step.outputs[i], index)) {
      if (Status status = prepare(step.outputs[i]); !status.ok())
        return status;
      outputs[i] = view(step.outputs[i]);
    }
  uint32_t which = condition ? 0 : 1;
  if (Status status = child(index, which, step.target + which).run(inputs, outputs, this); !status.ok())
    return status;
  return takeResults(step, index, outputs);
}

namespace {

/// The values of one scan output, one after the other.
class Scan {
public:
  Status append(const Value &part) {
    if (count++ == 0) {
      type = part.type;
      dims = part.dims;
    } else if (part.dims != dims) {
      return Status::error("scanned values differ in shape: " + shapeText(part.dims) + " after " +
                           shapeText(dims));
    }
    if (type == DType::string) {
      strings.insert(strings.end(), part.as<std::string>(), part.as<std::string>() + part.size());
      return Status::success();
    }
    uint64_t bytes = part.bytes();
    if (used + bytes > capacity && !grow(used + bytes))
      return outOfMemory(used + bytes);
    if (bytes)
      std::memcpy(static_cast<char *>(memory.get()) + used, part.data, bytes);
    used += bytes;
    return Status::success();
  }

  /// `empty`: the result's type and dims when there was no iteration.
  Value take(Value empty) {
    if (count == 0)
      return Value::allocate(empty.type, empty.dims);
    dims.insert(dims.begin(), count);
    if (type == DType::string) {
      Value value = Value::allocate(type, dims);
      std::move(strings.begin(), strings.end(), value.as<std::string>());
      return value;
    }
    Value value(type, dims, memory.get());
    if (memory)
      value.storage = std::shared_ptr<void>(memory.release(), std::free);
    return value;
  }

private:
  bool grow(uint64_t least) {
    uint64_t wanted = std::max(least, capacity * 2);
    Memory larger = allocateAligned(wanted);
    if (!larger)
      larger = allocateAligned(wanted = least);
    if (!larger)
      return false;
    if (used)
      std::memcpy(larger.get(), memory.get(), used);
    memory = std::move(larger);
    capacity = wanted;
    return true;
  }

  int64_t count = 0;
  DType type = DType::none;
  std::vector<int64_t> dims;
  Memory memory;
  uint64_t used = 0, capacity = 0;
  std::vector<std::string> strings;
};

} // namespace

Status FrameState::runLoop(const Step &step, size_t index) {
  int64_t trips = INT64_MAX, condition = 1;
  for (size_t i = 0; i < 2; ++i)
    if (step.inputs[i] != kNone) {
      const Value &v = view(step.inputs[i]);
      if (v.size() != 1)
        return Status::error("trip count and condition must have one element");
      load(v, 0, 1, i == 0 ? &trips : &condition);
    }
  const size_t carried = step.carried, scanned = step.outputs.size() - carried;
  int64_t iteration = 0;
  Value counter(DType::i64, {}, &iteration);
  std::vector<const Value *> inputs{&counter};
  for (size_t i = 2; i < step.inputs.size(); ++i)
    inputs.push_back(&view(step.inputs[i]));
  std::vector<Scan> scans(scanned);
  FrameState &body = child(index, 0, step.target);
  for (; iteration < trips && condition; ++iteration) {
    std::vector<Value> &outputs = loopValues[index][iteration & 1];
    outputs.resize(1 + carried + scanned);
    if (Status status = body.run(inputs, outputs, this); !status.ok())
      return Status::error("iteration " + std::to_string(iteration) + ": " + status.message);
    if (outputs[0].size() != 1)
      return Status::error("the condition must have one element");
    if (step.inputs[1] != kNone) // without a condition the body's is ignored
      load(outputs[0], 0, 1, &condition);
    for (size_t i = 0; i < carried; ++i)
      inputs[1 + i] = &outputs[1 + i];
    for (size_t i = 0; i < scanned; ++i)
      if (Status status = scans[i].append(outputs[1 + carried + i]); !status.ok())
        return status;
  }
  std::vector<Value> values;
  for (size_t i = 0; i < carried; ++i)
    values.push_back(*inputs[1 + i]);
  for (auto &bank : loopValues[index]) // the step now owns the last ones, the next run gets others
    for (size_t i = 0; i < carried && i + 1 < bank.size(); ++i)
      if (inputs[1 + i] == &bank[1 + i])
        bank[1 + i] = Value();
  for (size_t i = carried; i < step.outputs.size(); ++i) {
    const Buffer &b = frame.buffers[step.outputs[i]];
    std::vector<int64_t> dims{0};
    for (size_t d = 1; d < b.dims.size(); ++d)
      dims.push_back(readyAt[b.dims[d]] <= index ? std::max<int64_t>(0, registers[b.dims[d]]) : 0);
    values.push_back(scans[i - carried].take(Value(b.type, std::move(dims), nullptr)));
  }
  return takeResults(step, index, values);
}
