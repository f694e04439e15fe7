//===- Interleave.h - Chains of ops that take turns -------------*- C++ -*-===//
//
// A CPU starts ops out of order within a window of some hundred of them. Where each result takes twenty dependent ops, only a
// few results fit in it when one is written after the other, and the units wait for each other's latency. Ops of independent
// results that take turns keep the units busy.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_INTERLEAVE_H
#define OPTC_CODEGEN_CPU_INTERLEAVE_H

#include "codegen/kernel/KernelEmitter.h"

namespace optc {

/// Chains that hide the latency of four cycles on two units.
constexpr int64_t kInterleavedChains = 8;

/// Emits pieces 0 .. count-1 and lets their ops take turns. Pieces may use values of earlier ones, but must not read memory that
/// another piece writes.
void interleave(KernelEmitter &f, int64_t count, llvm::function_ref<void(int64_t)> piece);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_INTERLEAVE_H
