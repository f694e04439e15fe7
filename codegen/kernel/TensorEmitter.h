//===- TensorEmitter.h - One element (or vector) of a tensor ----*- C++ -*-===//
//
// Pulls the value of a tensor at an index through the ops of a kernel: elementwise ops become
// their scalar bodies, movement ops become index arithmetic, operands become loads.
//
//   at(%2, [i, j + lanes])  with  %2 = add(%x, broadcast(%bias))
//     -> add(load x[i*N + j .. +8], load bias[j .. +8])
//
// An index is `base + lane * stride`: stride 1 makes a contiguous load, 0 a splat, anything else a gather by
// scalar loads.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_TENSOREMITTER_H
#define OPTC_CODEGEN_KERNEL_TENSOREMITTER_H

#include "codegen/kernel/KernelEmitter.h"

namespace optc {

struct LaneIndex {
  mlir::Value base;   // of the emitter's index type
  int64_t stride = 0; // per lane
};
using LaneIndices = llvm::SmallVector<LaneIndex>;

class TensorEmitter {
public:
  explicit TensorEmitter(KernelEmitter &f) : f(f) {}

  /// Register of `tensor` at `index`: a scalar, or a vector of `lanes`. A mask (of i1 lanes) guards the
  /// contiguous loads; without it every lane must be inside.
  mlir::Value at(mlir::Value tensor, const LaneIndices &index, int64_t lanes, mlir::Value mask = {});

  /// Stores the kernel's results at `index`, all of them computed before the first is stored.
  void storeResults(const LaneIndices &index, int64_t lanes, mlir::Value mask = {});

  /// Makes `at` return `make(index, lanes, mask)` for a tensor that the caller has computed.
  using Source = std::function<mlir::Value(const LaneIndices &index, int64_t lanes, mlir::Value mask)>;
  void define(mlir::Value tensor, Source source) { sources[tensor] = std::move(source); }
  /// Says that this index is a multiple of the lanes that vectors along it have.
  void setAligned(mlir::Value base) { aligned = base; }
  void undefine(mlir::Value tensor) { sources.erase(tensor); }
  bool isDefined(mlir::Value tensor) const { return sources.count(tensor); }

  /// Offset in elements of an index into a dense tensor; lanes as in LaneIndex, nullopt stride: irregular.
  struct Offset {
    mlir::Value base;
    std::optional<int64_t> stride;
  };
  Offset offsetOf(mlir::RankedTensorType type, const LaneIndices &index);
  /// Sizes of a tensor as values.
  llvm::SmallVector<mlir::Value> sizesOf(mlir::Type type);

  /// Values already emitted must not be reused across regions that do not dominate each other: a scope
  /// forgets what was emitted in it.
  struct Scope {
    explicit Scope(TensorEmitter &emitter) : emitter(emitter), saved(emitter.emitted) {}
    ~Scope() { emitter.emitted = std::move(saved); }
    TensorEmitter &emitter;
    std::map<std::vector<const void *>, mlir::Value> saved;
  };

private:
  mlir::Value compute(mlir::Value tensor, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value loadArgument(mlir::Value pointer, mlir::RankedTensorType type, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value byLane(mlir::Value tensor, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atReshape(ReshapeOp op, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atPad(PadOp op, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atConcat(ConcatOp op, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atGather(GatherOp op, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atReduce(ReduceOp op, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atIota(IotaOp op, const LaneIndices &index, int64_t lanes);
  mlir::Value atPool(PoolOp op, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atResize(ResizeOp op, const LaneIndices &index, int64_t lanes, mlir::Value mask);
  mlir::Value atConstant(ConstantOp op, int64_t lanes);

  KernelEmitter &f;
  mlir::Value aligned;
  llvm::DenseMap<mlir::Value, Source> sources;
  std::map<std::vector<const void *>, mlir::Value> emitted;
};

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_TENSOREMITTER_H
