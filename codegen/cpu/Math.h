//===- Math.h - Elementary functions as polynomials -------------*- C++ -*-===//
//
// Replaces `math` ops on f32 scalars and vectors by arithmetic, so that no call to libm is left in a
// kernel (Exponential.cpp, Trigonometric.cpp).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_MATH_H
#define OPTC_CODEGEN_CPU_MATH_H

#include <cstdint>
#include <memory>

namespace mlir {
class Pass;
}

namespace optc {
/// `features`: OptcCpuFeature bits; what the level lacks is made of other instructions (OlderLevels.cpp).
std::unique_ptr<mlir::Pass> createExpandMathPass(uint64_t features);
} // namespace optc

#endif // OPTC_CODEGEN_CPU_MATH_H
