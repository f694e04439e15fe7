//===- Observe.h - Taps over samples ----------------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_OBSERVE_H
#define OPTC_TOOLS_COMPILER_OBSERVE_H

#include "tools/compiler/Calibrate.h"
#include "tools/compiler/Taps.h"
#include "tools/compiler/TensorSets.h"
#include "runtime/reference/Value.h"

namespace optc {

/// Compiles the module with the taps as further outputs and runs it over all sets; `visit` takes each tap's value of each
/// set, and ends it by an error. `what` is for the user. `passes` goes through all sets so many times.
Error observe(mlir::ModuleOp module, llvm::ArrayRef<Tap> taps, const TensorSets &sets, unsigned jobs, const Progress &progress,
              const std::string &what, int passes,
              llvm::function_ref<Error(int pass, size_t set, size_t tap, const Value &value)> visit);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_OBSERVE_H
