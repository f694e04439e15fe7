//===- Passes.h - The passes (generated from Passes.td) ---------*- C++ -*-===//
#ifndef OPTC_PASSES_PASSES_H
#define OPTC_PASSES_PASSES_H

#include "ir/Dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace optc {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"
} // namespace optc

#endif // OPTC_PASSES_PASSES_H
