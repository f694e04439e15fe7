//===- BlockQuantization.cpp - Weights as integers and scales -------------===//

#include "passes/BlockQuantization.h"
#include <cmath>

using namespace mlir;
using namespace optc;

/// The nearest f16; the value itself where f16 has too few digits.
static float storedScale(float value) {
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

namespace {
/// One block of one column, gathered.
struct BlockSearch {
  std::vector<float> values;
  float low, high; // codes

  float code(float x, float inverse) const { return std::min(high, std::max(low, roundEven(x * inverse))); }

  float errorOf(float scale) const {
    float inverse = 1 / scale, sum = 0;
    for (float x : values) {
      float d = x - scale * code(x, inverse);
      sum += d * d;
    }
    return sum;
  }

  /// 0 for a block of zeros.
  float bestScale() const {
    float extreme = 0;
    for (float x : values)
      extreme = std::abs(x) > std::abs(extreme) ? x : extreme;
    // Below that, 1 / scale is no number any more.
    if (std::abs(extreme) < 1e-30f)
      return 0;
    // The extreme lands on the lowest code (or, turned, the highest), on one a little above it, or beyond: what it loses
    // the others gain.
    constexpr int kTries = 8;
    float best = 0, least = INFINITY;
    for (float reach : {low, high})
      for (int t = 0; t < kTries; ++t) {
        float scale = storedScale(extreme / (reach * (1 - float(t - 1) / 16)));
        float error = errorOf(scale);
        if (error < least) {
          least = error;
          best = scale;
        }
      }
    return best;
  }
};
} // namespace

std::optional<BlockCodes> optc::quantizeBlocks(ArrayRef<float> w, int64_t k, int64_t n, int64_t bits, int64_t block) {
  BlockCodes out;
  out.k = k;
  out.n = n;
  out.block = block;
  out.codes.resize(k * n);
  out.scales.resize(out.blocks() * n);
  // Columns side by side are gathered together: rows of w are long.
  constexpr int64_t kColumns = 16;
  std::vector<BlockSearch> searches(kColumns);
  for (int64_t b = 0; b < out.blocks(); ++b)
    for (int64_t first = 0; first < n; first += kColumns) {
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
        BlockSearch &search = searches[j];
        search.high = float((1 << (bits - 1)) - 1);
        search.low = -search.high - 1;
        float scale = search.bestScale();
        out.scales[b * n + first + j] = scale;
        for (int64_t i = begin; i < end; ++i)
          out.codes[i * n + first + j] = scale == 0 ? 0 : int8_t(search.code(search.values[i - begin], 1 / scale));
      }
    }
  return out;
}

double optc::signalToNoise(ArrayRef<float> w, const BlockCodes &codes) {
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < codes.k; ++i)
    for (int64_t j = 0; j < codes.n; ++j) {
      double x = w[i * codes.n + j], d = x - double(codes.codes[i * codes.n + j]) * codes.scales[i / codes.block * codes.n + j];
      signal += x * x;
      noise += d * d;
    }
  return 10 * std::log10(signal / std::max(noise, 1e-300));
}
