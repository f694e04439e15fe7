//===- BlockQuantizationTest.cpp - Codes and scales of blocks -------------===//

#include "passes/BlockQuantization.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace optc;

namespace {

constexpr int64_t kRows = 64, kColumns = 21;

std::vector<float> weights(float factor) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> w(kRows * kColumns);
  for (float &x : w)
    x = normal(random) * factor;
  return w;
}

/// Neither squares of large weights nor those of small ones are floats.
TEST(BlockQuantization, TakesWeightsOfAnySize) {
  for (int64_t bits : {4, 8})
    for (float factor : {0x1p-90f, 0x1p-70f, 0x1p+70f, 0x1p+124f}) {
      std::vector<float> near = weights(1), far = weights(factor);
      auto expected = quantizeBlocks(near, kRows, kColumns, bits, 32), found = quantizeBlocks(far, kRows, kColumns, bits, 32);
      ASSERT_TRUE(expected && found);
      EXPECT_NEAR(signalToNoise(far, *found), signalToNoise(near, *expected), 0.3) << bits << " bits, weights times " << factor;
    }
}

TEST(BlockQuantization, RefusesWhatIsNotFinite) {
  for (float x : {INFINITY, -INFINITY, float(NAN)}) {
    std::vector<float> w = weights(1);
    w[100] = x;
    EXPECT_FALSE(quantizeBlocks(w, kRows, kColumns, 8, 32));
  }
}

TEST(BlockQuantization, ZerosHaveNoScale) {
  auto codes = quantizeBlocks(std::vector<float>(kRows * kColumns, 0.0f), kRows, kColumns, 4, 32);
  ASSERT_TRUE(codes);
  for (float scale : codes->scales)
    EXPECT_EQ(scale, 0);
  for (int8_t code : codes->codes)
    EXPECT_EQ(code, 0);
}

} // namespace
