//===- FrameSteps.cpp - Runs a frame's steps ------------------------------===//

#include "runtime/FrameState.h"
#include "runtime/ThreadPool.h"
#include <chrono>
#include <cstring>

using namespace optc;

Status FrameState::run(std::span<const Value *const> inputs, std::span<Value> outputs, const FrameState *outer, const OnDevice &where) {
  results = outputs;
  for (size_t i = 0; i < results.size(); ++i)
    given[i] = results[i].data && !results[i].storage;
  for (auto [from, to] : frame.inherited)
    registers[to] = outer->registers[from];
  if (Status status = bindInputs(inputs); !status.ok())
    return status;
  bool waits = true; // for the end of the run
  if (isTop) {
    if (ports)
      placePorts(inputs, where);
    auto allOf = [](const std::vector<bool> &list, size_t n) { return list.size() >= n && std::find(list.begin(), list.begin() + long(n), false) == list.begin() + long(n); };
    waits = !session.choice.stream || !allOf(where.inputs, inputs.size()) || !allOf(where.outputs, outputs.size());
  }
  if (device)
    if (Status status = device->begin(waits && !session.profiling); !status.ok())
      return status;
  Status status = runSteps(inputs);
  // Nothing of a run that failed is left on its way.
  if (device && isTop && (waits || !status.ok())) {
    Status ended = finishDevice();
    if (status.ok())
      return ended;
  }
  return status;
}

Status FrameState::runSteps(std::span<const Value *const> inputs) {
  if (Status status = place(inputs); !status.ok())
    return status;
  if (Status status = layOut(); !status.ok())
    return status;
  const bool timed = isTop && session.profiling;
  for (size_t i = 0; i < frame.steps.size(); ++i) {
    const Step &step = frame.steps[i];
    if (step.onDevice && !timed) {
      if (Status status = runOnDevice(i, deviceEnd[i]); !status.ok())
        return status;
      i = deviceEnd[i] - 1;
      continue;
    }
    execute(step.programBegin, step.programEnd);
    double seconds = 0;
    Status status = timed ? runTimed(step, i, seconds) : runStep(step, i);
    if (!status.ok()) // what is wrong with an output's memory is the caller's to mend, not the step's
      return status.message.starts_with("output '") || step.onDevice ? status : Status::error("step '" + step.name + "': " + status.message);
    if (timed)
      count(step, i, uint64_t(seconds * 1e9));
  }
  // Sizes that the last step defined.
  execute(frame.steps.empty() ? frame.entryEnd : frame.steps.back().programEnd,
          uint32_t(frame.program.size()));
  return finish();
}

/// A kernel of the GPU by the GPU's clock, which leaves out what a launch takes; a copy until it is done.
Status FrameState::runTimed(const Step &step, size_t index, double &seconds) {
  if (step.onDevice)
    return device->measure([&] { return runOnDevice(index, index + 1); }, seconds);
  auto start = std::chrono::steady_clock::now();
  Status status = runStep(step, index);
  if (status.ok() && device && step.kind == Step::Kind::copy)
    status = device->synchronize();
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return status;
}

void FrameState::count(const Step &step, size_t index, uint64_t nanoseconds) {
  StepTime &time = session.stepTimes[index];
  time.nanoseconds += nanoseconds;
  ++time.runs;
  time.flops = step.flops == kNone ? 0 : registers[step.flops];
  time.bytes = 0;
  for (auto *list : {&step.inputs, &step.outputs})
    for (BufferId b : *list)
      if (b != kNone && !isObject(b))
        time.bytes += view(b).bytes();
}

Status FrameState::runStep(const Step &step, size_t index) {
  for (BufferId b : step.inputs)
    if (b != kNone && viewChecks[b])
      if (Status status = checkView(b); !status.ok())
        return status;
  switch (step.kind) {
  case Step::Kind::kernel: return runKernel(step);
  case Step::Kind::library: return runLibrary(step, index);
  case Step::Kind::bind: return runBind(step);
  case Step::Kind::branch: return runBranch(step, index);
  case Step::Kind::loop: return runLoop(step, index);
  case Step::Kind::copy: return runCopy(step);
  }
  return Status::error("damaged plan");
}

