//===- Executor.cpp - Walks a plan ----------------------------------------===//

#include "runtime/Executor.h"
#include "runtime/ThreadPool.h"
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>

using namespace optc;

namespace {

int64_t floorDiv(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  if (b == -1)
    return int64_t(0 - uint64_t(a));
  int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

struct Free {
  void operator()(void *p) const { std::free(p); }
};
using Memory = std::unique_ptr<void, Free>;

Memory allocateAligned(uint64_t bytes) {
  bytes = (bytes + 63) / 64 * 64;
  return Memory(bytes ? std::aligned_alloc(64, bytes) : nullptr);
}

/// A block that only grows.
struct Block {
  Memory memory;
  uint64_t capacity = 0;
  bool reserve(uint64_t bytes) {
    if (bytes <= capacity)
      return true;
    memory = allocateAligned(bytes);
    capacity = memory ? bytes : 0;
    return memory != nullptr;
  }
};

std::string shapeText(const std::vector<int64_t> &dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

} // namespace

namespace optc {

/// One activation of a frame: a session's top frame, or the body of an If or Loop.
class FrameState {
public:
  FrameState(Session &session, uint32_t index)
      : session(session), frame(session.program.plan.frames[index]), isTop(index == 0), registers(frame.registers),
        pointers(frame.storages.size()), owned(frame.storages.size()), blocks(frame.storages.size()),
        views(frame.buffers.size()), children(frame.steps.size()) {
    for (size_t i = 0; i < frame.buffers.size(); ++i) {
      views[i].type = frame.buffers[i].type;
      views[i].kind = frame.buffers[i].kind;
      views[i].dims.resize(frame.buffers[i].dims.size());
    }
  }

  Status run(std::span<const Value *const> inputs, std::span<Value> outputs, const FrameState *outer);
  uint64_t arenaBytes() const;

private:
  Status bindInputs(std::span<const Value *const> inputs);
  void execute(uint32_t begin, uint32_t end);
  Status layOut();
  Status prepare(BufferId buffer);
  const Value &view(BufferId buffer);
  Status runStep(const Step &step, size_t index);
  Status runKernel(const Step &step);
  Status runLibrary(const Step &step);
  Status runBind(const Step &step);
  Status runBranch(const Step &step, size_t index);
  Status runLoop(const Step &step, size_t index);
  Status adopt(BufferId buffer, Value &&value);
  FrameState &child(size_t step, uint32_t which, uint32_t frameIndex);
  Value *objectOf(BufferId buffer) { return &owned[frame.buffers[buffer].storage]; }
  bool isObject(BufferId buffer) const {
    return frame.storages[frame.buffers[buffer].storage].kind == Storage::Kind::object;
  }

  Session &session;
  const Frame &frame;
  bool isTop;
  std::vector<int64_t> registers;
  std::vector<void *> pointers;     // by storage
  std::vector<Value> owned;         // by storage: objects, adopted results
  std::vector<Block> blocks;        // by storage: dynamic ones
  std::vector<Value> views;         // by buffer
  std::span<Value> results;
  std::vector<std::array<std::unique_ptr<FrameState>, 2>> children; // by step
  Block arena, scratch;
  std::vector<uint64_t> arenaOffsets;
  std::vector<uint64_t> laidOutSizes; // sizes that arenaOffsets are for
  std::vector<Lifetime> lifetimes;
  uint64_t arenaSize = 0;
};

} // namespace optc

void FrameState::execute(uint32_t begin, uint32_t end) {
  int64_t *r = registers.data();
  for (uint32_t i = begin; i < end; ++i) {
    const Instruction &in = frame.program[i];
    int64_t a = r[in.args[0]], b = r[in.args[1]];
    using Op = Instruction::Op;
    int64_t value = 0;
    switch (in.op) {
    case Op::constant: value = in.value; break;
    case Op::add: value = int64_t(uint64_t(a) + uint64_t(b)); break;
    case Op::mul: value = int64_t(uint64_t(a) * uint64_t(b)); break;
    case Op::floordiv: value = floorDiv(a, b); break;
    case Op::mod: value = int64_t(uint64_t(a) - uint64_t(floorDiv(a, b)) * uint64_t(b)); break;
    case Op::min: value = a < b ? a : b; break;
    case Op::max: value = a > b ? a : b; break;
    case Op::bcast: value = a == 1 ? b : a; break;
    case Op::ifeq: value = a == b ? r[in.args[2]] : r[in.args[3]]; break;
    }
    r[in.target] = value;
  }
}

Status FrameState::bindInputs(std::span<const Value *const> inputs) {
  const std::vector<Port> &ports = session.program.plan.inputs;
  for (const DimBinding &b : frame.bindings)
    if (!b.check)
      registers[b.target] = inputs[b.input]->dims[b.axis];
  execute(0, frame.entryEnd);
  for (const DimBinding &b : frame.bindings)
    if (b.check && registers[b.target] != inputs[b.input]->dims[b.axis])
      return Status::error(isTop ? "input '" + ports[b.input].name + "': dim " + std::to_string(b.axis) + " is " +
                                       std::to_string(inputs[b.input]->dims[b.axis]) + ", expected " +
                                       std::to_string(registers[b.target])
                                 : "a value's dim changed inside a loop or branch");
  return Status::success();
}

/// Gives the arena's storages their place, from the plan or by packing for these sizes.
Status FrameState::layOut() {
  if (frame.isStatic) {
    if (!arena.reserve(frame.arenaBytes))
      return Status::error("out of memory: the model needs " + std::to_string(frame.arenaBytes) + " bytes");
    arenaSize = frame.arenaBytes;
    for (size_t i = 0; i < frame.storages.size(); ++i)
      if (frame.storages[i].kind == Storage::Kind::arena)
        pointers[i] = static_cast<char *>(arena.memory.get()) + frame.storages[i].offset;
    return Status::success();
  }
  lifetimes.clear();
  bool same = laidOutSizes.size() == frame.storages.size();
  laidOutSizes.resize(frame.storages.size());
  for (size_t i = 0; i < frame.storages.size(); ++i) {
    const Storage &s = frame.storages[i];
    uint64_t bytes = s.kind == Storage::Kind::arena ? uint64_t(registers[s.bytes]) : 0;
    if (bytes > (uint64_t(1) << 46))
      return Status::error("the sizes of the inputs give a negative or impossible shape");
    same &= laidOutSizes[i] == bytes;
    laidOutSizes[i] = bytes;
    lifetimes.push_back({bytes, s.firstStep, s.lastStep});
  }
  if (!same)
    arenaSize = packArena(lifetimes, arenaOffsets);
  if (!arena.reserve(arenaSize))
    return Status::error("out of memory: these sizes need " + std::to_string(arenaSize) + " bytes");
  for (size_t i = 0; i < frame.storages.size(); ++i)
    if (frame.storages[i].kind == Storage::Kind::arena)
      pointers[i] = static_cast<char *>(arena.memory.get()) + arenaOffsets[i];
  return Status::success();
}

/// The buffer as a value, with its present dims.
const Value &FrameState::view(BufferId buffer) {
  const Buffer &b = frame.buffers[buffer];
  if (isObject(buffer))
    return *objectOf(buffer);
  Value &v = views[buffer];
  for (size_t i = 0; i < b.dims.size(); ++i)
    v.dims[i] = registers[b.dims[i]];
  v.data = pointers[b.storage];
  return v;
}

/// Makes sure that a result's storage has memory before a step writes it.
Status FrameState::prepare(BufferId buffer) {
  const Buffer &b = frame.buffers[buffer];
  const Storage &s = frame.storages[b.storage];
  if (s.kind != Storage::Kind::dynamic && s.kind != Storage::Kind::output)
    return Status::success();
  int64_t bytes = registers[s.bytes];
  if (bytes < 0 || bytes > (int64_t(1) << 46))
    return Status::error("a result has an impossible size");
  if (s.kind == Storage::Kind::dynamic) {
    if (!blocks[b.storage].reserve(bytes))
      return Status::error("out of memory for " + std::to_string(bytes) + " bytes");
    pointers[b.storage] = blocks[b.storage].memory.get();
    return Status::success();
  }
  if (pointers[b.storage])
    return Status::success();
  Value &result = results[s.index];
  view(buffer);
  if (result.data) {
    if (int64_t(result.bytes()) < bytes)
      return Status::error("output " + std::to_string(s.index) + ": the memory given holds " +
                           std::to_string(result.bytes()) + " bytes, the result has " + std::to_string(bytes));
    pointers[b.storage] = result.data;
    return Status::success();
  }
  Memory memory = allocateAligned(bytes ? bytes : 1);
  if (!memory)
    return Status::error("out of memory for " + std::to_string(bytes) + " bytes");
  result.storage = std::shared_ptr<void>(memory.release(), std::free);
  result.data = pointers[b.storage] = result.storage.get();
  return Status::success();
}

/// Takes a value that a library function or sub-frame allocated as the buffer's contents.
Status FrameState::adopt(BufferId buffer, Value &&value) {
  const Buffer &b = frame.buffers[buffer];
  const Storage &s = frame.storages[b.storage];
  if (s.kind == Storage::Kind::object) {
    owned[b.storage] = std::move(value);
    return Status::success();
  }
  if (s.kind == Storage::Kind::output && !results[s.index].data) {
    pointers[b.storage] = value.data;
    results[s.index].data = value.data;
    results[s.index].storage = std::move(value.storage);
    return Status::success();
  }
  if (s.kind == Storage::Kind::dynamic && value.storage) {
    pointers[b.storage] = value.data;
    owned[b.storage] = std::move(value);
    return Status::success();
  }
  if (Status status = prepare(buffer); !status.ok())
    return status;
  if (value.data != pointers[b.storage] && value.bytes())
    std::memcpy(pointers[b.storage], value.data, value.bytes());
  return Status::success();
}

FrameState &FrameState::child(size_t step, uint32_t which, uint32_t frameIndex) {
  auto &slot = children[step][which];
  if (!slot)
    slot = std::make_unique<FrameState>(session, frameIndex);
  return *slot;
}

Status FrameState::run(std::span<const Value *const> inputs, std::span<Value> outputs, const FrameState *outer) {
  results = outputs;
  for (auto [from, to] : frame.inherited)
    registers[to] = outer->registers[from];
  if (Status status = bindInputs(inputs); !status.ok())
    return status;
  for (size_t i = 0; i < frame.storages.size(); ++i) {
    const Storage &s = frame.storages[i];
    if (s.kind == Storage::Kind::input)
      pointers[i] = inputs[s.index]->data;
    else if (s.kind == Storage::Kind::weight)
      pointers[i] = const_cast<char *>(session.program.weights) + s.offset;
    else if (s.kind == Storage::Kind::output)
      pointers[i] = nullptr;
  }
  for (size_t i = 0; i < frame.inputs.size(); ++i)
    if (isObject(frame.inputs[i]))
      *objectOf(frame.inputs[i]) = *inputs[i];
  if (Status status = layOut(); !status.ok())
    return status;
  for (size_t i = 0; i < frame.steps.size(); ++i) {
    const Step &step = frame.steps[i];
    execute(step.programBegin, step.programEnd);
    bool timed = isTop && session.profiling;
    auto start = timed ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
    if (Status status = runStep(step, i); !status.ok())
      return Status::error("step '" + step.name + "': " + status.message);
    if (timed) {
      StepTime &time = session.stepTimes[i];
      time.nanoseconds += std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
      ++time.runs;
      time.flops = step.flops == kNone ? 0 : registers[step.flops];
      time.bytes = 0;
      for (auto *list : {&step.inputs, &step.outputs})
        for (BufferId b : *list)
          if (b != kNone && !isObject(b))
            time.bytes += view(b).bytes();
    }
  }
  // Sizes that the last steps defined.
  execute(frame.steps.empty() ? frame.entryEnd : frame.steps.back().programEnd, uint32_t(frame.program.size()));
  for (size_t i = 0; i < frame.outputs.size(); ++i) {
    BufferId b = frame.outputs[i];
    Value &result = results[i];
    if (isObject(b)) {
      result = *objectOf(b);
      continue;
    }
    if (Status status = prepare(b); !status.ok()) // an empty result that no step wrote
      return status;
    const Value &v = view(b);
    bool given = result.data && !result.storage;
    if (given && isTop && result.dims != v.dims)
      return Status::error("output '" + session.program.plan.outputs[i].name + "' has shape " + shapeText(v.dims) +
                           ", the memory given is for " + shapeText(result.dims));
    result.type = v.type;
    result.kind = v.kind;
    result.dims = v.dims;
  }
  return Status::success();
}

Status FrameState::runStep(const Step &step, size_t index) {
  switch (step.kind) {
  case Step::Kind::kernel: return runKernel(step);
  case Step::Kind::library: return runLibrary(step);
  case Step::Kind::bind: return runBind(step);
  case Step::Kind::branch: return runBranch(step, index);
  case Step::Kind::loop: return runLoop(step, index);
  }
  return Status::error("damaged plan");
}

Status FrameState::runKernel(const Step &step) {
  constexpr size_t kMaxBuffers = 64, kMaxRegisters = 128;
  if (step.inputs.size() + step.outputs.size() > kMaxBuffers || step.registers.size() > kMaxRegisters ||
      step.target >= session.program.kernelCount)
    return Status::error("damaged plan");
  void *buffers[kMaxBuffers];
  int64_t sizes[kMaxRegisters];
  size_t n = 0;
  for (BufferId b : step.inputs)
    buffers[n++] = b == kNone ? nullptr : pointers[frame.buffers[b].storage];
  for (BufferId b : step.outputs) {
    if (Status status = prepare(b); !status.ok())
      return status;
    buffers[n++] = pointers[frame.buffers[b].storage];
  }
  for (size_t i = 0; i < step.registers.size(); ++i)
    sizes[i] = registers[step.registers[i]];
  unsigned threads = session.threads;
  uint64_t scratchBytes = step.scratch == kNone ? 0 : uint64_t(registers[step.scratch]);
  if (scratchBytes > (uint64_t(1) << 40))
    return Status::error("the sizes of the inputs give a negative or impossible shape");
  uint64_t stride = (scratchBytes + 127) / 64 * 64;
  if (scratchBytes && !scratch.reserve(stride * threads))
    return Status::error("out of memory for scratch");
  struct Context {
    OptcKernel kernel;
    void *const *buffers;
    const int64_t *sizes;
    char *scratch;
    uint64_t stride;
    std::atomic<int32_t> error;
  } context{session.program.kernels[step.target], buffers, sizes, static_cast<char *>(scratch.memory.get()), stride, 0};
  ThreadPool::process().forEach(
      threads, registers[step.tiles], 1,
      [](void *opaque, unsigned worker, int64_t begin, int64_t end) {
        auto &c = *static_cast<Context *>(opaque);
        OptcArgs args{c.buffers, c.sizes, c.scratch ? c.scratch + worker * c.stride : nullptr};
        if (int32_t error = c.kernel(&args, begin, end))
          c.error.store(error, std::memory_order_relaxed);
      },
      &context);
  if (int32_t error = context.error.load())
    return Status::error(error == OPTC_KERNEL_INDEX_OUT_OF_RANGE ? "an index is out of range"
                                                                 : "kernel error " + std::to_string(error));
  return Status::success();
}

Status FrameState::runLibrary(const Step &step) {
  ReferenceFunction function = findReference(step.function);
  if (!function)
    return Status::error("this runtime has no function '" + step.function + "'");
  std::vector<const Value *> inputs;
  for (BufferId b : step.inputs)
    inputs.push_back(b == kNone ? nullptr : &view(b));
  std::vector<Value> outputs(step.outputs.size());
  std::unique_ptr<bool[]> shaped(new bool[step.outputs.size() + 1]());
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    shaped[i] = !isObject(step.outputs[i]);
    outputs[i].type = frame.buffers[step.outputs[i]].type;
    outputs[i].kind = frame.buffers[step.outputs[i]].kind;
  }
  // A shape that the call itself determines, be it another result's.
  for (const DimDefinition &d : step.definitions)
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      const std::vector<RegisterId> &dims = frame.buffers[step.outputs[i]].dims;
      if (std::find(dims.begin(), dims.end(), d.target) != dims.end())
        shaped[i] = false;
    }
  for (size_t i = 0; i < step.outputs.size(); ++i)
    if (shaped[i]) {
      if (Status status = prepare(step.outputs[i]); !status.ok())
        return status;
      outputs[i] = view(step.outputs[i]);
    }
  Attributes attributes = step.attributes;
  for (const RegisterList &list : step.registerAttributes) {
    std::vector<int64_t> values;
    for (RegisterId r : list.registers)
      values.push_back(registers[r]);
    attributes.set(list.name, std::move(values));
  }
  Call call{attributes, inputs, outputs, std::span<const bool>(shaped.get(), step.outputs.size())};
  if (Status status = function(call); !status.ok())
    return status;
  for (const DimDefinition &d : step.definitions)
    if (d.axis < outputs[d.output].dims.size())
      registers[d.target] = outputs[d.output].dims[d.axis];
  for (size_t i = 0; i < step.outputs.size(); ++i)
    if (!shaped[i]) {
      // Sizes that depend on the new registers are needed by adopt() when it copies.
      const Storage &s = frame.storages[frame.buffers[step.outputs[i]].storage];
      if (s.bytes != kNone)
        registers[s.bytes] = int64_t(outputs[i].bytes());
      if (Status status = adopt(step.outputs[i], std::move(outputs[i])); !status.ok())
        return status;
    }
  return Status::success();
}

