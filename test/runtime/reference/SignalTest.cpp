#include "Run.h"
using namespace optc;
using namespace optc::test;

static Value dft(const Value &x, int64_t axis, int64_t length, Dims dims, int64_t inverse = 0,
                 int64_t onesided = 0) {
  return run("dft", {x},
             {{"axis", axis}, {"length", Ints{length}}, {"inverse", inverse}, {"onesided", onesided}},
             {{x.type, dims}});
}

TEST(Signal, DftOfEveryLength) {
  for (int64_t n : {1, 2, 3, 4, 5, 8, 12, 17}) {
    Value x = run("cast", {wave({n, 1})}, {}, {{DType::f64, Dims{n, 1}}});
    Reals got = values(dft(x, 0, n, {n, 2})), in = values(x);
    for (int64_t k = 0; k < n; ++k) {
      double re = 0, im = 0;
      for (int64_t i = 0; i < n; ++i) {
        re += in[size_t(i)] * std::cos(2 * M_PI * double(i * k) / double(n));
        im -= in[size_t(i)] * std::sin(2 * M_PI * double(i * k) / double(n));
      }
      EXPECT_NEAR(got[size_t(2 * k)], re, 1e-12);
      EXPECT_NEAR(got[size_t(2 * k + 1)], im, 1e-12);
    }
    expectValues(dft(dft(x, 0, n, {n / 2 + 1, 2}, 0, 1), 0, n, {n, 1}, 1, 1), in, 1e-12);
  }
}

TEST(Signal, DftAxesPaddingErrors) {
  Value x = ramp(DType::f32, {2, 2, 1});
  expectValues(dft(x, 0, 2, {2, 2, 2}), {2, 0, 4, 0, -2, 0, -2, 0});
  expectValues(dft(x, 1, 3, {2, 2, 2}, 0, 1),
               {1, 0, -0.5, -0.8660254038, 5, 0, 0.5, -2.5980762114}); // padded to 3
  EXPECT_EQ(errorOf("dft", {x}, {{"axis", int64_t(0)}, {"length", Ints{0}}}, {{DType::f32, Dims{0, 2, 2}}}),
            "a transform of length 0 does not give 0 bins");
  EXPECT_EQ(errorOf("dft", {f32({2, 3}, Reals(6))}, {{"axis", int64_t(0)}}, {{DType::f32, Dims{2, 2}}}),
            "the last dim must hold one or two parts");
}

static AttributeList melOf(int64_t length) { return {{"length", Ints{length}}}; }

TEST(Signal, MelWeightMatrix) { // ONNX's example has corners 0 0 0 1 1 2 3 4 5 6
  std::vector<Value> operands{i64({}, {8192}), f32({}, {0}), f32({}, {4096})};
  Reals expected(72);
  size_t column = 0;
  for (size_t row : {0, 0, 1, 1, 2, 3, 4, 5})
    expected[row * 8 + column++] = 1;
  expectValues(run("mel_weight_matrix", operands, melOf(16), {{DType::f32, Dims{9, 8}}}), expected);
  // Corners 0 0 1 3 5: sides of several rows.
  expected.assign(33, 0);
  expected[0] = expected[1 * 3 + 1] = expected[3 * 3 + 2] = 1;
  expected[2 * 3 + 1] = expected[2 * 3 + 2] = expected[4 * 3 + 2] = 0.5;
  expectValues(run("mel_weight_matrix", {i32({1}, {16000}), f64({1}, {100}), f64({1}, {7000})}, melOf(20), {{DType::f32, Dims{11, 3}}}), expected);
  EXPECT_EQ(errorOf("mel_weight_matrix", operands, melOf(16), {{DType::f32, Dims{8, 8}}}), "the result has shape [8, 8], expected [9, 8]");
  EXPECT_EQ(errorOf("mel_weight_matrix", {i64({}, {4096}), f32({}, {0}), f32({}, {4096})}, melOf(16), {{DType::f32, Dims{9, 8}}}), "the upper frequency is beyond the spectrum");
  EXPECT_EQ(errorOf("mel_weight_matrix", {operands[0], operands[2], operands[1]}, melOf(16), {{DType::f32, Dims{9, 8}}}),
            "the number of bins, the length, the rate or the frequencies are out of range");
}

TEST(Signal, PhiloxKnownAnswers) { // of the Random123 distribution
  uint32_t zero[4] = {}, out[4];
  philox(zero, 0, out);
  EXPECT_THAT(out, testing::ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  uint32_t ones[4] = {~0u, ~0u, ~0u, ~0u};
  philox(ones, ~uint64_t(0), out);
  EXPECT_THAT(out, testing::ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
}

static Value random(const char *kind, double low, double high, Dims dims, int64_t counter = 0) {
  return run(
      "random", {},
      {{"distribution", kind}, {"low", low}, {"high", high}, {"seed", int64_t(42)}, {"counter", counter}},
      {{DType::f32, dims}});
}

TEST(Signal, Random) {
  Reals u = values(random("uniform", -2, 3, {20000})), z = values(random("normal", 1, 2, {20001}));
  double mean = 0, deviation = 0;
  for (double v : u) {
    ASSERT_TRUE(v >= -2 && v < 3);
    mean += v / 20000;
  }
  EXPECT_NEAR(mean, 0.5, 0.03);
  mean = 0;
  for (double v : z)
    mean += v / 20001;
  for (double v : z)
    deviation += (v - mean) * (v - mean) / 20001;
  EXPECT_NEAR(mean, 1, 0.05);
  EXPECT_NEAR(std::sqrt(deviation), 2, 0.05);
  EXPECT_EQ(values(random("uniform", 0, 1, {7})), Reals(values(random("uniform", 0, 1, {7}))));
  EXPECT_NE(values(random("uniform", 0, 1, {7})), values(random("uniform", 0, 1, {7}, 1)));
}
