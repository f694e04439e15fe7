#include "Run.h"
using namespace optc;
using namespace optc::test;

static const double inf = HUGE_VAL, nan_ = NAN;

TEST(Elementwise, UnaryFloat) {
  expectValues(run("exp", {f32({3}, {0, 1, -inf})}), {1, 2.718281828, 0});
  expectValues(run("sigmoid", {f32({4}, {0, 1, -800, 800})}), {0.5, 0.7310585786, 0, 1});
  expectValues(run("softplus", {f32({3}, {0, 1000, -1000})}), {0.6931471806, 1000, 0});
  expectValues(run("gelu", {f32({2}, {1, -2})}, {{"approximate", "none"}}), {0.8413447461, -0.0455002639});
  expectValues(run("gelu", {f32({2}, {1, -2})}, {{"approximate", "tanh"}}), {0.8411919906, -0.0454022989});
  expectValues(run("hard_swish", {f32({4}, {-4, -1, 1, 4})}), {0, -1.0 / 3, 2.0 / 3, 4});
  expectValues(run("round", {f32({6}, {0.5, 1.5, 2.5, -0.5, -1.5, 1e20})}), {0, 2, 2, 0, -2, 1e20});
  // Halves of the last of 10 bits to even, up into the next power of two, subnormals, and what is beyond the largest.
  expectValues(run("round_tf32", {f32({7}, {1 + 0x1p-11, 1 + 3 * 0x1p-11, -1.9999, 0x1.0008p-130, 0x1.ffep127, 0x1.ffcp127, INFINITY})}),
               {1, 1 + 0x1p-9, -2, 0x1p-130, INFINITY, 0x1.ffcp127, INFINITY});
  EXPECT_TRUE(std::isnan(values(run("round_tf32", {f32({1}, {std::numeric_limits<double>::quiet_NaN()})}))[0]));
  EXPECT_TRUE(std::signbit(values(run("round", {f32({1}, {-0.25})}))[0]));
  expectValues(run("erf", {tensor(DType::bf16, {1}, {0.5})}), {0.51953125}); // rounded once
}

TEST(Elementwise, UnaryAnyClass) {
  expectValues(run("neg", {tensor(DType::i8, {3}, {1, -128, 0})}), {-1, -128, 0});
  expectValues(run("abs", {tensor(DType::i8, {2}, {-5, -128})}), {5, -128});
  expectValues(run("sign", {f32({4}, {-3, 0, 7, nan_})}), {-1, 0, 1, nan_});
  expectValues(run("sign", {tensor(DType::u8, {2}, {0, 200})}), {0, 1});
  expectValues(run("not", {boolean({2}, {0, 1})}), {1, 0});
  expectValues(run("bit_not", {tensor(DType::u8, {2}, {0, 5})}), {255, 250});
  expectValues(run("is_inf", {f32({3}, {inf, -inf, nan_})},
                   {{"negative", int64_t(0)}, {"positive", int64_t(1)}}, {{DType::boolean}}),
               {1, 0, 0});
  expectValues(run("is_nan", {f32({2}, {nan_, 1})}, {}, {{DType::boolean}}), {1, 0});
}

TEST(Elementwise, BlocksOfOddSizes) {
  for (int64_t n : {0, 1, 255, 256, 257, 1000}) {
    Value y = run("add", {ramp(DType::f32, {n}), ramp(DType::f32, {n}, 2)});
    ASSERT_EQ(y.size(), n);
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(y.as<float>()[i], 3.0f * float(i));
  }
  Value scalar = run("mul", {f64({}, {3}), f64({}, {4})});
  EXPECT_EQ(scalar.rank(), 0);
  expectValues(scalar, {12});
}

