//===- Driver.h - The entry points of NVIDIA's driver -----------*- C++ -*-===//
//
// libcuda.so.1, opened when it is asked for; nothing links it and no header of CUDA's is needed. Each entry
// point is asked for by the version whose parameters are declared here, so that a newer driver gives the same
// function. Source: CUDA driver API, "Driver Entry Point Access".
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_GPU_DRIVER_H
#define OPTC_RUNTIME_GPU_DRIVER_H

#include "runtime/reference/Reference.h"
#include <cstdint>

namespace optc::gpu {

/// An address in a device's memory.
using DevicePointer = uint64_t;

// Handles of the driver.
using Context = struct ContextObject *;
using ModuleHandle = struct ModuleObject *;
using FunctionHandle = struct FunctionObject *;
using StreamHandle = struct StreamObject *;
using EventHandle = struct EventObject *;
using GraphHandle = struct GraphObject *;
using GraphExecHandle = struct GraphExecObject *;

/// What a launch needs beside the function and its arguments; CUlaunchConfig.
struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  StreamHandle stream;
  void *attributes;
  unsigned attributeCount;
};

/// How a tile of a tensor is copied to shared memory by the tensor memory accelerator; CUtensorMap.
struct alignas(128) TensorMap {
  uint64_t words[16];
};

// name, CUDA version (1000 * major + 10 * minor), parameters
#define OPTC_DRIVER_FUNCTIONS(X)                                                                             \
  X(cuInit, 12000, (unsigned flags))                                                                         \
  X(cuDriverGetVersion, 12000, (int *version))                                                               \
  X(cuDeviceGetCount, 12000, (int *count))                                                                   \
  X(cuDeviceGet, 12000, (int *device, int ordinal))                                                          \
  X(cuDeviceGetName, 12000, (char *name, int length, int device))                                            \
  X(cuDeviceGetAttribute, 12000, (int *value, int attribute, int device))                                    \
  X(cuDeviceTotalMem, 12000, (size_t * bytes, int device))                                                   \
  X(cuDevicePrimaryCtxRetain, 12000, (Context * context, int device))                                        \
  X(cuDevicePrimaryCtxRelease, 12000, (int device))                                                          \
  X(cuCtxGetCurrent, 12000, (Context * context))                                                             \
  X(cuCtxSetCurrent, 12000, (Context context))                                                               \
  X(cuModuleLoadData, 12000, (ModuleHandle * module, const void *image))                                     \
  X(cuModuleUnload, 12000, (ModuleHandle module))                                                            \
  X(cuModuleGetFunction, 12000, (FunctionHandle * function, ModuleHandle module, const char *name))          \
  X(cuFuncSetAttribute, 12000, (FunctionHandle function, int attribute, int value))                          \
  X(cuFuncGetAttribute, 12000, (int *value, int attribute, FunctionHandle function))                         \
  X(cuMemAlloc, 12000, (DevicePointer * pointer, size_t bytes))                                              \
  X(cuMemFree, 12000, (DevicePointer pointer))                                                               \
  X(cuMemHostAlloc, 12000, (void **pointer, size_t bytes, unsigned flags))                                   \
  X(cuMemFreeHost, 12000, (void *pointer))                                                                   \
  X(cuPointerGetAttribute, 12000, (void *value, int attribute, DevicePointer pointer))                       \
  X(cuMemcpyHtoDAsync, 12000, (DevicePointer to, const void *from, size_t bytes, StreamHandle stream))       \
  X(cuMemcpyDtoHAsync, 12000, (void *to, DevicePointer from, size_t bytes, StreamHandle stream))             \
  X(cuMemcpyDtoDAsync, 12000, (DevicePointer to, DevicePointer from, size_t bytes, StreamHandle stream))     \
  X(cuMemsetD8Async, 12000, (DevicePointer to, unsigned char value, size_t bytes, StreamHandle stream))      \
  X(cuStreamCreate, 12000, (StreamHandle * stream, unsigned flags))                                          \
  X(cuStreamDestroy, 12000, (StreamHandle stream))                                                           \
  X(cuStreamSynchronize, 12000, (StreamHandle stream))                                                       \
  X(cuStreamBeginCapture, 12000, (StreamHandle stream, int mode))                                            \
  X(cuStreamEndCapture, 12000, (StreamHandle stream, GraphHandle * graph))                                   \
  X(cuEventCreate, 12000, (EventHandle * event, unsigned flags))                                             \
  X(cuEventDestroy, 12000, (EventHandle event))                                                              \
  X(cuEventRecord, 12000, (EventHandle event, StreamHandle stream))                                          \
  X(cuEventElapsedTime, 12000, (float *milliseconds, EventHandle begin, EventHandle end))                    \
  X(cuGraphInstantiateWithFlags, 12000,                                                                      \
    (GraphExecHandle * exec, GraphHandle graph, unsigned long long flags))                                   \
  X(cuGraphLaunch, 12000, (GraphExecHandle exec, StreamHandle stream))                                       \
  X(cuGraphDestroy, 12000, (GraphHandle graph))                                                              \
  X(cuGraphExecDestroy, 12000, (GraphExecHandle exec))                                                       \
  X(cuLaunchKernelEx, 12000,                                                                                 \
    (const LaunchConfig *config, FunctionHandle function, void **arguments, void **extra))                   \
  X(cuTensorMapEncodeTiled, 12000,                                                                           \
    (TensorMap * map, int type, unsigned rank, void *address, const uint64_t *sizes,                         \
     const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave, int swizzle,       \
     int promotion, int fill))

class Driver {
public:
  /// The process's driver, once it is there; else why not: no library, no device, an older driver.
  static const Driver *get(std::string &why);

#define OPTC_DECLARE(name, version, parameters) int(*name) parameters = nullptr;
  OPTC_DRIVER_FUNCTIONS(OPTC_DECLARE)
#undef OPTC_DECLARE

  /// The status of a call that gave `result`: "cuMemAlloc: out of memory".
  Status check(int result, const char *call) const;

private:
  Status open();
  int (*errorString)(int result, const char **text) = nullptr;
};

/// driver.call(arguments) as a status.
#define OPTC_DRIVER_CALL(driver, call, ...) (driver).check((driver).call(__VA_ARGS__), #call)

} // namespace optc::gpu

#endif // OPTC_RUNTIME_GPU_DRIVER_H
