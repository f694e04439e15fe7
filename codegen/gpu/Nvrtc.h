//===- Nvrtc.h - NVIDIA's run-time compiler ---------------------*- C++ -*-===//
//
// CUDA C++ to PTX or to a cubin. The library is opened when it is asked for (nothing links it) and needs
// neither a driver nor a GPU. The CUDA toolkit brings it, or the Python package nvidia-cuda-nvrtc.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_NVRTC_H
#define OPTC_CODEGEN_GPU_NVRTC_H

#include "codegen/gpu/Target.h"
#include <memory>

namespace optc {

/// What NVRTC is told besides the source.
std::vector<std::string> nvrtcOptions(const GpuTarget &target);

class Nvrtc {
public:
  /// `path`: the library's file; empty: where the loader finds it, then the toolkit's usual place. The error
  /// says what was tried.
  static llvm::Expected<std::unique_ptr<Nvrtc>> open(const std::string &path);
  ~Nvrtc();

  /// Older ones do not know newer chips.
  bool supports(const GpuTarget &target) const;

  /// "13.0".
  std::string version() const;

  /// PTX of a portable target, of others a cubin, by `nvrtcOptions`. The error is the compiler's log. Several threads may compile at the
  /// same time.
  llvm::Expected<std::string> compile(const std::string &source, const GpuTarget &target) const;

private:
  Nvrtc() = default;
  struct Api;
  std::unique_ptr<Api> api;
};

} // namespace optc

#endif // OPTC_CODEGEN_GPU_NVRTC_H
