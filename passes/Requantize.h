//===- Requantize.h - Scales before what follows a product ------*- C++ -*-===//
//
// What is quantised after a product is scaled before the ops in between, whose constants take the factor:
//
//   quantize (max (add (mul %acc, a), b), 0), s, z  =>  quantize (max (add (mul %acc, a/s), b/s), 0), 1, z
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_REQUANTIZE_H
#define OPTC_PASSES_REQUANTIZE_H

#include "ir/Dialect.h"

namespace optc {

/// Divides what the op rounds by its scale further up: at the product of integers that it follows through elementwise ops and
/// reshapes, and in their constants. Leaves ops that follow no product, or have no constant scale, alone.
void scaleBeforeRounding(QuantizeOp op);

} // namespace optc

#endif // OPTC_PASSES_REQUANTIZE_H