Status FrameState::runBind(const Step &step) {
  const Value &v = view(step.inputs[0]);
  for (size_t i = 0; i < step.registers.size() && int64_t(i) < v.size(); ++i)
    load(v, i, 1, &registers[step.registers[i]]);
  return Status::success();
}

/// Sets the registers that a result's dims define, and keeps the result.
static void define(const Step &step, uint32_t output, const Value &value, std::vector<int64_t> &registers) {
  for (const DimDefinition &d : step.definitions)
    if (d.output == output && d.axis < value.dims.size())
      registers[d.target] = value.dims[d.axis];
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
  uint32_t which = condition ? 0 : 1;
  if (Status status = child(index, which, step.target + which).run(inputs, outputs, this); !status.ok())
    return status;
  for (size_t i = 0; i < outputs.size(); ++i) {
    define(step, i, outputs[i], registers);
    const Storage &s = frame.storages[frame.buffers[step.outputs[i]].storage];
    if (s.bytes != kNone)
      registers[s.bytes] = int64_t(outputs[i].bytes());
    if (Status status = adopt(step.outputs[i], std::move(outputs[i])); !status.ok())
      return status;
  }
  return Status::success();
}

Status FrameState::runLoop(const Step &step, size_t index) {
  int64_t trips = INT64_MAX, condition = 1;
  for (size_t i = 0; i < 2; ++i)
    if (step.inputs[i] != kNone) {
      const Value &v = view(step.inputs[i]);
      if (v.size() != 1)
        return Status::error("trip count and condition must have one element");
      load(v, 0, 1, i == 0 ? &trips : &condition);
    }
  size_t carried = step.carried, scanned = step.outputs.size() - carried;
  std::vector<Value> state(carried);
  for (size_t i = 0; i < carried; ++i)
    state[i] = view(step.inputs[2 + i]);
  std::vector<std::vector<Value>> scans(scanned);
  FrameState &body = child(index, 0, step.target);
  for (int64_t iteration = 0; iteration < trips && condition; ++iteration) {
    Value counter(DType::i64, {}, &iteration);
    std::vector<const Value *> inputs{&counter};
    for (const Value &v : state)
      inputs.push_back(&v);
    for (size_t i = 2 + carried; i < step.inputs.size(); ++i)
      inputs.push_back(&view(step.inputs[i]));
    std::vector<Value> outputs(1 + carried + scanned);
    if (Status status = body.run(inputs, outputs, this); !status.ok())
      return Status::error("iteration " + std::to_string(iteration) + ": " + status.message);
    load(outputs[0], 0, 1, &condition);
    for (size_t i = 0; i < carried; ++i)
      state[i] = std::move(outputs[1 + i]);
    for (size_t i = 0; i < scanned; ++i)
      scans[i].push_back(std::move(outputs[1 + carried + i]));
  }
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    Value result;
    if (i < carried) {
      result = std::move(state[i]);
    } else {
      auto &parts = scans[i - carried];
      const Buffer &b = frame.buffers[step.outputs[i]];
      std::vector<int64_t> dims{int64_t(parts.size())};
      if (!parts.empty())
        dims.insert(dims.end(), parts[0].dims.begin(), parts[0].dims.end());
      else
        for (size_t d = 1; d < b.dims.size(); ++d)
          dims.push_back(std::max<int64_t>(0, registers[b.dims[d]]));
      result = Value::allocate(b.type, dims);
      size_t offset = 0;
      for (Value &part : parts) {
        if (part.dims != parts[0].dims)
          return Status::error("scanned values differ in shape");
        if (part.bytes())
          std::memcpy(result.as<char>() + offset, part.data, part.bytes());
        offset += part.bytes();
      }
    }
    define(step, i, result, registers);
    const Storage &s = frame.storages[frame.buffers[step.outputs[i]].storage];
    if (s.bytes != kNone)
      registers[s.bytes] = int64_t(result.bytes());
    if (Status status = adopt(step.outputs[i], std::move(result)); !status.ok())
      return status;
  }
  return Status::success();
}

