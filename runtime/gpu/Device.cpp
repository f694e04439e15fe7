//===- Device.cpp - A GPU: memory, kernels, streams, graphs ---------------===//

#include "runtime/gpu/Device.h"
#include <utility>

using namespace optc;
using namespace optc::gpu;

namespace {
// CUdevice_attribute, CUfunction_attribute and the flags that are used, by their numbers in cuda.h.
enum DeviceAttribute {
  kMultiprocessors = 16,
  kMemoryClock = 36,    // kHz
  kMemoryBusWidth = 37, // bits
  kComputeMajor = 75,
  kComputeMinor = 76,
  kSharedPerBlockOptin = 97
};
enum PointerAttribute { kMemoryType = 2, kDeviceOrdinal = 9 };
constexpr unsigned kInDevice = 2; // CU_MEMORYTYPE_DEVICE
enum FunctionAttribute { kLocalBytes = 3, kRegisters = 4, kMaxDynamicShared = 8 };
constexpr unsigned kStreamNonBlocking = 1, kEventDefault = 0, kPortable = 1; // CU_MEMHOSTALLOC_PORTABLE
constexpr int kCaptureThreadLocal = 1;
constexpr int kPromoteL2To256 = 3;
} // namespace

#define OPTC_TRY_CALL(call, ...)                                                                             \
  if (Status status = OPTC_DRIVER_CALL(*api, call, __VA_ARGS__); !status.ok())                               \
  return status

//===-- Device ------------------------------------------------------------===//

Device::~Device() {
  if (device >= 0)
    api->cuDevicePrimaryCtxRelease(device);
}

Status Device::open(int number) {
  std::string why;
  api = Driver::get(why);
  if (!api)
    return Status::error(why);
  int found = 0, count = 0;
  OPTC_TRY_CALL(cuDeviceGetCount, &count);
  if (number < 0 || number >= count)
    return Status::error("there is no GPU " + std::to_string(number) + ": this process may use " + std::to_string(count) +
                         (count == 1 ? ", GPU 0" : ", from 0 on"));
  ordinal = number;
  OPTC_TRY_CALL(cuDeviceGet, &found, ordinal);
  char text[256] = {};
  OPTC_TRY_CALL(cuDeviceGetName, text, sizeof(text) - 1, found);
  name = text;
  int major = 0, minor = 0, clock = 0, width = 0;
  const std::pair<int *, int> attributes[] = {{&major, kComputeMajor},
                                              {&minor, kComputeMinor},
                                              {&multiprocessors, kMultiprocessors},
                                              {&sharedBytesPerBlock, kSharedPerBlockOptin}};
  for (auto [value, attribute] : attributes)
    OPTC_TRY_CALL(cuDeviceGetAttribute, value, attribute, found);
  architecture = 10 * major + minor;
  // Two transfers a clock.
  if (api->cuDeviceGetAttribute(&clock, kMemoryClock, found) == 0 &&
      api->cuDeviceGetAttribute(&width, kMemoryBusWidth, found) == 0)
    bandwidth = 2.0 * clock * 1e3 * width / 8;
  OPTC_TRY_CALL(cuDeviceTotalMem, &memoryBytes, found);
  OPTC_TRY_CALL(cuDevicePrimaryCtxRetain, &context, found);
  device = found;
  return makeCurrent();
}

Status Device::makeCurrent() { return OPTC_DRIVER_CALL(*api, cuCtxSetCurrent, context); }

Status Device::checkAddress(DevicePointer address) const {
  unsigned kind = 0;
  int owner = -1;
  // Of memory that the driver does not know it says that the argument is not valid.
  if (api->cuPointerGetAttribute(&kind, kMemoryType, address) != 0 || kind != kInDevice)
    return Status::error("its memory is not a GPU's");
  OPTC_TRY_CALL(cuPointerGetAttribute, &owner, kDeviceOrdinal, address);
  if (owner != ordinal)
    return Status::error("its memory is GPU " + std::to_string(owner) + "'s, the session runs on GPU " + std::to_string(ordinal));
  return Status::success();
}

//===-- Memory ------------------------------------------------------------===//

Memory &Memory::operator=(Memory &&other) noexcept {
  std::swap(api, other.api);
  std::swap(pointer, other.pointer);
  std::swap(size, other.size);
  return *this;
}

Memory::~Memory() {
  if (pointer)
    api->cuMemFree(pointer);
}

Status Memory::allocate(Device &device, size_t bytes) {
  *this = Memory();
  api = &device.driver();
  OPTC_TRY_CALL(cuMemAlloc, &pointer, bytes ? bytes : 1);
  size = bytes;
  return Status::success();
}

void HostMemory::free() {
  if (pointer)
    api->cuMemFreeHost(pointer);
  pointer = nullptr;
  size = 0;
}

Status HostMemory::allocate(Device &device, size_t bytes) {
  free();
  api = &device.driver();
  OPTC_TRY_CALL(cuMemHostAlloc, &pointer, bytes ? bytes : 1, kPortable);
  size = bytes;
  return Status::success();
}

//===-- Stream ------------------------------------------------------------===//

