//===- DeviceSession.h - What a session has of a GPU ------------*- C++ -*-===//
//
// A stream, an arena, memory for results whose sizes come from values, a workspace, counters, and one word a step that kernels set where an index is out
// of range. Launches that are the same as in an earlier run are recorded as a graph and given to the device as one.
//
// What a run is given and gives in the host's memory goes through page-locked memory of the session, so that nothing waits before all
// of the run is begun. That is no faster than the driver's own staging where a tensor is large, so large ones do without.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_GPU_DEVICESESSION_H
#define OPTC_RUNTIME_GPU_DEVICESESSION_H

#include "runtime/gpu/DeviceProgram.h"

namespace optc::gpu {

/// Page-locked memory of a run's copies, taken from the front.
class Staging {
public:
  /// Null where there is no room, which there will be in the next run, or where it would not pay.
  char *take(uint64_t bytes);
  /// Before each run. Nothing may be on its way in it.
  Status reset(Device &device);

private:
  HostMemory memory;
  uint64_t used = 0, wanted = 0;
};

class DeviceSession {
public:
  /// The model's. `callersStream`: a CUstream that its work goes to; null: one of its own.
  DeviceSession(DeviceProgram &program, const Frame &frame, void *callersStream)
      : DeviceSession(program, frame, own, own, true, StreamHandle(callersStream)) {}
  /// Of a branch or loop, which uses the streams of the model's frame.
  DeviceSession(DeviceProgram &program, const Frame &frame, DeviceSession &outer) : DeviceSession(program, frame, outer.stream, outer.own, false, nullptr) {}

  /// On any thread.
  ~DeviceSession();
  /// Before each run, with the program in use. `stages`: it waits for its end, and may use the session's page-locked memory until then.
  Status begin(bool stages);
  /// Waits for all that was begun (once, for the model's frame); names the step whose index was out of range.
  Status finish();
  Status synchronize() { return stream.synchronize(); }

  /// The arena, of so many bytes at least; its contents do not survive growth.
  Status reserve(uint64_t bytes);
  DevicePointer arena() const { return arenaMemory.address(); }
  /// Memory of a dynamic storage.
  Status grow(uint32_t storage, uint64_t bytes, DevicePointer &address);
  DevicePointer weightAt(uint64_t offset) const { return program.weightAt(offset); }
  uint64_t bytes() const;

  Status upload(void *to, const void *from, uint64_t bytes) { return stream.upload(DevicePointer(to), from, bytes); }
  /// Waits for it.
  Status download(void *to, const void *from, uint64_t bytes);
  /// The same of what a run is given and what it gives, which is there once the run has finished.
  Status uploadInput(void *to, const void *from, uint64_t bytes);
  Status downloadOutput(void *to, const void *from, uint64_t bytes);
  /// Within the GPU's memory.
  Status copy(void *to, const void *from, uint64_t bytes) { return stream.copy(DevicePointer(to), DevicePointer(from), bytes); }
  /// Memory of the GPU that its owner keeps; freeing it waits for what may use it.
  Status allocate(uint64_t bytes, std::shared_ptr<void> &memory);

  /// What a launch works on: addresses of the step's inputs and outputs, and its registers.
  struct Launch {
    size_t step;
    std::vector<void *> buffers;
    std::vector<int64_t> registers;
    bool operator==(const Launch &) const = default;
  };
  /// What comes before the size that the step's values decide is known, then that size. Waits for it.
  Status launchCounting(const Launch &launch, int64_t &count);
  /// What comes after it. `launch`: with the addresses of the results.
  Status launchCounted(const Launch &launch);
  /// Launches that follow each other. `first`: the first's step.
  Status launchAll(size_t first, std::vector<Launch> launches);
  /// The device's time for what `body` gives it. Waits for it.
  Status measure(const std::function<Status()> &body, double &seconds);

private:
  DeviceSession(DeviceProgram &program, const Frame &frame, Stream &stream, Stream &recorder, bool isTop, StreamHandle callers)
      : program(program), frame(frame), isTop(isTop), callers(callers), stream(callers ? others : stream), recorder(recorder), blocks(frame.storages.size()) {}
  /// Which of a kernel's launches: those up to the size that it counts, or those from there on (all, where it counts none).
  enum class Part { counting, rest };
  Status launch(const Launch &launch, Part part, Stream &on);
  /// Sizes of the step and what the kernel's program makes of them.
  std::vector<int64_t> registersOf(const Launch &launch, const DeviceKernel &kernel) const;
  /// As many as the step's kernel has.
  int64_t repeatsOf(const Launch &launch) const;
  Status reserveWorkspace(int64_t bytes);
  Status reserveCounters(int64_t count);
  Status encode(const BoxMap &map, const Launch &launch, const std::vector<int64_t> &registers, TensorMap &encoded) const;

  /// Launches of an earlier run, and the graph once they came a second time.
  struct Recorded {
    std::vector<Launch> launches;
    std::unique_ptr<Graph> graph;
  };

  DeviceProgram &program;
  const Frame &frame;
  const bool isTop;
  const StreamHandle callers;
  bool isOpen = false, checksIndices = false, stages = false;
  // Graphs are recorded on a stream of the session's: of a caller's other work may be part, and not every stream can be recorded.
  Stream own, others;
  Stream &stream, &recorder;
  Stopwatch stopwatch;
  Staging staging;
  struct Delivery {
    void *to;
    const char *from;
    uint64_t bytes;
  };
  std::vector<Delivery> deliveries; // of staged outputs
  Memory arenaMemory, flags, counter;
  Memory workspace, counters; // of one launch after the other
  std::vector<Memory> blocks; // by storage
  /// By their first step: the last few.
  std::map<size_t, std::vector<Recorded>> recorded;
};

} // namespace optc::gpu

#endif // OPTC_RUNTIME_GPU_DEVICESESSION_H