Status FrameState::runCopy(const Step &step) {
  BufferId from = step.inputs[0], to = step.outputs[0];
  const Storage &origin = storageOf(from), &target = storageOf(to);
  if (Status status = checkDims(frame.buffers[from]); !status.ok())
    return status;
  uint64_t bytes = uint64_t(bytesOf(frame.buffers[from]));
  if (sharesInput(step))
    return Status::success();
  const void *source = isInputOnDevice(origin) ? ports->inputs[origin.index] : pointers[frame.buffers[from].storage];
  uint32_t place = frame.buffers[to].storage;
  bool isRead = ports && ports->readByHost[place];
  if (isOutputOnDevice(target) && ports->copyTo[target.index]) {
    if (Status status = takeOutput(target, bytes, true); !status.ok())
      return status;
    if (Status status = copyFrom(origin, source, true, results[target.index].data, bytes, false); !status.ok() || !isRead)
      return status;
  }
  if (Status status = prepare(to); !status.ok())
    return status;
  return copyFrom(origin, source, target.onDevice, pointers[place], bytes, isTop && target.kind == Storage::Kind::output && !isRead);
}

/// `isLast`: nothing reads it before the end of the run.
Status FrameState::copyFrom(const Storage &origin, const void *from, bool toDevice, void *to, uint64_t bytes, bool isLast) {
  if (bytes == 0 || from == to)
    return Status::success();
  bool fromDevice = origin.onDevice || isInputOnDevice(origin);
  if (fromDevice && toDevice)
    return device->copy(to, from, bytes);
  if (fromDevice)
    return isLast ? device->downloadOutput(to, from, bytes) : device->download(to, from, bytes);
  if (toDevice)
    return isTop && origin.kind == Storage::Kind::input ? device->uploadInput(to, from, bytes) : device->upload(to, from, bytes);
  std::memcpy(to, from, bytes);
  return Status::success();
}

Status FrameState::describeLaunch(size_t index, bool takesMemory, gpu::DeviceSession::Launch &launch) {
  const Step &step = frame.steps[index];
  launch = {index, {}, {}};
  for (BufferId b : step.inputs) {
    if (b != kNone && viewChecks[b])
      if (Status status = checkView(b); !status.ok())
        return status;
    launch.buffers.push_back(b == kNone ? nullptr : pointers[frame.buffers[b].storage]);
  }
  for (BufferId b : step.outputs) {
    if (takesMemory && (!step.inPlace || !overwrites(step, b)))
      if (Status status = prepare(b); !status.ok())
        return status;
    launch.buffers.push_back(takesMemory ? pointers[frame.buffers[b].storage] : nullptr);
  }
  for (RegisterId r : step.registers)
    launch.registers.push_back(registers[r]);
  return Status::success();
}

Status FrameState::runOnDevice(size_t begin, size_t end) {
  auto named = [&](size_t i, const Status &status) { return status.ok() ? status : Status::error("step '" + frame.steps[i].name + "': " + status.message); };
  // It is alone.
  if (!frame.steps[begin].definitions.empty())
    return named(begin, runCounting(begin));
  std::vector<gpu::DeviceSession::Launch> launches(end - begin);
  for (size_t i = begin; i < end; ++i) {
    execute(frame.steps[i].programBegin, frame.steps[i].programEnd);
    if (Status status = describeLaunch(i, true, launches[i - begin]); !status.ok())
      return named(i, status);
  }
  return device->launchAll(begin, std::move(launches));
}

Status FrameState::runCounting(size_t index) {
  execute(frame.steps[index].programBegin, frame.steps[index].programEnd);
  gpu::DeviceSession::Launch launch;
  if (Status status = describeLaunch(index, false, launch); !status.ok())
    return status;
  if (Status status = device->launchCounting(launch, registers[frame.steps[index].definitions[0].target]); !status.ok())
    return status;
  executeAfter(index);
  if (Status status = describeLaunch(index, true, launch); !status.ok())
    return status;
  return device->launchCounted(launch);
}

bool FrameState::overwrites(const Step &step, BufferId output) const {
  for (BufferId in : step.inputs)
    if (in != kNone && frame.buffers[in].storage == frame.buffers[output].storage)
      return true;
  return false;
}

