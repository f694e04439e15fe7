//===- Interpreter.h - Ops on host values, with control flow ----*- C++ -*-===//
//
// Runs a block of ops one after the other by their reference functions: what a compiled model is compared with.
// Branches, loops and the ops that name sizes (bind, nonzero, ...) are the runtime's business, so they are done here.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_CPU_INTERPRETER_H
#define OPTC_TEST_CODEGEN_CPU_INTERPRETER_H

#include "ir/eval/Evaluate.h"
#include "llvm/ADT/DenseMap.h"

namespace optc::test {

class Interpreter {
public:
  explicit Interpreter(llvm::StringMap<int64_t> symbols) : symbols(std::move(symbols)) {}

  /// Runs the block with these arguments; what its terminator takes.
  Status run(mlir::Block &block, llvm::ArrayRef<HostValue> arguments, std::vector<HostValue> &results);

private:
  Status runOp(mlir::Operation *op, std::vector<HostValue> &outputs);
  Status runLoop(LoopOp op, std::vector<HostValue> &outputs);
  /// Symbols that a value's type has first get its sizes; those of a block's arguments get them anew.
  void define(mlir::Value value, const HostValue &is, bool anew);

  llvm::StringMap<int64_t> symbols;
  llvm::DenseMap<mlir::Value, HostValue> values;
};

} // namespace optc::test

#endif // OPTC_TEST_CODEGEN_CPU_INTERPRETER_H
