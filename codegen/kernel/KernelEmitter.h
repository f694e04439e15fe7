//===- KernelEmitter.h - Index arithmetic, memory, loops --------*- C++ -*-===//
//
// What every generator of kernel code builds with, whatever the target: arithmetic on indices, the
// value of a dim expression, loads and stores with their conversions, structured control flow. A target
// derives from it (codegen/cpu/KernelFunction.h, codegen/gpu/DeviceFunction.h), lays out the function's
// arguments and says how memory is read.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_KERNELEMITTER_H
#define OPTC_CODEGEN_KERNEL_KERNELEMITTER_H

#include "codegen/kernel/ScalarBody.h"
#include "ir/Shape.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace optc {

class KernelEmitter {
public:
  KernelEmitter(KernelOp kernel, mlir::MLIRContext *context)
      : b(context), loc(mlir::UnknownLoc::get(context)), kernel(kernel), indices(b.getI64Type()) {}
  virtual ~KernelEmitter() = default;

  mlir::OpBuilder b;
  mlir::Location loc;
  KernelOp kernel;

  /// Pointer of operand or result i.
  mlir::Value input(unsigned i) const { return buffers[i]; }
  mlir::Value output(unsigned i) { return buffers[kernel.getNumOperands() + i]; }
  /// The kernel symbol (s0, s1, ...) or expression over them, as an index.
  mlir::Value size(const DimExpr &expr);

  // Index arithmetic, folded where both sides are constants.
  mlir::IntegerType indexType() const { return indices; }
  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  virtual mlir::Value divide(mlir::Value x, mlir::Value y); // both at least 0
  virtual mlir::Value modulo(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value less(mlir::Value x, mlir::Value y); // signed
  /// A signed integer (scalar or vector) as another width.
  mlir::Value resize(mlir::Value x, mlir::Type scalar);
  static std::optional<int64_t> constantOf(mlir::Value value);

  // Memory. `element` is a tensor's element type; bool, f16 and bf16 are converted to and from their registers.
  mlir::Value pointerTo(mlir::Value base, mlir::Value offset, mlir::Type element);
  virtual mlir::Value load(mlir::Value pointer, mlir::Type element, int64_t lanes, mlir::Value mask = {});
  virtual void store(mlir::Value value, mlir::Value pointer, mlir::Type element, mlir::Value mask = {});
  /// table[codes & 255] of 256 bytes: codes and results are i8, scalars or vectors.
  virtual mlir::Value lookup(llvm::ArrayRef<int64_t> table, mlir::Value codes) { llvm_unreachable("no table is made for this target"); }
  /// Called with each index that is read from a tensor, before it is wrapped and clamped, and the size it indexes (i64).
  virtual void checkIndex(mlir::Value index, mlir::Value size) {}

  /// for (i = lower; i < upper; i += step) with carried values; body returns the next ones.
  using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value i, mlir::ValueRange carried)>;
  llvm::SmallVector<mlir::Value> loop(mlir::Value lower, mlir::Value upper, mlir::Value step, mlir::ValueRange carried, LoopBody body);
  /// if (condition) then; else otherwise: both give one value (or none).
  mlir::Value branch(mlir::Value condition, mlir::Type type, llvm::function_ref<mlir::Value()> then,
                     llvm::function_ref<mlir::Value()> otherwise);
  void when(mlir::Value condition, llvm::function_ref<void()> then);

  /// Elements of `bytes` bytes that a sum over contiguous elements takes at a time.
  virtual int64_t lanes(unsigned bytes) const = 0;
  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  /// A mask of the lanes whose number, counted from `first`, is below an index.
  mlir::Value lanesBelow(mlir::Value count, int64_t lanes, int64_t first = 0);
  virtual mlir::Value reduceLanes(llvm::StringRef kind, mlir::Type element, mlir::Value vector);

protected:
  llvm::SmallVector<mlir::Value> buffers;
  llvm::StringMap<mlir::Value> symbols;
  mlir::IntegerType indices;
  /// What a target promises of its index arithmetic.
  mlir::arith::IntegerOverflowFlags overflow = mlir::arith::IntegerOverflowFlags::none;
};

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_KERNELEMITTER_H