Status FrameState::runKernel(const Step &step) {
  if (step.target >= session.program.kernelCount)
    return Status::error("damaged plan");
  kernelBuffers.clear();
  for (BufferId b : step.inputs)
    kernelBuffers.push_back(b == kNone ? nullptr : pointers[frame.buffers[b].storage]);
  for (BufferId b : step.outputs) {
    // What is written in place has its memory, which may be an adopted value's.
    if (!step.inPlace || !overwrites(step, b))
      if (Status status = prepare(b); !status.ok())
        return status;
    kernelBuffers.push_back(pointers[frame.buffers[b].storage]);
  }
  kernelRegisters.clear();
  for (RegisterId r : step.registers)
    kernelRegisters.push_back(registers[r]);
  unsigned threads = std::max(1u, session.threads);
  // A cache line apart, so that workers do not share one.
  int64_t scratchBytes = step.scratch == kNone ? 0 : registers[step.scratch];
  if (scratchBytes < 0 || scratchBytes > kMostBytes)
    return Status::error("the sizes of the inputs give a negative or impossible shape");
  uint64_t stride = (uint64_t(scratchBytes) + 127) / 64 * 64;
  if (scratchBytes && !scratch.reserve(stride * threads))
    return Status::error("out of memory for scratch");
  struct Context {
    OptcKernel kernel;
    void *const *buffers;
    const int64_t *sizes;
    char *scratch;
    uint64_t stride;
    std::atomic<int32_t> error;
  } context{session.program.kernels[step.target],
            kernelBuffers.data(),
            kernelRegisters.data(),
            scratchBytes ? static_cast<char *>(scratch.memory.get()) : nullptr,
            stride,
            0};
  ThreadPool::process().forEach(
      threads, registers[step.tiles], 1,
      [](void *opaque, unsigned worker, int64_t begin, int64_t end) {
        auto &c = *static_cast<Context *>(opaque);
        OptcArgs args{c.buffers, c.sizes, c.scratch ? c.scratch + worker * c.stride : nullptr};
        if (int32_t error = c.kernel(&args, begin, end))
          c.error.store(error, std::memory_order_relaxed);
      },
      &context);
  int32_t error = context.error.load();
  if (error == OPTC_KERNEL_INDEX_OUT_OF_RANGE)
    return Status::error("an index is out of range");
  return error ? Status::error("kernel error " + std::to_string(error)) : Status::success();
}

bool FrameState::hasKnownDims(BufferId output, size_t index) const {
  if (frame.buffers[output].kind != Value::Kind::tensor)
    return false;
  for (RegisterId r : frame.buffers[output].dims)
    if (readyAt[r] > index)
      return false;
  return true;
}

Status FrameState::runLibrary(const Step &step, size_t index) {
  if (!functions[index])
    return Status::error("this runtime has no function '" + step.function + "'");
  std::vector<const Value *> inputs;
  for (BufferId b : step.inputs)
    inputs.push_back(b == kNone ? nullptr : &view(b));
  size_t n = step.outputs.size();
  std::vector<Value> outputs(n);
  std::unique_ptr<bool[]> shaped(new bool[n + 1]());
  for (size_t i = 0; i < n; ++i) {
    BufferId b = step.outputs[i];
    outputs[i].type = frame.buffers[b].type;
    outputs[i].kind = frame.buffers[b].kind;
    shaped[i] = hasKnownDims(b, index);
    if (!shaped[i])
      continue;
    if (isObject(b)) { // strings: the function makes them
      for (RegisterId r : frame.buffers[b].dims)
        outputs[i].dims.push_back(registers[r]);
      continue;
    }
    if (Status status = prepare(b); !status.ok())
      return status;
    outputs[i] = view(b);
  }
  const Attributes *attributes = &step.attributes;
  Attributes completed;
  if (!step.registerAttributes.empty()) {
    completed = step.attributes;
    for (const RegisterList &list : step.registerAttributes) {
      std::vector<int64_t> values;
      for (RegisterId r : list.registers)
        values.push_back(registers[r]);
      completed.set(list.name, std::move(values));
    }
    attributes = &completed;
  }
  Call call{*attributes, inputs, outputs, std::span<const bool>(shaped.get(), n)};
  if (Status status = functions[index](call); !status.ok())
    return status;
  return takeResults(step, index, outputs);
}

Status FrameState::takeResults(const Step &step, size_t index, std::span<Value> values) {
  for (const DimDefinition &d : step.definitions) {
    if (d.axis >= values[d.output].dims.size())
      return Status::error("result " + std::to_string(d.output) + " has rank " +
                           std::to_string(values[d.output].dims.size()) + ", a higher one was expected");
    registers[d.target] = values[d.output].dims[d.axis];
  }
  if (!step.definitions.empty())
    executeAfter(index);
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t storage = frame.buffers[step.outputs[i]].storage;
    if (isShaped(step.outputs[i], index) && values[i].data && values[i].data == pointers[storage])
      continue;
    if (Status status = adopt(step.outputs[i], std::move(values[i])); !status.ok())
      return status;
  }
  return Status::success();
}

Status FrameState::runBind(const Step &step) {
  const Value &v = view(step.inputs[0]);
  if (v.size() < int64_t(step.registers.size()))
    return Status::error("has " + std::to_string(v.size()) + " elements, expected " +
                         std::to_string(step.registers.size()));
  for (size_t i = 0; i < step.registers.size(); ++i)
    load(v, int64_t(i), 1, &registers[step.registers[i]]);
  return Status::success();
}
