//===- FakeDriver.cpp - NVIDIA's driver without a GPU -----------*- C++ -*-===//
//
// A libcuda.so.1 whose device is this machine. An image is CUDA C++ (optc --emit-host-emulation), which it compiles (FakeImages.h).
// What a stream is given happens when the stream is waited for, no sooner; copies from host memory take their bytes at once, as those
// of pageable memory do, but from page-locked memory when they happen. Memory is the GPU's whose context is current. What a device would
// refuse is refused: addresses outside of allocations, launches beyond a kernel's bounds, shared memory that was not asked for, tensor maps
// that are not aligned.
//
//   OPTC_FAKE_GPU="arch=90,devices=1,memory=1000000,schedule=2,late=1,log=FILE,cache=FOLDER"
//
// log: how often each entry point was called, when the process ends. cache: where compiled images stay for other processes.
//
//===----------------------------------------------------------------------===//

#include "test/codegen/gpu/FakeSettings.h"
#include "test/runtime/gpu/FakeImages.h"
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

enum Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNoDevice = 100,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kInvalidHandle = 400,
  kNotFound = 500,
  kLaunchOutOfResources = 701,
  kStreamCaptureUnsupported = 900,
};

using Address = uint64_t;
using Work = std::function<void()>;

struct Settings {
  int architecture = 90, devices = 1, schedule = 0, late = 0;
  uint64_t memory = uint64_t(1) << 33;
  std::string log, cache;

  Settings() {
    readFakeSettings("OPTC_FAKE_GPU", [this](const std::string &name, const std::string &value) {
      if (name == "log")
        log = value;
      else if (name == "cache")
        cache = value;
      else if (name == "memory")
        memory = std::stoull(value);
      else if (name == "arch")
        architecture = std::stoi(value);
      else if (name == "devices")
        devices = std::stoi(value);
      else if (name == "schedule")
        schedule = std::stoi(value);
      else if (name == "late")
        late = std::stoi(value);
    });
  }
};

struct Stream {
  std::vector<Work> queue;
  bool isCapturing = false;
};
struct Event {
  std::chrono::steady_clock::time_point time;
};
struct Graph {
  std::vector<Work> work;
};
struct Allocation {
  uint64_t bytes;
  int device;
};

struct Driver {
  Settings settings;
  std::mutex mutex;
  std::map<Address, Allocation> allocations;
  std::map<const char *, uint64_t> pageLocked;
  Stream defaultStream;
  std::vector<char> contexts = std::vector<char>(64); // by device: an address
  uint64_t allocated = 0;
  std::map<std::string, int> calls;
  FakeImages images{settings.cache, settings.schedule, settings.late};
  std::vector<std::unique_ptr<Stream>> streams;

  ~Driver() {
    if (!settings.log.empty()) {
      std::ofstream log(settings.log);
      for (auto &[name, count] : calls)
        log << name << " " << count << "\n";
    }
  }

  const Allocation *allocationOf(Address address, uint64_t bytes) {
    auto it = allocations.upper_bound(address);
    if (it == allocations.begin())
      return nullptr;
    --it;
    return address + bytes <= it->first + it->second.bytes ? &it->second : nullptr;
  }
  bool contains(Address address, uint64_t bytes) { return allocationOf(address, bytes); }
  bool isPageLocked(const void *pointer, uint64_t bytes) {
    auto *address = static_cast<const char *>(pointer);
    auto it = pageLocked.upper_bound(address);
    return it != pageLocked.begin() && address + bytes <= std::prev(it)->first + std::prev(it)->second;
  }
  /// 1: the default stream.
  Stream &streamOf(Stream *stream) { return Address(stream) == 1 ? defaultStream : *stream; }
};

Driver &driver() {
  static Driver d;
  return d;
}

thread_local char *current = nullptr; // context
int currentDevice() { return int(current - driver().contexts.data()); }

/// Each entry point: counted, one at a time.
#define ENTER(name)                                                                                          \
  Driver &d = driver();                                                                                      \
  std::lock_guard lock(d.mutex);                                                                             \
  ++d.calls[name];

void wait(Stream &stream) {
  std::vector<Work> queue = std::move(stream.queue);
  stream.queue.clear();
  for (Work &work : queue)
    work();
}

void waitForAll(Driver &d) {
  for (auto &stream : d.streams)
    wait(*stream);
  wait(d.defaultStream);
}

struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  Stream *stream;
  void *attributes;
  unsigned attributeCount;
};
struct alignas(128) Words {
  unsigned char bytes[128];
};

} // namespace

extern "C" {

int cuInit(unsigned) {
  ENTER("cuInit")
  return d.settings.devices ? kSuccess : kNoDevice;
}
int cuDriverGetVersion(int *version) {
  *version = 13000;
  return kSuccess;
}
int cuDeviceGetCount(int *count) {
  *count = driver().settings.devices;
  return kSuccess;
}
int cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  return ordinal < driver().settings.devices ? kSuccess : kInvalidValue;
}
int cuDeviceGetName(char *name, int length, int) {
  std::snprintf(name, size_t(length), "emulated GPU");
  return kSuccess;
}
int cuDeviceGetAttribute(int *value, int attribute, int) {
  constexpr int kMultiprocessors = 16, kMajor = 75, kMinor = 76, kSharedOptin = 97;
  int architecture = driver().settings.architecture;
  *value = attribute == kMultiprocessors ? 3
           : attribute == kMajor         ? architecture / 10
           : attribute == kMinor         ? architecture % 10
           : attribute == kSharedOptin   ? 227 << 10
                                         : 1;
  return kSuccess;
}
int cuDeviceTotalMem(size_t *bytes, int) {
  *bytes = driver().settings.memory;
  return kSuccess;
}
int cuDevicePrimaryCtxRetain(char **context, int device) {
  *context = &driver().contexts[size_t(device)];
  return kSuccess;
}
int cuDevicePrimaryCtxRelease(int) { return kSuccess; }
int cuCtxSetCurrent(char *context) {
  current = context;
  return kSuccess;
}
int cuCtxGetCurrent(char **context) {
  *context = current;
  return kSuccess;
}

int cuModuleLoadData(Module **module, const void *image) {
  ENTER("cuModuleLoadData")
  if (!current)
    return kInvalidContext;
  if (std::memcmp(image, "\x7f"
                         "ELF",
                  4) == 0)
    return kInvalidImage; // machine code of a real device
  auto loaded = std::make_unique<Module>();
  if (!d.images.load(static_cast<const char *>(image), *loaded))
    return kInvalidImage;
  *module = loaded.release();
  return kSuccess;
}
int cuModuleUnload(Module *module) {
  ENTER("cuModuleUnload")
  waitForAll(d);
  dlclose(module->library);
  delete module;
  return kSuccess;
}
int cuModuleGetFunction(Function **function, Module *module, const char *name) {
  ENTER("cuModuleGetFunction")
  auto it = module->functions.find(name);
  if (it == module->functions.end())
    return kNotFound;
  *function = &it->second;
  return kSuccess;
}
int cuFuncSetAttribute(Function *function, int attribute, int value) {
  ENTER("cuFuncSetAttribute")
  constexpr int kMaxDynamicShared = 8;
  if (attribute != kMaxDynamicShared || value > 227 << 10)
    return kInvalidValue;
  function->shared = value;
  return kSuccess;
}
int cuFuncGetAttribute(int *value, int, Function *) {
  *value = 0;
  return kSuccess;
}

int cuMemAlloc(Address *pointer, size_t bytes) {
  ENTER("cuMemAlloc")
  if (!current)
    return kInvalidContext;
  if (bytes == 0)
    return kInvalidValue;
  if (d.allocated + bytes > d.settings.memory)
    return kOutOfMemory;
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!memory)
    return kOutOfMemory;
  std::memset(memory, 0xcd, bytes);
  *pointer = Address(memory);
  d.allocations[*pointer] = {bytes, currentDevice()};
  d.allocated += bytes;
  return kSuccess;
}
int cuMemFree(Address pointer) {
  ENTER("cuMemFree")
  auto it = d.allocations.find(pointer);
  if (it == d.allocations.end())
    return kInvalidValue;
  if (!current)
    return kInvalidContext;
  waitForAll(d);
  d.allocated -= it->second.bytes;
  d.allocations.erase(it);
  std::free(reinterpret_cast<void *>(pointer));
  return kSuccess;
}

int cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  ENTER("cuMemHostAlloc")
  if (!current)
    return kInvalidContext;
  *pointer = std::malloc(bytes);
  d.pageLocked[static_cast<char *>(*pointer)] = bytes;
  return *pointer ? kSuccess : kOutOfMemory;
}
int cuMemFreeHost(void *pointer) {
  ENTER("cuMemFreeHost")
  waitForAll(d);
  if (!d.pageLocked.erase(static_cast<char *>(pointer)))
    return kInvalidValue;
  std::free(pointer);
  return kSuccess;
}
int cuPointerGetAttribute(void *value, int attribute, Address pointer) {
  ENTER("cuPointerGetAttribute")
  constexpr int kMemoryType = 2, kDeviceOrdinal = 9;
  const Allocation *allocation = d.allocationOf(pointer, 1);
  if (!allocation && !(attribute == kMemoryType && d.isPageLocked(reinterpret_cast<void *>(pointer), 1)))
    return kInvalidValue;
  *static_cast<int *>(value) = attribute == kMemoryType ? allocation ? 2 : 1 : attribute == kDeviceOrdinal ? allocation->device : 0;
  return kSuccess;
}

int cuMemcpyHtoDAsync(Address to, const void *from, size_t bytes, Stream *stream) {
  ENTER("cuMemcpyHtoDAsync")
  stream = &d.streamOf(stream);
  if (!d.contains(to, bytes))
    return kInvalidValue;
  if (stream->isCapturing)
    return kStreamCaptureUnsupported;
  if (d.isPageLocked(from, bytes)) {
    stream->queue.push_back([=] { std::memcpy(reinterpret_cast<void *>(to), from, bytes); });
    return kSuccess;
  }
  std::string staged(static_cast<const char *>(from), bytes);
  stream->queue.push_back([=] { std::memcpy(reinterpret_cast<void *>(to), staged.data(), bytes); });
  return kSuccess;
}
int cuMemcpyDtoHAsync(void *to, Address from, size_t bytes, Stream *stream) {
  ENTER("cuMemcpyDtoHAsync")
  stream = &d.streamOf(stream);
  if (!d.contains(from, bytes))
    return kInvalidValue;
  stream->queue.push_back([=] { std::memcpy(to, reinterpret_cast<void *>(from), bytes); });
  return kSuccess;
}
int cuMemcpyDtoDAsync(Address to, Address from, size_t bytes, Stream *stream) {
  ENTER("cuMemcpyDtoDAsync")
  stream = &d.streamOf(stream);
  if (!d.contains(from, bytes) || !d.contains(to, bytes))
    return kInvalidValue;
  stream->queue.push_back([=] { std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes); });
  return kSuccess;
}
int cuMemsetD8Async(Address to, unsigned char value, size_t bytes, Stream *stream) {
  ENTER("cuMemsetD8Async")
  stream = &d.streamOf(stream);
  if (!d.contains(to, bytes))
    return kInvalidValue;
  stream->queue.push_back([=] { std::memset(reinterpret_cast<void *>(to), value, bytes); });
  return kSuccess;
}

int cuStreamCreate(Stream **stream, unsigned) {
  ENTER("cuStreamCreate")
  if (!current)
    return kInvalidContext;
  d.streams.push_back(std::make_unique<Stream>());
  *stream = d.streams.back().get();
  return kSuccess;
}
int cuStreamDestroy(Stream *stream) {
  ENTER("cuStreamDestroy")
  wait(*stream);
  std::erase_if(d.streams, [&](auto &s) { return s.get() == stream; });
  return kSuccess;
}
int cuStreamSynchronize(Stream *stream) {
  ENTER("cuStreamSynchronize")
  stream = &d.streamOf(stream);
  if (stream->isCapturing)
    return kStreamCaptureUnsupported;
  wait(*stream);
  return kSuccess;
}
int cuStreamBeginCapture(Stream *stream, int) {
  ENTER("cuStreamBeginCapture")
  if (Address(stream) == 1)
    return kStreamCaptureUnsupported;
  wait(*stream); // what came before is no part of it
  stream->isCapturing = true;
  return kSuccess;
}
int cuStreamEndCapture(Stream *stream, Graph **graph) {
  ENTER("cuStreamEndCapture")
  stream->isCapturing = false;
  *graph = new Graph{std::move(stream->queue)};
  stream->queue.clear();
  return kSuccess;
}
int cuGraphInstantiateWithFlags(Graph **exec, Graph *graph, unsigned long long) {
  ENTER("cuGraphInstantiateWithFlags")
  *exec = new Graph(*graph);
  return kSuccess;
}
int cuGraphLaunch(Graph *exec, Stream *stream) {
  ENTER("cuGraphLaunch")
  stream = &d.streamOf(stream);
  stream->queue.insert(stream->queue.end(), exec->work.begin(), exec->work.end());
  return kSuccess;
}
int cuGraphDestroy(Graph *graph) {
  delete graph;
  return kSuccess;
}
int cuGraphExecDestroy(Graph *exec) {
  delete exec;
  return kSuccess;
}

