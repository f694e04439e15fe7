//===- KernelFunction.h - The frame of a kernel's code ----------*- C++ -*-===//
//
// Emits the exported function, which unpacks OptcArgs, and the internal one that does the work:
//
//   int32 kernel(OptcArgs *args, int64 begin, int64 end) {
//     return body(args->buffers[0], ..., args->registers[0], ..., args->scratch, begin, end); }
//
// The body's pointers are noalias, its sizes plain arguments, so the emitted loads can be hoisted. Generators work
// inside the body through this class.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_KERNELFUNCTION_H
#define OPTC_CODEGEN_CPU_KERNELFUNCTION_H

#include "codegen/cpu/Target.h"
#include "codegen/kernel/ScalarBody.h"
#include "ir/Shape.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace optc {

class KernelFunction {
public:
  KernelFunction(KernelOp kernel, mlir::ModuleOp module, llvm::StringRef symbol, const CpuTarget &target);
  /// Ends the body. `error`: i1, true when an index was out of range.
  void finish(mlir::Value error = {});

  mlir::OpBuilder b;
  mlir::Location loc;
  const CpuTarget &target;
  KernelOp kernel;

  mlir::Value begin, end, scratch;
  /// Pointer of operand or result i.
  mlir::Value input(unsigned i) const { return buffers[i]; }
  mlir::Value output(unsigned i) { return buffers[kernel.getNumOperands() + i]; }
  /// The kernel symbol (s0, s1, ...) or expression over them, as i64.
  mlir::Value size(const DimExpr &expr);

  // Index arithmetic on i64, folded where both sides are constants.
  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value divide(mlir::Value x, mlir::Value y); // both at least 0
  mlir::Value modulo(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value less(mlir::Value x, mlir::Value y); // signed
  static std::optional<int64_t> constantOf(mlir::Value value);

  // Memory. `element` is a tensor's element type; bool, f16 and bf16 are converted to and from their registers.
  mlir::Value pointerTo(mlir::Value base, mlir::Value offset, mlir::Type element);
  mlir::Value load(mlir::Value pointer, mlir::Type element, int64_t lanes, mlir::Value mask = {});
  void store(mlir::Value value, mlir::Value pointer, mlir::Type element, mlir::Value mask = {});

  /// for (i = lower; i < upper; i += step) with carried values; body returns the next ones.
  using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value i, mlir::ValueRange carried)>;
  llvm::SmallVector<mlir::Value> loop(mlir::Value lower, mlir::Value upper, mlir::Value step, mlir::ValueRange carried, LoopBody body);
  /// if (condition) then; else otherwise: both give one value (or none).
  mlir::Value branch(mlir::Value condition, mlir::Type type, llvm::function_ref<mlir::Value()> then,
                     llvm::function_ref<mlir::Value()> otherwise);
  void when(mlir::Value condition, llvm::function_ref<void()> then);

  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  mlir::Value reduceLanes(llvm::StringRef kind, mlir::Type element, mlir::Value vector);

private:
  llvm::SmallVector<mlir::Value> buffers;
  llvm::StringMap<mlir::Value> symbols;
  mlir::func::FuncOp body;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_KERNELFUNCTION_H
