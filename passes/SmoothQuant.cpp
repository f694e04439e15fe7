//===- SmoothQuant.cpp - Outlier channels into weights --------------------===//
//
// A few channels of a transformer's normalised activations are many times as large as the others, and one range serves all.
// The factor goes to the weights, which have a scale an output channel and no such outliers (Xiao et al., "SmoothQuant",
// 2023):
//
//   contract (normalize x scale g bias b), w  ⇒  contract (normalize x scale (g / s) bias (b / s)), (w * s)
//
// with s = max |x_c|^alpha / max |w_c|^(1 - alpha) for channel c, rounded to a power of two: what f32 computes stays the
// same to the bit. `optc.channel_max` on the normalisation has max |x_c|. All that reads it has to be a product with
// constant weights; their largest w_c counts.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Evaluate.h"
#include "passes/ChannelScale.h"
#include "passes/Passes.h"
#include <cmath>

namespace optc {
#define GEN_PASS_DEF_SMOOTHQUANT
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

SmallVector<QuantizableLayer> optc::layersToSmooth(NormalizeOp op) {
  SmallVector<QuantizableLayer> layers;
  auto type = tensorOf(op.getY());
  if (int64_t(op.getAxis()) != type.getRank() - 1 || type.isDynamicDim(type.getRank() - 1) || !type.getElementType().isF32())
    return {};
  for (mlir::Value parameter : {op.getScale(), op.getBias()})
    if (parameter && !isWeight(parameter))
      return {};
  for (OpOperand &use : op->getUses()) {
    QuantizableLayer layer;
    if (!isa<ContractOp>(use.getOwner()) || use.getOperandNumber() != 0 || !readQuantizableLayer(use.getOwner(), layer).empty() ||
        weightInputAxis(layer) < 0)
      return {};
    layers.push_back(layer);
  }
  return layers;
}

namespace {

class Smoother {
public:
  explicit Smoother(double alpha) : alpha(alpha) {}

  void run(func::FuncOp function) {
    forEachOp(function, [&](Operation *op) {
      if (auto normalize = dyn_cast<NormalizeOp>(op))
        if (auto largest = op->getAttrOfType<DenseF32ArrayAttr>(kChannelMax)) {
          op->removeAttr(kChannelMax);
          smooth(normalize, largest.asArrayRef());
        }
    });
    for (Operation *op : dead)
      op->erase();
  }

private:
  void smooth(NormalizeOp op, ArrayRef<float> largest) {
    SmallVector<QuantizableLayer> layers = layersToSmooth(op);
    if (layers.empty() || dimOf(op.getY().getType(), op.getAxis()) != DimExpr(largest.size()))
      return;
    std::vector<float> weights(largest.size(), 0.0f);
    for (const QuantizableLayer &layer : layers)
      if (!addLargest(layer, weights))
        return;
    SmallVector<double> exponents;
    for (auto [x, w] : llvm::zip(largest, weights))
      // A channel without elements, or that nothing reads, needs no factor.
      exponents.push_back(x > 0 && w > 0 ? alpha * std::log2(double(x)) - (1 - alpha) * std::log2(double(w)) : 0.0);
    apply(op, layers, roundExponents(exponents));
  }

  /// max |w_c| over the weight's other dim.
  bool addLargest(const QuantizableLayer &layer, std::vector<float> &most) {
    auto value = evaluateWeight(layer.op->getOperand(1), cache);
    if (failed(value) || value->type != DType::f32 || value->dims.size() != 2)
      return false;
    bool byRow = weightInputAxis(layer) == 0;
    for (int64_t r = 0; r < value->dims[0]; ++r)
      for (int64_t c = 0; c < value->dims[1]; ++c) {
        float &m = most[byRow ? r : c];
        m = std::max(m, std::abs(value->as<float>()[r * value->dims[1] + c]));
      }
    return true;
  }

  void apply(NormalizeOp op, ArrayRef<QuantizableLayer> layers, const Exponents &exponents) {
    OpBuilder b(op);
    mlir::Value scale = op.getScale();
    if (!scale) {
      auto type = RankedTensorType::get({int64_t(exponents.size())}, b.getF32Type());
      scale = b.create<ConstantOp>(op.getLoc(), DenseElementsAttr::get(type, 1.0f));
    }
    mlir::Value bias = op.getBias() ? scaleParameter(b, op.getBias(), exponents, -1) : mlir::Value();
    auto twin = b.create<NormalizeOp>(op.getLoc(), op.getType(), op.getX(), scaleParameter(b, scale, exponents, -1), bias,
                                      op.getAxis(), op.getEpsilon(), op.getKind());
    for (const QuantizableLayer &layer : layers) {
      b.setInsertionPoint(layer.op);
      layer.op->setOperand(1, scaleAlong(b, layer.op->getOperand(1), exponents, 1, weightInputAxis(layer)));
    }
    op->replaceAllUsesWith(twin);
    dead.push_back(op);
  }

  double alpha;
  llvm::DenseMap<mlir::Value, HostValue> cache;
  SmallVector<Operation *> dead;
};

struct SmoothQuant : optc::impl::SmoothQuantBase<SmoothQuant> {
  using SmoothQuantBase::SmoothQuantBase;
  void runOnOperation() override { Smoother(alpha).run(getOperation()); }
};

} // namespace
