//===- GoldenSets.h - How far a model is from its golden outputs *- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_GOLDENSETS_H
#define OPTC_TOOLS_COMPILER_GOLDENSETS_H

#include "tools/compiler/NativeModel.h"
#include "tools/compiler/TensorSets.h"
#include "tools/tensors/OutputError.h"

namespace optc {

/// The output that is furthest from the expected one, relative to it: |got - expected| / |expected| in 2-norms over all
/// sets. For strings the share of elements that differ.
struct Deviation {
  double error = 0;
  std::string output;
  /// Each output over all sets that were measured.
  std::vector<OutputError> outputs = {};
};

/// Sets of inputs, and the outputs that are expected of them.
class GoldenSets {
public:
  /// Sets without outputs expect those of `f32`, the model that is not quantised.
  Error open(const SampleSource &source, NativeModel &f32);

  size_t size() const { return sets.size(); }
  /// Over `most` sets, evenly chosen. `further` are inputs that the model has after those of the sets.
  Error measure(NativeModel &model, llvm::ArrayRef<HostValue> further, size_t most, Deviation &deviation) const;
  /// The outputs of all sets, in a folder each below `folder`, and how far they are; nothing where shapes differ.
  Error save(NativeModel &model, llvm::ArrayRef<HostValue> further, const std::string &folder, std::vector<OutputError> &outputs) const;

private:
  /// Adds how far the model's outputs are from those of a set that it has run on.
  Error compare(NativeModel &model, size_t set, std::vector<OutputError> &sums) const;
  Error run(NativeModel &model, size_t set, llvm::ArrayRef<HostValue> further) const;

  TensorSets sets;
  std::vector<std::vector<HostValue>> expected;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_GOLDENSETS_H
