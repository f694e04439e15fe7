//===- FrameState.h - One activation of a frame -----------------*- C++ -*-===//
//
// The changing half of a frame: registers, where each storage is, the memory that steps allocate. A
// session has one for the model's frame; a branch or loop step has one for each body, made when
// it first runs and kept, so that later runs allocate nothing.
//
// Files: FrameState.cpp has sizes and memory, FrameSteps.cpp what steps do, FrameControl.cpp If and Loop, FramePorts.cpp tensors that a
// caller has in a GPU's memory.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_FRAMESTATE_H
#define OPTC_RUNTIME_FRAMESTATE_H

#include "runtime/Executor.h"
#include "runtime/gpu/DeviceSession.h"
#include "runtime/reference/Blocks.h"
#include <array>
#include <cstdlib>

namespace optc {

struct FreeMemory {
  void operator()(void *p) const { std::free(p); }
};
using Memory = std::unique_ptr<void, FreeMemory>;

/// 64-byte aligned; null for 0 bytes and when there is none.
inline Memory allocateAligned(uint64_t bytes) {
  bytes = (bytes + 63) / 64 * 64;
  return Memory(bytes ? std::aligned_alloc(64, bytes) : nullptr);
}

inline Status outOfMemory(uint64_t bytes) { return Status::error("out of memory for " + std::to_string(bytes) + " bytes"); }

/// A block that only grows. Its contents do not survive growth.
struct Block {
  Memory memory;
  uint64_t capacity = 0;
  bool reserve(uint64_t bytes) {
    if (bytes <= capacity)
      return true;
    memory = nullptr; // not both at once
    memory = allocateAligned(bytes);
    capacity = memory ? bytes : 0;
    return memory != nullptr;
  }
};

/// Sizes above this are the wrapped or saturated result of impossible shapes.
constexpr int64_t kMostBytes = int64_t(1) << 46;

/// Gives a value memory of its own where it only refers to somebody else's.
void makeOwned(Value &value);

/// What the model's frame knows of inputs and outputs that may lie in a GPU's memory, and where those of a run are.
struct DevicePorts {
  DevicePorts(const Frame &frame);

  // By storage.
  std::vector<bool> readByHost;     // once it is there: by a step that is no copy of an input
  std::vector<const Step *> writer; // the only one; null: none, or several
  bool hasShared = false;           // of the run or one before: a storage of the GPU's arena is an input's or output's memory
  // By input and output: the run's address; null: it is in the host's memory.
  std::vector<void *> inputs;
  std::vector<bool> outputs;
  std::vector<const Step *> copyTo; // by output: the step that copies a value there; null: a step writes it there
};

class FrameState {
public:
  FrameState(Session &session, uint32_t index);

  /// `outer` is the enclosing frame, null for the model's; `where`: of the model's.
  Status run(std::span<const Value *const> inputs, std::span<Value> outputs, const FrameState *outer, const OnDevice &where = {});
  /// Waits for the GPU; names the step whose index was out of range, in the frame or in what it runs.
  Status finishDevice();
  uint64_t arenaBytes() const;

private:
  // Sizes.
  Status bindInputs(std::span<const Value *const> inputs);
  void execute(uint32_t begin, uint32_t end);
  /// Computes the sizes that depend on what step `index` has just defined. The same instructions run again
  /// before the next step, with the same results.
  void executeAfter(size_t index);
  Status checkDims(const Buffer &buffer) const;
  int64_t bytesOf(const Buffer &buffer) const;

  // Memory.
  Status place(std::span<const Value *const> inputs);
  Status layOut();
  /// Where an arena begins once it has so many bytes; null and a status where there is no memory.
  Status reserveArena(bool onDevice, uint64_t bytes, char *&base);
  /// Makes sure that a result's storage has memory before a step writes it.
  Status prepare(BufferId buffer);
  /// Memory of so many bytes for a result: the caller's, an earlier run's or new.
  Status takeOutput(const Storage &storage, uint64_t bytes, bool onDevice);
  /// Takes a value that a library function or sub-frame allocated as the buffer's contents.
  Status adopt(BufferId buffer, Value &&value);
  /// The buffer as a value, with its present dims.
  const Value &view(BufferId buffer);
  Status checkView(BufferId buffer);
  Status finish();

