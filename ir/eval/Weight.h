//===- Weight.h - What is known at compile time -----------------*- C++ -*-===//
#ifndef OPTC_IR_EVAL_WEIGHT_H
#define OPTC_IR_EVAL_WEIGHT_H

#include "mlir/IR/Value.h"

namespace optc {

/// True for values that are known at compile time: constants, and pure ops on such values whose result is not
/// larger than their operands by more than 1 MB. They are evaluated once, when the artefact is packaged.
bool isWeight(mlir::Value value);

} // namespace optc

#endif // OPTC_IR_EVAL_WEIGHT_H
