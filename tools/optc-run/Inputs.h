//===- Inputs.h - Random inputs ---------------------------------*- C++ -*-===//
//
// For measuring without data. Reproducible: the same seed gives the same values on every machine.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_RUN_INPUTS_H
#define OPTC_TOOLS_RUN_INPUTS_H

#include "runtime/Plan.h"
#include "tools/optc-run/Options.h"

namespace optc {

/// Floats in [0, 1), integers in [0, bound), both truth values. Dims come from `options.shapes`; a dynamic
/// dim that another input's shape settles (the same symbol, or what computes with it) follows it, others are 1.
Error randomInputs(const Options &options, const Plan &plan, int64_t bound, std::vector<Value> &values);

} // namespace optc

#endif // OPTC_TOOLS_RUN_INPUTS_H
