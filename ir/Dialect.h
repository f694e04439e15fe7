//===- Dialect.h - The optc dialect -----------------------------*- C++ -*-===//
//
// Declares the dialect, its types, attributes and ops (generated from Ops.td).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_IR_DIALECT_H
#define OPTC_IR_DIALECT_H

#include "ir/DimExpr.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace optc {
/// Marks ops that compute each result element from the operands' elements at the same position.
template <typename ConcreteType>
class Elementwise : public mlir::OpTrait::TraitBase<ConcreteType, Elementwise> {};

/// See Shape.h.
bool compatibleTypes(mlir::TypeRange inferred, mlir::TypeRange actual);
} // namespace optc

#include "ir/dialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "ir/typedef.h.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/attrdef.h.inc"
#define GET_OP_CLASSES
#include "ir/op.h.inc"

#endif // OPTC_IR_DIALECT_H
