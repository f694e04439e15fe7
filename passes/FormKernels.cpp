//===- FormKernels.cpp - Fuses ops into kernels ---------------------------===//

#include "passes/Passes.h"

namespace optc {
#define GEN_PASS_DEF_FORMKERNELS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {
struct FormKernels : optc::impl::FormKernelsBase<FormKernels> {
  void runOnOperation() override {}
};
} // namespace
