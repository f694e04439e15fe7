#include "Run.h"
using namespace optc;
using namespace optc::test;

static Value castTo(DType type, const Value &x, int64_t saturate = 1) {
  return run("cast", {x}, {{"saturate", saturate}}, {{type, x.dims}});
}

TEST(Conversions, CastBetweenClasses) {
  expectValues(castTo(DType::i32, f32({4}, {1.9, -1.9, 0.5, -0.5})), {1, -1, 0, 0});
  expectValues(castTo(DType::u8, f32({3}, {257, -1, 255.9})), {1, 255, 255});
  // Beyond the type: modulo its width. What has no remainder is 0.
  expectValues(castTo(DType::i32, f32({4}, {NAN, HUGE_VAL, 3e9, 1e30})), {0, 0, 3e9 - 0x1p32, 0});
  expectValues(castTo(DType::u32, f32({2}, {-1, -0x1p32 - 512})), {0xffffffff, 0x1p32 - 512});
  expectValues(castTo(DType::i64, f64({3}, {0x1p63, -0x1p63 - 2048, 0x1p64 + 8192})), {-0x1p63, 0x1p63 - 2048, 8192});
  expectValues(castTo(DType::boolean, f32({4}, {0, -0.0, 0.1, NAN})), {0, 0, 1, 1});
  expectValues(castTo(DType::boolean, i64({2}, {256, 0})), {1, 0});
  expectValues(castTo(DType::i8, i64({2}, {300, -129})), {44, 127});
  expectValues(castTo(DType::i4, i32({3}, {7, 8, -9})), {7, -8, 7});
  expectValues(castTo(DType::u2, i32({2}, {3, 6})), {3, 2});
  Value big = Value::allocate(DType::u64, {1});
  big.as<uint64_t>()[0] = ~uint64_t(0);
  expectValues(castTo(DType::f32, big), {0x1p64});
  // One ulp of f64 above a tie: rounding to f64 first would take it back to the tie.
  Value tie = Value::allocate(DType::i64, {2});
  tie.as<int64_t>()[0] = (int64_t(1) << 62) + (int64_t(1) << 38) + 1;
  tie.as<int64_t>()[1] = -tie.as<int64_t>()[0];
  expectValues(castTo(DType::f32, tie), {0x1p62 + 0x1p39, -0x1p62 - 0x1p39});
  expectValues(castTo(DType::f16, f32({2}, {65519, 65520})), {65504, HUGE_VAL});
  expectValues(castTo(DType::f8e4m3fn, f32({2}, {1000, 17})), {448, 16});
  expectValues(castTo(DType::f8e4m3fn, f32({2}, {1000, 17}), 0), {NAN, 16});
  expectValues(castTo(DType::f8e5m2, i32({1}, {1000000}), 0), {HUGE_VAL});
  EXPECT_EQ(castTo(DType::f32, i32({0, 3}, {})).dims, (Dims{0, 3}));
}

TEST(Conversions, CastStrings) {
  EXPECT_EQ(texts(castTo(DType::string, f32({3}, {0.1, 1.5, -3}))), (Texts{"0.1", "1.5", "-3"}));
  EXPECT_EQ(texts(castTo(DType::string, i64({2}, {12, -3}))), (Texts{"12", "-3"}));
  expectValues(castTo(DType::f32, strings({4}, {"0.25", "1e3", "INF", "NaN"})), {0.25, 1000, HUGE_VAL, NAN});
  expectValues(castTo(DType::i64, strings({2}, {"-12", "7"})), {-12, 7});
  EXPECT_EQ(errorOf("cast", {strings({1}, {"x1"})}, {}, {{DType::f32, Dims{1}}}), "'x1' is not a number");
}

TEST(Conversions, Bitcast) {
  expectValues(run("bitcast", {f32({1}, {1})}, {}, {{DType::i32, Dims{1}}}), {0x3f800000});
  EXPECT_EQ(errorOf("bitcast", {f32({1}, {1})}, {}, {{DType::i64, Dims{1}}}),
            "cannot reinterpret f32 as i64");
}

TEST(Conversions, Quantize) {
  Value x = f32({6}, {0, 2, 3, 1000, -254, -1000}), scale = f32({6}, Reals(6, 2));
  expectValues(run("quantize", {x, scale, tensor(DType::u8, {6}, Reals(6, 128))}, {}, {{DType::u8, Dims{6}}}),
               {128, 129, 130, 255, 1, 0}); // 3/2 goes to 2, an even number
  expectValues(run("quantize", {x, scale, {}}, {}, {{DType::i4, Dims{6}}}), {0, 1, 2, 7, -8, -8});
  expectValues(run("quantize", {x, scale, {}}, {}, {{DType::f8e4m3fn, Dims{6}}}),
               {0, 1, 1.5, 448, -128, -448});
  expectValues(run("quantize", {f32({1}, {NAN}), f32({1}, {1})}, {}, {{DType::i8, Dims{1}}}), {-128});
}

TEST(Conversions, Lookup) {
  std::vector<int64_t> table(256, 7);
  table[0] = 1, table[127] = 200, table[128] = 3, table[255] = 4;
  AttributeList attributes{{"table", table}};
  expectValues(run("lookup", {tensor(DType::i8, {5}, Reals{0, 127, -128, -1, 5})}, attributes, {{DType::u8, Dims{5}}}), {1, 200, 3, 4, 7});
  expectValues(run("lookup", {tensor(DType::u8, {4}, Reals{0, 127, 128, 255})}, attributes, {{DType::i8, Dims{4}}}), {1, -56, 3, 4});
}

TEST(Conversions, Dequantize) {
  Value x = tensor(DType::u8, {3}, {0, 3, 255});
  expectValues(run("dequantize", {x, f32({3}, Reals(3, 2)), tensor(DType::u8, {3}, Reals(3, 128))}, {},
                   {{DType::f32, Dims{3}}}),
               {-256, -250, 254});
  expectValues(run("dequantize", {i32({1}, {-7}), f32({1}, {0.5}), {}}, {}, {{DType::f16, Dims{1}}}), {-3.5});
  EXPECT_EQ(errorOf("dequantize", {x, f32({1}, {2})}, {}, {{DType::f32, Dims{3}}}),
            "scale has shape [1], expected [3]");
}
