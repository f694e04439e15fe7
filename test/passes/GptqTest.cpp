//===- GptqTest.cpp - Rounding by what inputs are -------------------------===//

#include "passes/Accumulate.h"
#include "passes/Gptq.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace optc;

namespace {

struct Layer {
  int64_t rows, k, n;
  std::vector<float> x, w, moments;

  /// Inputs of `rank` directions and some noise.
  Layer(int64_t rows, int64_t k, int64_t n, int64_t rank, float noise, unsigned seed = 1) : rows(rows), k(k), n(n), x(rows * k), w(k * n), moments(k * k) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::mt19937 directions(7);
    std::vector<float> a(rank * k);
    for (float &v : a)
      v = normal(directions);
    for (float &v : w)
      v = normal(random);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < k; ++i)
        x[r * k + i] = noise * normal(random);
      for (int64_t m = 0; m < rank; ++m) {
        float z = normal(random);
        for (int64_t i = 0; i < k; ++i)
          x[r * k + i] += z * a[m * k + i];
      }
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < k; ++j)
          moments[i * k + j] += x[r * k + i] * x[r * k + j];
  }

  /// 10 * log10(|x w|^2 / |x (w - q)|^2)
  double decibels(const BlockCodes &codes) const {
    double signal = 0, noise = 0;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < n; ++j) {
        double y = 0, off = 0;
        for (int64_t i = 0; i < k; ++i) {
          y += double(x[r * k + i]) * w[i * n + j];
          off += double(x[r * k + i]) * (w[i * n + j] - valueOf(codes, i, j));
        }
        signal += y * y;
        noise += off * off;
      }
    return 10 * std::log10(signal / noise);
  }
};

} // namespace

/// Odd sizes, a last block of 6; several factors' panels.
TEST(Gptq, beatsRounding) {
  for (auto [k, n, block] : {std::tuple<int64_t, int64_t, int64_t>{70, 130, 32}, {150, 20, 64}, {40, 3, 128}}) {
    Layer layer(500, k, n, 8, 0.1f);
    auto factors = InputFactors::of(layer.moments, k, block, 1);
    ASSERT_TRUE(factors);
    auto nearest = quantizeBlocks(layer.w, k, n, 4, block);
    auto rounded = roundByInputs(layer.w, n, *factors, 4, block, 1);
    ASSERT_TRUE(nearest && rounded);
    EXPECT_GT(layer.decibels(rounded->codes), layer.decibels(*nearest) + 6) << k;
    EXPECT_NEAR(rounded->decibels, layer.decibels(rounded->codes), 0.1) << k;
    // Inputs it has not seen, of the same directions.
    Layer other(300, k, n, 8, 0.1f, 2);
    other.w = layer.w;
    EXPECT_GT(other.decibels(rounded->codes), other.decibels(*nearest) + 6) << k;
  }
}

/// Few samples without a pattern: what one half takes up is noise to the other. Many of a few directions hold.
TEST(Gptq, damping) {
  auto shareOf = [](int64_t rows, int64_t rank, float noise) {
    Layer first(rows, 96, 40, rank, noise), second(rows, 96, 40, rank, noise, 2);
    return chooseDamping(first.w, 96, 40, first.moments, second.moments, 4, 32, 2);
  };
  EXPECT_GE(shareOf(10, 1, 10), 1);
  EXPECT_LE(shareOf(500, 8, 0.1f), 0.1);
}

TEST(Gptq, threadsChangeNothing) {
  Layer layer(100, 200, 300, 4, 0.5f);
  auto one = InputFactors::of(layer.moments, 200, 32, 1), many = InputFactors::of(layer.moments, 200, 32, 3);
  ASSERT_TRUE(one && many);
  EXPECT_EQ(one->lower, many->lower);
  auto a = roundByInputs(layer.w, 300, *one, 4, 32, 1), b = roundByInputs(layer.w, 300, *many, 4, 32, 3);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->codes.codes, b->codes.codes);
  EXPECT_EQ(a->codes.scales, b->codes.scales);
}

/// Inputs that are all 0, or fewer than weights of a column: damping makes the factors exist.
TEST(Gptq, singularMoments) {
  for (int64_t rows : {0, 1}) {
    Layer layer(rows, 64, 16, 1, 0);
    auto factors = InputFactors::of(layer.moments, 64, 32, 1);
    ASSERT_TRUE(factors);
    auto rounded = roundByInputs(layer.w, 16, *factors, 8, 32, 1);
    ASSERT_TRUE(rounded);
    EXPECT_GT(signalToNoise(layer.w, rounded->codes), 30);
  }
}

TEST(Gptq, notFinite) {
  Layer layer(20, 64, 16, 1, 1);
  auto factors = InputFactors::of(layer.moments, 64, 32, 1);
  ASSERT_TRUE(factors);
  layer.w[5] = INFINITY;
  EXPECT_FALSE(roundByInputs(layer.w, 16, *factors, 4, 32, 1));
  layer.moments[0] = NAN;
  EXPECT_FALSE(InputFactors::of(layer.moments, 64, 32, 1));
}

/// Values that lie on one side of 0 get zero points in 4 bits, those around it do not.
TEST(BlockQuantization, zeroPoints) {
  Layer layer(1, 256, 16, 1, 0);
  EXPECT_TRUE(quantizeBlocks(layer.w, 256, 16, 4, 32)->zeros.empty());
  for (float &w : layer.w)
    w = std::abs(w) + 2;
  auto shifted = quantizeBlocks(layer.w, 256, 16, 4, 32);
  ASSERT_FALSE(shifted->zeros.empty());
  EXPECT_GT(signalToNoise(layer.w, *shifted), 30);
  EXPECT_TRUE(quantizeBlocks(layer.w, 256, 16, 8, 128)->zeros.empty());
}

TEST(Accumulate, everyTile) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int64_t rows : {0, 1, 5, 7, 13})
    for (int64_t columns : {16, 48, 64, 80, 144})
      for (int64_t depth : {0, 1, 9}) {
        std::vector<float> c(rows * columns), a(rows * (depth + 1)), b(depth * columns);
        for (auto *v : {&c, &a, &b})
          for (float &x : *v)
            x = normal(random);
        std::vector<float> expected = c;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t x = 0; x < columns; ++x)
            for (int64_t m = 0; m < depth; ++m)
              expected[r * columns + x] += a[r * (depth + 1) + m] * b[m * columns + x];
        accumulate(c.data(), columns, rows, columns, a.data(), depth + 1, 1, b.data(), columns, depth);
        for (size_t i = 0; i < c.size(); ++i)
          ASSERT_NEAR(c[i], expected[i], 1e-5);
      }
}
