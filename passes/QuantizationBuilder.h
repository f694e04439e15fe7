//===- QuantizationBuilder.h - Values by way of 8 bits ----------*- C++ -*-===//
//
// What InsertQuantization and SwitchQuantization share: which layers and tensors are lowered, the ops that lower
// them (InsertQuantization.cpp shows their form), and switches between them and what they stand for.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_QUANTIZATIONBUILDER_H
#define OPTC_PASSES_QUANTIZATIONBUILDER_H

#include "ir/Dialect.h"
#include "passes/QuantizedTensors.h"

namespace optc {

/// The layers without `optc.keep_float` and `optc.faster_in_float` that can compute in 8 bits, given the ranges on the IR.
class QuantizationChoice {
public:
  /// `dynamic`: matrix products with constant weights take unknown ranges when they run.
  QuantizationChoice(mlir::func::FuncOp function, bool dynamic);

  llvm::ArrayRef<QuantizableLayer> layers() const { return chosen; }
  bool isLowered(mlir::Operation *op) const { return isStatic.contains(op) || isDynamic.contains(op); } // its activations, too
  /// Its weights become codes, and it computes in f32.
  static bool isWeightsOnly(mlir::Operation *op) { return op->hasAttr(kWeightsOnly); }
  /// It takes the range of its activation when it runs.
  bool takesRangeAtRunTime(mlir::Operation *op) const { return isDynamic.contains(op); }
  /// The tensors to quantise, in order, with the range of all that share a scale.
  llvm::ArrayRef<std::pair<mlir::Value, ElementRange>> tensors() const { return ranges; }

private:
  llvm::SmallVector<QuantizableLayer> chosen;
  llvm::DenseSet<mlir::Operation *> isStatic, isDynamic;
  llvm::SmallVector<std::pair<mlir::Value, ElementRange>> ranges;
};

/// A further input of the model, a bool that chooses: number `i` of such.
mlir::Value addSwitch(mlir::func::FuncOp function, size_t i);
/// One of two tensors of one type, by a switch.
mlir::Value chosen(mlir::OpBuilder &b, mlir::Value flag, mlir::Value lowered, mlir::Value kept);

/// Builds quantize and dequantize as the importer of QuantizeLinear does: parameters at the tensor's shape.
class QuantizationBuilder {
public:
  QuantizationBuilder(mlir::OpBuilder &b, mlir::Location loc) : b(b), loc(loc) {}

  /// The value that x becomes.
  mlir::Value activation(mlir::Value x, ElementRange range);
  mlir::Value dynamicActivation(mlir::Value x);
  /// The layer's weight, one scale an output channel.
  mlir::Value weightOf(const QuantizableLayer &layer);
  /// `y`, computed like the layer's result, with the layer's bias correction.
  mlir::Value corrected(const QuantizableLayer &layer, mlir::Value y);
  /// The same for the layer's result itself; in the bias where one follows.
  void correctBias(const QuantizableLayer &layer);
  /// Of the last call.
  mlir::Operation *quantize() { return codes.getDefiningOp(); }

private:
  /// As broadcast to the result; null: there is none.
  mlir::Value correctionOf(const QuantizableLayer &layer);
  mlir::Value scalar(double value);
  mlir::Value code(int64_t value);
  mlir::Value spread(mlir::Value parameter, mlir::Value x);
  mlir::Value positive(mlir::Value scale);
  mlir::Value throughBytes(mlir::Value x, mlir::Value scale, mlir::Value zeroPoint);
  mlir::Type u8() { return b.getIntegerType(8, /*isSigned=*/false); }

  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Value codes;
};

} // namespace optc

#endif // OPTC_PASSES_QUANTIZATIONBUILDER_H
