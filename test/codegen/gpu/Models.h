//===- Models.h - Models whose kernels are tried ----------------*- C++ -*-===//
//
// Functions in the dialect, for several element types each, joined into one.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_GPU_MODELS_H
#define OPTC_TEST_CODEGEN_GPU_MODELS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace optc {

/// Every way of mapping a kernel to threads, in small sizes; the symbol n is any size.
mlir::OwningOpRef<mlir::ModuleOp> smallModels(mlir::MLIRContext &context);
/// What the library of sorts, scans and scatters computes.
mlir::OwningOpRef<mlir::ModuleOp> smallLibrary(mlir::MLIRContext &context);
/// Recurrent layers in all their forms; the symbol n is the number of steps or of rows.
mlir::OwningOpRef<mlir::ModuleOp> smallRecurrent(mlir::MLIRContext &context);
/// Sizes that fill a GPU, to be measured.
mlir::OwningOpRef<mlir::ModuleOp> largeModels(mlir::MLIRContext &context);
/// Every way of multiplying matrices; the symbol n is any size.
mlir::OwningOpRef<mlir::ModuleOp> smallProducts(mlir::MLIRContext &context);
/// Products whose k's are cut into slices (ProductTiling.h).
mlir::OwningOpRef<mlir::ModuleOp> smallSplits(mlir::MLIRContext &context);
/// A product of n rows and many terms, n any number.
mlir::OwningOpRef<mlir::ModuleOp> anyRows(mlir::MLIRContext &context);
/// A convolution of several tiles and many steps; the symbol n is the number of images.
mlir::OwningOpRef<mlir::ModuleOp> wideConvolution(mlir::MLIRContext &context);
/// Attention whose keys are; the symbol n is how many they are.
mlir::OwningOpRef<mlir::ModuleOp> smallDecoding(mlir::MLIRContext &context);
/// Attention in what sm_90 has kernels for.
mlir::OwningOpRef<mlir::ModuleOp> smallAttention(mlir::MLIRContext &context);
/// Matrix products to be measured. `rows`: in place of their own numbers of rows; 0: those.
mlir::OwningOpRef<mlir::ModuleOp> productModels(mlir::MLIRContext &context, int64_t rows = 0);
/// The same of attention: rows of queries.
mlir::OwningOpRef<mlir::ModuleOp> attentionModels(mlir::MLIRContext &context, int64_t rows = 0);

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_MODELS_H
