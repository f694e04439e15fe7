//===- Options.h - The command line of optc-run -----------------*- C++ -*-===//
//
// Flags become an Options, or an error with a hint: an unknown flag, a value that cannot be read,
// and a flag that would have no effect in the mode asked for.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_RUN_OPTIONS_H
#define OPTC_TOOLS_RUN_OPTIONS_H

#include "tools/tensors/Error.h"
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace optc {

struct Options {
  enum class Mode { describe, report, run, bench, profile, versus };
  Mode mode = Mode::describe;
  std::string model, other; // other: --vs
  std::string inputs, outputs, expected, profile;
  std::string format = "pb";
  double rtol = 1e-3, atol = 1e-7;
  bool json = false;
  unsigned threads = 1;
  /// Which GPU, and whether inputs and outputs stay in its memory.
  std::optional<int> gpu;
  bool inGpuMemory = false;
  double seconds = 3;
  std::optional<double> pricePerHour, maxRatio, maxError;
  /// Shapes of random inputs, by the input's name.
  std::map<std::string, std::vector<int64_t>> shapes;
  uint64_t seed = 0;
};

/// `text` is what to print instead of running (--help, --version), empty otherwise.
Error parseOptions(int argc, const char *const *argv, Options &options, std::string &text);

} // namespace optc

#endif // OPTC_TOOLS_RUN_OPTIONS_H
