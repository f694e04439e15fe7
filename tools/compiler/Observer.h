//===- Observer.h - A tensor's range out of samples -------------*- C++ -*-===//
//
// How --calib-method chooses the range that 256 codes share:
//
//   minmax      all that was seen
//   percentile  without the outermost 0.01 % of the elements, half of it at each end
//   entropy     the range whose quantised histogram diverges least from the histogram (Kullback-Leibler; Migacz, "8-bit
//               inference with TensorRT", 2017, for both ends)
//   mse         the range with the least sum of squared errors, of rounding inside and clipping outside
//
// All but the first see the data twice: the histogram's bounds are the range of the first pass. A range holds 0.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_OBSERVER_H
#define OPTC_TOOLS_COMPILER_OBSERVER_H

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace optc {

enum class CalibrationMethod { minmax, percentile, entropy, mse };
std::optional<CalibrationMethod> parseCalibrationMethod(std::string_view name);
const char *nameOf(CalibrationMethod method);

class Observer {
public:
  explicit Observer(CalibrationMethod method) : method(method) {}

  static bool needsHistogram(CalibrationMethod method) { return method != CalibrationMethod::minmax; }
  /// The first pass; false when an element is not finite.
  bool observe(const float *values, int64_t count);
  /// The second pass, over the same data.
  void observeAgain(const float *values, int64_t count);

  /// Zeros alone say nothing about a range.
  bool hasSeen() const { return low < high; }

  struct Bounds {
    double low, high;
  };
  /// [0, 0] when nothing was seen.
  Bounds range() const;

  static constexpr int kBins = 2048;

private:
  /// The bin that holds zero, and the values that bins [begin, end) stand for.
  int zeroBin() const;
  Bounds bounds(int begin, int end) const;
  double binWidth() const { return (high - low) / kBins; }
  Bounds percentile(double outside) const;
  /// The bins [begin, end) of the least cost that hold zero.
  template <typename Cost> Bounds search(Cost cost) const;
  double divergence(int begin, int end) const;
  double squaredError(int begin, int end) const;

  CalibrationMethod method;
  double low = 0, high = 0;
  int64_t zeros = 0; // exactly; in no bin
  std::vector<int64_t> bins;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_OBSERVER_H
