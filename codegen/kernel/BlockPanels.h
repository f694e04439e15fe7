//===- BlockPanels.h - Weights without blocks of zeros ----------*- C++ -*-===//
//
// A constant right operand [k, n] of f32 in which whole rows of panels (16 columns of one k) are 0:
//
//   blocks   [N/16][count][16]: the rows of a panel that are stored
//   rows     [N/16][count] of i32: panel * K + k of each, ascending
//
// Every panel stores as many as the fullest has: the rest are rows of zeros. Products go through the list, so that what is
// not stored is not multiplied. It is unpacked by an ordinary op, which scatters the rows into zeros.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_BLOCKPANELS_H
#define OPTC_CODEGEN_KERNEL_BLOCKPANELS_H

#include "ir/Shape.h"

namespace optc {

struct BlockPanels {
  mlir::Value blocks, rows;
  int64_t k = 0, n = 0;
  /// k's that are stored of a panel.
  int64_t count() const { return *dimsOf(rows)[1].constant(); }
  int64_t bytes() const { return tensorOf(rows).getNumElements() * int64_t(17 * sizeof(float)); }
};

/// k's of the fullest panel of w [k, n] that are not 0; at least 1.
int64_t blockCount(llvm::ArrayRef<float> w, int64_t k, int64_t n);
BlockPanels packBlocks(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<float> w, int64_t k, int64_t n);
/// The matrix [k, n].
mlir::Value unpackBlocks(mlir::OpBuilder &b, mlir::Location loc, const BlockPanels &panels);
/// Reads unpackBlocks back, also as a filter [taps..., channels, n] of it; nullopt when the value is something else.
std::optional<BlockPanels> readBlocks(mlir::Value matrix);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_BLOCKPANELS_H
