//===- DeviceFunction.h - The frame of a device kernel ----------*- C++ -*-===//
//
// What the generators of device kernels build with, besides KernelEmitter: the place of a thread, shuffles,
// shared memory, barriers. These are calls to functions of codegen/gpu/device.cuh (`shuffle_xor.f32`: what
// follows the dot only keeps the overloads apart), until the printer writes them as CUDA C++.
//
//   kernel(const T *x0, ..., U *y0, ..., int64 s0, ... [, int32 *error] [, int8 *workspace] [, int32 *counters] [, int64 *count] [, int32 launch])
//
// A matrix product calls the tile library (codegen/gpu/tile), which calls back for each part of the result:
// the epilogue is a function of its own, printed as a lambda within the kernel. Scans, sorts and recurrent layers are functions of the
// library altogether: the kernel calls one, and is launched several times where all of its blocks have to be done before the next step.
//
// Pointers are those of operands and results, 16-byte aligned where a kernel reads vectors; error is there
// when the kernel checks indices.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_DEVICEFUNCTION_H
#define OPTC_CODEGEN_GPU_DEVICEFUNCTION_H

#include "codegen/kernel/KernelEmitter.h"
#include "codegen/kernel/Tiling.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

/// How a kernel reads an operand by boxes (TensorMap in codegen/gpu/tile/async.cuh), innermost dim first. In
/// elements; rows are multiples of 16 bytes, swizzled by 128 bytes.
struct DeviceTensorMap {
  unsigned operand = 0;
  mlir::Type element;
  DimExpr offset = 0;
  llvm::SmallVector<DimExpr, 4> sizes;
  llvm::SmallVector<DimExpr, 4> strides; // of the dims after the innermost
  llvm::SmallVector<int64_t, 4> box;
};

class DeviceFunction : public KernelEmitter {
public:
  DeviceFunction(KernelOp kernel, mlir::ModuleOp module, llvm::StringRef symbol);
  /// Ends the kernel.
  void finish();

  struct Parameter {
    std::string name;
    mlir::Type type; // of an element, where it is a pointer
    bool isPointer = true;
    bool isConst = false;
    bool isMap = false; // a TensorMap
  };
  std::vector<Parameter> parameters;
  mlir::func::FuncOp function;
  /// The launch: threads of a block, and as many blocks as the items (over the kernel's symbols) need.
  int64_t threads = 256;
  DimExpr items = 1;
  int64_t itemsPerBlock = 1;
  /// Blocks that a multiprocessor has to have room for; 0: any number.
  int64_t blocksPerMultiprocessor = 0;
  /// There are at most as many blocks as the device's multiprocessors have room for (blocksPerMultiprocessor, or one): they take turns.
  bool isPersistent = false;
  /// Ways to cut the work that may be measured, the estimated one first (codegen/kernel/Tiling.h).
  llvm::SmallVector<Tiling> tilings;
  /// Memory that is given at launch.
  int64_t sharedBytes = 0;
  std::vector<DeviceTensorMap> maps;
  /// Of the launches (Plan.h's DeviceKernel); set by the functions below.
  std::optional<DimExpr> workspace, counters, repeats, counted;
  /// Files of the tile library that the kernel needs.
  llvm::SmallVector<llvm::StringRef> library;
  bool checksIndices() const { return bool(error); }
  DimExpr blocks() const { return DimExpr::ceildiv(items, itemsPerBlock); }

  /// threadIdx.x and blockIdx.x, as indices.
  mlir::Value thread();
  mlir::Value block();
  /// The thread's number in the grid.
  mlir::Value threadInGrid();
  /// x of the thread whose number in its warp differs in the bits of `offset`; groups of `group` threads take
  /// part as one.
  mlir::Value shuffleXor(mlir::Value x, mlir::Value offset, int64_t group);
  void barrier();
  /// An array that the block's threads share.
  mlir::Value shared(mlir::Type element, int64_t count, llvm::StringRef name);

  /// Adds a parameter: how boxes of an operand are copied.
  void addMap(DeviceTensorMap map);
  /// Begins the function that is given the place (batch, row, column) of a vector of sums and the vector: the
  /// last four of its arguments. It sees the kernel's parameters.
  DeviceFunction &beginEpilogue(mlir::Type sum);
  /// `run`, a function of the tile library, on the memory that is given at launch: run(arguments, {shape},
  /// epilogue, memory, split). The epilogue has been begun and ended. A $ in the arguments stands for the next of `values`.
  void callProduct(std::string run, llvm::ArrayRef<std::string> arguments, mlir::ValueRange shape,
                   llvm::ArrayRef<std::string> moreOfShape = {}, mlir::ValueRange values = {});
  /// What the product sums is cut into parts of several blocks, which meet in so many bytes, with so many counters. `how`: StreamK or SplitKeys of the tile
  /// library, of workspace and counters.
  void splitProduct(const DimExpr &bytes, const DimExpr &meetings, std::string how);
  /// The kernel's launches share so many bytes of the device's memory, 16-byte aligned: the parameter `workspace`.
  void useWorkspace(DimExpr bytes);
  /// The kernel is launched so many times: the parameter `launch` counts from 0. A launch sees what those before it have written.
  void repeat(DimExpr count);
  /// So many int32 that are zero before each launch, and have to be after it: the parameter `counters`.
  void useCounters(DimExpr count);
  /// After so many launches it has written the size that its results have: the parameter `count`.
  void countResults(DimExpr launches);
  /// run({sizes}, arguments): a function of the library, which is all that the kernel does.
  void callLibrary(std::string run, mlir::ValueRange sizes, llvm::ArrayRef<std::string> arguments);
  std::unique_ptr<DeviceFunction> epilogue;
  std::string libraryCall, libraryArguments, moreOfShape, split;
  size_t shapeSize = 0;

  /// A name for the printer: of a value, of what a loop carries.
  mlir::Value named(mlir::Value value, llvm::StringRef name);
  void nameCarried(mlir::ValueRange results, llvm::ArrayRef<std::string> names);
  /// A loop of a few turns, whatever the type of indices is.
  llvm::SmallVector<mlir::Value> shortLoop(int64_t lower, int64_t upper, llvm::StringRef name,
                                           mlir::ValueRange carried, LoopBody body);

  mlir::Value load(mlir::Value pointer, mlir::Type element, int64_t lanes, mlir::Value mask = {}) override;
  void store(mlir::Value value, mlir::Value pointer, mlir::Type element, mlir::Value mask = {}) override;
  void checkIndex(mlir::Value index, mlir::Value size) override;
  // Signed, as people write them: the compiler knows that thread numbers are not negative.
  mlir::Value divide(mlir::Value x, mlir::Value y) override;
  mlir::Value modulo(mlir::Value x, mlir::Value y) override;
  /// Threads take the place of lanes within a sum.
  int64_t lanes(unsigned bytes) const override { return 1; }

private:
  void addParameter(llvm::StringRef name, mlir::Type type, bool isPointer);
  mlir::Value call(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);
  unsigned alignmentOf(mlir::Value pointer, mlir::Type element, int64_t lanes);

  mlir::ModuleOp module;
  mlir::Value threadIndex, blockIndex, error;
  mlir::Operation *lastShared = nullptr;
};

/// A divisor of an index that is known at compile time (0 stands for 0).
int64_t knownDivisor(mlir::Value index);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_DEVICEFUNCTION_H
