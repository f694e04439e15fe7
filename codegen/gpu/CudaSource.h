//===- CudaSource.h - A model's kernels as CUDA C++ -------------*- C++ -*-===//
//
// Equal kernels are printed once, each with a comment that says which ONNX nodes it computes, for which shapes, and
// how it is launched. Kernels of other kinds than `loops` and `rows`, and ops without a kernel, are refused: all of
// them, by name.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_CUDASOURCE_H
#define OPTC_CODEGEN_GPU_CUDASOURCE_H

#include "codegen/gpu/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

struct CudaSource {
  /// One translation unit that needs no header. Empty when there are problems.
  std::string text;
  /// "node 'fc1' (matmul): ...", in the model's order.
  std::vector<std::string> problems;
};

/// `nodesOf` names the ONNX nodes that an op comes from.
CudaSource emitCuda(mlir::func::FuncOp model, const GpuTarget &target,
                    llvm::function_ref<llvm::SmallVector<std::string>(mlir::Operation *)> nodesOf);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_CUDASOURCE_H
