//===- KeepFloatProducts.cpp - Quantised products that f32 is better for --===//
//
// A model that is quantised already says what its values are, not what computes them. A product of dequantised values is the
// same in f32, up to the rounding of its sums; where that is estimated to be faster on a CPU level of the artefact, it stays:
//
//   conv (dequantize %x), (dequantize %w)  =>  conv (dequantize %x), (dequantize %w) {optc.compute_float = "..."}
//
// A depthwise convolution without 512-bit vectors, say, or a 3x3 convolution by Winograd's algorithm where bytes have no dot
// product. Costs and conversions as in ChoosePrecision.cpp; LowerQdq leaves what is marked alone.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Weight.h"
#include "passes/LevelChoice.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"

namespace optc {
#define GEN_PASS_DEF_KEEPFLOATPRODUCTS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// The op that dequantises bytes, through movement of constants; null for other values.
DequantizeOp dequantizeOf(Value value) {
  while (isWeight(value) && value.getDefiningOp() && isa<TransposeOp, ReshapeOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  auto dequantize = value.getDefiningOp<DequantizeOp>();
  return dequantize && is8Bit(dequantize.getX()) ? dequantize : DequantizeOp();
}

class Products {
public:
  explicit Products(func::FuncOp function) {
    function.walk([&](Operation *op) {
      if (!isa<ConvOp, ContractOp>(op) || isWeight(op->getResult(0)) || !elementOf(op->getResult(0)).isF32() || !dequantizeOf(op->getOperand(0)) ||
          !dequantizeOf(op->getOperand(1)))
        return;
      indexOf[op] = int(ops.size());
      ops.push_back(op);
    });
  }

  PrecisionGraph graph(const MachineModel &machine) const {
    PrecisionGraph graph;
    llvm::MapVector<Value, SmallVector<int, 2>> readers; // of codes
    for (Operation *op : ops) {
      bool constantRhs = isWeight(op->getOperand(1));
      ProductSize size = productSize(op, constantRhs);
      // A matrix of codes stays one (CompressWeights); a filter's are dequantised when the artefact is packaged.
      bool coded = isa<ContractOp>(op) && constantRhs;
      LayerCost cost{productCost(machine, size, coded ? ProductForm::codedWeights : ProductForm::f32), productCost(machine, size, ProductForm::bytes)};
      // Sums of integers are exact: what does not gain by it stays so.
      constexpr double kShare = 0.05, kLeast = 1000;
      cost.threshold = kShare * cost.bytes + kLeast;
      SmallVector<Value, 2> read;
      for (Value operand : op->getOperands())
        if (!isWeight(operand)) {
          read.push_back(dequantizeOf(operand).getX());
          cost.f32 += machine.traffic(4 * elementsOf(operand));
          cost.bytes += machine.traffic(elementsOf(operand));
        }
      int index = graph.addLayer(cost);
      for (Value codes : read)
        readers[codes].push_back(index);
    }
    for (auto &[codes, who] : readers)
      graph.addTensor(costOf(machine, codes, who));
    return graph;
  }

  SmallVector<Operation *> ops;

private:
  /// The product whose kernel stores the codes: through the elementwise ops that follow it.
  int writerOf(QuantizeOp quantize) const {
    constexpr size_t kMost = 16;
    SmallVector<Value> open{quantize.getX()};
    for (size_t seen = 0; !open.empty() && seen < kMost; ++seen) {
      Value v = open.pop_back_val();
      Operation *op = v.getDefiningOp();
      if (auto it = indexOf.find(op); it != indexOf.end())
        return it->second;
      if (op && op->hasOneUse() && (op->hasTrait<Elementwise>() || isa<ReshapeOp>(op)) && !isa<DequantizeOp>(op))
        llvm::append_range(open, op->getOperands());
    }
    return -1;
  }

  TensorCost costOf(const MachineModel &machine, Value codes, ArrayRef<int> readers) const {
    double elements = elementsOf(codes), asFloats = machine.traffic(4 * elements), asCodes = machine.traffic(elements), others = 0;
    for (Operation *user : codes.getUsers())
      if (!isa<DequantizeOp>(user) || llvm::any_of(user->getUsers(), [&](Operation *o) { return !indexOf.count(o); }))
        ++others;
    TensorCost cost;
    cost.readers.assign(readers.begin(), readers.end());
    cost.dequantize = elements * machine.dequantize + asCodes + asFloats;
    cost.codes = asCodes * (1 + others) + elements * machine.dequantize * others;
    auto quantize = codes.getDefiningOp<QuantizeOp>();
    if (!quantize) { // codes that nothing here makes
      cost.floats = cost.codes + cost.dequantize;
    } else {
      cost.writer = writerOf(quantize);
      cost.isRounded = true;
      cost.quantize = elements * machine.quantize;
      // Floats leave the kernel rounded; what else reads the codes keeps them.
      cost.floats = others ? cost.codes + cost.dequantize : asFloats + elements * machine.dequantize;
    }
    return cost;
  }

  llvm::DenseMap<Operation *, int> indexOf;
};

struct KeepFloatProducts : optc::impl::KeepFloatProductsBase<KeepFloatProducts> {
  using KeepFloatProductsBase::KeepFloatProductsBase;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto machines = machinesOf(function, levels);
    if (failed(machines))
      return signalPassFailure();
    Products products(function);
    if (machines->empty() || products.ops.empty())
      return;
    LevelChoice decision(*machines, [&](const MachineModel &machine) { return products.graph(machine); });
    for (auto [i, op] : llvm::enumerate(products.ops))
      if (!decision.inBytes()[i])
        op->setAttr(kComputeFloat, StringAttr::get(&getContext(), "quantised, computed in f32: " + decision.reason(i)));
    decision.note(function, [&](int i) { return products.ops[i]; });
  }
};

} // namespace
