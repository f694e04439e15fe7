//===- DeviceProgram.h - A model's kernels and weights on a GPU -*- C++ -*-===//
//
// Opened when a model first runs, then shared between its sessions: the image for the GPU that is there, its kernels, and the weights
// that they read, each once.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_GPU_DEVICEPROGRAM_H
#define OPTC_RUNTIME_GPU_DEVICEPROGRAM_H

#include "runtime/Plan.h"
#include "runtime/gpu/Device.h"
#include <map>
#include <mutex>

namespace optc::gpu {

class DeviceProgram {
public:
  /// `images` has those of the plan; `weights` as the plan's storages count them. All outlive it.
  DeviceProgram(const Plan &plan, const uint8_t *images, const char *weights) : plan(plan), images(images), weights(weights) {}

  ~DeviceProgram();
  /// Loads what is not loaded yet, and makes the context this thread's. The status of the first call holds for all.
  Status use();

  // Once it is in use.
  Device &device() { return gpu; }
  const DeviceKernel &launchOf(uint32_t number) const { return image->kernels[number]; }
  const Kernel &kernel(uint32_t number) const { return kernels[number]; }
  /// Of a weight storage on the device.
  DevicePointer weightAt(uint64_t offset) const { return weightPlaces.at(offset); }

private:
  Status load();
  Status chooseImage();
  Status loadKernels();
  Status uploadWeights();

  const Plan &plan;
  const uint8_t *images;
  const char *weights;
  std::once_flag once;
  Status status = Status::success();
  // In the order in which they are to go: the device last.
  Device gpu;
  const DeviceImage *image = nullptr;
  std::vector<Module> modules;
  std::vector<Kernel> kernels;
  Memory weightMemory;
  std::map<uint64_t, DevicePointer> weightPlaces; // by offset
};

} // namespace optc::gpu

#endif // OPTC_RUNTIME_GPU_DEVICEPROGRAM_H
