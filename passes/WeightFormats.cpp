//===- WeightFormats.cpp - What weights are rounded to --------------------===//

#include "passes/WeightFormats.h"
#include "runtime/reference/Float.h"
#include <cmath>

using namespace mlir;
using namespace optc;

static constexpr float kLargestFloat8 = 448;

std::optional<std::vector<uint16_t>> optc::toHalves(ArrayRef<float> w, const WeightFormat &format) {
  bool isBFloat = format.name == "bf16";
  std::vector<uint16_t> bits;
  bits.reserve(w.size());
  for (float x : w) {
    uint16_t b = isBFloat ? encodeBFloat16(x) : encodeFloat16(x);
    // All ones: infinite, or not a number.
    if (uint16_t exponent = isBFloat ? 0x7f80 : 0x7c00; (b & exponent) == exponent)
      return std::nullopt;
    bits.push_back(b);
  }
  return bits;
}

std::optional<Float8Codes> optc::toFloat8(ArrayRef<float> w, int64_t k, int64_t n) {
  Float8Codes out;
  std::vector<float> most(n), inverse(n);
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < n; ++j) {
      if (!std::isfinite(w[i * n + j]))
        return std::nullopt;
      most[j] = std::max(most[j], std::abs(w[i * n + j]));
    }
  for (int64_t j = 0; j < n; ++j) {
    // Below that, 1 / scale is no number any more.
    float scale = most[j] < 1e-30f ? 0 : storedScale(most[j] / kLargestFloat8);
    out.scales.push_back(scale);
    inverse[j] = scale == 0 ? 0 : 1 / scale;
  }
  out.bits.reserve(w.size());
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < n; ++j)
      out.bits.push_back(encodeSmallFloat(DType::f8e4m3fn, double(w[i * n + j] * inverse[j]), /*saturate=*/true));
  return out;
}

static float float8Value(const Float8Codes &c, size_t i) { return float(decodeSmallFloat(DType::f8e4m3fn, c.bits[i])) * c.scales[i % c.scales.size()]; }

double optc::signalToNoise(ArrayRef<float> w, const Float8Codes &codes) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    double d = double(w[i]) - float8Value(codes, i);
    signal += double(w[i]) * w[i];
    noise += d * d;
  }
  return 10 * std::log10(signal / std::max(noise, 1e-300));
}

std::optional<std::vector<float>> optc::roundedWeights(ArrayRef<float> w, int64_t k, int64_t n, const WeightFormat &format) {
  std::vector<float> out(w.size());
  if (format.isInteger()) {
    auto codes = quantizeBlocks(w, k, n, format.bits(), format.blockSize());
    if (!codes)
      return std::nullopt;
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < n; ++j)
        out[i * n + j] = valueOf(*codes, i, j);
  } else if (format.name == "f8") {
    auto codes = toFloat8(w, k, n);
    if (!codes)
      return std::nullopt;
    for (int64_t i = 0; i < k * n; ++i)
      out[i] = float8Value(*codes, i);
  } else {
    auto bits = toHalves(w, format);
    if (!bits)
      return std::nullopt;
    for (size_t i = 0; i < bits->size(); ++i)
      out[i] = float(format.name == "bf16" ? decodeBFloat16((*bits)[i]) : decodeFloat16((*bits)[i]));
  }
  return out;
}
