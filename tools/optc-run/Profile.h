//===- Profile.h - Time by step ---------------------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_RUN_PROFILE_H
#define OPTC_TOOLS_RUN_PROFILE_H

#include "tools/optc-run/Options.h"

namespace optc {

/// `--profile=FILE`: a table on stdout, slowest step first, and a Chrome trace (chrome://tracing, Perfetto)
/// of an average run in FILE.
Error runProfile(const Options &options);

} // namespace optc

#endif // OPTC_TOOLS_RUN_PROFILE_H
