//===- FakeImages.h - Kernels of a driver without a GPU ---------*- C++ -*-===//
//
// Images are CUDA C++, which is compiled as code of the host on top of emulate.h, with a function for each kernel that runs a launch.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_RUNTIME_GPU_FAKEIMAGES_H
#define OPTC_TEST_RUNTIME_GPU_FAKEIMAGES_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

struct Function {
  /// Arguments, blocks, threads, bytes of dynamic shared memory.
  void (*launch)(void **, int64_t, int, int64_t);
  std::vector<size_t> parameters; // bytes of each
  unsigned bound;                 // threads
  int64_t shared = 48 << 10;
};
struct Module {
  void *library = nullptr;
  std::map<std::string, Function> functions;
};

class FakeImages {
public:
  /// `cache`: a folder that keeps them for other processes; empty: none. The rest is emulate.h's.
  FakeImages(std::string cache, int schedule, int late) : cache(std::move(cache)), schedule(schedule), late(late) {}
  ~FakeImages();
  /// False where it is not compiled.
  bool load(const std::string &image, Module &module);

private:
  /// Where the image's code is to be: in the cache, by all that it depends on, or in this process's own folder.
  std::string placeOf(const std::string &image);

  const std::string cache;
  const int schedule, late;
  std::string folder;
  std::map<std::string, std::string> libraries; // by image
};

#endif // OPTC_TEST_RUNTIME_GPU_FAKEIMAGES_H
