//===- Branches.h - Control flow that several families need -----*- C++ -*-===//
#ifndef OPTC_FRONTEND_BRANCHES_H
#define OPTC_FRONTEND_BRANCHES_H

#include "frontend/Node.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringSet.h"

namespace optc {

/// A builder at the end of a block whose region has no op yet (OpBuilder::atBlockEnd asks the op for its
/// context).
inline mlir::OpBuilder atEndOf(mlir::Block &block, mlir::MLIRContext *context) {
  mlir::OpBuilder builder(context);
  builder.setInsertionPointToEnd(&block);
  return builder;
}

/// The type of a value that has one of two types: dims that differ, or whose symbols are not in `visible`,
/// become `fresh(dim)`. A problem when the types cannot be one.
Type mergeTypes(Node &n, Type a, Type b, const llvm::StringSet<> &visible,
                llvm::function_ref<DimExpr(size_t)> fresh);

/// optc.if: fills a branch with ops and gives its values; nullopt when a node in it failed.
using Branch = llvm::function_ref<std::optional<Results>(mlir::Block &)>;
Results makeIf(Node &n, Value condition, Branch onTrue, Branch onFalse);

/// Calls `import` with the axes. Where they arrive at run time, makes a branch for every choice of axes:
///
///   ReduceSum(x[2,3], axes[1])  ⇒  if axes == 0 { reduce {axes = [0]} } else { reduce {axes = [1]} }
///
/// `isPossible` leaves out choices that would be wrong.
Results withAxes(
    Node &n, Value axes, int64_t rank, llvm::function_ref<Results(Node &, ArrayRef<int64_t>)> import,
    llvm::function_ref<bool(ArrayRef<int64_t>)> isPossible = [](ArrayRef<int64_t>) { return true; });

} // namespace optc

#endif // OPTC_FRONTEND_BRANCHES_H
