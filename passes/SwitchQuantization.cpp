//===- SwitchQuantization.cpp - 8 bits or floats, chosen at run time ------===//
//
// To find the layers that 8 bits hurt, one compiled model has to show many choices of layers. What InsertQuantization
// would lower is computed both ways here, and further inputs of the model, bools, choose:
//
//   y = conv x, w
//     ⇒  a = select s0, (dequantize (quantize x)), x
//        y = select s1, (conv a, (dequantize (quantize w))), (conv a, w)
//
// A switch for each tensor of the choice, then one for each layer. The layer's covers its weight, and the range that it
// takes when it runs.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "passes/Passes.h"
#include "passes/QuantizationBuilder.h"

namespace optc {
#define GEN_PASS_DEF_SWITCHQUANTIZATION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct SwitchQuantization : optc::impl::SwitchQuantizationBase<SwitchQuantization> {
  using SwitchQuantizationBase::SwitchQuantizationBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    QuantizationChoice choice(function, dynamic);
    SmallVector<Value> switches;
    for (size_t i = 0, n = choice.tensors().size() + choice.layers().size(); i < n; ++i)
      switches.push_back(addSwitch(function, i));
    ArrayRef<Value> ofTensors(switches), ofLayers = ofTensors.drop_front(choice.tensors().size());
    for (auto [entry, flag] : llvm::zip(choice.tensors(), ofTensors))
      switchTensor(entry.first, entry.second, flag);
    for (auto [layer, flag] : llvm::zip(choice.layers(), ofLayers)) {
      if (choice.takesRangeAtRunTime(layer.op))
        switchRange(layer, flag);
      if (layer.weight >= 0)
        switchWeight(layer, flag);
    }
  }

private:
  void switchTensor(Value tensor, ElementRange range, Value flag) {
    OpBuilder b(&getContext());
    b.setInsertionPointAfterValue(tensor);
    QuantizationBuilder builder(b, tensor.getLoc());
    Value lowered = builder.activation(tensor, range);
    Value either = chosen(b, flag, lowered, tensor);
    tensor.replaceUsesWithIf(either, [&](OpOperand &use) {
      Operation *user = use.getOwner();
      return user != builder.quantize() && user != either.getDefiningOp() && !user->hasTrait<OpTrait::IsTerminator>();
    });
  }

  void switchRange(const QuantizableLayer &layer, Value flag) {
    OpBuilder b(layer.op);
    OpOperand &operand = layer.op->getOpOperand(layer.activations.front());
    Value lowered = QuantizationBuilder(b, operand.get().getLoc()).dynamicActivation(operand.get());
    operand.set(chosen(b, flag, lowered, operand.get()));
  }

  void switchWeight(const QuantizableLayer &layer, Value flag) {
    OpBuilder b(layer.op);
    Value weight = QuantizationBuilder(b, layer.op->getLoc()).weightOf(layer);
    b.setInsertionPointAfter(layer.op);
    Operation *lowered = b.clone(*layer.op);
    lowered->setOperand(layer.weight, weight);
    Value kept = layer.op->getResult(0);
    Value corrected = QuantizationBuilder(b, layer.op->getLoc()).corrected(layer, lowered->getResult(0));
    Value either = chosen(b, flag, corrected, kept);
    kept.replaceUsesWithIf(either, [&](OpOperand &use) { return use.getOwner() != either.getDefiningOp(); });
  }
};

} // namespace
