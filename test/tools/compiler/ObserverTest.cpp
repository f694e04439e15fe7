#include "tools/compiler/Observer.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace optc;

namespace {

Observer::Bounds rangeOf(CalibrationMethod method, const std::vector<float> &values) {
  Observer observer(method);
  EXPECT_TRUE(observer.observe(values.data(), int64_t(values.size())));
  if (Observer::needsHistogram(method))
    observer.observeAgain(values.data(), int64_t(values.size()));
  return observer.range();
}

/// 100,000 elements of a standard normal distribution.
std::vector<float> gaussian() {
  std::mt19937 random(1);
  std::normal_distribution<float> distribution;
  std::vector<float> values(100000);
  for (float &v : values)
    v = distribution(random);
  return values;
}

constexpr CalibrationMethod kMethods[] = {CalibrationMethod::minmax, CalibrationMethod::percentile,
                                          CalibrationMethod::entropy, CalibrationMethod::mse};

/// The mean squared error of 256 codes on the range.
double errorOf(Observer::Bounds range, const std::vector<float> &values) {
  double step = (range.high - range.low) / 255, sum = 0;
  for (float v : values) {
    double clipped = std::min(std::max(double(v), range.low), range.high);
    double d = range.low + std::round((clipped - range.low) / step) * step - v;
    sum += d * d;
  }
  return sum / double(values.size());
}

TEST(Observer, MinMaxIsWhatWasSeen) {
  EXPECT_EQ(rangeOf(CalibrationMethod::minmax, {1, -2, 3}).low, -2);
  EXPECT_EQ(rangeOf(CalibrationMethod::minmax, {1, -2, 3}).high, 3);
}

TEST(Observer, EveryRangeHoldsZero) {
  for (CalibrationMethod method : kMethods) {
    auto [low, high] = rangeOf(method, std::vector<float>(1000, 5));
    EXPECT_EQ(low, 0) << nameOf(method);
    EXPECT_NEAR(high, 5, 0.01) << nameOf(method);
    auto negative = rangeOf(method, std::vector<float>(1000, -5));
    EXPECT_NEAR(negative.low, -5, 0.01) << nameOf(method);
    EXPECT_EQ(negative.high, 0) << nameOf(method);
    auto nothing = rangeOf(method, {0, 0, 0});
    EXPECT_TRUE(nothing.low == 0 && nothing.high == 0) << nameOf(method);
  }
}

TEST(Observer, PercentileLeavesOutTheTails) {
  // The normal distribution's quantiles at 0.005 %: -3.89 and 3.89.
  auto [low, high] = rangeOf(CalibrationMethod::percentile, gaussian());
  EXPECT_NEAR(low, -3.89, 0.25);
  EXPECT_NEAR(high, 3.89, 0.25);
  std::vector<float> one(100000, 1.0f);
  one[0] = 1000;
  EXPECT_LT(rangeOf(CalibrationMethod::percentile, one).high, 2);
}

TEST(Observer, OutliersAreClipped) {
  std::vector<float> values = gaussian();
  values[0] = 60;
  values[1] = -60;
  // 2 (60 - r)^2 of clipping + 100,000 (2 r / 255)^2 / 12 of rounding are least at r = 47.8.
  EXPECT_NEAR(rangeOf(CalibrationMethod::mse, values).high, 47.8, 0.6);
  for (CalibrationMethod method : {CalibrationMethod::percentile, CalibrationMethod::entropy}) {
    auto range = rangeOf(method, values);
    EXPECT_LT(range.high, 30) << nameOf(method);
    EXPECT_GT(range.high, 2.5) << nameOf(method);
    EXPECT_GT(range.low, -30) << nameOf(method);
    EXPECT_LT(range.low, -2.5) << nameOf(method);
  }
}

TEST(Observer, MseIsNotWorseThanTheOthers) {
  std::vector<float> values = gaussian();
  for (size_t i = 0; i < values.size(); i += 50)
    values[i] *= 4;
  double best = errorOf(rangeOf(CalibrationMethod::mse, values), values);
  for (CalibrationMethod method : kMethods)
    EXPECT_LE(best, errorOf(rangeOf(method, values), values) * 1.02) << nameOf(method);
  EXPECT_LT(best, errorOf(rangeOf(CalibrationMethod::minmax, values), values) * 0.9);
}

TEST(Observer, ZerosOfAReluDecideNothing) {
  // Half of them exactly zero: entropy would fit the spike, were it in the histogram.
  std::vector<float> values = gaussian();
  for (float &v : values)
    v = std::max(v, 0.0f);
  for (CalibrationMethod method : kMethods) {
    auto [low, high] = rangeOf(method, values);
    EXPECT_EQ(low, 0) << nameOf(method);
    EXPECT_GT(high, 2.5) << nameOf(method);
  }
}

TEST(Observer, AUniformDistributionIsKept) {
  std::vector<float> values(100000);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = -1 + 3 * float(i) / float(values.size());
  for (CalibrationMethod method : kMethods) {
    auto [low, high] = rangeOf(method, values);
    EXPECT_NEAR(low, -1, 0.05) << nameOf(method);
    EXPECT_NEAR(high, 2, 0.05) << nameOf(method);
  }
}

TEST(Observer, NotANumberIsRefused) {
  for (float bad : {INFINITY, -INFINITY, NAN}) {
    float values[] = {1, bad};
    EXPECT_FALSE(Observer(CalibrationMethod::minmax).observe(values, 2));
  }
}

} // namespace
