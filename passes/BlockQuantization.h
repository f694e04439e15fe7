//===- BlockQuantization.h - Weights as integers and scales -----*- C++ -*-===//
#ifndef OPTC_PASSES_BLOCKQUANTIZATION_H
#define OPTC_PASSES_BLOCKQUANTIZATION_H

#include "codegen/kernel/CompressedPanels.h"

namespace optc {

/// Rounds a matrix w [k, n] to signed integers of `bits` bits (4 or 8) with a scale for each `block` k's of a column, without
/// zero points. The scale is the one of least squared error among some near the block's largest value over the largest code,
/// of either sign, as there is one code more below 0 than above. nullopt when a value is not finite.
std::optional<BlockCodes> quantizeBlocks(llvm::ArrayRef<float> w, int64_t k, int64_t n, int64_t bits, int64_t block);

/// 10 * log10(signal / noise) of a rounded matrix.
double signalToNoise(llvm::ArrayRef<float> w, const BlockCodes &codes);

} // namespace optc

#endif // OPTC_PASSES_BLOCKQUANTIZATION_H
