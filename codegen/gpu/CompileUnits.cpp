//===- CompileUnits.cpp - Kernels to modules, in parallel -----------------===//

#include "codegen/gpu/CompileUnits.h"
#include <atomic>
#include <thread>

using namespace optc;

llvm::Expected<std::vector<std::string>> optc::compileUnits(const Nvrtc &nvrtc, llvm::ArrayRef<DeviceUnit> units, CodeCache &cache, unsigned jobs) {
  if (jobs == 0)
    jobs = std::max(1u, std::thread::hardware_concurrency());
  const std::string version = nvrtc.version();
  std::vector<std::string> modules(units.size()), errors(units.size());
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i = next++; i < units.size(); i = next++) {
      const DeviceUnit &unit = units[i];
      std::vector<std::string> parts = nvrtcOptions(unit.target);
      parts.insert(parts.end(), {"NVRTC " + version, unit.source});
      const std::string key = CodeCache::keyOf(parts);
      if (auto kept = cache.find(key)) {
        modules[i] = std::move(*kept);
        continue;
      }
      auto compiled = nvrtc.compile(unit.source, unit.target);
      if (!compiled) {
        errors[i] = llvm::toString(compiled.takeError());
        continue;
      }
      modules[i] = std::move(*compiled);
      cache.add(key, modules[i]);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min<size_t>(jobs, units.size()); ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &error : errors)
    if (!error.empty())
      return llvm::createStringError(error);
  return modules;
}
