//===- CompressedPanels.h - Weights of few bits as panels -------*- C++ -*-===//
//
// A constant right operand [k, n] that is stored in fewer bits than it is computed in, in the order in which kernels read
// it. It is unpacked by ordinary ops, which the evaluator runs and generators read back:
//
//   16 bits   cast (words [N/16][K][16] of f16 or bf16)
//   8 bits    dequantize (words [N/16][K][16] of i8), scales, zeros; or of f8E4M3FN or f8E5M2, without zeros
//   4 bits    the same of codes (words [N/16][K/8][16] of i32 << 28 - 4j) >> 28: a word holds 8 k's of a column, the j-th in
//             bits 4j to 4j + 3, so that a vector of words is shifted into codes without crossing lanes
//   scales    [N/16][blocks][16] of f16 or f32, one for `block` k's of a column; zeros (may be absent) the same of i8
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_COMPRESSEDPANELS_H
#define OPTC_CODEGEN_KERNEL_COMPRESSEDPANELS_H

#include "ir/Shape.h"

namespace optc {

/// Rows up to which a kernel dequantises weights in registers; for more it unpacks them into scratch once.
constexpr int64_t kDirectRows = 6;

struct CompressedPanels {
  mlir::Value words;
  mlir::Value scales, zeros; // null where there are none
  int64_t k = 0, n = 0;
  /// k's of a scale: a multiple of 8, or all of rows().
  int64_t block = 0;

  int64_t perWord() const { return elementOf(words).isInteger(32) ? 8 : 1; }
  /// k's that the words hold: k, or more where they come 8 together.
  int64_t rows() const { return *dimsOf(words)[1].constant() * perWord(); }
  int64_t panels() const { return *dimsOf(words)[0].constant(); }
};

/// Integers with a scale a block: what is packed into panels of 8 or 4 bits.
struct BlockCodes {
  int64_t k = 0, n = 0, block = 0; // block: a multiple of 8, or at least k
  std::vector<int8_t> codes;       // [k][n]
  std::vector<float> scales;       // [blocks][n]
  std::vector<int8_t> zeros;       // the same, or empty
  int64_t blocks() const { return (k + block - 1) / block; }
};

/// The panels as constants: of 4 bits where all codes are in [-8, 7], scales in f16 where that holds them exactly.
CompressedPanels packCodes(mlir::OpBuilder &b, mlir::Location loc, const BlockCodes &codes);
/// The panels of a matrix [k, n] of f16 or bf16, given as its elements' bits.
CompressedPanels packHalves(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<uint16_t> bits, int64_t k, int64_t n, mlir::Type element);

/// The panels of a matrix [k, n] of floats of 8 bits, given as its elements' bits, none of them a NaN, and a scale [blocks][n] for each
/// `block` k's.
CompressedPanels packFloat8(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<uint8_t> bits, int64_t k, int64_t n, mlir::Type element,
                            const std::vector<float> &scales, int64_t block);

/// Scales as a constant: of f16 where that holds them exactly, else of f32.
mlir::Value packScales(mlir::OpBuilder &b, mlir::Location loc, const std::vector<float> &scales, llvm::ArrayRef<int64_t> dims);

/// The matrix [k, n] of f32.
mlir::Value unpackCompressed(mlir::OpBuilder &b, mlir::Location loc, const CompressedPanels &panels);
/// Reads unpackCompressed back; nullopt when the value is something else.
std::optional<CompressedPanels> readCompressed(mlir::Value matrix);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_COMPRESSEDPANELS_H
