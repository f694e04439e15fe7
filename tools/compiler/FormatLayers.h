//===- FormatLayers.h - What a format of weights lowers ---------*- C++ -*-===//
//
// Layers as the guard sees them under --bf16, --fp16, --fp8, --weights-int8 and --int4: a matrix that compress-weights would lower with
// all ops that read it, and, where bf16 is arithmetic (insert-rounding), convolutions and attention. To find those that a
// format hurts, one compiled model has to show many choices of layers; a further input of the model, a bool, chooses for each:
//
//   y = contract x, w  =>  y = select switch:3, (contract x, (w as the format has it)), (contract x, w)
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_FORMATLAYERS_H
#define OPTC_TOOLS_COMPILER_FORMATLAYERS_H

#include "ir/Dialect.h"
#include "passes/WeightFormats.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

/// What goes back to f32 together.
struct FormatLayer {
  /// Before transposes; none of convolutions and attention that have several operands rounded.
  mlir::Value weight;
  llvm::SmallVector<mlir::Operation *> ops;
};

/// In the order of the model, branches and loops included, without what is kept in f32 (kKeepFloat). `function` is as after
/// recognition (passes/Pipelines.h); `bfloat`: bf16 is arithmetic.
llvm::SmallVector<FormatLayer> formatLayers(mlir::func::FuncOp function, bool bfloat);

/// How a layer's values are rounded.
struct Rounder {
  const WeightFormat &format;
  /// Both operands of a product become bf16.
  bool bfloat = false;
  /// In place of the nearest: of a table [k, n], or [n, k] where it is turned.
  const BlockCodes *codes = nullptr;
  bool isTurned = false;
};
/// Computes the ops both ways, by `flag`. What does not fit the format stays as it is.
void switchFormat(llvm::ArrayRef<mlir::Operation *> ops, const Rounder &rounder, mlir::Value flag);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_FORMATLAYERS_H
