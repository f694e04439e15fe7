//===- FrameState.h - One activation of a frame -----------------*- C++ -*-===//
//
// The changing half of a frame: registers, where each storage is, the memory that steps allocate. A
// session has one for the model's frame; a branch or loop step has one for each body, made when
// it first runs and kept, so that later runs allocate nothing.
//
// Files: FrameState.cpp has sizes and memory, FrameSteps.cpp what steps do, FrameControl.cpp If and Loop.
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

class FrameState {
public:
  FrameState(Session &session, uint32_t index);

  /// `outer` is the enclosing frame, null for the model's.
  Status run(std::span<const Value *const> inputs, std::span<Value> outputs, const FrameState *outer);
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
  void place(std::span<const Value *const> inputs);
  Status layOut();
  /// Where an arena begins once it has so many bytes; null and a status where there is no memory.
  Status reserveArena(bool onDevice, uint64_t bytes, char *&base);
  /// Makes sure that a result's storage has memory before a step writes it.
  Status prepare(BufferId buffer);
  Status prepareOutput(const Storage &storage, const Buffer &buffer, uint64_t bytes);
  /// Takes a value that a library function or sub-frame allocated as the buffer's contents.
  Status adopt(BufferId buffer, Value &&value);
  /// The buffer as a value, with its present dims.
  const Value &view(BufferId buffer);
  Status checkView(BufferId buffer);
  Status finish();
  /// Waits for the GPU; names the step whose index was out of range, in the frame or in what it runs.
  Status finishDevice();

  // Steps.
  Status runStep(const Step &step, size_t index);
  Status runKernel(const Step &step);
  /// The output takes the memory of an input.
  bool overwrites(const Step &step, BufferId output) const;
  Status runCopy(const Step &step);
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
