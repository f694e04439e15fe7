//===- CudaExpression.h - One op as a C++ expression ------------*- C++ -*-===//
//
// The pure ops that scalar bodies and index arithmetic are made of, as text with just the parentheses it
// needs.
//
//   arith.addf %x, %y            ->  x + y
//   arith.addi %x, %y (wraps)    ->  wrap_add(x, y)
//   math.erf %x : f32            ->  erff(x)
//
// Integers are signed in the text, whatever they stand for; ops that wrap or read them as unsigned say so.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_CUDAEXPRESSION_H
#define OPTC_CODEGEN_GPU_CUDAEXPRESSION_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Types.h"
#include <string>

namespace optc {

/// How strongly the outermost operator binds, as C++ has it.
enum class Binding {
  ternary,
  logicalOr,
  logicalAnd,
  bitOr,
  bitXor,
  bitAnd,
  equality,
  relation,
  shift,
  sum,
  product,
  unary,
  primary
};

struct CudaText {
  std::string text;
  Binding binding = Binding::primary;
  /// In parentheses unless it binds more strongly than `than`.
  std::string inside(Binding than) const { return binding > than ? text : "(" + text + ")"; }
};

/// "float", "Vec<f16, 8>".
std::string cudaType(mlir::Type type);
/// A literal of a scalar type. `typed`: its C++ type must be that of `type`, as in an argument of a template.
CudaText cudaConstant(mlir::Attribute value, mlir::Type type, bool typed);

/// True for the ops that cudaExpression knows.
bool isCudaExpression(mlir::Operation *op);
/// The op's value on scalars (of a lane, where the op's type is a vector). `operand(i, typed)` gives operand
/// i.
CudaText cudaExpression(mlir::Operation *op, llvm::function_ref<CudaText(unsigned i, bool typed)> operand);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_CUDAEXPRESSION_H
