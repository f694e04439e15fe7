//===- InputDims.h - Shapes of made up inputs -------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_TENSORS_INPUTDIMS_H
#define OPTC_TOOLS_TENSORS_INPUTDIMS_H

#include "runtime/Plan.h"
#include <map>

namespace optc {

/// The dims of each input of a plan, whose symbols have these sizes; symbols that are not among them have `unknown`. Dims that compute with symbols are what the
/// plan's own program makes of them, and may be below 0. Those of inputs that are no tensors are what their ports say.
std::vector<std::vector<int64_t>> inputDims(const Plan &plan, const std::map<std::string, int64_t> &sizes, int64_t unknown);

} // namespace optc

#endif // OPTC_TOOLS_TENSORS_INPUTDIMS_H
