//===- Evaluate.h - Ops on host values --------------------------*- C++ -*-===//
//
// Ties each op to its reference function (runtime/reference): converts types, attributes and
// constants, calls the function. Constant folding, packaging of weights, differential tests and
// library steps all go through here.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_IR_EVAL_EVALUATE_H
#define OPTC_IR_EVAL_EVALUATE_H

#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "runtime/reference/Reference.h"

namespace optc {

/// The runtime's value, under a name that does not clash with mlir::Value.
using HostValue = Value;

/// none when the runtime has no such element type.
DType dtypeOf(mlir::Type element);
mlir::Type elementTypeOf(mlir::MLIRContext *context, DType type);

/// The mnemonic, or for `optc.library` the function's name.
llvm::StringRef referenceName(mlir::Operation *op);

/// The op's attributes for its reference function. `dims` turns the expressions of a DimsAttr into
/// integers or keeps them for run time (then it returns nullopt and the attribute is left out).
Attributes attributesOf(mlir::Operation *op,
                        llvm::function_ref<std::optional<std::vector<int64_t>>(llvm::StringRef, DimsAttr)> dims);

/// Operands in ODS order, null where an optional one is absent.
llvm::SmallVector<mlir::Value> referenceOperands(mlir::Operation *op);

/// A constant's elements; a view of the attribute's own memory where the layout is the same.
mlir::FailureOr<HostValue> valueOf(mlir::ElementsAttr elements);
/// The attribute of a host tensor: dense up to 1 KB, else a resource that owns the bytes.
mlir::ElementsAttr elementsOf(const HostValue &value, mlir::RankedTensorType type);

/// Runs an op on host values. Symbols of its types must be bound in `symbols` or be determined by the op.
Status evaluate(mlir::Operation *op, llvm::ArrayRef<const HostValue *> inputs, llvm::SmallVectorImpl<HostValue> &outputs,
                const llvm::StringMap<int64_t> &symbols = {});

/// Evaluates a weight; the result may be a view of a constant's memory. Intermediate results are kept in `cache` while it lives. A failure is no error by itself: what it was is for
/// `problem`, with the node.
mlir::FailureOr<HostValue> evaluateWeight(mlir::Value value, llvm::DenseMap<mlir::Value, HostValue> &cache, std::string *problem = nullptr);

} // namespace optc

#endif // OPTC_IR_EVAL_EVALUATE_H
