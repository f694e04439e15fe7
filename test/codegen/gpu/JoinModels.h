//===- JoinModels.h - Many models as one ------------------------*- C++ -*-===//
#ifndef OPTC_TEST_CODEGEN_GPU_JOINMODELS_H
#define OPTC_TEST_CODEGEN_GPU_JOINMODELS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace optc {

/// A function, and the element types that stand for T in it.
struct Model {
  const char *elements;
  const char *text;
};

/// The arguments, ops and results of each function in turn. `rows`: in place of every size that is written as
/// R and a number; 0: that number.
mlir::OwningOpRef<mlir::ModuleOp> joinModels(llvm::ArrayRef<Model> models, mlir::MLIRContext &context,
                                             int64_t rows = 0);

} // namespace optc

#endif // OPTC_TEST_CODEGEN_GPU_JOINMODELS_H
