//===- Metric.h - A model's worth, by a user's command ----------*- C++ -*-===//
//
// --metric="CMD {outputs}": the command finds each golden set's outputs in a folder of the set's name under {outputs}, as
// output_0.npy, ..., and prints a number on its last line; higher is better. It is run without a shell: words are split at
// spaces outside of quotes, and {outputs} is replaced within words.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_METRIC_H
#define OPTC_TOOLS_COMPILER_METRIC_H

#include "tools/compiler/GoldenSets.h"

namespace optc {

class Metric {
public:
  static Error parse(const std::string &command, Metric &metric);

  /// Runs the model over all sets, then the command. `further` as in GoldenSets::measure, `apart` as in GoldenSets::save.
  Error measure(const GoldenSets &sets, NativeModel &model, llvm::ArrayRef<HostValue> further, double &value,
                std::vector<OutputError> &apart) const;

private:
  Error run(const std::string &outputs, const std::string &printed, double &value) const;

  std::vector<std::string> words;
  std::string program;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_METRIC_H
