//===- ConstantMask.h - What a constant mask hides --------------*- C++ -*-===//
#ifndef OPTC_PASSES_CONSTANTMASK_H
#define OPTC_PASSES_CONSTANTMASK_H

#include "ir/Shape.h"

namespace optc {

/// What is added to scores [.., S, T]: nothing at all, what hides the keys after each query (the last query sees all), or something else.
enum class MaskKind { none, causal, other };

/// Masks that are not constant, or large, are `other`.
MaskKind kindOfMask(mlir::Value mask, const DimExpr &queries, const DimExpr &keys);

} // namespace optc

#endif // OPTC_PASSES_CONSTANTMASK_H
