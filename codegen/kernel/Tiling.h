//===- Tiling.h - How a kernel's work is cut, where it was measured -*- C++ -*-===//
//
//   optc.kernel ... attributes {optc.tiling = {sm_90 = array<i64: 128, 64, 72>}}
//
// Without the attribute a kernel is cut as its generator estimates; with it as tools/compiler/Tune.h has found to be faster on such a machine. What the
// numbers are is the generator's to say: of GPUs codegen/gpu/ProductTiling.h, of CPUs, under the name `cpu`, ContractionKernel's panelsPerTile and
// rowsPerBlock. What cannot be has no effect.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_TILING_H
#define OPTC_CODEGEN_KERNEL_TILING_H

#include "ir/Dialect.h"

namespace optc {

using Tiling = llvm::SmallVector<int64_t, 3>;

constexpr const char *kCpuTiling = "cpu";

/// Empty: none is set.
llvm::ArrayRef<int64_t> tilingOf(KernelOp kernel, llvm::StringRef target);
/// Beside what the kernel has for other targets.
void setTiling(KernelOp kernel, llvm::StringRef target, llvm::ArrayRef<int64_t> tiling);

/// On a CPU, the usual one first; none where there is one way alone.
llvm::SmallVector<Tiling> cpuTilings(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_TILING_H
