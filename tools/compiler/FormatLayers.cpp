//===- FormatLayers.cpp - What a format of weights lowers -----------------===//

#include "tools/compiler/FormatLayers.h"
#include "codegen/kernel/Contraction.h"
#include "ir/Shape.h"
#include "ir/eval/Evaluate.h"
#include "passes/QuantizationBuilder.h"
#include "passes/QuantizedTensors.h"
#include "passes/StoredWeights.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace optc;

namespace {

/// The matrix among an op's operands that compress-weights would lower: its elements in the operand's order are [k, n], or [n, k]
/// where it is turned.
struct WeightView {
  unsigned operand;
  bool isTurned;
  int64_t k, n;
};

std::optional<WeightView> shapeOf(Operation *op) {
  if (auto product = dyn_cast<ContractOp>(op)) {
    auto dims = tensorOf(product.getRhs()).getShape();
    if (!product.getLhsBatch().empty() || product.getRhsContract().size() != 1 || dims.size() != 2 || isWeight(product.getLhs()))
      return std::nullopt;
    bool isTurned = product.getRhsContract().front() == 1;
    return WeightView{1, isTurned, dims[isTurned], dims[!isTurned]};
  }
  if (auto gather = dyn_cast<GatherOp>(op)) {
    auto dims = tensorOf(gather.getX()).getShape();
    if (gather.getAxis() != 0 || dims.size() != 2 || isWeight(gather.getY()))
      return std::nullopt;
    return WeightView{0, true, dims[1], dims[0]};
  }
  if (auto conv = dyn_cast<ConvOp>(op); conv && conv.getLayout() == "nchw" && isPointwise(conv)) {
    auto dims = tensorOf(conv.getW()).getShape();
    return WeightView{1, true, dims[1], dims[0]};
  }
  if (auto layer = dyn_cast<RecurrentOp>(op); layer && layer.getW()) {
    auto dims = tensorOf(layer.getW()).getShape();
    return WeightView{1, true, dims[1], dims[0]};
  }
  return std::nullopt;
}

std::optional<WeightView> weightOf(Operation *op) {
  auto view = shapeOf(op);
  if (!view)
    return std::nullopt;
  mlir::Value w = op->getOperand(view->operand);
  bool isLarge = tensorOf(w).hasStaticShape() && tensorOf(w).getNumElements() >= kMinCompressed && (isa<GatherOp>(op) || view->k >= kMinCompressedK);
  return isLarge && elementOf(w).isF32() && isWeight(w) && !isInFewBits(w) ? view : std::nullopt;
}

mlir::Value roundedWeight(OpBuilder &b, Operation *op, const WeightView &view, const Rounder &rounder) {
  mlir::Value operand = op->getOperand(view.operand);
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto value = evaluateWeight(operand, cache);
  if (failed(value))
    return operand;
  HostValue result = HostValue::allocate(DType::f32, value->dims);
  const float *from = value->as<float>();
  float *elements = result.as<float>();
  // A table's rows are gathered as the products have it.
  bool isTurned = rounder.codes && isa<GatherOp>(op) ? rounder.isTurned : view.isTurned;
  int64_t k = isTurned == view.isTurned ? view.k : view.n, n = isTurned == view.isTurned ? view.n : view.k;
  auto at = [&](int64_t i, int64_t j) { return isTurned ? j * k + i : i * n + j; };
  std::optional<std::vector<float>> rounded;
  if (!rounder.codes) {
    std::vector<float> w(size_t(k * n));
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < n; ++j)
        w[i * n + j] = from[at(i, j)];
    rounded = roundedWeights(w, k, n, rounder.format);
    if (!rounded)
      return operand;
  }
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < n; ++j)
      elements[at(i, j)] = rounder.codes ? valueOf(*rounder.codes, i, j) : (*rounded)[i * n + j];
  auto type = cast<RankedTensorType>(operand.getType());
  return b.create<ConstantOp>(operand.getLoc(), type, elementsOf(result, type));
}

/// Operands of f32 among the first `count`, by way of bf16.
void roundOperands(OpBuilder &b, Operation *op, unsigned count) {
  for (OpOperand &operand : op->getOpOperands().take_front(count)) {
    mlir::Value x = operand.get();
    if (!elementOf(x).isF32())
      continue;
    mlir::Value half = b.create<CastOp>(op->getLoc(), tensorType(dimsOf(x), b.getBF16Type()), x);
    operand.set(b.create<CastOp>(op->getLoc(), x.getType(), half));
  }
}

} // namespace

SmallVector<FormatLayer> optc::formatLayers(func::FuncOp function, bool bfloat) {
  llvm::MapVector<mlir::Value, FormatLayer> tables;
  function.walk([&](Operation *op) {
    if (op->hasAttr(kKeepFloat))
      return;
    if (auto view = weightOf(op)) {
      mlir::Value table = untransposed({op->getOperand(view->operand), false}).value;
      FormatLayer &layer = tables[table];
      layer.weight = table;
      layer.ops.push_back(op);
    } else if (bfloat && isa<ConvOp, AttentionOp>(op)) {
      tables[op->getResult(0)].ops.push_back(op);
    }
  });
  SmallVector<FormatLayer> layers;
  for (auto &[value, layer] : tables)
    layers.push_back(std::move(layer));
  return layers;
}

void optc::switchFormat(ArrayRef<Operation *> ops, const Rounder &rounder, mlir::Value flag) {
  // By operand: ops that read one matrix in one way read one constant.
  llvm::DenseMap<mlir::Value, mlir::Value> done;
  for (Operation *op : ops) {
    OpBuilder b(op);
    Operation *lowered = b.clone(*op);
    auto view = weightOf(op);
    b.setInsertionPoint(lowered);
    // What is multiplied in bf16 is rounded once where its weights are stored in it, too.
    const bool multiplies = rounder.bfloat && isa<ConvOp, ContractOp, AttentionOp, RecurrentOp>(op);
    if (view && !(multiplies && !rounder.codes && rounder.format.name == "bf16")) {
      mlir::Value &rounded = done[op->getOperand(view->operand)];
      if (!rounded) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(flag.getParentBlock());
        rounded = roundedWeight(b, op, *view, rounder);
      }
      lowered->setOperand(view->operand, rounded);
    }
    if (multiplies)
      roundOperands(b, lowered, isa<AttentionOp>(op) ? 3 : 2);
    b.setInsertionPointAfter(op);
    for (auto [kept, other] : llvm::zip(op->getResults(), lowered->getResults())) {
      if (kept.use_empty())
        continue;
      mlir::Value either = chosen(b, flag, other, kept);
      kept.replaceAllUsesExcept(either, either.getDefiningOp());
    }
  }
}
