//===- Compare.h - Outputs against expected ones ----------------*- C++ -*-===//
#ifndef OPTC_TOOLS_RUN_COMPARE_H
#define OPTC_TOOLS_RUN_COMPARE_H

#include "tools/optc-run/Runner.h"
#include "tools/tensors/OutputError.h"

namespace optc {

/// Runs --outputs and --expected: prints a table, or JSON.
Error runOnce(const Options &options);

} // namespace optc

#endif // OPTC_TOOLS_RUN_COMPARE_H
