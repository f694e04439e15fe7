//===- Driver.cpp - The entry points of NVIDIA's driver -------------------===//

#include "runtime/gpu/Driver.h"
#include <dlfcn.h>

using namespace optc;
using namespace optc::gpu;

Status Driver::open() {
  constexpr int kNoDevice = 100; // CUDA_ERROR_NO_DEVICE
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return Status::error(std::string("there is no NVIDIA driver: ") + dlerror());
  using GetAddress = int (*)(const char *, void **, int, uint64_t, int *);
  auto getAddress = reinterpret_cast<GetAddress>(dlsym(library, "cuGetProcAddress_v2"));
  if (!getAddress)
    return Status::error("NVIDIA's driver is older than CUDA 12");
  auto find = [&](auto &function, const char *name, int version) {
    int found = 0;
    return getAddress(name, reinterpret_cast<void **>(&function), version, 0, &found) == 0 && function;
  };
  if (!find(errorString, "cuGetErrorString", 12000))
    return Status::error("NVIDIA's driver has no cuGetErrorString");
#define OPTC_FIND(name, version, parameters)                                                                 \
  if (!find(name, #name, version))                                                                           \
    return Status::error("NVIDIA's driver has no " #name);
  OPTC_DRIVER_FUNCTIONS(OPTC_FIND)
#undef OPTC_FIND
  int result = cuInit(0), count = 0;
  if (result == 0)
    result = cuDeviceGetCount(&count);
  if (result == kNoDevice || (result == 0 && count == 0))
    return Status::error("there is no NVIDIA GPU");
  return check(result, "cuInit");
}

const Driver *Driver::get(std::string &why) {
  // Stays open: unloading the driver is not supported.
  static Driver driver;
  static const Status status = driver.open();
  why = status.message;
  return status.ok() ? &driver : nullptr;
}

Status Driver::check(int result, const char *call) const {
  if (result == 0)
    return Status::success();
  const char *text = nullptr;
  if (errorString(result, &text) != 0 || !text)
    text = "unknown error";
  return Status::error(std::string(call) + ": " + text + " (" + std::to_string(result) + ")");
}
