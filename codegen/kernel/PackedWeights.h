//===- PackedWeights.h - The right operand as panels ------------*- C++ -*-===//
//
// A constant right operand [k, n] is stored in the order in which kernels read it:
//
//   f32     [N/16][K][16]
//   bytes   [N/16][K/4][16][4]   K padded with zeros to paddedBytes(k)
//   bf16    [N/16][K/2][16][2]   the same of 2 k bytes
//
// Both directions are ordinary ops: packing is a weight expression, evaluated at compile time; a kernel's body unpacks,
// and generators read through that.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_PACKEDWEIGHTS_H
#define OPTC_CODEGEN_KERNEL_PACKEDWEIGHTS_H

#include "ir/Shape.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace optc {

/// A constant that owns its elements.
template <typename T>
mlir::Value packedConstant(mlir::OpBuilder &b, mlir::Location loc, const std::vector<T> &values, llvm::ArrayRef<int64_t> dims, mlir::Type element) {
  llvm::ArrayRef<char> bytes(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
  auto blob = mlir::HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, 64);
  return b.create<ConstantOp>(loc, mlir::DenseResourceElementsAttr::get(mlir::RankedTensorType::get(dims, element), "weight", std::move(blob)));
}

/// The first operand of what defines a value, if that is such an op; else null.
template <typename OpT> mlir::Value through(mlir::Value v) {
  auto op = v ? v.getDefiningOp<OpT>() : OpT();
  return op ? op->getOperand(0) : mlir::Value();
}

/// The panels of a matrix [k, n] of f32, bf16 or 8-bit integers with static dims.
mlir::Value packPanels(mlir::OpBuilder &b, mlir::Value matrix);
/// The matrix [k, n] of panels.
mlir::Value unpackPanels(mlir::OpBuilder &b, mlir::Location loc, mlir::Value panels, int64_t k, int64_t n);

/// For a GPU's instructions: the columns of a matrix [k, n] as rows [n, K], K padded with zeros to a multiple of 16 bytes.
mlir::Value packColumns(mlir::OpBuilder &b, mlir::Value matrix);
/// The matrix [k, n] of such rows.
mlir::Value unpackColumns(mlir::OpBuilder &b, mlir::Location loc, mlir::Value rows, int64_t k);

/// The panels of a convolution's weights, nhwc [kernel..., C, O], and these of the panels. Of narrow ones, the taps of a row of the
/// window take runBytes().
mlir::Value packFilter(mlir::OpBuilder &b, ConvOp conv, mlir::Value weights);
mlir::Value unpackFilter(mlir::OpBuilder &b, ConvOp conv, mlir::Value panels);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_PACKEDWEIGHTS_H
