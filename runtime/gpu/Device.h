//===- Device.h - A GPU: memory, kernels, streams, graphs -------*- C++ -*-===//
//
// What owns something of a device's frees it when it goes; each step gives a status that names the driver's
// call.
//
//   Device d;  d.open(0)                         the context is this thread's
//   Memory x;  x.allocate(d, bytes)
//   Module m;  m.load(d, cubin)                  an error where it is not of the device's architecture
//   Kernel k;  m.find("gemm", k);  k.launch(stream, {blocks, threads, sharedBytes}, arguments)
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_GPU_DEVICE_H
#define OPTC_RUNTIME_GPU_DEVICE_H

#include "runtime/gpu/Driver.h"
#include <functional>

namespace optc::gpu {

class Device {
public:
  Device() = default;
  Device(const Device &) = delete;
  ~Device();
  /// Makes the device's primary context current on this thread. `ordinal`: as the driver counts the GPUs that the process may use.
  Status open(int ordinal);
  /// The same on another thread, once it is open.
  Status makeCurrent();

  const Driver &driver() const { return *api; }
  /// An error where the address is not in this device's memory.
  Status checkAddress(DevicePointer address) const;
  std::string name;
  int ordinal = 0;
  /// Compute capability: 90 for 9.0.
  int architecture = 0;
  int multiprocessors = 0;
  int sharedBytesPerBlock = 0; // at most, when a kernel asks for it
  size_t memoryBytes = 0;
  /// Bytes a second, by the memory's clock and width; 0 where the driver does not say.
  double bandwidth = 0;

private:
  const Driver *api = nullptr;
  int device = -1;
  Context context = nullptr;
};

/// Bytes of a device, aligned to 256.
class Memory {
public:
  Memory() = default;
  Memory(Memory &&other) noexcept { *this = std::move(other); }
  Memory &operator=(Memory &&other) noexcept;
  ~Memory();
  Status allocate(Device &device, size_t bytes);
  DevicePointer address() const { return pointer; }
  size_t bytes() const { return size; }

private:
  const Driver *api = nullptr;
  DevicePointer pointer = 0;
  size_t size = 0;
};

/// Memory of the host that a device copies from and to without the driver's help (page-locked).
class HostMemory {
public:
  HostMemory() = default;
  HostMemory(const HostMemory &) = delete;
  ~HostMemory() { free(); }
  /// What it had goes.
  Status allocate(Device &device, size_t bytes);
  char *data() const { return static_cast<char *>(pointer); }
  size_t bytes() const { return size; }

private:
  void free();
  const Driver *api = nullptr;
  void *pointer = nullptr;
  size_t size = 0;
};

/// Puts back the context that was current on this thread when it goes: a caller's own calls of CUDA are of its own device.
class KeepContext {
public:
  /// Null: there is none.
  explicit KeepContext(const Driver *driver) : api(driver) {
    if (api)
      (void)api->cuCtxGetCurrent(&context);
  }
  KeepContext(const KeepContext &) = delete;
  ~KeepContext() {
    if (api)
      (void)api->cuCtxSetCurrent(context);
  }

private:
  const Driver *api;
  Context context = nullptr;
};

class Stream {
public:
  Stream() = default;
  Stream(const Stream &) = delete;
  ~Stream();
  Status create(Device &device);
  /// One that somebody else owns.
  void borrow(Device &device, StreamHandle others);
  Status upload(DevicePointer to, const void *from, size_t bytes);
  Status download(void *to, DevicePointer from, size_t bytes);
  Status copy(DevicePointer to, DevicePointer from, size_t bytes);
  Status fill(DevicePointer to, unsigned char value, size_t bytes);
  Status synchronize();

  StreamHandle handle = nullptr;
  const Driver *api = nullptr;

private:
  bool isOwned = false;
};

struct LaunchShape {
  unsigned blocks = 1, threads = 1, sharedBytes = 0; // sharedBytes: dynamic
};

/// A function of a module, which must outlive it.
class Kernel {
public:
  /// `arguments`: the address of each parameter's value.
  Status launch(Stream &stream, const LaunchShape &shape, std::span<void *const> arguments) const;
  /// Allows so much dynamic shared memory.
  Status allowShared(unsigned bytes);
  int registers() const;
  int localBytes() const;

private:
  friend class Module;
  const Driver *api = nullptr;
  FunctionHandle function = nullptr;
};

class Module {
public:
  Module() = default;
  Module(const Module &) = delete;
  ~Module();
  /// `image`: a cubin, or PTX that ends in a zero.
  Status load(Device &device, const void *image);
  Status find(const std::string &name, Kernel &kernel) const;

private:
  const Driver *api = nullptr;
  ModuleHandle module = nullptr;
};

/// Launches that are recorded once and given to the device as one.
class Graph {
public:
  Graph() = default;
  Graph(const Graph &) = delete;
  ~Graph();
  /// Records what `body` launches on the stream.
  Status record(Stream &stream, const std::function<Status()> &body);
  Status launch(Stream &stream) const;

private:
  const Driver *api = nullptr;
  GraphExecHandle exec = nullptr;
};

/// Time between two points of a stream.
class Stopwatch {
public:
  Stopwatch() = default;
  Stopwatch(const Stopwatch &) = delete;
  ~Stopwatch();
  Status create(Device &device);
  bool isReady() const { return end; }
  Status start(Stream &stream);
  Status stop(Stream &stream);
  /// Waits for the stream.
  Status seconds(Stream &stream, double &time);

private:
  const Driver *api = nullptr;
  EventHandle begin = nullptr, end = nullptr;
};

/// Elements of a tensor that the tensor memory accelerator copies; CUtensorMapDataType's numbers.
enum class TensorMapType : int { u8 = 0, u16 = 1, u32 = 2, i32 = 3, f16 = 6, f32 = 7, bf16 = 9, tf32 = 11 };

/// What is copied as it is has no type of its own.
TensorMapType tensorMapTypeOf(DType type);

/// How 16-byte pieces of a box's rows are permuted in shared memory, by the row's number;
/// CUtensorMapSwizzle's numbers.
enum class Swizzle : int { none = 0, bytes32 = 1, bytes64 = 2, bytes128 = 3 };

/// A map of a tensor in row-major order whose rows are `strides` bytes apart: `sizes` and `box` in elements,
/// innermost first; `strides` of the dims after the innermost, multiples of 16. What lies outside reads as
/// zero.
Status encodeTensorMap(const Driver &driver, TensorMap &map, TensorMapType type, DevicePointer address,
                       std::span<const uint64_t> sizes, std::span<const uint64_t> strides,
                       std::span<const uint32_t> box, Swizzle swizzle);

} // namespace optc::gpu

#endif // OPTC_RUNTIME_GPU_DEVICE_H
