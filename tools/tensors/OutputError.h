//===- OutputError.h - How far an output is from the expected one *- C++ -*-===//
//
// numpy.isclose's rule: |a - b| <= atol + rtol * |b| with b the expected value; NaN equals NaN, infinities
// equal themselves. Integers follow the same rule without rounding; bools and strings must be equal.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_TENSORS_OUTPUTERROR_H
#define OPTC_TOOLS_TENSORS_OUTPUTERROR_H

#include "runtime/reference/Value.h"
#include <optional>

namespace optc {

struct OutputError {
  std::string name;
  /// "f32[1, 1000]", of what the model gave.
  std::string type;
  /// Another kind, type or shape than expected; the numbers below are then of no use.
  std::string problem;
  int64_t count = 0, outside = 0;
  /// Over finite elements; relative to |b| where b is not 0.
  double maxAbsolute = 0, maxRelative = 0;
  /// Sums of (a-b)^2 and of b^2.
  double differenceSquared = 0, expectedSquared = 0;
  /// Sums of a^2 and of a*b.
  double gotSquared = 0, product = 0;
  /// Rows along the last dim, where it is more than 1, and those whose largest elements are at the same place (the first of equal ones).
  int64_t rows = 0, rowsAgreeing = 0;

  bool within() const { return problem.empty() && outside == 0; }
  /// |a-b| / |b| in 2-norms; infinite when only b is 0.
  double relativeNorm() const;
  /// Of the angle between a and b; 1 where both are 0, NaN where one is.
  double cosine() const;
  /// Signal over noise, 10 log10(|b|^2 / |a-b|^2): infinite where they are equal.
  double decibels() const;
  /// Share of rows that agree (top-1); none where there are no rows.
  std::optional<double> agreement() const;
  /// Another part of the same output.
  void add(const OutputError &other);
};

OutputError compareValues(const std::string &name, const Value &got, const Value &expected, double rtol,
                          double atol);

/// "f32[1, 3]", "sequence of 2", ...
std::string typeText(const Value &value);

} // namespace optc

#endif // OPTC_TOOLS_TENSORS_OUTPUTERROR_H
