//===- Math.h - Elementary functions as polynomials -------------*- C++ -*-===//
//
// Replaces `math` ops on f32 scalars and vectors by arithmetic, so that no call to libm is left in a
// kernel (Exponential.cpp, Trigonometric.cpp).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_MATH_H
#define OPTC_CODEGEN_CPU_MATH_H

#include <memory>

namespace mlir {
class Pass;
}

namespace optc {
/// Without `hasFma` (the level lacks FMA3) math.fma and vector.fma become a product and a sum.
std::unique_ptr<mlir::Pass> createExpandMathPass(bool hasFma);
} // namespace optc

#endif // OPTC_CODEGEN_CPU_MATH_H
