//===- BlockQuantization.h - Weights as integers and scales -----*- C++ -*-===//
#ifndef OPTC_PASSES_BLOCKQUANTIZATION_H
#define OPTC_PASSES_BLOCKQUANTIZATION_H

#include "codegen/kernel/CompressedPanels.h"

namespace optc {

/// A scale as it is stored: the nearest f16; the value itself where f16 has too few digits.
float storedScale(float value);

/// A block's code q stands for (q - zero) * scale.
struct BlockScale {
  float scale = 0; // 0 for a block of zeros
  int8_t zero = 0;
};

/// The scale of least error of one block: the sum of importance * (value - rounded)^2. Tried are some near the block's largest value
/// over the largest code, of either sign, as there is one code more below 0 than above; with `zeros`, near the distance of its
/// ends over all codes.
class BlockSearch {
public:
  BlockSearch(int64_t bits, bool zeros) : zeros(zeros), high(float((1 << (bits - 1)) - 1)), low(-high - 1) {}

  std::vector<float> values;
  std::vector<float> importance; // empty: all the same

  /// `error` is the sum's value.
  BlockScale best(double &error) const;
  float code(float x, BlockScale s) const;

private:
  float errorOf(BlockScale s) const;
  bool zeros;
  float high, low; // codes
};

/// Rounds a matrix w [k, n] to signed integers of `bits` bits (4 or 8) with a scale for each `block` k's of a column; in 4 bits with
/// zero points where these gain more than their bits do. nullopt when a value is not finite.
std::optional<BlockCodes> quantizeBlocks(llvm::ArrayRef<float> w, int64_t k, int64_t n, int64_t bits, int64_t block);

/// What a code stands for, at row i and column j.
inline float valueOf(const BlockCodes &c, int64_t i, int64_t j) {
  int64_t at = i / c.block * c.n + j;
  return float(c.codes[i * c.n + j] - (c.zeros.empty() ? 0 : c.zeros[at])) * c.scales[at];
}

/// 10 * log10(signal / noise) of a rounded matrix.
double signalToNoise(llvm::ArrayRef<float> w, const BlockCodes &codes);

} // namespace optc

#endif // OPTC_PASSES_BLOCKQUANTIZATION_H
