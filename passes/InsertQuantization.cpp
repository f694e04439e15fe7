//===- InsertQuantization.cpp - QDQ on what layers read -------------------===//
//
// Our own calibration speaks the language of quantised models, so that one lowering serves both:
//
//   y = conv (max x, 0), w
//     ⇒  q = quantize (max x, 0) : ui8;  v = quantize w : i8;  y = conv (dequantize q), (dequantize v)
//
// Activations: ui8, one scale and zero point a tensor, out of the range that `optc.range` states; quantize and
// dequantize stand on the tensor, so all that reads it (residuals, too) reads the same 8 bits. The model's outputs, and
// what branches and loops yield, stay what they are. Weights: i8 in [-127, 127], one scale an output channel; theirs is
// a weight expression. Attention rounds its exponentials, too (codegen/kernel/AttentionCodes.h). Biases stay floats;
// `optc.bias_correction` of a layer is added to them.
//
// A range is [0, 0] made wider: zero, which padding and relu bring, has a code of its own. A matrix product whose range
// is not known takes it from the tensor itself when it runs (`dynamic`), as ONNX's DynamicQuantizeLinear does:
//
//   scale = (max(x, 0) - min(x, 0)) / 255;  zero_point = quantize (-min(x, 0)), scale
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/AttentionCodes.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/QuantizationBuilder.h"

namespace optc {
#define GEN_PASS_DEF_INSERTQUANTIZATION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct InsertQuantization : optc::impl::InsertQuantizationBase<InsertQuantization> {
  using InsertQuantizationBase::InsertQuantizationBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    QuantizationChoice choice(function, dynamic);
    note(function, choice);
    for (auto [tensor, range] : choice.tensors())
      quantizeTensor(tensor, range);
    for (const QuantizableLayer &layer : choice.layers()) {
      if (choice.takesRangeAtRunTime(layer.op))
        quantizeAtRunTime(layer);
      if (isa<AttentionOp>(layer.op))
        layer.op->setAttr(kProbabilitySteps, OpBuilder(layer.op).getI64IntegerAttr(kProbabilityCodes));
      if (layer.weight >= 0) {
        OpBuilder b(layer.op);
        OpOperand &operand = layer.op->getOpOperand(layer.weight);
        operand.set(QuantizationBuilder(b, operand.get().getLoc()).weightOf(layer));
        QuantizationBuilder(b, layer.op->getLoc()).correctBias(layer);
      }
    }
    function.walk([](Operation *op) {
      clearRanges(op);
      op->removeAttr(kFasterInFloat);
      op->removeAttr(kWeightsOnly);
      op->removeAttr(kBiasCorrection);
    });
    clearRanges(function);
  }

private:
  void quantizeTensor(Value tensor, ElementRange range) {
    OpBuilder b(&getContext());
    b.setInsertionPointAfterValue(tensor);
    QuantizationBuilder builder(b, tensor.getLoc());
    Value twin = builder.activation(tensor, range);
    tensor.replaceUsesWithIf(twin, [&](OpOperand &use) {
      return use.getOwner() != builder.quantize() && !use.getOwner()->hasTrait<OpTrait::IsTerminator>();
    });
  }

  void quantizeAtRunTime(const QuantizableLayer &layer) {
    OpOperand &operand = layer.op->getOpOperand(layer.activations.front());
    auto [it, inserted] = twins.try_emplace(operand.get());
    if (inserted) {
      OpBuilder b(&getContext());
      b.setInsertionPointAfterValue(operand.get());
      it->second = QuantizationBuilder(b, operand.get().getLoc()).dynamicActivation(operand.get());
    }
    operand.set(it->second);
  }

  /// What became of everything that a user may expect 8 bits of.
  void note(func::FuncOp function, const QuantizationChoice &choice) {
    function.walk([&](Operation *op) {
      if (isa<RecurrentOp>(op))
        return noteKept(function, op, "recurrent layers compute in floats");
      if (isa<ConvTransposeOp, DeformConvOp>(op))
        return noteKept(function, op, "only plain convolutions compute in 8 bits");
      if (!isa<ConvOp, ContractOp, AttentionOp>(op) || isWeight(op->getResult(0)))
        return;
      QuantizableLayer layer;
      std::string reason = readQuantizableLayer(op, layer);
      if (!reason.empty())
        noteKept(function, op, reason);
      else if (auto why = op->getAttrOfType<StringAttr>(kKeepFloat))
        noteKept(function, op, why);
      else if (auto why = op->getAttrOfType<StringAttr>(kFasterInFloat))
        noteKept(function, op, why);
      else if (auto why = op->getAttrOfType<StringAttr>(kWeightsOnly))
        noteLowered(function, op, "int8 weights; " + why.str());
      else if (choice.isLowered(op))
        noteLowered(function, op, isa<AttentionOp>(op) ? "int8, softmax in f32" : "int8");
      else
        noteKept(function, op, "the range of what it reads is not known, it takes calibration data that gets there");
    });
  }

  /// Of the operands whose range is taken at run time.
  llvm::DenseMap<Value, Value> twins;
};

} // namespace
