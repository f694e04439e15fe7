//===- InsertRounding.cpp - Operands of products in bf16 or tf32 ----------===//
//
// --bf16 speaks the language of models that are in bf16, so that one lowering serves both:
//
//   y = contract (max x, 0), w
//     =>  h = cast (max x, 0) : bf16;  v = cast w : bf16;  y = contract (cast h : f32), (cast v : f32)
//
// Products of two bf16 are exact in f32, and sums are taken in f32. The rounding stands on the tensor, so all that reads it
// (residuals, too) reads the same 16 bits. What the model returns is not rounded. bf16 has the range of f32: only a weight beyond
// the largest bf16 (3.39e38) keeps its product in f32.
//
// Attention on results of such products reads bf16, too, and rounds its probabilities, where AMX's tiles compute it; on a GPU any.
//
// --tf32, for GPUs, has the same done with values of tf32, which stay f32 in memory, and marks the products (kTf32), of two activations, too:
//
//   y = contract x, w   =>  y = contract (round_tf32 x), (round_tf32 w) {optc.tf32}
//
// Where a GPU has weights in few bits (--int4 and the like, or as the model stores them), the other operand alone is rounded here.
//
// A 3x3 convolution that has a kernel by Winograd's algorithm stays in f32 unless every CPU of the artefact has AMX: a product of pairs
// in vectors is twice as fast, Winograd's algorithm four times.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Attention.h"
#include "codegen/kernel/CompressedPanels.h"
#include "codegen/kernel/CompressedRows.h"
#include "codegen/kernel/Contraction.h"
#include "codegen/kernel/StridedView.h"
#include "codegen/kernel/Winograd.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "passes/QuantizedTensors.h"
#include "passes/RightOperand.h"
#include "passes/WeightFormats.h"

namespace optc {
#define GEN_PASS_DEF_INSERTROUNDING
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// What is smaller fills no tile. Matrices have the least size of compress-weights.
constexpr int64_t kMinK = 16, kMinN = 8, kMinFilter = 512;

struct InsertRounding : optc::impl::InsertRoundingBase<InsertRounding> {
  using InsertRoundingBase::InsertRoundingBase;

  void runOnOperation() override {
    SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (isa<ContractOp, ConvOp>(op) && !isWeight(op->getResult(0)))
        products.push_back(op);
    });
    for (Operation *op : products)
      if ((tf32 ? isTf32Product(op) : isProduct(op)) && !isKept(op))
        lower(op);
    if (tf32)
      return;
    if (tiles)
      getOperation().walk([&](AttentionOp op) { lowerAttention(op); });
    // Depthwise convolutions are not limited by arithmetic: of what products compute for them half the bytes are stored.
    for (Operation *op : products)
      if (auto conv = dyn_cast<ConvOp>(op); conv && conv.getGroups() > 1 && elementOf(conv.getX()).isF32() && isOfProduct(conv.getX()))
        roundTensor(conv.getX());
  }

