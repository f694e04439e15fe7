//===- QuantizationBuilder.cpp - Values by way of 8 bits ------------------===//

#include "passes/QuantizationBuilder.h"
#include "ir/Shape.h"
#include "ir/eval/Weight.h"

using namespace mlir;
using namespace optc;

/// Below it a scale's inverse is not a finite float.
static constexpr double kSmallestScale = 1e-30;

QuantizationChoice::QuantizationChoice(func::FuncOp function, bool dynamic) {
  auto isAllowed = [](const QuantizableLayer &layer) { return !layer.op->hasAttr(kKeepFloat) && !layer.op->hasAttr(kFasterInFloat); };
  QuantizedTensors possible(function, [&](const QuantizableLayer &layer) { return isAllowed(layer) && !isWeightsOnly(layer.op); });
  // A layer needs the ranges of all that it reads.
  auto isKnown = [&](Value operand) {
    return llvm::all_of(possible.sourcesOf(operand), [](Value v) { return rangeOf(v).has_value(); });
  };
  for (const QuantizableLayer &layer : possible.layers()) {
    if (llvm::all_of(layer.activations, [&](unsigned i) { return isKnown(layer.op->getOperand(i)); }))
      isStatic.insert(layer.op);
    else if (dynamic && isa<ContractOp>(layer.op) && layer.weight >= 0)
      isDynamic.insert(layer.op);
    if (isLowered(layer.op))
      chosen.push_back(layer);
  }
  forEachOp(function, [&](Operation *op) {
    QuantizableLayer layer;
    if (isWeightsOnly(op) && readQuantizableLayer(op, layer).empty() && isAllowed(layer) && layer.weight >= 0)
      chosen.push_back(layer);
  });
  QuantizedTensors tensors(function, [&](const QuantizableLayer &layer) { return isStatic.contains(layer.op); });
  llvm::DenseMap<Value, ElementRange> shared; // of what shares a scale
  for (Value tensor : tensors.tensors())
    if (auto range = rangeOf(tensor)) {
      auto [it, inserted] = shared.try_emplace(tensors.scaleOf(tensor), *range);
      it->second = {std::min(it->second.low, range->low), std::max(it->second.high, range->high)};
    }
  // Calibration knows no range of what it could not observe.
  for (Value tensor : tensors.tensors())
    if (rangeOf(tensor))
      ranges.emplace_back(tensor, shared[tensors.scaleOf(tensor)]);
}

Value optc::addSwitch(func::FuncOp function, size_t i) {
  Builder b(function.getContext());
  auto name = b.getDictionaryAttr(b.getNamedAttr("optc.name", b.getStringAttr("switch:" + Twine(i))));
  unsigned position = function.getNumArguments();
  function.insertArgument(position, RankedTensorType::get({}, b.getI1Type()), name, function.getLoc());
  return function.getArgument(position);
}

Value optc::chosen(OpBuilder &b, Value flag, Value lowered, Value kept) {
  Value condition = flag;
  if (tensorOf(kept).getRank() > 0)
    condition = b.create<BroadcastOp>(kept.getLoc(), tensorType(dimsOf(kept), b.getI1Type()), flag);
  return b.create<SelectOp>(kept.getLoc(), kept.getType(), condition, lowered, kept);
}

Value QuantizationBuilder::scalar(double value) {
  auto type = RankedTensorType::get({}, b.getF32Type());
  return b.create<ConstantOp>(loc, DenseElementsAttr::get(type, float(value)));
}

Value QuantizationBuilder::code(int64_t value) {
  auto type = RankedTensorType::get({}, u8());
  return b.create<ConstantOp>(loc, DenseElementsAttr::get(type, APInt(8, uint64_t(value))));
}

Value QuantizationBuilder::spread(Value parameter, Value x) {
  Type type = tensorType(dimsOf(x), elementOf(parameter));
  return parameter.getType() == type ? parameter : Value(b.create<BroadcastOp>(loc, type, parameter));
}

Value QuantizationBuilder::positive(Value scale) {
  return b.create<MaxOp>(loc, scale.getType(), scale, spread(scalar(kSmallestScale), scale));
}

Value QuantizationBuilder::throughBytes(Value x, Value scale, Value zeroPoint) {
  Value s = spread(scale, x), z = zeroPoint ? spread(zeroPoint, x) : Value();
  Type byte = zeroPoint ? u8() : b.getI8Type();
  codes = b.create<QuantizeOp>(loc, tensorType(dimsOf(x), byte), x, s, z);
  return b.create<DequantizeOp>(loc, x.getType(), codes, s, z);
}

