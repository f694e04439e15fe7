//===- Taps.h - Tensors inside a model, made outputs ------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_TAPS_H
#define OPTC_TOOLS_COMPILER_TAPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>

namespace optc {

struct Tap {
  mlir::Value value;
  std::string name;
};

/// Makes the taps further outputs, in order.
void addOutputs(mlir::func::FuncOp function, llvm::ArrayRef<Tap> taps);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_TAPS_H
