//===- StridedView.h - A tensor as strides into another ---------*- C++ -*-===//
//
// Transposes, slices and reshapes only rename the elements of what they move. Where that comes to one offset and one
// stride a dim, a kernel reads through them at no cost:
//
//   transpose (reshape %qkv : [b, s, 12, 64]) [0, 2, 1, 3]   ->   offset 0, strides [s*768, 64, 768, 1]
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_STRIDEDVIEW_H
#define OPTC_CODEGEN_KERNEL_STRIDEDVIEW_H

#include "ir/Shape.h"

namespace optc {

struct StridedView {
  /// What is viewed: dense, row-major.
  mlir::Value base;
  /// In elements: element [i0, i1, ...] of the view is base[offset + i0*strides[0] + i1*strides[1] + ...].
  DimExpr offset = 0;
  llvm::SmallVector<DimExpr> strides;

  /// Elements of the last dim lie side by side.
  bool isContiguous() const { return !strides.empty() && strides.back() == DimExpr(1); }
};

/// Strides of a dense tensor.
llvm::SmallVector<DimExpr> denseStrides(llvm::ArrayRef<DimExpr> dims);

/// True for the ops that a view may go through.
bool isMovement(mlir::Operation *op);
/// What a value comes from but for movement; null for an argument.
mlir::Operation *sourceOf(mlir::Value value);

/// What `value` is cast from in f16 or bf16 to f32, and in bf16 only; null when it is something else.
mlir::Value halfUnder(mlir::Value value);
mlir::Value bfloatUnder(mlir::Value value);
/// The same of what a GPU's tensor cores multiply: f16, bf16, e4m3.
mlir::Value smallFloatUnder(mlir::Value value);

/// `value` as a view of `base`, which it is made of by movement; nullopt where strides cannot say it.
std::optional<StridedView> viewOf(mlir::Value value, mlir::Value base);
/// The same for the furthest base that gives a view whose last dim is contiguous (at the least `value` itself).
StridedView furthestView(mlir::Value value);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_STRIDEDVIEW_H
