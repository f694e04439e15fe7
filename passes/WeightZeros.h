//===- WeightZeros.h - Weights without their zeros --------------*- C++ -*-===//
#ifndef OPTC_PASSES_WEIGHTZEROS_H
#define OPTC_PASSES_WEIGHTZEROS_H

#include "codegen/kernel/BlockPanels.h"
#include "codegen/kernel/SparseCodes.h"
#include "codegen/kernel/SparsePanels.h"
#include "codegen/kernel/SparseRows.h"
#include "passes/StoredWeights.h"
#include "passes/WeightFormats.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

/// A matrix without its zeros, in one form or none.
struct SparseWeights {
  std::optional<SparsePanels> panels;
  std::optional<BlockPanels> blocks;
};

/// What the matrix of a product or convolution is stored as, where many of its elements are 0: in blocks, which gain with any number of
/// rows, or one by one, which few rows gain by. What was found, and why it is of no use, is noted (ir/PrecisionNotes.h).
SparseWeights withoutZeros(mlir::OpBuilder &b, mlir::func::FuncOp function, Matrix matrix, mlir::Operation *user, const WeightFormat &format);

/// For a GPU: the matrix of a product of f16 or bf16, which is widened to f32, where two of four are 0; nullopt where it stays dense, and why is noted.
std::optional<SparseRows> withoutTwoOfFour(mlir::OpBuilder &b, mlir::func::FuncOp function, Matrix matrix, ContractOp user);

/// How every CPU of the artefact spreads codes in registers.
struct CodeSpreading {
  bool masks, twoOfFour;
};

/// The same of the 8-bit weights `codes` of a product or convolution of bytes, which `panels` are packed of (PackedWeights.h).
std::optional<SparseCodes> withoutZeroCodes(mlir::OpBuilder &b, mlir::func::FuncOp function, mlir::Value codes, mlir::Value panels, mlir::Operation *user,
                                            CodeSpreading spreading);

} // namespace optc

#endif // OPTC_PASSES_WEIGHTZEROS_H
