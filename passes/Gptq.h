//===- Gptq.h - Rounding weights by what their inputs are -------*- C++ -*-===//
//
// Rounding to the nearest code makes the error of a product's weights small; what counts is the error of its results,
//
//   |X W - X Q|^2 = sum over columns of e^T H e,   e = w - q,   H = X^T X
//
// With H = L D L^T it is sum over i of d[i] * (e[i] + sum over j > i of L[j][i] * e[j])^2: from the last row to the first, each weight
// takes up what the rows before it left over, and is then rounded to the nearest.
//
// Sources: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers" (2022);
// Chee et al., "QuIP: 2-Bit Quantization of Large Language Models With Guarantees" (2023), which has the same rounding in this
// form (LDLQ), without an inverse.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_GPTQ_H
#define OPTC_PASSES_GPTQ_H

#include "passes/BlockQuantization.h"

namespace optc {

/// The factors of H [k, k], damped by a share of its mean diagonal: so that they exist, and so that weights do not take up what only
/// these samples have. Rows are in the order in which weights are
/// rounded, the last first: blocks of `block` by how much their inputs are (act-order), the largest last, and so within a block.
class InputFactors {
public:
  /// nullopt when H is not finite.
  static std::optional<InputFactors> of(llvm::ArrayRef<float> hessian, int64_t k, int64_t block, unsigned threads, double share = 0.01);

  int64_t size() const { return int64_t(order.size()); }
  /// Row of W that is at a place.
  std::vector<int64_t> order;
  /// Places where blocks begin, and the last one's end.
  std::vector<int64_t> begins;
  double damping = 0; // on the diagonal
  std::vector<float> d;     // [k]
  std::vector<float> lower; // L [k][k]
};

/// The share of damping with which weights that are rounded by one half of the samples do best on the other half, tried on a few columns.
double chooseDamping(llvm::ArrayRef<float> w, int64_t k, int64_t n, llvm::ArrayRef<float> fitted, llvm::ArrayRef<float> others, int64_t bits,
                     int64_t block, unsigned threads);

struct GptqResult {
  BlockCodes codes;
  /// 10 * log10(|X W|^2 / |X W - X Q|^2) over the inputs.
  double decibels;
};

/// w [k, n] as quantizeBlocks has it, rounded this way. nullopt when a value is not finite.
std::optional<GptqResult> roundByInputs(llvm::ArrayRef<float> w, int64_t n, const InputFactors &factors, int64_t bits, int64_t block,
                                        unsigned threads);

} // namespace optc

#endif // OPTC_PASSES_GPTQ_H
