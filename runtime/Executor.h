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
  std::unique_ptr<gpu::DeviceProgram> device;
  /// Opens the GPU where steps run on one; why it cannot be had.
  Status openDevice() const { return device ? device->use() : Status::success(); }
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
  Session(const Program &program, unsigned threads);
  ~Session();

  /// Runs the model. An output with `data` and no `storage` is the caller's memory: `type` and `dims` must be the
  /// result's. An output with both is one of an earlier run: its memory is used again where it suffices. Otherwise
  /// the session allocates it.
  Status run(std::span<const Value *const> inputs, std::span<Value> outputs);

  /// Times each step of the model's own frame from now on.
  void profile(bool on);
  const std::vector<StepTime> &times() const { return stepTimes; }
  /// Bytes of the arenas at present.
  uint64_t arenaBytes() const;
  void setThreads(unsigned count) { threads = count; }

private:
  friend class FrameState;
  const Program &program;
  unsigned threads;
  bool profiling = false;
  std::vector<StepTime> stepTimes;
  std::unique_ptr<FrameState> top;
};

} // namespace optc

#endif // OPTC_RUNTIME_EXECUTOR_H