Stream::~Stream() {
  if (isOwned)
    api->cuStreamDestroy(handle);
}
Status Stream::create(Device &device) {
  api = &device.driver();
  OPTC_TRY_CALL(cuStreamCreate, &handle, kStreamNonBlocking);
  isOwned = true;
  return Status::success();
}
void Stream::borrow(Device &device, StreamHandle others) {
  api = &device.driver();
  handle = others;
}
Status Stream::upload(DevicePointer to, const void *from, size_t bytes) {
  return OPTC_DRIVER_CALL(*api, cuMemcpyHtoDAsync, to, from, bytes, handle);
}
Status Stream::download(void *to, DevicePointer from, size_t bytes) {
  return OPTC_DRIVER_CALL(*api, cuMemcpyDtoHAsync, to, from, bytes, handle);
}
Status Stream::copy(DevicePointer to, DevicePointer from, size_t bytes) {
  return OPTC_DRIVER_CALL(*api, cuMemcpyDtoDAsync, to, from, bytes, handle);
}
Status Stream::fill(DevicePointer to, unsigned char value, size_t bytes) {
  return OPTC_DRIVER_CALL(*api, cuMemsetD8Async, to, value, bytes, handle);
}
Status Stream::synchronize() { return OPTC_DRIVER_CALL(*api, cuStreamSynchronize, handle); }

//===-- Module and kernel -------------------------------------------------===//

Module::~Module() {
  if (module)
    api->cuModuleUnload(module);
}
Status Module::load(Device &device, const void *image) {
  api = &device.driver();
  return OPTC_DRIVER_CALL(*api, cuModuleLoadData, &module, image);
}
Status Module::find(const std::string &name, Kernel &kernel) const {
  kernel.api = api;
  return OPTC_DRIVER_CALL(*api, cuModuleGetFunction, &kernel.function, module, name.c_str());
}

Status Kernel::launch(Stream &stream, const LaunchShape &shape, std::span<void *const> arguments) const {
  LaunchConfig config = {
      {shape.blocks, 1, 1}, {shape.threads, 1, 1}, shape.sharedBytes, stream.handle, nullptr, 0};
  return OPTC_DRIVER_CALL(*api, cuLaunchKernelEx, &config, function, const_cast<void **>(arguments.data()),
                          nullptr);
}
Status Kernel::allowShared(unsigned bytes) {
  return OPTC_DRIVER_CALL(*api, cuFuncSetAttribute, function, kMaxDynamicShared, int(bytes));
}
int Kernel::registers() const {
  int value = 0;
  return api->cuFuncGetAttribute(&value, kRegisters, function) == 0 ? value : -1;
}
int Kernel::localBytes() const {
  int value = 0;
  return api->cuFuncGetAttribute(&value, kLocalBytes, function) == 0 ? value : -1;
}

//===-- Graph and stopwatch -----------------------------------------------===//

Graph::~Graph() {
  if (exec)
    api->cuGraphExecDestroy(exec);
}
Status Graph::record(Stream &stream, const std::function<Status()> &body) {
  api = stream.api;
  OPTC_TRY_CALL(cuStreamBeginCapture, stream.handle, kCaptureThreadLocal);
  Status recorded = body();
  GraphHandle graph = nullptr;
  Status ended = OPTC_DRIVER_CALL(*api, cuStreamEndCapture, stream.handle, &graph);
  if (recorded.ok())
    recorded = ended;
  if (recorded.ok())
    recorded = OPTC_DRIVER_CALL(*api, cuGraphInstantiateWithFlags, &exec, graph, 0);
  if (graph)
    api->cuGraphDestroy(graph);
  return recorded;
}
Status Graph::launch(Stream &stream) const {
  return OPTC_DRIVER_CALL(*api, cuGraphLaunch, exec, stream.handle);
}

Stopwatch::~Stopwatch() {
  for (EventHandle event : {begin, end})
    if (event)
      api->cuEventDestroy(event);
}
Status Stopwatch::create(Device &device) {
  api = &device.driver();
  OPTC_TRY_CALL(cuEventCreate, &begin, kEventDefault);
  return OPTC_DRIVER_CALL(*api, cuEventCreate, &end, kEventDefault);
}
Status Stopwatch::start(Stream &stream) {
  return OPTC_DRIVER_CALL(*api, cuEventRecord, begin, stream.handle);
}
Status Stopwatch::stop(Stream &stream) { return OPTC_DRIVER_CALL(*api, cuEventRecord, end, stream.handle); }
Status Stopwatch::seconds(Stream &stream, double &time) {
  if (Status status = stream.synchronize(); !status.ok())
    return status;
  float milliseconds = 0;
  OPTC_TRY_CALL(cuEventElapsedTime, &milliseconds, begin, end);
  time = milliseconds * 1e-3;
  return Status::success();
}

//===-- Tensor maps -------------------------------------------------------===//

TensorMapType optc::gpu::tensorMapTypeOf(DType type) {
  switch (type) {
  case DType::bf16: return TensorMapType::bf16;
  case DType::f16: return TensorMapType::f16;
  case DType::f32: return TensorMapType::f32;
  default: return TensorMapType::u8;
  }
}

Status optc::gpu::encodeTensorMap(const Driver &driver, TensorMap &map, TensorMapType type,
                                  DevicePointer address, std::span<const uint64_t> sizes,
                                  std::span<const uint64_t> strides, std::span<const uint32_t> box,
                                  Swizzle swizzle) {
  const uint32_t steps[5] = {1, 1, 1, 1, 1};
  return OPTC_DRIVER_CALL(driver, cuTensorMapEncodeTiled, &map, int(type), unsigned(sizes.size()),
                          reinterpret_cast<void *>(address), sizes.data(), strides.data(), box.data(), steps,
                          /*interleave=*/0, int(swizzle), kPromoteL2To256, /*fill=*/0);
}
