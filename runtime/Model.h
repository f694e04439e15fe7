//===- Model.h - A loaded artefact ------------------------------*- C++ -*-===//
//
// Opens a model.so: checks header, length and hash of code and plan, maps the weights read-only,
// picks the best level that the CPU has. Immutable afterwards, shared between threads.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_MODEL_H
#define OPTC_RUNTIME_MODEL_H

#include "runtime/Executor.h"
#include <mutex>

namespace optc {

class Model {
public:
  /// Null and a message when the file cannot be used here.
  static std::shared_ptr<Model> open(const std::string &path, std::string &error);
  ~Model();

  const Program &program() const { return contents; }
  const Plan &plan() const { return contents.plan; }
  /// Name of the level in use ("x86-64-v3").
  const std::string &level() const { return levelName; }

  /// Sessions for runs that bring none, of a GPU where steps run on one; kept and reused.
  std::unique_ptr<Session> borrow(unsigned threads, int gpu = 0);
  void giveBack(std::unique_ptr<Session> session);

private:
  Model() = default;
  Program contents;
  std::string levelName;
  void *library = nullptr;
  int file = -1; // open as long as the library is: see open()
  void *weightMap = nullptr;
  uint64_t weightMapBytes = 0;
  std::mutex mutex;
  std::vector<std::unique_ptr<Session>> idle;
};

/// Features of this CPU and operating system, as OptcCpuFeature bits.
uint64_t cpuFeatures();
/// "AVX-512 (x86-64-v4)", ...: the features of `missing`, for messages.
std::string featureNames(uint64_t missing);

} // namespace optc

#endif // OPTC_RUNTIME_MODEL_H
