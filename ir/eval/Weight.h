//===- Weight.h - What is known at compile time -----------------*- C++ -*-===//
#ifndef OPTC_IR_EVAL_WEIGHT_H
#define OPTC_IR_EVAL_WEIGHT_H

#include "mlir/IR/Value.h"
#include <optional>

namespace optc {

/// True for values that are known at compile time: constants, and pure ops on such values whose result is not larger
/// by more than 1 MB than what it is computed from (a widening of the element type aside). They are evaluated once,
/// when the artefact is packaged.
bool isWeight(mlir::Value value);

/// The number that all elements of a weight of 8-bit integers are; nullopt when they differ. Evaluates it.
std::optional<int64_t> uniformByte(mlir::Value weight);
/// True for a weight whose elements are all 0. Evaluates it.
bool isZeros(mlir::Value value);

} // namespace optc

#endif // OPTC_IR_EVAL_WEIGHT_H