Value QuantizationBuilder::activation(Value x, ElementRange range) {
  double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  double scale = std::max((high - low) / 255, kSmallestScale);
  int64_t zero = std::clamp<int64_t>(std::llrint(-low / scale), 0, 255);
  return throughBytes(x, scalar(scale), code(zero));
}

Value QuantizationBuilder::dynamicActivation(Value x) {
  Value zero = scalar(0);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, tensorOf(x).getRank()));
  Value low = b.create<MinOp>(loc, zero.getType(), b.create<ReduceOp>(loc, zero.getType(), x, axes, "min"), zero);
  Value high = b.create<MaxOp>(loc, zero.getType(), b.create<ReduceOp>(loc, zero.getType(), x, axes, "max"), zero);
  Value range = b.create<SubOp>(loc, zero.getType(), high, low);
  Value scale = positive(b.create<DivOp>(loc, zero.getType(), range, scalar(255)));
  Value negated = b.create<NegOp>(loc, zero.getType(), low);
  return throughBytes(x, scale, b.create<QuantizeOp>(loc, RankedTensorType::get({}, u8()), negated, scale, Value()));
}

Value QuantizationBuilder::weightOf(const QuantizableLayer &layer) {
  Value w = layer.op->getOperand(layer.weight);
  int64_t axis = weightChannelAxis(layer);
  SmallVector<int64_t> others;
  for (int64_t d = 0; d < tensorOf(w).getRank(); ++d)
    if (d != axis)
      others.push_back(d);
  // Without an axis one scale serves all.
  Dims channel;
  if (axis >= 0)
    channel.push_back(dimOf(w.getType(), axis));
  auto channels = tensorType(channel, b.getF32Type());
  Value largest = b.create<ReduceOp>(loc, channels, b.create<AbsOp>(loc, w.getType(), w), others, "max");
  Value scale = positive(b.create<DivOp>(loc, channels, largest, spread(scalar(127), largest)));
  Dims dims(tensorOf(w).getRank(), DimExpr(1));
  if (axis >= 0)
    dims[axis] = channel.front();
  return throughBytes(w, b.create<ReshapeOp>(loc, tensorType(dims, b.getF32Type()), scale), Value());
}

Value QuantizationBuilder::correctionOf(const QuantizableLayer &layer) {
  auto channels = layer.op->getAttrOfType<DenseF32ArrayAttr>(kBiasCorrection);
  int64_t axis = resultChannelAxis(layer);
  if (!channels || axis < 0 || dimOf(layer.op->getResult(0).getType(), axis) != DimExpr(channels.size()))
    return {};
  SmallVector<int64_t> dims(tensorOf(layer.op->getResult(0)).getRank() - axis, 1);
  dims[0] = channels.size();
  return b.create<ConstantOp>(loc, DenseElementsAttr::get(RankedTensorType::get(dims, b.getF32Type()), channels.asArrayRef()));
}

Value QuantizationBuilder::corrected(const QuantizableLayer &layer, Value y) {
  Value correction = correctionOf(layer);
  return correction ? Value(b.create<AddOp>(loc, y.getType(), y, spread(correction, y))) : y;
}

void QuantizationBuilder::correctBias(const QuantizableLayer &layer) {
  Value y = layer.op->getResult(0);
  b.setInsertionPointAfter(layer.op);
  Value correction = correctionOf(layer);
  if (!correction)
    return;
  // The bias, where one a channel follows.
  auto add = y.hasOneUse() ? dyn_cast<AddOp>(*y.user_begin()) : AddOp();
  OpOperand *bias = !add ? nullptr : &add->getOpOperand(add->getOperand(0) == y ? 1 : 0);
  auto broadcast = bias ? bias->get().getDefiningOp<BroadcastOp>() : BroadcastOp();
  if (broadcast && isWeight(broadcast.getX()) && numElements(dimsOf(broadcast.getX())) == numElements(dimsOf(correction))) {
    Dims own = dimsOf(broadcast.getX());
    int64_t missing = tensorOf(y).getRank() - int64_t(own.size()), axis = tensorOf(y).getRank() - tensorOf(correction).getRank();
    if (axis >= missing && own[axis - missing] == dimOf(correction.getType(), 0)) {
      b.setInsertionPoint(add);
      Value alike = b.create<ReshapeOp>(loc, broadcast.getX().getType(), correction);
      Value sum = b.create<AddOp>(loc, broadcast.getX().getType(), broadcast.getX(), alike);
      bias->set(b.create<BroadcastOp>(broadcast.getLoc(), broadcast.getType(), sum));
      return;
    }
  }
  Value sum = b.create<AddOp>(loc, y.getType(), y, spread(correction, y));
  y.replaceUsesWithIf(sum, [&](OpOperand &use) { return use.getOwner() != sum.getDefiningOp(); });
}
