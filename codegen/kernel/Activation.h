//===- Activation.h - The functions of a recurrent layer's gates -*- C++ -*-===//
//
// ONNX names eleven functions that LSTM, GRU and RNN apply to their gates and states. Each is built here in
// `arith` and `math`, on scalars and vectors alike, as ScalarBody.h does for ops. Those of ops of their own
// go through the same elementary functions.
//
// Source: https://onnx.ai/onnx/operators/onnx__LSTM.html ("activations").
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_ACTIVATION_H
#define OPTC_CODEGEN_KERNEL_ACTIVATION_H

#include "mlir/IR/Builders.h"

namespace optc {

/// A name of `optc.recurrent` (lower case) with its parameters.
struct Activation {
  llvm::StringRef name;
  double alpha = 0, beta = 0;
};

bool isActivation(llvm::StringRef name);
/// f(x) for a known name; x is an f32 scalar or vector.
mlir::Value buildActivation(mlir::OpBuilder &b, mlir::Location loc, const Activation &f, mlir::Value x);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_ACTIVATION_H
