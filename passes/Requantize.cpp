//===- Requantize.cpp - Scales before what follows a product --------------===//

#include "passes/Requantize.h"
#include "ir/eval/Weight.h"
#include "passes/Match.h"
#include "passes/Quantized.h"

using namespace mlir;
using namespace optc;

namespace {

class Requantizer {
public:
  explicit Requantizer(QuantizeOp op) : op(op), b(op), loc(op.getLoc()) {}

  void run() {
    auto scale = splatValue(op.getScale());
    if (!is8Bit(op.getY()) || !scale || !(*scale > 0) || *scale == 1 || !op.getX().getType().getElementType().isF32() || !followsProduct(op.getX(), 0))
      return;
    inverse = double(float(1 / *scale));
    Value x = divided(op.getX(), 0);
    Value one = repeat(b, loc, scalarConstant(b, loc, b.getF32Type(), 1), dimsOf(x));
    op.getXMutable().assign(x);
    op.getScaleMutable().assign(one);
  }

private:
  static constexpr int kDepth = 8;

  /// Through elementwise ops and reshapes used once, to integers or the whole numbers of a depthwise convolution.
  bool followsProduct(Value x, int depth) {
    Operation *producer = x.getDefiningOp();
    if (!producer || depth > kDepth || isWeight(x))
      return false;
    if (auto cast = dyn_cast<CastOp>(producer))
      return isa<IntegerType>(elementOf(cast.getX()));
    if (isa<ConvOp, DequantizeOp>(producer))
      return true;
    if (!producer->hasOneUse() || !(producer->hasTrait<Elementwise>() || isa<ReshapeOp>(producer)))
      return false;
    return llvm::any_of(producer->getOperands(), [&](Value v) { return followsProduct(v, depth + 1); });
  }

  /// A weight, repeated or not.
  static bool isConstant(Value x) {
    auto broadcast = x.getDefiningOp<BroadcastOp>();
    return isWeight(broadcast ? broadcast.getX() : x);
  }
  /// x / scale, as far up as constants allow.
  Value divided(Value x, int depth) {
    Operation *producer = x.getDefiningOp();
    if (isConstant(x))
      return scaled(x);
    if (auto dequantize = dyn_cast_or_null<DequantizeOp>(producer); dequantize && isConstant(dequantize.getScale())) {
      Value scale = scaled(dequantize.getScale());
      b.setInsertionPointAfter(dequantize);
      return b.create<DequantizeOp>(dequantize.getLoc(), x.getType(), dequantize.getX(), scale, dequantize.getZeroPoint());
    }
    if (producer && producer->hasOneUse() && depth < kDepth) {
      if (isa<MulOp>(producer))
        for (int side : {0, 1})
          if (isConstant(producer->getOperand(side)))
            return with(producer, side, scaled(producer->getOperand(side)));
      if (isa<AddOp, SubOp, MaxOp, MinOp>(producer)) {
        Value first = divided(producer->getOperand(0), depth + 1);
        with(producer, 0, first);
        return with(producer, 1, divided(producer->getOperand(1), depth + 1));
      }
      if (isa<ReshapeOp>(producer))
        return with(producer, 0, divided(producer->getOperand(0), depth + 1));
    }
    return product(x);
  }

  Value with(Operation *producer, unsigned operand, Value value) {
    producer->setOperand(operand, value);
    return producer->getResult(0);
  }
  /// A constant times 1 / scale: under its broadcast, so that it stays small.
  Value scaled(Value x) {
    if (auto broadcast = x.getDefiningOp<BroadcastOp>()) {
      b.setInsertionPointAfter(broadcast);
      return b.create<BroadcastOp>(x.getLoc(), x.getType(), scaled(broadcast.getX()));
    }
    return product(x);
  }
  Value product(Value x) {
    if (Operation *producer = x.getDefiningOp())
      b.setInsertionPointAfter(producer);
    Value factor = repeat(b, loc, scalarConstant(b, loc, b.getF32Type(), inverse), dimsOf(x));
    return b.create<MulOp>(loc, x.getType(), x, factor);
  }

  QuantizeOp op;
  OpBuilder b;
  Location loc;
  double inverse = 1;
};

} // namespace

void optc::scaleBeforeRounding(QuantizeOp op) { Requantizer(op).run(); }
