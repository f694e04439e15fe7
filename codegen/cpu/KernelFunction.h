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
#include "codegen/kernel/KernelEmitter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

/// Attribute of a kernel's module: the features beyond the level that its code uses.
constexpr const char *kUsedFeatures = "optc.features";

class KernelFunction : public KernelEmitter {
public:
  KernelFunction(KernelOp kernel, mlir::ModuleOp module, llvm::StringRef symbol, const CpuTarget &target);
  /// Ends the body. `error`: i1, true when an index was out of range.
  void finish(mlir::Value error = {});

  const CpuTarget &target;
  /// True when the target has the OptcCpuFeature, which the kernel then needs.
  bool use(uint64_t feature);
  mlir::Value begin, end, scratch;

  int64_t lanes(unsigned bytes) const override { return target.lanes(bytes); }
  void store(mlir::Value value, mlir::Value pointer, mlir::Type element, mlir::Value mask = {}) override;
  mlir::Value lookup(llvm::ArrayRef<int64_t> table, mlir::Value codes) override;
  /// f32 rounded to bf16 as i16: by vcvtneps2bf16 where the target has it, which takes denormal numbers for 0, as products of bf16 do.
  mlir::Value bfloatBits(mlir::Value x);
  /// Results of bf16 are rounded by bfloatBits.
  bool convertsBFloat = false;

private:
  mlir::ModuleOp module;
  mlir::func::FuncOp body;
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_KERNELFUNCTION_H
