//===- Profile.h - Time by step ---------------------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_RUN_PROFILE_H
#define OPTC_TOOLS_RUN_PROFILE_H

#include "tools/optc-run/Runner.h"

namespace optc {

/// What a run of a model for GPUs takes beside its kernels there, in microseconds.
struct BesideKernels {
  double ports = 0;          // copies of inputs and outputs
  double fallbackCopies = 0; // of what the CPU computes
  double fallbacks = 0;      // what the CPU computes
  std::string text() const;
};
/// From a session's times.
BesideKernels besideKernels(const Plan &plan, const std::vector<StepTime> &times);

/// `--profile=FILE`: a table on stdout, slowest step first, and a Chrome trace (chrome://tracing, Perfetto)
/// of an average run in FILE.
Error runProfile(const Options &options);

} // namespace optc

#endif // OPTC_TOOLS_RUN_PROFILE_H
