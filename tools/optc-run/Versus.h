//===- Versus.h - Two compilations of a model, side by side -----*- C++ -*-===//
#ifndef OPTC_TOOLS_RUN_VERSUS_H
#define OPTC_TOOLS_RUN_VERSUS_H

#include "tools/optc-run/Options.h"

namespace optc {

/// `a.so --vs b.so`: latency in turns, the outputs' difference with b's as the expected ones, memory.
Error runVersus(const Options &options);

} // namespace optc

#endif // OPTC_TOOLS_RUN_VERSUS_H
