//===- Generator.cpp - The table of code generators -----------------------===//

#include "codegen/cpu/Generator.h"
#include "codegen/cpu/Generators.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace optc;

LogicalResult optc::generateKernel(KernelOp kernel, ModuleOp module, StringRef symbol, const CpuTarget &target) {
  using Generate = LogicalResult (*)(KernelFunction &);
  auto generate = llvm::StringSwitch<Generate>(kernel.getKind())
                      .Case("loops", generateLoops)
                      .Cases("matmul", "conv", generateContraction)
                      .Case("attention", generateAttention)
                      .Case("depthwise", generateDepthwise)
                      .Case("winograd", generateWinograd)
                      .Case("rows", generateRows)
                      .Case("recurrent", generateRecurrent)
                      .Default(nullptr);
  if (!generate)
    return kernel.emitError("unknown kind of kernel '") << kernel.getKind() << "'";
  KernelFunction function(kernel, module, symbol, target);
  return generate(function);
}
