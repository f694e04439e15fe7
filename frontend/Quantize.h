//===- Quantize.h - Quantise and dequantise as the operators spell it -*- C++ -*-===//
#ifndef OPTC_FRONTEND_QUANTIZE_H
#define OPTC_FRONTEND_QUANTIZE_H

#include "frontend/Node.h"

namespace optc {

/// `optc.dequantize` and `optc.quantize` with a scale and a zero point (null: none) that are one number, one a channel
/// along `axis`, or of x's rank with one a block of `block` elements along it (0: as its size says).
Value dequantize(Node &n, Value x, Value scale, Value zero, Type to, int64_t axis = 1, int64_t block = 0);
Value quantize(Node &n, Value x, Value scale, Value zero, Type to, int64_t axis = 1, int64_t block = 0,
               bool saturate = true);

} // namespace optc

#endif // OPTC_FRONTEND_QUANTIZE_H
