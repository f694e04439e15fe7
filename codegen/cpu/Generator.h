//===- Generator.h - Code generators by kernel kind -------------*- C++ -*-===//
//
// A generator emits the function of one kernel: int32 name(OptcArgs *, int64 begin, int64 end),
// which computes tiles [begin, end). Adding one: a file, a line in Generator.cpp, its kind in
// codegen/kernel/Schedule.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_GENERATOR_H
#define OPTC_CODEGEN_CPU_GENERATOR_H

#include "codegen/cpu/Target.h"
#include "ir/Dialect.h"

namespace optc {

/// Emits the kernel's function `symbol` into `module`.
mlir::LogicalResult generateKernel(KernelOp kernel, mlir::ModuleOp module, llvm::StringRef symbol, const CpuTarget &target);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_GENERATOR_H
