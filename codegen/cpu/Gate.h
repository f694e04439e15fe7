//===- Gate.h - Sigmoid and tanh of gates -----------------------*- C++ -*-===//
//
// A step of a recurrent layer is short, and its functions are a tenth of it or more. Gates are multiplied
// with states of about 1, so what counts is the absolute error: a few 1e-8 here, without the cases at the
// ends of the range that the functions of Math.h take care of. Other activations are those of
// codegen/kernel/Activation.h.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_GATE_H
#define OPTC_CODEGEN_CPU_GATE_H

#include "codegen/kernel/Activation.h"

namespace optc {

/// f(x) of an f32 vector.
mlir::Value buildGate(mlir::OpBuilder &b, mlir::Location loc, const Activation &f, mlir::Value x);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_GATE_H
