#include "tools/optc-run/Compare.h"
#include "tools/optc-run/Bench.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace optc;

namespace {

template <typename T> Value of(DType type, const std::vector<T> &elements) {
  Value v = Value::allocate(type, {int64_t(elements.size())});
  std::copy(elements.begin(), elements.end(), v.as<T>());
  return v;
}
Value f32(const std::vector<float> &elements) { return of(DType::f32, elements); }

TEST(Compare, IscloseRule) {
  OutputError e = compareValues("y", f32({1, 2, 3}), f32({1, 2.5, 3}), 0, 0.5);
  EXPECT_TRUE(e.within());
  EXPECT_EQ(e.maxAbsolute, 0.5);
  EXPECT_FLOAT_EQ(float(e.maxRelative), 0.2f);
  e = compareValues("y", f32({1, 2, 3}), f32({1, 2.5, 3}), 0.1, 0);
  EXPECT_EQ(e.outside, 1);
  // The tolerance is relative to the expected value.
  EXPECT_TRUE(compareValues("y", f32({9}), f32({10}), 0.1001, 0).within());
  EXPECT_FALSE(compareValues("y", f32({10}), f32({9}), 0.1, 0).within());
}

TEST(Compare, NanAndInfinity) {
  float nan = NAN, inf = INFINITY;
  EXPECT_TRUE(compareValues("y", f32({nan, inf, -inf}), f32({nan, inf, -inf}), 0, 0).within());
  EXPECT_EQ(compareValues("y", f32({nan, inf, 1}), f32({1, -inf, inf}), 1, 1e9).outside, 3);
}

TEST(Compare, IntegersWithoutRounding) {
  int64_t big = int64_t(1) << 62;
  EXPECT_EQ(
      compareValues("y", of<int64_t>(DType::i64, {big + 1}), of<int64_t>(DType::i64, {big}), 0, 0).outside,
      1);
  EXPECT_TRUE(
      compareValues("y", of<int64_t>(DType::i64, {big + 1}), of<int64_t>(DType::i64, {big}), 0, 1).within());
  EXPECT_EQ(compareValues("y", of<uint64_t>(DType::u64, {UINT64_MAX}),
                          of<uint64_t>(DType::u64, {UINT64_MAX - 1}), 0, 0)
                .maxAbsolute,
            1);
  EXPECT_FALSE(
      compareValues("y", of<uint8_t>(DType::boolean, {1}), of<uint8_t>(DType::boolean, {0}), 9, 9).within());
}

TEST(Compare, TypesShapesAndKinds) {
  EXPECT_EQ(compareValues("y", f32({1}), f32({1, 2}), 0, 0).problem, "is f32[1], expected f32[2]");
  EXPECT_EQ(compareValues("y", f32({1}), of<int32_t>(DType::i32, {1}), 0, 0).problem,
            "is f32[1], expected i32[1]");
  Value sequence, optional;
  sequence.kind = Value::Kind::sequence;
  optional.kind = Value::Kind::optional;
  EXPECT_EQ(compareValues("y", sequence, optional, 0, 0).problem,
            "is sequence of 0, expected empty optional");
  sequence.items = {f32({1}), f32({2})};
  Value other = sequence;
  other.items[1] = f32({3});
  OutputError e = compareValues("y", sequence, other, 0, 0);
  EXPECT_EQ(e.outside, 1);
  EXPECT_EQ(e.count, 2);
}

TEST(Compare, StringsAndComplex) {
  Value a = Value::allocate(DType::string, {2}), b = Value::allocate(DType::string, {2});
  a.as<std::string>()[0] = "x";
  EXPECT_EQ(compareValues("y", a, b, 0, 0).outside, 1);
  Value c = Value::allocate(DType::c64, {1}), d = Value::allocate(DType::c64, {1});
  d.as<float>()[1] = 2;
  EXPECT_EQ(compareValues("y", c, d, 0, 1).outside, 1);
  EXPECT_TRUE(compareValues("y", c, d, 0, 2).within());
}

TEST(Compare, RelativeNorm) {
  EXPECT_DOUBLE_EQ(compareValues("y", f32({3, 4}), f32({3, 0}), 0, 0).relativeNorm(), 4.0 / 3);
  EXPECT_EQ(compareValues("y", f32({0}), f32({0}), 0, 0).relativeNorm(), 0);
  EXPECT_TRUE(std::isinf(compareValues("y", f32({1}), f32({0}), 0, 0).relativeNorm()));
}

TEST(Compare, CosineNoiseAndAgreement) {
  OutputError e = compareValues("y", f32({3, 4}), f32({4, 3}), 0, 0);
  EXPECT_DOUBLE_EQ(e.cosine(), 24.0 / 25);
  EXPECT_DOUBLE_EQ(e.decibels(), 10 * std::log10(25.0 / 2));
  EXPECT_EQ(e.agreement(), 0.0);
  e.add(compareValues("y", f32({1, 2}), f32({1, 2}), 0, 0));
  EXPECT_EQ(e.agreement(), 0.5);
  EXPECT_FALSE(compareValues("y", f32({1}), f32({2}), 0, 0).agreement());
  EXPECT_EQ(compareValues("y", f32({0}), f32({0}), 0, 0).cosine(), 1);
}

TEST(Bench, Percentiles) {
  std::vector<double> times;
  for (int i = 100; i > 0; --i)
    times.push_back(i);
  Samples samples(times);
  EXPECT_EQ(samples.percentile(0.5), 50);
  EXPECT_EQ(samples.percentile(0.99), 99);
  EXPECT_EQ(samples.percentile(0), 1);
  EXPECT_EQ(samples.percentile(1), 100);
  EXPECT_EQ(samples.mean(), 50.5);
  EXPECT_EQ(Samples({7}).percentile(0.95), 7);
}

} // namespace
