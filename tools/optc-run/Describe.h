//===- Describe.h - What a model is -----------------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_RUN_DESCRIBE_H
#define OPTC_TOOLS_RUN_DESCRIBE_H

#include "tools/optc-run/Options.h"

namespace optc {

/// Without flags: inputs, outputs, the code in use, steps, fallbacks, memory.
Error describe(const Options &options);
/// `--report`: the compiler's report as it is.
Error printReport(const Options &options);

} // namespace optc

#endif // OPTC_TOOLS_RUN_DESCRIBE_H
