//===- FrameBuilder.h - Builds one frame of a plan --------------*- C++ -*-===//
//
// Private to codegen/plan: registers, storages and steps of the model or of the body of an If or
// Loop. See PlanBuilder.h.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_PLAN_FRAMEBUILDER_H
#define OPTC_CODEGEN_PLAN_FRAMEBUILDER_H

#include "codegen/plan/PlanBuilder.h"
#include "llvm/ADT/SetVector.h"

namespace optc {

/// What all frames of a plan share.
struct PlanContext {
  BuiltPlan result;
  llvm::StringMap<uint32_t> kernelIds;
  llvm::DenseMap<mlir::Value, uint32_t> weightIds;
  std::vector<mlir::Location> stepLocations; // of the steps of frame 0, by Step::report
  const DeviceCode *device = nullptr;
};

class FrameBuilder {
public:
  FrameBuilder(PlanContext &context, FrameBuilder *parent) : context(context), parent(parent) {}

  /// Which of a frame's inputs and outputs are on the GPU.
  struct Sides {
    llvm::SmallVector<bool> inputs, outputs;
  };
  /// Builds the frame of a block: its arguments (then `captured` values from around it) are the inputs, the
  /// terminator's operands the outputs.
  mlir::LogicalResult build(mlir::Block &block, llvm::ArrayRef<mlir::Value> captured, const Sides &sides);
  Frame take() { return std::move(frame); }

private:
  // Registers and the shape program (FrameSizes.cpp).
  RegisterId newRegister() { return frame.registers++; }
  RegisterId constantRegister(int64_t value);
  /// kNone: a symbol is not defined here.
  RegisterId symbolRegister(llvm::StringRef symbol);
  RegisterId expressionRegister(const DimExpr &expr);
  bool isDefined(const DimExpr &expr);
  /// Dims that are a symbol, the first time, bring it; others are checked.
  void bindInputs(llvm::ArrayRef<mlir::Value> inputs);
  /// Gives fresh registers to the result dims that the op defines.
  void defineResultDims(mlir::Operation *op, Step &step);
  mlir::FailureOr<std::vector<RegisterId>> dimRegisters(mlir::Operation *op, mlir::Type type);
  /// Register with the bytes of a tensor type.
  RegisterId byteRegister(mlir::Type type);

  // Buffers (FrameBuffers.cpp).
  /// Where `user` finds the value: in host memory or on the GPU, by a copy step where it is on the other side alone.
  mlir::FailureOr<BufferId> bufferOf(mlir::Operation *user, mlir::Value value, bool onDevice = false);
  mlir::FailureOr<BufferId> copyAcross(mlir::Operation *user, mlir::Value value, bool toDevice);
  mlir::FailureOr<BufferId> constantStrings(mlir::Operation *user, mlir::Value value);
  mlir::FailureOr<BufferId> newBuffer(mlir::Operation *op, mlir::Value value, Storage storage);
  mlir::FailureOr<BufferId> newResult(mlir::Operation *op, mlir::Value value, bool onDevice = false);
  BufferId newView(mlir::Value value, BufferId of, std::vector<RegisterId> dims);
  mlir::LogicalResult assignOutputs(mlir::Operation *terminator, llvm::ArrayRef<bool> onDevice);
  void computeLifetimes();
  void place();

  // Steps (FrameBuilder.cpp).
  mlir::LogicalResult addOp(mlir::Operation *op);
  mlir::LogicalResult addKernel(KernelOp op);
  mlir::LogicalResult addLibrary(mlir::Operation *op);
  mlir::LogicalResult addLibraryKernel(KernelOp op);
  mlir::LogicalResult addBind(BindOp op);
  mlir::LogicalResult addIf(IfOp op);
  mlir::LogicalResult addLoop(LoopOp op);
  mlir::LogicalResult addReshape(ReshapeOp op);
  /// The side on which values enter and leave branches and loops: the GPU's, but for sizes and what is no tensor.
  bool entersOnDevice(mlir::Type type) const;
  mlir::LogicalResult addOperands(mlir::Operation *op, mlir::ValueRange values, std::vector<BufferId> &list, bool onDevice = false);
  /// Number of the kernel among those of the GPU; kNone: it runs on the CPU, which is noted where that was not meant to be.
  uint32_t placeOnDevice(KernelOp op, llvm::StringRef text, const Step &step);
  bool isShapeArithmetic(KernelOp op);
  bool definesSize(KernelOp op);
  mlir::LogicalResult addResults(mlir::Operation *op, Step &step);
  Step newStep(Step::Kind kind, mlir::Operation *op);
  void seal(Step &step);
  void finish(Step step);
  uint32_t addFrame(FrameBuilder &child);

  PlanContext &context;
  FrameBuilder *parent;
  Frame frame;
  /// In host memory and on the GPU.
  llvm::DenseMap<mlir::Value, BufferId> buffers[2];
  llvm::StringMap<RegisterId> symbols;
  llvm::StringMap<RegisterId> expressions;
  std::map<int64_t, RegisterId> constants;
  /// Registers that are known on entry; sizes that use others make a storage dynamic.
  std::vector<bool> knownOnEntry;
  bool entering = true;
  friend struct ProgramEmitter;
};

} // namespace optc

#endif // OPTC_CODEGEN_PLAN_FRAMEBUILDER_H
