//===- Bench.h - Latency, throughput, memory --------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_RUN_BENCH_H
#define OPTC_TOOLS_RUN_BENCH_H

#include "tools/optc-run/Runner.h"

namespace optc {

/// Sorted times of single runs, in milliseconds.
struct Samples {
  std::vector<double> sorted;
  double total = 0;

  explicit Samples(std::vector<double> times);
  /// Nearest rank: the smallest time that a share of at least `q` does not exceed.
  double percentile(double q) const;
  double mean() const { return total / double(sorted.size()); }
};

/// Highest resident set of this process, in MiB.
double peakResidentMegabytes();

/// Prints a warning that the inputs are not what they would be by default.
void warn(const Options &options, const std::string &warning);

/// Measures one model: `--bench`.
Error runBench(const Options &options);

} // namespace optc

#endif // OPTC_TOOLS_RUN_BENCH_H
