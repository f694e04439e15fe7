// Narrow float formats: every code decodes and encodes back; ties go to even; overflow and NaN follow ONNX.
#include "runtime/reference/Float.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace optc;

static const double inf = std::numeric_limits<double>::infinity();
static const double nan_ = std::numeric_limits<double>::quiet_NaN();

TEST(Float, SixteenBitCodesRoundTrip) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    double half = decodeFloat16(code), brain = decodeBFloat16(code);
    if (half == half)
      ASSERT_EQ(encodeFloat16(half), code);
    if (brain == brain)
      ASSERT_EQ(encodeBFloat16(brain), code);
  }
}

TEST(Float, Float16RoundsOnceToEven) {
  EXPECT_EQ(encodeFloat16(1 + 0x1p-11), 0x3c00);           // a tie goes to even
  EXPECT_EQ(encodeFloat16(1 + 0x1p-11 + 0x1p-40), 0x3c01); // just above it, not so: no rounding by way of f32
  EXPECT_EQ(encodeFloat16(65519.99), 0x7bff);
  EXPECT_EQ(encodeFloat16(65520), 0x7c00);
  EXPECT_EQ(encodeFloat16(-inf), 0xfc00);
  EXPECT_EQ(encodeFloat16(0x1p-25), 0); // half the smallest subnormal
  EXPECT_EQ(encodeFloat16(0x1.1p-25), 1);
  EXPECT_EQ(encodeFloat16(-0.0), 0x8000);
  EXPECT_TRUE(std::isnan(decodeFloat16(encodeFloat16(nan_))));
  EXPECT_EQ(decodeFloat16(0x0001), 0x1p-24);
  EXPECT_EQ(decodeFloat16(0x7c00), inf);
}

TEST(Float, BFloat16) {
  EXPECT_EQ(encodeBFloat16(1 + 0x1p-8), 0x3f80);
  EXPECT_EQ(encodeBFloat16(1 + 3 * 0x1p-8), 0x3f82);
  EXPECT_EQ(encodeBFloat16(3.4e38), 0x7f80);
  EXPECT_EQ(encodeBFloat16(3.389e38), 0x7f7f);
  EXPECT_TRUE(std::isnan(decodeBFloat16(encodeBFloat16(nan_))));
}

TEST(Float, SmallFormatsRoundTrip) {
  for (DType type : {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz, DType::f8e8m0})
    for (int code = 0; code < 256; ++code) {
      double value = decodeSmallFloat(type, code);
      if (std::isfinite(value))
        EXPECT_EQ(encodeSmallFloat(type, value, true), code) << nameOf(type);
    }
  const double fp4[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (int code = 0; code < 8; ++code) {
    EXPECT_EQ(decodeSmallFloat(DType::f4e2m1, code), fp4[code]);
    EXPECT_EQ(encodeSmallFloat(DType::f4e2m1, -fp4[code], true), code | 8);
  }
}

TEST(Float, SmallFormatsOutOfRange) {
  EXPECT_EQ(decodeSmallFloat(DType::f8e4m3fn, encodeSmallFloat(DType::f8e4m3fn, 1000, true)), 448);
  EXPECT_EQ(decodeSmallFloat(DType::f8e4m3fn, encodeSmallFloat(DType::f8e4m3fn, -inf, true)), -448);
  EXPECT_TRUE(std::isnan(decodeSmallFloat(DType::f8e4m3fn, encodeSmallFloat(DType::f8e4m3fn, 1000, false))));
  EXPECT_EQ(encodeSmallFloat(DType::f8e4m3fn, 464, false), 0x7e); // rounds down to 448
  EXPECT_EQ(decodeSmallFloat(DType::f8e5m2, encodeSmallFloat(DType::f8e5m2, 1e9, false)), inf);
  EXPECT_EQ(decodeSmallFloat(DType::f8e5m2, encodeSmallFloat(DType::f8e5m2, -1e9, true)), -57344);
  EXPECT_EQ(encodeSmallFloat(DType::f8e4m3fnuz, 1e9, false), 0x80);
  EXPECT_EQ(encodeSmallFloat(DType::f8e5m2fnuz, -0.0, true), 0);
  EXPECT_EQ(decodeSmallFloat(DType::f4e2m1, encodeSmallFloat(DType::f4e2m1, 5, true)), 4); // tie to even
  EXPECT_EQ(decodeSmallFloat(DType::f4e2m1, encodeSmallFloat(DType::f4e2m1, 100, true)), 6);
  EXPECT_EQ(decodeSmallFloat(DType::f8e8m0, encodeSmallFloat(DType::f8e8m0, 3, true)), 4);
}
