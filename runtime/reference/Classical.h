//===- Classical.h - What the ai.onnx.ml functions share --------*- C++ -*-===//
//
// Class labels, which are strings or integers, and the transforms of scores. Attributes have ONNX's names.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_CLASSICAL_H
#define OPTC_RUNTIME_REFERENCE_CLASSICAL_H

#include "runtime/reference/Blocks.h"

namespace optc {

/// The labels of a classifier: classlabels_strings, or classlabels_int64s (classlabels_ints of linear and
/// svm).
class Labels {
public:
  explicit Labels(const Attributes &attributes);
  int64_t size() const { return int64_t(strings.empty() ? integers.size() : strings.size()); }
  /// Result 0, one label a row; its type must be that of the labels.
  Status allocate(Call &call, int64_t rows) const;
  void store(Value &y, int64_t row, size_t label) const;

private:
  std::vector<std::string> strings;
  std::vector<int64_t> integers;
};

/// A list of numbers; newer operators hold the same as name + "_as_tensor".
const std::vector<double> &numbersOf(const Attributes &attributes, const std::string &name);
/// Operand 0 is [rows, features], or [features]: one row.
Status expectFeatures(const Call &call, int64_t &rows, int64_t &features);
double logistic(double x);
double probit(double x);
/// NONE, LOGISTIC, SOFTMAX, SOFTMAX_ZERO or PROBIT on one row of scores.
void postTransform(const std::string &name, std::vector<double> &scores);

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_CLASSICAL_H
