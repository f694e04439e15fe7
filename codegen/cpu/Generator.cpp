//===- Generator.cpp - The table of code generators -----------------------===//

#include "codegen/cpu/Generator.h"

using namespace mlir;
using namespace optc;

LogicalResult optc::generateKernel(KernelOp kernel, ModuleOp module, StringRef symbol, const CpuTarget &target) {
  return kernel.emitError("unknown kind of kernel");
}
