//===- PrecisionNotes.h - What was lowered, what was kept -------*- C++ -*-===//
//
// Passes that change the precision of a node's work note it on the function, where the report reads it:
//
//   optc.lowered = [{node = "conv1", precision = "int8"}], optc.kept = [{node = "conv2", reason = "..."}]
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_IR_PRECISIONNOTES_H
#define OPTC_IR_PRECISIONNOTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace optc {

inline constexpr llvm::StringLiteral kLoweredNodes = "optc.lowered", kKeptNodes = "optc.kept";

void noteLowered(mlir::Operation *function, mlir::Operation *op, llvm::StringRef precision);
void noteKept(mlir::Operation *function, mlir::Operation *op, llvm::StringRef reason);

/// A note as (node, precision or reason).
using PrecisionNote = std::pair<std::string, std::string>;
llvm::SmallVector<PrecisionNote> loweredNodes(mlir::Operation *function);
llvm::SmallVector<PrecisionNote> keptNodes(mlir::Operation *function);

} // namespace optc

#endif // OPTC_IR_PRECISIONNOTES_H
