//===- BlockQuantization.cpp - Weights as integers and scales -------------===//

#include "passes/BlockQuantization.h"
#include <cmath>

using namespace mlir;
using namespace optc;

float optc::storedScale(float value) {
  if (std::abs(value) < 0x1p-20f || std::abs(value) > 65504)
    return value;
  APFloat f(value);
  bool lossy;
  f.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven, &lossy);
  f.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &lossy);
  return f.convertToFloat();
}

/// Nearest integer, halves to even, of |x| < 2^22.
static float roundEven(float x) {
  constexpr float kMagic = 12582912.0f; // 1.5 * 2^23
  return (x + kMagic) - kMagic;
}

float BlockSearch::code(float x, BlockScale s) const {
  return s.scale == 0 ? 0 : std::min(high, std::max(low, roundEven(x * (1 / s.scale)) + float(s.zero)));
}

float BlockSearch::errorOf(BlockScale s) const {
  float inverse = 1 / s.scale, zero = s.zero, sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    float d = values[i] - s.scale * (std::min(high, std::max(low, roundEven(values[i] * inverse) + zero)) - zero);
    sum += (importance.empty() ? 1 : importance[i]) * d * d;
  }
  return sum;
}

BlockScale BlockSearch::best(double &error) const {
  float least = 0, most = 0;
  for (float x : values) {
    least = std::min(least, x);
    most = std::max(most, x);
  }
  float extreme = most > -least ? most : least;
  error = 0;
  // Below that, 1 / scale is no number any more.
  if (std::abs(extreme) < 1e-30f)
    return {};
  // Nor do squares of such values fit a float.
  if (std::abs(extreme) > 0x1p+50f || std::abs(extreme) < 0x1p-50f) {
    int exponent = std::ilogb(extreme);
    BlockSearch scaled(*this);
    for (float &x : scaled.values)
      x = std::ldexp(x, -exponent);
    BlockScale found = scaled.best(error);
    error = std::ldexp(error, 2 * exponent);
    found.scale = std::ldexp(found.scale, exponent);
    return found;
  }
  BlockScale best;
  float smallest = INFINITY;
  auto consider = [&](BlockScale s) {
    if (float e = errorOf(s); e < smallest) {
      smallest = e;
      best = s;
    }
  };
  constexpr int kTries = 8;
  // The extreme lands on the lowest code (or, turned, the highest), on one a little above it, or beyond: what it loses the
  // others gain.
  for (float reach : {low, high})
    for (int t = 0; t < kTries; ++t)
      consider({storedScale(extreme / (reach * (1 - float(t - 1) / 16))), 0});
  if (zeros)
    for (int t = 0; t < kTries; ++t) {
      float scale = storedScale((most - least) / ((high - low) * (1 - float(t - 1) / 16)));
      // What the ends lose they lose alike.
      float middle = std::round((low + high) / 2 - (least + most) / (2 * scale));
      for (float shift : {0.0f, -1.0f})
        consider({scale, int8_t(std::min(120.0f, std::max(-120.0f, middle + shift)))});
    }
  error = smallest;
  return best;
}

namespace {
struct Rounded {
  BlockCodes codes;
  double error = 0;
};
} // namespace

/// Of each `every`th group of columns; the others are left alone.
static std::optional<Rounded> roundBlocks(ArrayRef<float> w, int64_t k, int64_t n, int64_t bits, int64_t block, bool zeros, int64_t every = 1) {
  Rounded result;
  BlockCodes &out = result.codes;
  out.k = k;
  out.n = n;
  out.block = block;
  out.codes.resize(k * n);
  out.scales.resize(out.blocks() * n);
  out.zeros.resize(zeros ? out.scales.size() : 0);
  // Columns side by side are gathered together: rows of w are long.
  constexpr int64_t kColumns = 16;
  std::vector<BlockSearch> searches(kColumns, BlockSearch(bits, zeros));
  for (int64_t b = 0; b < out.blocks(); ++b)
    for (int64_t first = 0; first < n; first += kColumns * every) {
      int64_t begin = b * block, end = std::min(k, begin + block), width = std::min(kColumns, n - first);
      for (int64_t j = 0; j < width; ++j)
        searches[j].values.resize(end - begin);
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < width; ++j) {
          float x = w[i * n + first + j];
          if (!std::isfinite(x))
            return std::nullopt;
          searches[j].values[i - begin] = x;
        }
      for (int64_t j = 0; j < width; ++j) {
        double error;
        BlockScale s = searches[j].best(error);
        result.error += error;
        out.scales[b * n + first + j] = s.scale;
        if (zeros)
          out.zeros[b * n + first + j] = s.zero;
        for (int64_t i = begin; i < end; ++i)
          out.codes[i * n + first + j] = int8_t(searches[j].code(searches[j].values[i - begin], s));
      }
    }
  return result;
}

std::optional<BlockCodes> optc::quantizeBlocks(ArrayRef<float> w, int64_t k, int64_t n, int64_t bits, int64_t block) {
  bool zeros = false;
  if (bits == 4) {
    // Each bit of a weight is worth a factor of 4; a zero point takes 8 of them for a block. A part of the columns shows it.
    constexpr int64_t kEvery = 8;
    auto without = roundBlocks(w, k, n, bits, block, false, kEvery), with = roundBlocks(w, k, n, bits, block, true, kEvery);
    zeros = without && with && with->error * std::pow(4.0, 8.0 / double(std::min(k, block))) < without->error;
  }
  auto rounded = roundBlocks(w, k, n, bits, block, zeros);
  return rounded ? std::optional(std::move(rounded->codes)) : std::nullopt;
}

double optc::signalToNoise(ArrayRef<float> w, const BlockCodes &codes) {
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < codes.k; ++i)
    for (int64_t j = 0; j < codes.n; ++j) {
      double x = w[i * codes.n + j], d = x - double(valueOf(codes, i, j));
      signal += x * x;
      noise += d * d;
    }
  return 10 * std::log10(signal / std::max(noise, 1e-300));
}
