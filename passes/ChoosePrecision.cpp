//===- ChoosePrecision.cpp - 8 bits only where they gain ------------------===//
//
// --int8 allows 8 bits; whether a layer takes them is a matter of cost. Before InsertQuantization, on what it would lower:
//
//   conv %x, %w                      =>  conv %x, %w {optc.faster_in_float = "f32 is estimated to be faster ..."}
//   contract %x, %w : few rows       =>  contract %x, %w {optc.weights_only}
//
// Costs are those of each CPU level of the artefact (codegen/kernel/CostModel.h), conversions included
// (passes/PrecisionGraph.h): no level is to lose. A product whose time goes into reading its weights may gain most from
// weights of 8 bits alone.
//
//===----------------------------------------------------------------------===//

#include "ir/PrecisionNotes.h"
#include "passes/LevelChoice.h"
#include "passes/Passes.h"
#include "passes/QuantizationBuilder.h"
#include "passes/WeightFormats.h"

namespace optc {
#define GEN_PASS_DEF_CHOOSEPRECISION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// True where CompressWeights finds panels of codes in what InsertQuantization makes of the weight alone.
bool mayCodeWeights(const QuantizableLayer &layer) {
  auto contract = dyn_cast<ContractOp>(layer.op);
  if (!contract || layer.weight != 1 || !contract.getRhsBatch().empty() || contract.getRhsContract().size() != 1)
    return false;
  auto weight = tensorOf(contract.getRhs());
  return weight.getRank() == 2 && weight.getDimSize(contract.getRhsContract().front()) >= kMinCompressedK;
}

/// The kernel that computes such an op stores codes as well as floats.
bool quantizesResult(Operation *op) {
  return op && !isa<AttentionOp, SliceOp, RecurrentOp, ConvTransposeOp, DeformConvOp, LibraryOp>(op) && op->getNumRegions() == 0;
}

struct ChoosePrecision : optc::impl::ChoosePrecisionBase<ChoosePrecision> {
  using ChoosePrecisionBase::ChoosePrecisionBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto machines = machinesOf(function, levels);
    if (failed(machines))
      return signalPassFailure();
    QuantizationChoice choice(function, /*dynamic=*/true);
    if (machines->empty() || choice.layers().empty())
      return;
    SmallVector<ProductSize> sizes;
    for (const QuantizableLayer &layer : choice.layers())
      if (!isa<AttentionOp>(layer.op))
        sizes.push_back(sizeOf(layer));
    cachedWeights = weightsStayCached(sizes);
    LevelChoice decision(*machines, [&](const MachineModel &machine) { return graphOf(function, choice, machine); });
    for (auto [i, layer] : llvm::enumerate(choice.layers()))
      if (!decision.inBytes()[i])
        keep(function, layer, decision.reason(i), *machines);
    for (const SmallVector<int> &readers : inputReaders(function, choice))
      if (auto why = decision.readInputInFloat(readers))
        for (int i : readers)
          choice.layers()[i].op->setAttr(kFasterInFloat, StringAttr::get(&getContext(), *why));
    decision.note(function, [&](int i) { return choice.layers()[i].op; });
  }

private:
  /// By input of the model: the layers that read its codes.
  static SmallVector<SmallVector<int>> inputReaders(func::FuncOp function, const QuantizationChoice &choice) {
    QuantizedTensors tensors(function, [&](const QuantizableLayer &l) { return choice.isLowered(l.op) && !choice.takesRangeAtRunTime(l.op); });
    llvm::MapVector<Value, SmallVector<int>> found;
    for (auto [i, layer] : llvm::enumerate(choice.layers()))
      if (layer.weight >= 0 && layer.activations.size() == 1 && !choice.takesRangeAtRunTime(layer.op))
        if (auto sources = tensors.sourcesOf(layer.op->getOperand(layer.activations.front()));
            sources.size() == 1 && isa<BlockArgument>(*sources.begin()))
          found[*sources.begin()].push_back(int(i));
    SmallVector<SmallVector<int>> list;
    for (auto &[input, layers] : found)
      list.push_back(layers);
    return list;
  }

  ProductSize sizeOf(const QuantizableLayer &layer) const {
    ProductSize size = productSize(layer.op, layer.weight >= 0);
    size.cachedWeights = cachedWeights;
    return size;
  }

  LayerCost costOf(const QuantizableLayer &layer, const MachineModel &machine) const {
    if (auto attention = dyn_cast<AttentionOp>(layer.op))
      return {attentionCost(machine, attention, ProductForm::f32), attentionCost(machine, attention, ProductForm::bytes)};
    ProductSize size = sizeOf(layer);
    return {productCost(machine, size, codedWeightsGain(layer, machine) ? ProductForm::codedWeights : ProductForm::f32),
            productCost(machine, size, ProductForm::bytes)};
  }

