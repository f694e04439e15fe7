//===- WeightFormats.h - What weights are rounded to ------------*- C++ -*-===//
//
//   bf16, f16   each weight by itself
//   f8          f8E4M3FN with a scale for each column: its largest value is the format's
//   int8, int4  integers with a scale for each block of a column (BlockQuantization.h)
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_WEIGHTFORMATS_H
#define OPTC_PASSES_WEIGHTFORMATS_H

#include "passes/BlockQuantization.h"

namespace optc {

/// Smaller matrices are not worth it: elements, and elements along the contracted dim.
constexpr int64_t kMinCompressed = 4096, kMinCompressedK = 8;

struct WeightFormat {
  /// int4, int8, bf16, f16 or f8.
  std::string name;
  /// Weights that share a scale; 0: the format's own number.
  int64_t block = 0;

  bool isInteger() const { return name == "int4" || name == "int8"; }
  bool isKnown() const { return isInteger() || name == "bf16" || name == "f16" || name == "f8"; }
  int64_t bits() const { return name == "int4" ? 4 : 8; }
  /// Of integers.
  int64_t blockSize() const { return block ? block : bits() == 4 ? 32 : 128; }
};

/// The bits of each value; nullopt when one is not finite or too large.
std::optional<std::vector<uint16_t>> toHalves(llvm::ArrayRef<float> w, const WeightFormat &format);

struct Float8Codes {
  std::vector<uint8_t> bits;  // [k][n]
  std::vector<float> scales;  // [n]
};
/// nullopt when a value of w [k, n] is not finite.
std::optional<Float8Codes> toFloat8(llvm::ArrayRef<float> w, int64_t k, int64_t n);

/// 10 * log10(signal / noise) of a rounded matrix.
double signalToNoise(llvm::ArrayRef<float> w, const Float8Codes &codes);

/// w [k, n] as it is after it was stored in the format; nullopt where that does not hold it.
std::optional<std::vector<float>> roundedWeights(llvm::ArrayRef<float> w, int64_t k, int64_t n, const WeightFormat &format);

} // namespace optc

#endif // OPTC_PASSES_WEIGHTFORMATS_H
