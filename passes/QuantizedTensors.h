//===- QuantizedTensors.h - Which tensors 8 bits pay for --------*- C++ -*-===//
//
// One analysis for all who must agree on it: calibration observes the tensors that it names, InsertQuantization puts
// quantize and dequantize on them.
//
//   layers     convolutions and matrix products with constant weights, products of two activations, attention
//   tensors    what layers read: their activations, followed back through what only moves elements to the ops that
//              compute them. Then, backwards, what other layers write and only elementwise ops, poolings and means stand
//              between it and a tensor of the first kind: residuals, the operands of gates. A value that stays in a
//              kernel's registers (a convolution before its bias, an addition before its relu) is not among them.
//              Attention's operands are not followed through slices. Branches and the bodies of loops are part of it; what they yield is followed no further.
//   scales     tensors that a concat, a max pooling or a movement joins share one: moving codes is enough.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_QUANTIZEDTENSORS_H
#define OPTC_PASSES_QUANTIZEDTENSORS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/SetVector.h"

namespace optc {

/// A convolution, matrix product or attention that could compute in 8 bits.
struct QuantizableLayer {
  mlir::Operation *op;
  /// Numbers of the operands that are activations, and of the constant weight (-1: there is none).
  llvm::SmallVector<unsigned, 2> activations;
  int weight = -1;
};

/// Why the op cannot, or an empty text. `layer` is set where it can.
std::string readQuantizableLayer(mlir::Operation *op, QuantizableLayer &layer);

/// The dim of the weight whose indices are output channels, and the dim of the result where these lie; -1: none.
int64_t weightChannelAxis(const QuantizableLayer &layer);
int64_t resultChannelAxis(const QuantizableLayer &layer);

class QuantizedTensors {
public:
  /// `isLowered` says which layers are to compute in 8 bits.
  QuantizedTensors(mlir::func::FuncOp function, llvm::function_ref<bool(const QuantizableLayer &)> isLowered);

  /// The lowered layers, in order.
  llvm::ArrayRef<QuantizableLayer> layers() const { return lowered; }
  /// The tensors to quantise, in the order of their definition.
  llvm::ArrayRef<mlir::Value> tensors() const { return ordered; }
  /// Equal for tensors that share a scale.
  mlir::Value scaleOf(mlir::Value tensor) const { return classes.getLeaderValue(tensor.getAsOpaquePointer()); }
  /// The layer whose kernel computes a tensor, or null.
  mlir::Operation *writerOf(mlir::Value tensor) const { return writers.lookup(tensor); }
  /// The tensors that have to be quantised for an operand of a layer to be.
  llvm::SmallVector<mlir::Value> sourcesOf(mlir::Value operand) const;

private:
  void demand(mlir::Value value, bool throughSlices = true);
  void followBack(mlir::Value tensor);
  bool staysInRegisters(mlir::Value value, mlir::Operation *user) const;

  struct Classes : llvm::EquivalenceClasses<void *> {
    mlir::Value getLeaderValue(void *value) const {
      auto it = findLeader(value);
      return mlir::Value::getFromOpaquePointer(it == member_end() ? value : *it);
    }
  };
  llvm::SmallVector<QuantizableLayer> lowered;
  /// The layer whose kernel computes a value: it and the elementwise ops after it.
  llvm::DenseMap<mlir::Value, mlir::Operation *> writers;
  llvm::DenseMap<mlir::Operation *, unsigned> positions;
  llvm::DenseSet<mlir::Value> demanded;
  llvm::SetVector<mlir::Value> found;
  llvm::SmallVector<mlir::Value> ordered;
  Classes classes;
};

/// What is written on the IR between calibration and InsertQuantization: the range of a value's elements (`optc.range`, of
/// an argument or an op's first result; `optc.range.result1`, ..., `optc.range.argument0` of its region), why a layer is
/// to stay in floats, is faster in them than in 8 bits or is to have 8 bits in its weights alone, and what is to be added to each channel of its result in 8 bits (on the layer). SmoothQuant goes by
/// the largest magnitude of each channel (on the normalisation).
inline constexpr llvm::StringLiteral kRange = "optc.range", kKeepFloat = "optc.keep_float", kFasterInFloat = "optc.faster_in_float",
                                     kWeightsOnly = "optc.weights_only", kBiasCorrection = "optc.bias_correction", kChannelMax = "optc.channel_max";
struct ElementRange {
  double low, high;
};
std::optional<ElementRange> rangeOf(mlir::Value value);
void setRange(mlir::Value value, ElementRange range);
/// Of the op's results and its regions' arguments.
void clearRanges(mlir::Operation *op);

/// All ops of a function, those in branches and loops too, in order; kernels are entered by none.
void forEachOp(mlir::func::FuncOp function, llvm::function_ref<void(mlir::Operation *)> visit);
/// All results and arguments.
void forEachTensor(mlir::func::FuncOp function, llvm::function_ref<void(mlir::Value)> visit);

/// A name for every tensor of the function that holds from one compile to the next: an input's name, or the
/// first node of the location, numbered where it is not the first of that name.
llvm::DenseMap<mlir::Value, std::string> nameTensors(mlir::func::FuncOp function);

} // namespace optc

#endif // OPTC_PASSES_QUANTIZEDTENSORS_H