int cuEventCreate(Event **event, unsigned) {
  *event = new Event{};
  return kSuccess;
}
int cuEventDestroy(Event *event) {
  delete event;
  return kSuccess;
}
int cuEventRecord(Event *event, Stream *stream) {
  ENTER("cuEventRecord")
  d.streamOf(stream).queue.push_back([=] { event->time = std::chrono::steady_clock::now(); });
  return kSuccess;
}
int cuEventElapsedTime(float *milliseconds, Event *begin, Event *end) {
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return kSuccess;
}

int cuLaunchKernelEx(const LaunchConfig *config, Function *function, void **arguments, void **) {
  ENTER("cuLaunchKernelEx")
  if (config->grid[0] == 0 || config->block[0] == 0 || config->grid[0] > unsigned(INT32_MAX))
    return kInvalidValue;
  if (config->block[0] > function->bound)
    return kLaunchOutOfResources;
  if (int64_t(config->sharedBytes) > function->shared)
    return kInvalidValue;
  // Values are taken now.
  auto values = std::make_shared<std::vector<Words>>(function->parameters.size());
  for (size_t i = 0; i < function->parameters.size(); ++i)
    std::memcpy((*values)[i].bytes, arguments[i], function->parameters[i]);
  d.streamOf(config->stream).queue.push_back([=, blocks = config->grid[0], threads = config->block[0], shared = config->sharedBytes] {
    std::vector<void *> places;
    for (Words &word : *values)
      places.push_back(word.bytes);
    function->launch(places.data(), blocks, int(threads), shared);
  });
  return kSuccess;
}

/// As emulate_tile.h reads it.
int cuTensorMapEncodeTiled(uint64_t *words, int type, unsigned rank, void *address, const uint64_t *sizes, const uint64_t *strides,
                           const uint32_t *box, const uint32_t *, int, int, int, int) {
  ENTER("cuTensorMapEncodeTiled")
  static const uint64_t bytesOf[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4};
  if (rank < 1 || rank > 4 || type < 0 || type > 11 || Address(address) % 16 || Address(words) % 64)
    return kInvalidValue;
  std::memset(words, 0, 128);
  words[0] = Address(address);
  words[1] = bytesOf[type];
  for (unsigned i = 0; i < 4; ++i) {
    words[2 + i] = i < rank ? sizes[i] : 1;
    words[6 + i] = i < rank ? box[i] : 1;
    words[10 + i] = i == 0 ? bytesOf[type] : i < rank ? strides[i - 1] : 0;
    if (i < rank && (sizes[i] == 0 || box[i] == 0 || box[i] > 256 || (i > 0 && strides[i - 1] % 16)))
      return kInvalidValue;
  }
  return kSuccess;
}

int cuGetErrorString(int result, const char **text) {
  static const std::map<int, const char *> texts = {{kInvalidValue, "invalid argument"},
                                                    {kOutOfMemory, "out of memory"},
                                                    {kNoDevice, "no CUDA-capable device is detected"},
                                                    {kInvalidImage, "device kernel image is invalid"},
                                                    {kInvalidContext, "invalid device context"},
                                                    {kNotFound, "named symbol not found"},
                                                    {kLaunchOutOfResources, "too many resources requested for launch"},
                                                    {kStreamCaptureUnsupported, "operation not permitted when stream is capturing"}};
  auto it = texts.find(result);
  *text = it == texts.end() ? "unknown error" : it->second;
  return kSuccess;
}

int cuGetProcAddress_v2(const char *name, void **function, int, uint64_t, int *status) {
  static void *self = nullptr;
  if (!self) {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void *>(&cuGetProcAddress_v2), &info))
      return kNotFound;
    self = dlopen(info.dli_fname, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  }
  const char *missing = std::getenv("OPTC_FAKE_GPU_WITHOUT");
  *function = missing && std::strcmp(missing, name) == 0 ? nullptr : dlsym(self, name);
  if (status)
    *status = 0;
  return *function ? kSuccess : kNotFound;
}

} // extern "C"
