//===- Math.h - Elementary functions as polynomials -------------*- C++ -*-===//
//
// Replaces `math` ops on f32 scalars and vectors by arithmetic, so that no call to libm is left in a
// kernel. exp and erf are our own polynomials (1 and 6 ulp); the others are MLIR's.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_MATH_H
#define OPTC_CODEGEN_CPU_MATH_H

#include <memory>

namespace mlir {
class Pass;
}

namespace optc {
std::unique_ptr<mlir::Pass> createExpandMathPass();
} // namespace optc

#endif // OPTC_CODEGEN_CPU_MATH_H
