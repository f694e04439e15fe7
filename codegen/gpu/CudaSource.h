//===- CudaSource.h - A model's kernels as CUDA C++ -------------*- C++ -*-===//
//
// Equal kernels are printed once, each with a comment that says which ONNX nodes it computes, for which
// shapes, and how it is launched. Kernels of kinds that GPUs have none of, and ops without a
// kernel, are refused: all of them, by name.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_CUDASOURCE_H
#define OPTC_CODEGEN_GPU_CUDASOURCE_H

#include "codegen/gpu/DeviceFunction.h"
#include "codegen/gpu/Target.h"
#include "ir/Dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace optc {

/// A printed kernel, and how it is launched. Its parameters: operands, results (a result in an operand's
/// memory is written there), sizes (int64), and where it checks indices a pointer to an int32 that becomes 1;
/// a pointer to the workspace, one to the counters (int32), one to the int64 that it counts, the number of the launch (int32), where it has these; tensor maps by value.
struct CudaKernel {
  std::string symbol;
  KernelOp op; // its first use
  /// Its canonical text.
  std::string text;
  llvm::SmallVector<std::string> symbols;
  /// Over the symbols s0, s1, ... of the sizes.
  DimExpr blocks = 1;
  int64_t threads = 0;
  /// Blocks that each multiprocessor of the device has at most, which take turns where there is more to do; 0: as many as there are.
  int64_t residentBlocks = 0;
  /// Memory that is given at launch, in bytes.
  int64_t sharedBytes = 0;
  /// The last parameters.
  std::vector<DeviceTensorMap> maps = {};
  bool checksIndices = false;
  /// Of the launches: Plan.h's DeviceKernel has what they mean. Over the symbols s0, s1, ...
  std::optional<DimExpr> workspace = {}, counters = {}, repeats = {}, counted = {};
  /// Its code, without a comment, and the files of the tile library that it needs.
  std::string definition = "";
  llvm::SmallVector<llvm::StringRef> library = {};
};

/// How kernels are named: optc_kernel_0, ... in the model's order, or by what they compute, so that equal kernels of different models
/// are the same text: optc_conv_0123456789abcdef.
enum class KernelNames { byPosition, byContent };

struct CudaSource {
  /// One translation unit that needs no header, of the kernels that have code.
  std::string text;
  std::vector<CudaKernel> kernels;
  /// Of what has none: "node 'fc1' (matmul): ...", in the model's order.
  std::vector<std::string> problems;
  /// Why, by a kernel's canonical text.
  llvm::StringMap<std::string> refusals;
};

/// What kernels are written in: device.cuh and files of the tile library ("gemm_sm90"), in the order in which
/// they build on each other. Needs no header.
std::string deviceLibrary(llvm::function_ref<bool(llvm::StringRef file)> isNeeded);

/// One translation unit of some kernels, which needs no header either.
std::string unitOf(llvm::ArrayRef<CudaKernel> kernels);

/// `nodesOf` names the ONNX nodes that an op comes from.
CudaSource emitCuda(mlir::func::FuncOp model, const GpuTarget &target,
                    llvm::function_ref<llvm::SmallVector<std::string>(mlir::Operation *)> nodesOf,
                    KernelNames names = KernelNames::byPosition);

/// Ways to cut each of the kernels that may be measured, the estimated one first (codegen/kernel/Tiling.h); by their canonical texts.
std::vector<llvm::SmallVector<Tiling>> deviceTilings(llvm::ArrayRef<std::string> texts, const GpuTarget &target);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_CUDASOURCE_H