  bool codedWeightsGain(const QuantizableLayer &layer, const MachineModel &machine) const {
    if (!mayCodeWeights(layer))
      return false;
    ProductSize size = sizeOf(layer);
    return productCost(machine, size, ProductForm::codedWeights) < productCost(machine, size, ProductForm::f32);
  }

  void keep(func::FuncOp function, const QuantizableLayer &layer, const std::string &reason, ArrayRef<const MachineModel *> machines) {
    if (llvm::all_of(machines, [&](const MachineModel *m) { return codedWeightsGain(layer, *m); }))
      return layer.op->setAttr(kWeightsOnly, StringAttr::get(&getContext(), reason));
    layer.op->setAttr(kFasterInFloat, StringAttr::get(&getContext(), reason));
  }

  PrecisionGraph graphOf(func::FuncOp function, const QuantizationChoice &choice, const MachineModel &machine) const {
    PrecisionGraph graph;
    QuantizedTensors tensors(function, [&](const QuantizableLayer &l) { return choice.isLowered(l.op) && !choice.takesRangeAtRunTime(l.op); });
    llvm::DenseMap<Operation *, int> indexOf;
    llvm::MapVector<Value, SmallVector<int, 2>> readers, rangeReaders;
    llvm::DenseMap<Value, double> asFloats; // elements of the largest operand that a tensor is part of
    for (const QuantizableLayer &layer : choice.layers()) {
      LayerCost cost = costOf(layer, machine);
      // Less is no estimate.
      constexpr double kLeast = 500;
      cost.threshold = kLeast;
      for (unsigned i : layer.activations) {
        double elements = elementsOf(layer.op->getOperand(i));
        cost.f32 += machine.traffic(4 * elements);
        cost.bytes += machine.traffic(elements);
      }
      int index = indexOf[layer.op] = graph.addLayer(cost);
      for (unsigned i : layer.activations) {
        if (choice.takesRangeAtRunTime(layer.op))
          rangeReaders[layer.op->getOperand(i)].push_back(index);
        else
          for (Value source : tensors.sourcesOf(layer.op->getOperand(i))) {
            readers[source].push_back(index);
            asFloats[source] = std::max(asFloats[source], elementsOf(layer.op->getOperand(i)));
          }
      }
    }
    auto writerOf = [&](Value tensor) {
      auto it = indexOf.find(tensors.writerOf(tensor));
      return it == indexOf.end() ? -1 : it->second;
    };
    for (auto &[tensor, who] : readers) {
      TensorCost cost = storedCost(machine, tensor, choice, asFloats[tensor]);
      cost.writer = writerOf(tensor);
      cost.readers = who;
      graph.addTensor(std::move(cost));
    }
    for (auto &[tensor, who] : rangeReaders) {
      double elements = elementsOf(tensor), floats = machine.traffic(4 * elements), codes = machine.traffic(elements);
      TensorCost cost;
      cost.readers = who;
      cost.keepsFloats = true;
      cost.floats = floats;
      cost.codes = codes;
      // Read for its range, and again for its codes.
      cost.quantize = elements * (machine.range + machine.quantize) + 2 * floats;
      graph.addTensor(std::move(cost));
    }
    return graph;
  }

  /// `operand`: elements of what a layer in f32 would have dequantised, what is joined with the tensor included.
  static TensorCost storedCost(const MachineModel &machine, Value tensor, const QuantizationChoice &choice, double operand) {
    double elements = elementsOf(tensor), floats = machine.traffic(4 * elements), codes = machine.traffic(elements), others = 0;
    TensorCost cost;
    for (Operation *user : tensor.getUsers())
      if (user->hasTrait<OpTrait::IsTerminator>())
        cost.codes += floats; // both are stored
      else if (!choice.isLowered(user))
        ++others;
    // Floats of a part are read where they are.
    cost.floats = floats * (isa_and_nonnull<SliceOp>(tensor.getDefiningOp()) ? others : 1 + others);
    cost.codes += codes * (1 + others) + elements * machine.dequantize * others;
    cost.quantize = elements * machine.quantize;
    if (!quantizesResult(tensor.getDefiningOp()))
      cost.quantize += tensor.getDefiningOp() ? 2 * floats : floats;
    cost.dequantize = operand * machine.dequantize + machine.traffic(operand) + machine.traffic(4 * operand);
    return cost;
  }

  bool cachedWeights = false;
};

} // namespace
