//===- DeviceCode.h - What a GPU runs of a model ----------------*- C++ -*-===//
//
// Kernels are known by their canonical text (codegen/kernel/Kernel.h). Those that have code for every GPU of the artefact may be steps
// of the GPU; for the others there is a reason.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_PLAN_DEVICECODE_H
#define OPTC_CODEGEN_PLAN_DEVICECODE_H

#include "runtime/Plan.h"
#include "llvm/ADT/StringMap.h"

namespace optc {

struct DeviceCode {
  /// Position of a kernel in each image.
  llvm::StringMap<uint32_t> numbers;
  /// Why a kernel has no code.
  llvm::StringMap<std::string> refusals;
  /// Best first; places are in `contents`.
  std::vector<DeviceImage> images;
  std::string contents;
  /// What made the images, "NVRTC 13.0", and what it was told for each; empty: they are source.
  std::string compiler;
  std::vector<std::string> options;

  /// The kernel finds out how large its result is.
  bool countsResults(uint32_t number) const { return images.front().kernels[number].counted != kNone; }
};

} // namespace optc

#endif // OPTC_CODEGEN_PLAN_DEVICECODE_H