uint64_t FrameState::arenaBytes() const {
  uint64_t total = arenaSize;
  for (const Block &block : blocks)
    total += block.capacity;
  for (auto &pair : children)
    for (auto &state : pair)
      total += state ? state->arenaBytes() : 0;
  return total;
}

//===----------------------------------------------------------------------===//
// Session
//===----------------------------------------------------------------------===//

Session::Session(const Program &program, unsigned threads)
    : program(program), threads(threads), top(std::make_unique<FrameState>(*this, 0)) {}
Session::~Session() = default;

void Session::profile(bool on) {
  profiling = on;
  stepTimes.assign(program.plan.frames[0].steps.size(), {});
}

uint64_t Session::arenaBytes() const { return top->arenaBytes(); }

Status Session::run(std::span<const Value *const> inputs, std::span<Value> outputs) {
  const Plan &plan = program.plan;
  if (inputs.size() != plan.inputs.size() || outputs.size() != plan.outputs.size())
    return Status::error("the model has " + std::to_string(plan.inputs.size()) + " inputs and " +
                         std::to_string(plan.outputs.size()) + " outputs, got " + std::to_string(inputs.size()) +
                         " and " + std::to_string(outputs.size()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port &port = plan.inputs[i];
    const Value &v = *inputs[i];
    std::string where = "input '" + port.name + "': ";
    if (v.kind != port.kind)
      return Status::error(where + "is of another kind (tensor, sequence or optional)");
    if (port.kind != Value::Kind::tensor)
      continue;
    if (v.type != port.type)
      return Status::error(where + "has type " + nameOf(v.type) + ", expected " + nameOf(port.type));
    if (v.dims.size() != port.dims.size())
      return Status::error(where + "has rank " + std::to_string(v.dims.size()) + ", expected " +
                           std::to_string(port.dims.size()));
    for (size_t d = 0; d < v.dims.size(); ++d)
      if (v.dims[d] < 0 || (port.dims[d] >= 0 && v.dims[d] != port.dims[d]))
        return Status::error(where + "dim " + std::to_string(d) + " is " + std::to_string(v.dims[d]) + ", expected " +
                             (port.dims[d] >= 0 ? std::to_string(port.dims[d]) : "0 or more"));
    if (!v.data && v.bytes())
      return Status::error(where + "has no memory");
  }
  return top->run(inputs, outputs, nullptr);
}
