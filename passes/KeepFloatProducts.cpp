//===- KeepFloatProducts.cpp - Quantised products that f32 is better for --===//
//
// A model that is quantised already says what its values are, not what computes them. A product of dequantised values is the
// same in f32, up to the rounding of its sums; where that is estimated to be faster on a CPU level of the artefact, it stays:
//
//   conv (dequantize %x), (dequantize %w)  =>  conv (dequantize %x), (dequantize %w) {optc.compute_float = "..."}
//
// A 3x3 convolution by Winograd's algorithm, say, where bytes have no dot
// product. Costs and conversions as in ChoosePrecision.cpp; LowerQdq leaves what is marked alone.
//
// Products of the model's input may be in f32 at some cost (LevelChoice.h). Its limits stay:
//
//   conv (dequantize (quantize %input, s, z)), ...  =>  conv (min (max %input, (low - z) * s), (high - z) * s), ...
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

/// Of a filter: other than the middle of the range of its codes.
bool hasZeroPoint(Value filter) {
  DequantizeOp op = dequantizeOf(filter);
  auto zero = zeroPoint(op.getZeroPoint());
  return !zero || *zero != (elementOf(op.getX()).isUnsignedInteger() ? 128 : 0);
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
    SmallVector<ProductSize> sizes;
    for (Operation *op : ops)
      sizes.push_back(productSize(op, isWeight(op->getOperand(1))));
    bool cachedWeights = weightsStayCached(sizes);
    for (auto [op, size] : llvm::zip(ops, sizes)) {
      size.cachedWeights = cachedWeights;
      bool constantRhs = size.constantRhs;
      // A matrix of codes stays one (CompressWeights); a filter's are dequantised when the artefact is packaged.
      bool coded = isa<ContractOp>(op) && constantRhs;
      bool sumsWindows = isa<ConvOp>(op) && hasZeroPoint(op->getOperand(1));
      size.widened |= sumsWindows;
      LayerCost cost{productCost(machine, size, coded ? ProductForm::codedWeights : ProductForm::f32), productCost(machine, size, ProductForm::bytes)};
      // Its multiples of the sums over windows: a convolution of one channel.
      if (sumsWindows && size.kind == ProductSize::Kind::conv) {
        ProductSize sums = size;
        sums.n = 1;
        cost.bytes += productCost(machine, sums, ProductForm::bytes);
      }
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

  /// Products of one quantised model input.
  struct InputReaders {
    QuantizeOp quantize;
    SmallVector<DequantizeOp> operands;
    SmallVector<int> layers;
  };
  /// Those of inputs that nothing else reads as codes, whose scale is one constant.
  SmallVector<InputReaders> inputReaders() const {
    llvm::MapVector<Operation *, InputReaders> found;
    for (auto [i, op] : llvm::enumerate(ops)) {
      DequantizeOp dequantize = dequantizeOf(op->getOperand(0));
      QuantizeOp quantize = inputUnder(dequantize.getX());
      if (!quantize)
        continue;
      InputReaders &readers = found[quantize];
      readers.quantize = quantize;
      readers.layers.push_back(int(i));
      if (!llvm::is_contained(readers.operands, dequantize))
        readers.operands.push_back(dequantize);
    }
    SmallVector<InputReaders> list;
    for (auto &[op, readers] : found)
      if (splatValue(readers.quantize.getScale()) && zeroPoint(readers.quantize.getZeroPoint()) && readBy(readers.quantize.getY(), readers))
        list.push_back(readers);
    return list;
  }

  SmallVector<Operation *> ops;

private:
  /// The op that quantises an input of the model, through movement of the codes.
  static QuantizeOp inputUnder(Value codes) {
    auto quantize = dyn_cast_or_null<QuantizeOp>(sourceOf(codes));
    auto argument = quantize ? dyn_cast<BlockArgument>(quantize.getX()) : BlockArgument();
    return argument && isa<func::FuncOp>(argument.getOwner()->getParentOp()) && elementOf(argument).isF32() ? quantize : QuantizeOp();
  }
  bool readBy(Value codes, const InputReaders &readers) const {
    return llvm::all_of(codes.getUsers(), [&](Operation *user) {
      if (isMovement(user))
        return readBy(user->getResult(0), readers);
      return llvm::is_contained(readers.operands, user) &&
             llvm::all_of(user->getUsers(), [&](Operation *o) { return indexOf.count(o) && o->getOperand(0) == user->getResult(0); });
    });
  }

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
    auto setReason = [&](int i, const std::string &why) {
      products.ops[i]->setAttr(kComputeFloat, StringAttr::get(&getContext(), "quantised, computed in f32: " + why));
    };
    for (auto [i, op] : llvm::enumerate(products.ops))
      if (!decision.inBytes()[i])
        setReason(i, decision.reason(i));
    for (const Products::InputReaders &readers : inputs ? products.inputReaders() : SmallVector<Products::InputReaders>())
      if (auto why = decision.readInputInFloat(readers.layers)) {
        for (int i : readers.layers)
          setReason(i, *why);
        keepInput(readers);
      }
    decision.note(function, [&](int i) { return products.ops[i]; });
  }

private:
  /// The input within the limits of its codes, not rounded.
  static void keepInput(const Products::InputReaders &readers) {
    QuantizeOp quantize = readers.quantize;
    OpBuilder b(quantize);
    Value input = limited(b, quantize.getX(), quantize, *splatValue(quantize.getScale()));
    for (DequantizeOp dequantize : readers.operands) {
      SmallVector<Operation *> movement;
      for (Operation *op = dequantize.getX().getDefiningOp(); op != quantize; op = op->getOperand(0).getDefiningOp())
        movement.push_back(op);
      OpBuilder at(dequantize);
      Value moved = input;
      for (Operation *op : llvm::reverse(movement))
        moved = moveLike(at, op, moved);
      dequantize.replaceAllUsesWith(moved);
    }
  }
};

} // namespace