private:
  /// Of f32 and constant weights, with more rows than weights are dequantised in registers for.
  bool isProduct(Operation *op) {
    mlir::Value x = op->getOperand(0), w = op->getOperand(1);
    if (!elementOf(x).isF32() || !elementOf(w).isF32() || !isWeight(w) || isa_and_nonnull<DequantizeOp>(sourceOf(x)))
      return false;
    if (isInFewBits(op))
      return isUnpacked(cast<ContractOp>(op));
    if (isa_and_nonnull<DequantizeOp>(sourceOf(w)))
      return false;
    Dims dims = dimsOf(w);
    int64_t weights = tensorOf(w).getNumElements(), columns, least = isa<ConvOp>(op) ? kMinFilter : kMinCompressed;
    if (auto conv = dyn_cast<ConvOp>(op)) {
      if (conv.getLayout() != "nhwc" || conv.getGroups() != 1)
        return false;
      columns = *dims.back().constant();
    } else {
      auto contract = cast<ContractOp>(op);
      auto rows = dimsOf(x).front().constant();
      if (!contract.getLhsBatch().empty() || dims.size() != 2 || dimsOf(x).size() != 2 || contract.getRhsContract().size() != 1 ||
          (rows && *rows <= kDirectRows && !gpu))
        return false;
      columns = *dims[1 - contract.getRhsContract().front()].constant();
    }
    return columns >= kMinN && weights >= least && weights / columns >= kMinK;
  }

  /// A GPU has the weights in few bits (CompressWeights).
  bool isInFewBits(Operation *op) {
    return gpu && isa<ContractOp>(op) && (fewBits || isa_and_nonnull<DequantizeOp>(sourceOf(op->getOperand(1)))) && !op->hasAttr(kKeepFloat) &&
           tensorOf(op->getOperand(1)).getNumElements() >= kMinCompressed;
  }
  /// Before it is multiplied: it has more rows than unpack weights in registers.
  static bool isUnpacked(ContractOp op) {
    auto rows = dimsOf(op.getLhs()).front().constant();
    return op.getLhsBatch().empty() && dimsOf(op.getLhs()).size() == 2 && dimsOf(op.getRhs()).size() == 2 && op.getRhsContract().size() == 1 &&
           !(rows && *rows <= kGemvRows);
  }

  /// Of f32, with more rows than are limited by reading the right operand.
  bool isTf32Product(Operation *op) {
    mlir::Value x = op->getOperand(0), w = op->getOperand(1);
    if (!elementOf(x).isF32() || !elementOf(w).isF32() || isa_and_nonnull<DequantizeOp>(sourceOf(x)) || isa_and_nonnull<DequantizeOp>(sourceOf(w)))
      return false;
    Dims dims = dimsOf(w);
    std::optional<int64_t> columns, depth;
    if (auto conv = dyn_cast<ConvOp>(op)) {
      if (conv.getLayout() != "nhwc" || !isDeviceConv(conv) || !isWeight(w))
        return false;
      columns = dims.back().constant();
      depth = tensorOf(w).getNumElements() / std::max<int64_t>(1, *columns);
    } else {
      auto contract = cast<ContractOp>(op);
      size_t batch = contract.getLhsBatch().size();
      if (contract.getRhsContract().size() != 1 || dims.size() != batch + 2 || dimsOf(x).size() != batch + 2)
        return false;
      auto rows = dimsOf(x)[batch].constant();
      size_t along = size_t(contract.getRhsContract().front());
      depth = dims[along].constant();
      columns = dims[2 * batch + 1 - along].constant();
      if (rows && *rows <= kGemvRows)
        return false;
    }
    return (!columns || *columns >= kMinN) && (!depth || *depth >= kMinK);
  }

  /// What elementwise ops make of a product that was lowered.
  bool isOfProduct(mlir::Value x, int depth = 0) {
    constexpr int kDeepest = 6;
    Operation *op = sourceOf(x);
    if (!op || lowered.contains(op))
      return op;
    return depth < kDeepest && op->hasTrait<Elementwise>() &&
           llvm::any_of(op->getOperands(), [&](mlir::Value operand) { return isOfProduct(operand, depth + 1); });
  }

  bool isKept(Operation *op) {
    func::FuncOp function = getOperation();
    if (auto why = op->getAttrOfType<StringAttr>(kKeepFloat)) {
      noteKept(function, op, why);
      return true;
    }
    if (auto conv = dyn_cast<ConvOp>(op); conv && !tiles && isWinograd(conv)) {
      noteKept(function, op, "by Winograd's algorithm it is faster in f32 on a CPU without AMX");
      return true;
    }
    return false;
  }

  void lower(Operation *op) {
    func::FuncOp function = getOperation();
    mlir::Value weight = op->getOperand(1);
    if (!tf32 && isInFewBits(op)) {
      op->setAttr(kUnpacksInBFloat, UnitAttr::get(&getContext()));
    } else if (isWeight(weight)) {
      llvm::DenseMap<mlir::Value, HostValue> cache;
      auto known = evaluateWeight(weight, cache);
      if (failed(known))
        return;
      const float most = tf32 ? 0x1.ffcp127f : 0x1.fep127f;
      auto fits = [&](float x) { return !(std::abs(x) > most); };
      if (!llvm::all_of(ArrayRef(known->as<float>(), size_t(known->size())), fits))
        return noteKept(function, op, tf32 ? "a weight does not fit tf32" : "a weight does not fit bf16");
      OpBuilder b(op);
      op->setOperand(1, rounded(b, weight));
    } else {
      roundTensor(weight);
    }
    roundTensor(op->getOperand(0));
    if (tf32)
      op->setAttr(kTf32, UnitAttr::get(&getContext()));
    noteLowered(function, op, tf32 ? "tf32, sums in f32" : "bf16, sums in f32");
    lowered.insert(op);
  }

  /// With more queries than a product has rows at least.
  void lowerAttention(AttentionOp op) {
    if (isKept(op))
      return;
    mlir::Value operands[] = {op.getQ(), op.getK(), op.getV()};
    auto queries = dimsOf(op.getQ())[2].constant();
    // What comes from elsewhere (a cache of keys) would have to be rounded on its own, which takes as long as is gained.
    if (llvm::any_of(operands, [&](mlir::Value x) { return !elementOf(x).isF32() || (!gpu && !isOfProduct(x)); }) || (!gpu && queries && *queries <= kDirectRows))
      return;
    for (mlir::Value x : operands)
      roundTensor(x, /*throughSlices=*/true);
    op->setAttr(kRoundsProbabilities, UnitAttr::get(&getContext()));
    noteLowered(getOperation(), op, "bf16, sums and softmax in f32");
  }

  mlir::Value rounded(OpBuilder &b, mlir::Value x) {
    if (tf32)
      return b.create<RoundTf32Op>(x.getLoc(), x.getType(), x);
    Dims dims = dimsOf(x);
    mlir::Value half = b.create<CastOp>(x.getLoc(), tensorType(dims, b.getBF16Type()), x);
    return b.create<CastOp>(x.getLoc(), x.getType(), half);
  }

  /// What movement makes of a tensor reads the rounded tensor. A slice of it alone is rounded, unless others are, too.
  void roundTensor(mlir::Value x, bool throughSlices = false) {
    while (Operation *op = x.getDefiningOp()) {
      if (!isa<ReshapeOp, TransposeOp>(op) && !(throughSlices && isa<SliceOp>(op)))
        break;
      x = op->getOperand(0);
    }
    if (!done.insert(x).second || bfloatUnder(x) || x.getDefiningOp<RoundTf32Op>())
      return;
    OpBuilder b(&getContext());
    b.setInsertionPointAfterValue(x);
    mlir::Value twin = rounded(b, x);
    Operation *rounding = tf32 ? twin.getDefiningOp() : twin.getDefiningOp()->getOperand(0).getDefiningOp();
    x.replaceUsesWithIf(twin, [&](OpOperand &use) { return use.getOwner() != rounding && !use.getOwner()->hasTrait<OpTrait::IsTerminator>(); });
    done.insert(twin);
  }

  llvm::DenseSet<Operation *> lowered;
  llvm::DenseSet<mlir::Value> done;
};

} // namespace
