//===- KernelFormation.h - What the kernel-forming passes share -*- C++ -*-===//
#ifndef OPTC_PASSES_KERNELFORMATION_H
#define OPTC_PASSES_KERNELFORMATION_H

#include "ir/Dialect.h"
#include "mlir/IR/IRMapping.h"

namespace optc {

/// True when generated code can hold every operand and result: tensors of floats, integers and bools; of a GPU, of narrow types, too.
bool hasEmittableTypes(mlir::Operation *op, bool gpu = false);
/// A constant with one value: it is repeated inside kernels instead of being passed.
bool isSplatConstant(mlir::Value value);

/// Less work where it is used than to read its result from memory: it is computed there for every user.
bool isFree(mlir::Operation *op);

/// Builds a kernel of `ops` (in program order) before `position` and replaces the uses of `results`; the caller erases
/// `ops`. Operands from outside become arguments. `clone` makes a copy of each op in the body and maps its result.
KernelOp buildKernel(llvm::ArrayRef<mlir::Operation *> ops, llvm::ArrayRef<mlir::Value> results, llvm::StringRef kind,
                     mlir::Operation *position,
                     llvm::function_ref<void(mlir::OpBuilder &, mlir::Operation *, mlir::IRMapping &)> clone);

} // namespace optc

#endif // OPTC_PASSES_KERNELFORMATION_H
