//===- SparseCodes.h - 8-bit codes without zeros ----------------*- C++ -*-===//
//
// Panels [N/16][K/4][16][4] of 8-bit integers (PackedWeights.h), of which many are 0, stored as the others. A group is the four k's
// of 16 columns: 64 codes, which one vector of AVX-512 holds.
//
//   any pattern   MaskedValues.h with a row of 64 for each group: masks [N/16][K/4] of i64
//   2 of 4        values [N/16][K/32][8][16][2], two for each four k's of a column, flat, and two more;
//                 masks [N/16][K/32][16] of i32: bits 4j to 4j + 3 say which of the j-th group's four k's they are. Two bits are always
//                 set, so that the lowest three tell the six patterns apart
//
// Both take the same bytes for 2 of 4. The one needs an instruction that spreads bytes by a mask; the other only one that looks up
// 8 words, and knows without counting bits where values lie.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_SPARSECODES_H
#define OPTC_CODEGEN_KERNEL_SPARSECODES_H

#include "codegen/kernel/MaskedValues.h"

namespace optc {

struct SparseCodes : MaskedValues {
  /// Of the panels that they unpack to.
  int64_t panels = 0, groups = 0;

  bool isTwoOfFour() const { return !starts; }
  /// What a kernel is given: values, masks, starts if there are any.
  llvm::SmallVector<mlir::Value *, 3> operands();
};

/// What there is in panels of codes.
struct CodeCounts {
  int64_t count = 0; // not 0
  bool isTwoOfFour = true;
};
CodeCounts countCodes(llvm::ArrayRef<int8_t> panels);
/// Bytes in either form.
int64_t maskedBytes(int64_t panels, int64_t groups, int64_t count);
int64_t twoOfFourBytes(int64_t panels, int64_t groups);

/// The form of codes [panels][groups][16][4].
SparseCodes packMasked(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<int8_t> codes, int64_t panels, int64_t groups);
SparseCodes packTwoOfFour(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<int8_t> codes, int64_t panels, int64_t groups);
/// The panels again.
mlir::Value unpackSparseCodes(mlir::OpBuilder &b, mlir::Location loc, const SparseCodes &codes);
/// Reads unpackSparseCodes back, from its result or from a matrix or filter of these panels (PackedWeights.h); nullopt when it is
/// something else.
std::optional<SparseCodes> readSparseCodes(mlir::Value value);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_SPARSECODES_H
