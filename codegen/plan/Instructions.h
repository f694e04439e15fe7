//===- Instructions.h - Expressions of dims as instructions -----*- C++ -*-===//
#ifndef OPTC_CODEGEN_PLAN_INSTRUCTIONS_H
#define OPTC_CODEGEN_PLAN_INSTRUCTIONS_H

#include "runtime/Plan.h"
#include "llvm/ADT/StringSwitch.h"

namespace optc {

/// A function of DimExpr::Visitor, on registers; without its target.
inline Instruction instructionOf(llvm::StringRef function, const std::vector<int64_t> &args) {
  using Op = Instruction::Op;
  Instruction instruction;
  instruction.op = llvm::StringSwitch<Op>(function)
                       .Case("+", Op::add)
                       .Case("*", Op::mul)
                       .Case("floordiv", Op::floordiv)
                       .Case("mod", Op::mod)
                       .Case("min", Op::min)
                       .Case("max", Op::max)
                       .Case("bcast", Op::bcast)
                       .Default(Op::ifeq);
  for (size_t i = 0; i < args.size(); ++i)
    instruction.args[i] = RegisterId(args[i]);
  return instruction;
}

} // namespace optc

#endif // OPTC_CODEGEN_PLAN_INSTRUCTIONS_H
