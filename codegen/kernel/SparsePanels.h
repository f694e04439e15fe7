//===- SparsePanels.h - Weights without their zeros -------------*- C++ -*-===//
//
// A constant right operand [k, n] of which many elements are 0, stored as MaskedValues.h has it: the values of a panel, f32, f16 or
// bf16, by k and column, and a mask of 16 bits for each k.
//
// -0 counts as 0: sums that begin with 0 are the same. Any pattern of zeros will do; 2 of 4 take as much as with positions of 2 bits.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_SPARSEPANELS_H
#define OPTC_CODEGEN_KERNEL_SPARSEPANELS_H

#include "codegen/kernel/MaskedValues.h"

namespace optc {

struct SparsePanels : MaskedValues {
  int64_t k = 0, n = 0;
};

/// How many elements of a matrix are not 0, and whether at most 2 are of each 4 of a column.
struct Sparsity {
  int64_t count = 0;
  bool isTwoOfFour = true;
};
Sparsity sparsityOf(llvm::ArrayRef<float> w, int64_t k, int64_t n);
/// Bytes of the panels, with `count` values of `valueBytes` bytes.
int64_t sparseBytes(int64_t k, int64_t n, int64_t count, int64_t valueBytes);

/// The panels of w [k, n]; `bits` are w's elements as f16 or bf16 `element`, or empty where it is f32.
SparsePanels packSparse(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<float> w, llvm::ArrayRef<uint16_t> bits, int64_t k, int64_t n,
                        mlir::Type element);
/// The matrix [k, n] of f32.
mlir::Value unpackSparse(mlir::OpBuilder &b, mlir::Location loc, const SparsePanels &panels);
/// Reads unpackSparse back; nullopt when the value is something else.
std::optional<SparsePanels> readSparse(mlir::Value matrix);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_SPARSEPANELS_H
