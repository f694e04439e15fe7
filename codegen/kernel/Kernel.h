//===- Kernel.h - Kernels as the plan sees them -----------------*- C++ -*-===//
//
// An `optc.kernel` op becomes one step. What the plan needs of it does not depend on the target:
// the number of tiles, the scratch a worker needs, the work. How the code is emitted is the
// business of codegen/cpu and codegen/gpu.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_KERNEL_H
#define OPTC_CODEGEN_KERNEL_KERNEL_H

#include "ir/Shape.h"

namespace optc {

/// Elements in a tile of a "loops" kernel whose result has one dim.
constexpr int64_t kLoopChunk = 4096;

struct KernelSchedule {
  /// Independent pieces; the same on every level of a target, so that results do not depend on it.
  DimExpr tiles = 1;
  /// Bytes of scratch that a worker needs (64-byte aligned).
  DimExpr scratchBytes = 0;
  /// Floating-point operations, 2 per multiply-add.
  DimExpr flops = 0;
};

KernelSchedule scheduleOf(KernelOp kernel);

/// Attribute of a kernel: for each result the operand whose memory it takes, or -1 (the pass reuse-in-place).
constexpr const char *kInPlace = "optc.in_place";
/// That operand, or nullopt.
std::optional<unsigned> inPlaceOperand(KernelOp kernel, unsigned result);

/// The kernel in canonical form: symbols renamed s0, s1, ... ($s0 where they begin with $) in order of appearance, no
/// locations. Equal text,
/// equal code: it is the key for sharing kernels and what a worker parses in its own context.
struct CanonicalKernel {
  std::string text;
  /// The kernel's registers: the enclosing plan's symbol for s0, s1, ...
  llvm::SmallVector<std::string> symbols;
  /// Of the text: 16 hex digits.
  std::string hash() const;
};
CanonicalKernel canonicalize(KernelOp kernel);

/// A tensor's type for people: 128x(n)xbf16.
std::string tensorText(mlir::Type type);

/// Symbols of a canonical kernel in the order of its registers.
llvm::SmallVector<std::string> registerSymbols(KernelOp canonical);

/// Symbols of a kernel's types and attributes, in order of appearance: its registers.
llvm::SmallVector<std::string> kernelSymbols(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_KERNEL_H
