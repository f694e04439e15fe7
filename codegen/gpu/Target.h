//===- Target.h - GPU targets -----------------------------------*- C++ -*-===//
//
// The NVIDIA architectures that kernels are printed and compiled for. The printed CUDA C++ is the same for
// all of them; the compiler's option differs.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_TARGET_H
#define OPTC_CODEGEN_GPU_TARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace optc {

struct GpuTarget {
  std::string name; // "sm_90"
  /// The code is to run on later chips too: no instruction that this one alone has.
  bool isPortable = false;
  /// Machine code says which of the model's nodes, and which line of its kernel, an instruction is of.
  bool hasLineInfo = false;
  /// What NVRTC is asked for: machine code of this chip, or PTX that later ones take too.
  /// sm_90's is that of sm_90a, whose matrix instructions no other chip has.
  std::string binaryOption() const { return "--gpu-architecture=" + name + (name == "sm_90" ? "a" : ""); }
  /// 90 of sm_90.
  int architecture() const { return std::stoi(name.substr(3)); }
  bool hasWgmma() const { return name == "sm_90" && !isPortable; }
  std::string ptxOption() const { return "--gpu-architecture=compute_" + name.substr(3); }
};

/// True for names of the form sm_*: what is wrong with one is then parseGpuTarget's to say.
bool isGpuTargetName(llvm::StringRef name);
llvm::Expected<GpuTarget> parseGpuTarget(llvm::StringRef name);
std::vector<std::string> listGpuTargets();

} // namespace optc

#endif // OPTC_CODEGEN_GPU_TARGET_H
