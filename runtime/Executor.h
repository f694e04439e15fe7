//===- Executor.h - Walks a plan --------------------------------*- C++ -*-===//
//
// A session is the changing half of a model: registers, arena, buffers, state. One run at a time.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_EXECUTOR_H
#define OPTC_RUNTIME_EXECUTOR_H

#include "runtime/Artefact.h"
#include "runtime/gpu/DeviceProgram.h"

namespace optc {

/// What a run needs of a loaded model; immutable, shared between sessions.
struct Program {
  Plan plan;
  const OptcKernel *kernels = nullptr;
  uint64_t kernelCount = 0;
  const char *weights = nullptr;
  uint64_t weightBytes = 0;
  /// Null: no step runs on a GPU.
  std::unique_ptr<gpu::DevicePrograms> devices;
  /// Opens the GPU where steps run on one; why it cannot be had.
  Status openDevice(int ordinal = 0) const;
};

/// Where a session's steps on a GPU run.
struct DeviceChoice {
  int ordinal = 0;
  /// A CUstream of that GPU that the caller has; null: the session makes one.
  void *stream = nullptr;
};

/// Which tensors of a run are in the GPU's memory; shorter lists: the others are not.
struct OnDevice {
  std::vector<bool> inputs, outputs;
  static bool has(const std::vector<bool> &list, size_t i) { return i < list.size() && list[i]; }
};

/// Time of one step, summed over the runs since it was reset.
struct StepTime {
  uint64_t nanoseconds = 0;
  uint64_t runs = 0;
  int64_t flops = 0; // of the last run
  uint64_t bytes = 0;
};

class FrameState;

class Session {
public:
  Session(const Program &program, unsigned threads, DeviceChoice choice = {});
  ~Session();

  /// Runs the model. An output with `data` and no `storage` is the caller's memory: `type` and `dims` must be the
  /// result's. An output with both is one of an earlier run: its memory is used again where it suffices. Otherwise
  /// the session allocates it. With a stream of the caller's and all tensors in the GPU's memory it returns
  /// when the work is in the stream; an index out of range is then an error of wait().
  Status run(std::span<const Value *const> inputs, std::span<Value> outputs, const OnDevice &where = {});
  /// For all that was begun.
  Status wait();

  /// Times each step of the model's own frame from now on.
  void profile(bool on);
  const std::vector<StepTime> &times() const { return stepTimes; }
  /// Bytes of the arenas at present.
  uint64_t arenaBytes() const;
  void setThreads(unsigned count) { threads = count; }
  int gpu() const { return choice.ordinal; }

private:
  friend class FrameState;
  Status checkInputs(std::span<const Value *const> inputs, const OnDevice &where) const;
  Status checkOutputs(std::span<const Value> outputs, const OnDevice &where) const;

  const Program &program;
  const DeviceChoice choice;
  gpu::DeviceProgram *const device; // null: no step runs on one
  unsigned threads;
  bool profiling = false;
  std::vector<StepTime> stepTimes;
  std::unique_ptr<FrameState> top;
};

} // namespace optc

#endif // OPTC_RUNTIME_EXECUTOR_H