TEST(Elementwise, Integers) {
  expectValues(run("add", {tensor(DType::u8, {2}, {250, 3}), tensor(DType::u8, {2}, {10, 4})}), {4, 7});
  expectValues(run("mul", {i32({1}, {65536}), i32({1}, {65536})}), {0});
  expectValues(run("div", {i32({4}, {7, -7, 5, -2147483648.0}), i32({4}, {2, 2, 0, -1})}),
               {3, -3, 0, -2147483648.0});
  expectValues(run("mod", {i32({4}, {7, -7, 7, 5}), i32({4}, {3, 3, -3, 0})}, {{"truncate", int64_t(0)}}),
               {1, 2, -2, 0});
  expectValues(run("mod", {f32({3}, {7, -7, -1}), f32({3}, {3, 3, inf})}, {{"truncate", int64_t(1)}}),
               {1, -1, -1});
  expectValues(run("mod", {f32({3}, {7, -7, -1}), f32({3}, {3, 3, inf})}, {{"truncate", int64_t(0)}}),
               {1, 2, inf});
  expectValues(run("pow", {i32({4}, {2, -1, 3, 0}), i64({4}, {10, -3, -1, 0})}), {1024, -1, 0, 1});
  expectValues(run("pow", {f32({1}, {2}), i64({1}, {-1})}), {0.5});
  expectValues(run("shift", {tensor(DType::u8, {3}, {1, 200, 1}), tensor(DType::u8, {3}, {3, 1, 8})},
                   {{"direction", "left"}}),
               {8, 144, 0});
  expectValues(run("shift", {tensor(DType::u8, {2}, {16, 200}), tensor(DType::u8, {2}, {2, 9})},
                   {{"direction", "right"}}),
               {4, 0});
  expectValues(run("xor", {boolean({2}, {1, 1}), boolean({2}, {0, 1})}), {1, 0});
}

TEST(Elementwise, NaN) {
  expectValues(run("min", {f32({3}, {nan_, 1, 2}), f32({3}, {1, nan_, 3})}), {nan_, nan_, 2});
  expectValues(run("max", {f32({3}, {nan_, 1, 2}), f32({3}, {1, nan_, 3})}), {nan_, nan_, 3});
  Value a = f32({2}, {nan_, 1}), b = f32({2}, {nan_, 1});
  expectValues(run("compare", {a, b}, {{"predicate", "eq"}}, {{DType::boolean}}), {0, 1});
  expectValues(run("compare", {a, b}, {{"predicate", "ne"}}, {{DType::boolean}}), {1, 0});
  expectValues(run("compare", {a, b}, {{"predicate", "le"}}, {{DType::boolean}}), {0, 1});
}

TEST(Elementwise, CompareAndSelect) {
  Value big = Value::allocate(DType::u64, {2}), small = Value::allocate(DType::u64, {2});
  big.as<uint64_t>()[0] = ~uint64_t(0); // above every i64
  small.as<uint64_t>()[1] = 1;
  expectValues(run("compare", {big, small}, {{"predicate", "gt"}}, {{DType::boolean}}), {1, 0});
  Value c = boolean({2}, {1, 0});
  expectValues(run("select", {c, f32({2}, {1, 2}), f32({2}, {3, 4})}, {}, {{DType::f32}}), {1, 4});
  EXPECT_EQ(
      texts(run("select", {c, strings({2}, {"a", "b"}), strings({2}, {"c", "d"})}, {}, {{DType::string}})),
      (Texts{"a", "d"}));
  expectValues(run("compare", {strings({2}, {"a", "b"}), strings({2}, {"a", "c"})}, {{"predicate", "eq"}},
                   {{DType::boolean}}),
               {1, 0});
}

// (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24, which a rounded product loses.
TEST(Elementwise, Fma) {
  const float x = 1 + 0x1p-12f;
  expectValues(run("fma", {f32({2}, {x, 2}), f32({2}, {x, 3}), f32({2}, {-(1 + 0x1p-11f), 4})}), {0x1p-24, 10});
}

TEST(Elementwise, Errors) {
  EXPECT_EQ(errorOf("add", {f32({2}, {1, 2}), f32({1}, {1})}), "an operand has shape [1], expected [2]");
  EXPECT_EQ(errorOf("add", {f32({1}, {1}), i32({1}, {1})}), "operands differ in type: f32 and i32");
  EXPECT_EQ(errorOf("add", {f32({1}, {1})}), "expected 2 operands, got 1");
  EXPECT_EQ(errorOf("add", {strings({1}, {"a"}), strings({1}, {"b"})}),
            "arithmetic is not defined for string");
  EXPECT_EQ(errorOf("exp", {i32({1}, {1})}), "this function is not defined for i32");
  EXPECT_EQ(errorOf("and", {f32({1}, {1}), f32({1}, {1})}), "bit arithmetic is not defined for f32");
}
