//===- DeviceProgram.h - A model's kernels and weights on a GPU -*- C++ -*-===//
//
// Opened when a model first runs on a GPU, then shared between its sessions there: the image for the GPU that is there, its kernels, and
// the weights that they read, each once. A model has one for each GPU that runs it.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_GPU_DEVICEPROGRAM_H
#define OPTC_RUNTIME_GPU_DEVICEPROGRAM_H

#include "runtime/Plan.h"
#include "runtime/gpu/Device.h"
#include <map>
#include <memory>
#include <mutex>

namespace optc::gpu {

class DeviceProgram {
public:
  /// `images` has those of the plan; `weights` as the plan's storages count them. All outlive it.
  DeviceProgram(const Plan &plan, const uint8_t *images, const char *weights, int ordinal) : plan(plan), images(images), weights(weights), ordinal(ordinal) {}

  ~DeviceProgram();
  /// Loads what is not loaded yet, and makes the context this thread's. The status of the first call holds for all.
  Status use();

  // Once it is in use.
  Device &device() { return *gpu; }
  /// For memory that may outlive the program.
  std::shared_ptr<Device> sharedDevice() const { return gpu; }
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
  const int ordinal;
  std::once_flag once;
  Status status = Status::success();
  // In the order in which they are to go: the device last.
  std::shared_ptr<Device> gpu = std::make_shared<Device>();
  const DeviceImage *image = nullptr;
  std::vector<Module> modules;
  std::vector<Kernel> kernels;
  Memory weightMemory;
  std::map<uint64_t, DevicePointer> weightPlaces; // by offset
};

class DevicePrograms {
public:
  DevicePrograms(const Plan &plan, const uint8_t *images, const char *weights) : plan(plan), images(images), weights(weights) {}
  /// Of a GPU, as the driver counts them.
  DeviceProgram &on(int ordinal);

private:
  const Plan &plan;
  const uint8_t *images;
  const char *weights;
  std::mutex mutex;
  std::map<int, std::unique_ptr<DeviceProgram>> programs;
};

} // namespace optc::gpu

#endif // OPTC_RUNTIME_GPU_DEVICEPROGRAM_H
