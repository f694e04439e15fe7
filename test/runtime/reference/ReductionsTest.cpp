#include "Run.h"
using namespace optc;
using namespace optc::test;

static Value reduce(const char *kind, const Value &x, Ints axes) {
  return run("reduce", {x}, {{"kind", kind}, {"axes", axes}});
}

TEST(Reductions, EverySetOfAxes) {
  Value x = ramp(DType::f32, {2, 3, 2});
  expectValues(reduce("sum", x, {0, 1, 2}), {66});
  expectValues(reduce("sum", x, {}), values(x));
  expectValues(reduce("sum", x, {0}), {6, 8, 10, 12, 14, 16});
  expectValues(reduce("sum", x, {1}), {6, 9, 24, 27});
  expectValues(reduce("sum", x, {2}), {1, 5, 9, 13, 17, 21});
  expectValues(reduce("mean", x, {0, 2}), {3.5, 5.5, 7.5});
  expectValues(reduce("max", x, {1, 2}), {5, 11});
  expectValues(reduce("min", x, {0, 1}), {0, 1});
  expectValues(reduce("sum", f32({}, {3}), {}), {3});
}

TEST(Reductions, Classes) {
  expectValues(reduce("prod", tensor(DType::u8, {3}, {10, 5, 6}), {0}), {44}); // wraps
  expectValues(reduce("mean", i32({3}, {-1, -2, -2}), {0}), {-1});
  expectValues(reduce("mean", tensor(DType::f16, {2}, {60000, 60000}), {0}),
               {60000}); // no overflow on the way
  expectValues(reduce("max", f32({3}, {1, NAN, 2}), {0}), {NAN});
  expectValues(reduce("min", f32({3}, {1, NAN, 2}), {0}), {NAN});
  expectValues(reduce("sum", ramp(DType::f32, {1000}), {0}), {499500}); // several blocks
}

TEST(Reductions, OverNothing) {
  Value none = f32({2, 0}, {});
  expectValues(reduce("sum", none, {1}), {0, 0});
  expectValues(reduce("prod", none, {1}), {1, 1});
  expectValues(reduce("max", none, {1}), {-HUGE_VAL, -HUGE_VAL});
  expectValues(reduce("min", tensor(DType::i8, {0}, {}), {0}), {127});
  expectValues(reduce("max", tensor(DType::i8, {0}, {}), {0}), {-128});
  expectValues(reduce("min", tensor(DType::u16, {0}, {}), {0}), {65535});
  expectValues(reduce("mean", none, {1}), {NAN, NAN});
  EXPECT_EQ(reduce("sum", none, {0}).size(), 0);
}

TEST(Reductions, ArgReduce) {
  Value x = f32({2, 3}, {1, 3, 3, 2, 2, 0});
  auto arg = [&](const char *kind, int64_t axis, int64_t last) {
    return run("arg_reduce", {x}, {{"kind", kind}, {"axis", axis}, {"last", last}}, {{DType::i64}});
  };
  expectValues(arg("max", 1, 0), {1, 0});
  expectValues(arg("max", 1, 1), {2, 1});
  expectValues(arg("min", 0, 0), {0, 1, 1});
  expectValues(
      run("arg_reduce", {f32({3}, {1, NAN, 5})}, {{"kind", "max"}, {"axis", int64_t(0)}}, {{DType::i64}}),
      {1});
  EXPECT_EQ(errorOf("arg_reduce", {f32({2, 0}, {})}, {{"kind", "max"}, {"axis", int64_t(1)}}, {{DType::i64}}),
            "no element along axis 1");
}

TEST(Reductions, Cumulative) {
  Value x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  auto scan = [&](const char *kind, int64_t axis, int64_t exclusive, int64_t reverse) {
    return run("cumulative", {x},
               {{"kind", kind}, {"axis", axis}, {"exclusive", exclusive}, {"reverse", reverse}});
  };
  expectValues(scan("sum", 1, 0, 0), {1, 3, 6, 4, 9, 15});
  expectValues(scan("sum", 0, 0, 0), {1, 2, 3, 5, 7, 9});
  expectValues(scan("sum", 1, 1, 0), {0, 1, 3, 0, 4, 9});
  expectValues(scan("sum", 1, 0, 1), {6, 5, 3, 15, 11, 6});
  expectValues(scan("prod", 1, 1, 1), {6, 3, 1, 30, 6, 1});
  EXPECT_EQ(errorOf("cumulative", {x}, {{"axis", int64_t(2)}}), "axis 2 is out of range for rank 2");
}
