//===- MaskedValues.h - Values that are not zero, and masks -----*- C++ -*-===//
//
// Rows of a power of two of elements, of which many are 0, stored as the others and a bit for each element:
//
//   masks    [panels][rows] of i16 (rows of 16 elements) or i64 (of 64): bit j says that element j is there
//   values   in the order of panels, rows and elements; a row's more follow, so that vectors may be read anywhere
//   starts   [panels + 1] of i32: where a panel's values begin, and the last one's end
//
// They are unpacked by ordinary ops: the position of an element is its panel's start and the number of bits before it.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_MASKEDVALUES_H
#define OPTC_CODEGEN_KERNEL_MASKEDVALUES_H

#include "ir/Shape.h"

namespace optc {

struct MaskedValues {
  mlir::Value values, masks, starts;
};

/// [panels, rows, elements of a row] of the values' type.
mlir::Value unpackMasked(mlir::OpBuilder &b, mlir::Location loc, const MaskedValues &masked);
/// Reads unpackMasked back; nullopt when the value is something else.
std::optional<MaskedValues> readMasked(mlir::Value rows);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_MASKEDVALUES_H