  // Inputs and outputs in a GPU's memory.
  void placePorts(std::span<const Value *const> inputs, const OnDevice &where);
  /// What steps of the host read of inputs there.
  Status fetchInputs(std::span<const Value *const> inputs);
  /// Kernels write outputs where they are to be.
  Status shareOutputs();
  /// The copy's result is the input's memory. False: it is to be copied.
  bool sharesInput(const Step &copy);
  bool isOutputOnDevice(const Storage &s) const { return ports && s.kind == Storage::Kind::output && ports->outputs[s.index]; }
  bool isInputOnDevice(const Storage &s) const { return ports && s.kind == Storage::Kind::input && ports->inputs[s.index]; }
  /// What the host wrote.
  Status sendOutput(size_t output);

  // Steps.
  Status runSteps(std::span<const Value *const> inputs);
  Status runTimed(const Step &step, size_t index, double &seconds);
  Status runStep(const Step &step, size_t index);
  Status runKernel(const Step &step);
  /// The output takes the memory of an input.
  bool overwrites(const Step &step, BufferId output) const;
  Status runCopy(const Step &step);
  Status copyFrom(const Storage &origin, const void *from, bool toDevice, void *to, uint64_t bytes, bool isLast);
  /// Steps [begin, end) of the GPU.
  Status runOnDevice(size_t begin, size_t end);
  /// What step `index` is launched with; `takesMemory`: its results' sizes are known.
  Status describeLaunch(size_t index, bool takesMemory, gpu::DeviceSession::Launch &launch);
  /// A step of the GPU whose values decide the size of its results.
  Status runCounting(size_t index);
  Status runLibrary(const Step &step, size_t index);
  Status runBind(const Step &step);
  Status runBranch(const Step &step, size_t index);
  Status runLoop(const Step &step, size_t index);
  /// True when the dims of the step's output are known before the step runs; and when it has memory then.
  bool hasKnownDims(BufferId output, size_t index) const;
  bool isShaped(BufferId output, size_t index) const {
    return !isObject(output) && hasKnownDims(output, index);
  }
  /// Sets the registers that the results define, then takes the results that are not yet in place.
  Status takeResults(const Step &step, size_t index, std::span<Value> values);
  void count(const Step &step, size_t index, uint64_t nanoseconds);
  FrameState &child(size_t step, uint32_t which, uint32_t frameIndex);

  const Storage &storageOf(BufferId buffer) const { return frame.storages[frame.buffers[buffer].storage]; }
  Value &object(BufferId buffer) { return owned[frame.buffers[buffer].storage]; }
  bool isObject(BufferId buffer) const { return storageOf(buffer).kind == Storage::Kind::object; }

  Session &session;
  const Frame &frame;
  const bool isTop;
  std::vector<int64_t> registers;
  std::vector<void *> pointers; // by storage
  std::vector<Value> owned;     // by storage: objects, adopted results
  std::vector<Block> blocks;    // by storage: dynamic ones
  std::vector<Value> views;     // by buffer
  std::vector<bool> viewChecks; // by buffer: a view whose size may differ from its storage's
  std::span<Value> results;
  std::vector<bool> given;                                          // by result: the memory is the caller's
  std::vector<uint32_t> readyAt;                                    // by register: known before this step
  std::vector<ReferenceFunction> functions;                         // by step: of library steps
  std::vector<std::array<std::unique_ptr<FrameState>, 2>> children; // by step
  std::vector<std::array<std::vector<Value>, 2>> loopValues;        // by step: a body's results, in turns
  std::vector<void *> kernelBuffers;
  std::vector<int64_t> kernelRegisters;

  Block arena, scratch;
  std::unique_ptr<gpu::DeviceSession> device; // where the model has code for one
  std::unique_ptr<DevicePorts> ports;         // of the model's frame then
  std::vector<uint32_t> deviceEnd;            // by step: the end of the launches that begin there
  std::vector<BufferId> firstBuffer; // by storage
  std::vector<uint64_t> arenaOffsets[2]; // of host and GPU
  std::vector<uint64_t> laidOutSizes;    // sizes that arenaOffsets are for
  std::vector<Lifetime> lifetimes[2];
  uint64_t arenaSizes[2] = {0, 0};
  char *arenaBases[2] = {nullptr, nullptr}; // that `pointers` are for
};

} // namespace optc

#endif // OPTC_RUNTIME_FRAMESTATE_H
