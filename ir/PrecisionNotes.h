//===- PrecisionNotes.h - What was lowered, kept, merged --------*- C++ -*-===//
//
// What changes the precision of a node's work, or its weights, notes it on the function, where the report reads it:
//
//   optc.lowered = [{node = "conv1", precision = "int8"}], optc.kept = [{node = "conv2", reason = "..."}],
//   optc.sparse = [{node = "fc", found = "50.0 % zeros ..."}], optc.merged = [{node = "query", adapter = "..."}]
//   optc.float_regions = [{nodes = ["conv2", "conv3"], level = "avx2", f32 = 12.5, bytes = 14.0, conversions = 3.0}]    in us
//   optc.accuracy = {measure = "relative_l2", error = 0.001, allowed = 0.005, sets = 10, output = "y",
//                   outputs = [{name = "y", relative = 0.001, cosine = 0.9999, decibels = 60.0, max_absolute = 0.02, agreement = 0.99}]}
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_IR_PRECISIONNOTES_H
#define OPTC_IR_PRECISIONNOTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace optc {

inline constexpr llvm::StringLiteral kLoweredNodes = "optc.lowered", kKeptNodes = "optc.kept", kMergedNodes = "optc.merged",
                                     kSparseNodes = "optc.sparse", kFloatRegions = "optc.float_regions", kAccuracy = "optc.accuracy";

void noteLowered(mlir::Operation *function, mlir::Operation *op, llvm::StringRef precision);
void noteKept(mlir::Operation *function, mlir::Operation *op, llvm::StringRef reason);

void noteSparse(mlir::Operation *function, mlir::Operation *op, llvm::StringRef found);
void noteMerged(mlir::Operation *function, mlir::Operation *op, llvm::StringRef adapter);

/// A note as (node, precision, reason, what was found or adapter).
using PrecisionNote = std::pair<std::string, std::string>;
llvm::SmallVector<PrecisionNote> loweredNodes(mlir::Operation *function);
llvm::SmallVector<PrecisionNote> keptNodes(mlir::Operation *function);
llvm::SmallVector<PrecisionNote> sparseNodes(mlir::Operation *function);
llvm::SmallVector<PrecisionNote> mergedNodes(mlir::Operation *function);

/// Connected layers that 8 bits are estimated not to gain for, in microseconds on one core of a CPU level.
struct FloatRegionNote {
  llvm::SmallVector<std::string> nodes;
  std::string level;
  double f32, bytes, conversions; // conversions: part of bytes
};
/// `note` without nodes: they are those of `ops`.
void noteFloatRegion(mlir::Operation *function, llvm::ArrayRef<mlir::Operation *> ops, const FloatRegionNote &note);
llvm::SmallVector<FloatRegionNote> floatRegions(mlir::Operation *function);

/// One output over all golden sets (tools/tensors/OutputError.h); no agreement where a row has one element.
struct OutputAccuracy {
  std::string name;
  double relative, cosine, decibels, maxAbsolute;
  std::optional<double> agreement;
};
/// How far the model is from its golden sets (docs/quantization.md): `relative_l2`, at the worst output, or `metric_drop`,
/// of no output.
struct AccuracyNote {
  std::string measure;
  double error, allowed;
  int64_t sets;
  std::string output;
  llvm::SmallVector<OutputAccuracy, 1> outputs = {};
};
void noteAccuracy(mlir::Operation *function, const AccuracyNote &note);
std::optional<AccuracyNote> accuracyOf(mlir::Operation *function);

} // namespace optc

#endif // OPTC_IR_PRECISIONNOTES_H
