//===- TuningFile.h - How kernels are cut, as it was measured ---*- C++ -*-===//
//
//   {"format": "optc-tuning", "version": 1,
//    "kernels": [{"target": "sm_90", "kernel": "3f2a08c1d5e6b794", "what": "matmul 128x3072xbf16, 3072x768xbf16 -> 128x768xbf16",
//                 "tiling": [128, 64, 72], "nanoseconds": 5120, "estimated": [128, 64, 48], "estimated_nanoseconds": 5870}, ...]}
//
// `kernel` is a hash of the kernel's canonical text, `estimated` what a compile without the file takes. The same for CPUs, whose target is a level with its extensions, and GPUs.
// Entries are in the order of targets and hashes; those of other machines and models stay when a file is written again.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_TUNINGFILE_H
#define OPTC_TOOLS_COMPILER_TUNINGFILE_H

#include "codegen/kernel/Tiling.h"
#include "tools/tensors/Error.h"
#include <map>
#include <string>

namespace optc {

struct Tuning {
  struct Kernel {
    std::string what;
    Tiling tiling;
    int64_t nanoseconds = 0;
    Tiling estimated;
    int64_t estimatedNanoseconds = 0;
  };
  /// By target and hash.
  std::map<std::pair<std::string, std::string>, Kernel> kernels;
};

Error writeTuning(const std::string &path, const Tuning &tuning);
/// Checks all but whether it fits a model.
Error readTuning(const std::string &path, Tuning &tuning);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_TUNINGFILE_H
