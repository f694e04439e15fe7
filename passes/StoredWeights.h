//===- StoredWeights.h - What a model itself has in few bits ----*- C++ -*-===//
#ifndef OPTC_PASSES_STOREDWEIGHTS_H
#define OPTC_PASSES_STOREDWEIGHTS_H

#include "codegen/kernel/CompressedPanels.h"
#include "codegen/kernel/CompressedRows.h"
#include "ir/eval/Evaluate.h"

namespace optc {

/// A matrix as its user sees it: [k, n], or [n, k] where `turned`.
struct Matrix {
  mlir::Value value;
  bool turned;
};

/// Before transposes: a transposed table is the same table.
Matrix untransposed(Matrix matrix);

/// The value of `source` as the matrix has it: through the movement between them, as [k, n].
mlir::FailureOr<HostValue> evaluateAs(Matrix matrix, mlir::Value source, llvm::ArrayRef<mlir::Operation *> movement);

/// True for a dequantize or a cast, with transposes and reshapes after it.
bool isInFewBits(mlir::Value value);

/// The panels of a matrix that is a dequantize of 8 bits or fewer or a cast of 16 or 8, with transposes and reshapes after it;
/// nullopt for others, and where scales do not come in blocks.
std::optional<CompressedPanels> keptPanels(mlir::OpBuilder &b, Matrix matrix);
/// The same as a table with a row for each n; of floats of 8 bits where a row has one scale.
std::optional<CompressedRows> keptRows(mlir::OpBuilder &b, Matrix matrix);

} // namespace optc

#endif // OPTC_PASSES_STOREDWEIGHTS_H
