//===- ChannelScale.h - Factors along a dim of a weight ---------*- C++ -*-===//
//
// What FoldScales, EqualizeLayers and SmoothQuant share. The products are weight expressions.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_CHANNELSCALE_H
#define OPTC_PASSES_CHANNELSCALE_H

#include "ir/Dialect.h"
#include "passes/QuantizedTensors.h"
#include "mlir/IR/Builders.h"

namespace optc {

/// w * factor along dim `axis` of w; `factor` has that dim only, or one element.
mlir::Value scaleAlong(mlir::OpBuilder &b, mlir::Value w, mlir::Value factor, int64_t axis);

/// Whole powers of two, one a channel: products with them are exact, so that a factor and its inverse leave what f32
/// computes as it is to the bit.
using Exponents = llvm::SmallVector<int>;
/// Relative to the channel in the middle: a factor of all does nothing, and channels near it need none.
Exponents roundExponents(llvm::ArrayRef<double> exponents);
/// w * 2^(sign * exponent) along `axis`.
mlir::Value scaleAlong(mlir::OpBuilder &b, mlir::Value w, const Exponents &exponents, int sign, int64_t axis);
/// The parameter, which has one element a channel and dims of 1 else, times 2^(sign * exponent).
mlir::Value scaleParameter(mlir::OpBuilder &b, mlir::Value parameter, const Exponents &exponents, int sign);

/// The dim of a layer's weight that runs over the channels that it reads; -1: there is none.
int64_t weightInputAxis(const QuantizableLayer &layer);

/// The products that SmoothQuant may give a normalisation's factors to: all that reads it, or none.
llvm::SmallVector<QuantizableLayer> layersToSmooth(NormalizeOp op);

} // namespace optc

#endif // OPTC_PASSES_CHANNELSCALE_H
