//===- InsertQuantization.cpp - QDQ on what layers read -------------------===//
//
// Our own calibration speaks the language of quantised models, so that one lowering serves both:
//
//   y = conv (max x, 0), w
//     ⇒  q = quantize (max x, 0) : ui8;  v = quantize w : i8;  y = conv (dequantize q), (dequantize v)
//
// Activations: ui8, one scale and zero point a tensor, out of the range that `optc.range` states; quantize and
// dequantize stand on the tensor, so all that reads it (residuals, too) reads the same 8 bits. The model's outputs stay
// what they are. Weights: i8 in [-127, 127], one scale an output channel; theirs is a weight expression. Biases stay
// floats.
//
// A range is [0, 0] made wider: zero, which padding and relu bring, has a code of its own. A matrix product whose range
// is not known takes it from the tensor itself when it runs (`dynamic`), as ONNX's DynamicQuantizeLinear does:
//
//   scale = (max(x, 0) - min(x, 0)) / 255;  zero_point = quantize (-min(x, 0)), scale
//
//===----------------------------------------------------------------------===//

#include "ir/PrecisionNotes.h"
#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/QuantizedTensors.h"

namespace optc {
#define GEN_PASS_DEF_INSERTQUANTIZATION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Builds quantize and dequantize as the importer of QuantizeLinear does: parameters at the tensor's shape.
class QuantizationBuilder {
public:
  QuantizationBuilder(OpBuilder &b, Location loc) : b(b), loc(loc) {}

  Value scalar(double value) {
    auto type = RankedTensorType::get({}, b.getF32Type());
    return b.create<ConstantOp>(loc, DenseElementsAttr::get(type, float(value)));
  }
  Value code(int64_t value) {
    auto type = RankedTensorType::get({}, u8());
    return b.create<ConstantOp>(loc, DenseElementsAttr::get(type, APInt(8, uint64_t(value))));
  }
  /// The value that x becomes by way of 8 bits.
  Value throughBytes(Value x, Value scale, Value zeroPoint) {
    Value s = spread(scale, x), z = zeroPoint ? spread(zeroPoint, x) : Value();
    Type byte = zeroPoint ? u8() : b.getI8Type();
    codes = b.create<QuantizeOp>(loc, tensorType(dimsOf(x), byte), x, s, z);
    return b.create<DequantizeOp>(loc, x.getType(), codes, s, z);
  }
  /// Of the last call of throughBytes.
  Operation *quantize() { return codes.getDefiningOp(); }

  Value activation(Value x, ElementRange range) {
    double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
    double scale = std::max((high - low) / 255, kSmallestScale);
    int64_t zero = std::clamp<int64_t>(std::llrint(-low / scale), 0, 255);
    return throughBytes(x, scalar(scale), code(zero));
  }

  Value dynamicActivation(Value x) {
    Value zero = scalar(0);
    SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, tensorOf(x).getRank()));
    Value low = b.create<MinOp>(loc, zero.getType(), b.create<ReduceOp>(loc, zero.getType(), x, axes, "min"), zero);
    Value high = b.create<MaxOp>(loc, zero.getType(), b.create<ReduceOp>(loc, zero.getType(), x, axes, "max"), zero);
    Value range = b.create<SubOp>(loc, zero.getType(), high, low);
    Value scale = positive(b.create<DivOp>(loc, zero.getType(), range, scalar(255)));
    Value negated = b.create<NegOp>(loc, zero.getType(), low);
    return throughBytes(x, scale, b.create<QuantizeOp>(loc, RankedTensorType::get({}, u8()), negated, scale, Value()));
  }

  /// One scale for each index of dim `axis`.
  Value weight(Value w, int64_t axis) {
    SmallVector<int64_t> others;
    for (int64_t d = 0; d < tensorOf(w).getRank(); ++d)
      if (d != axis)
        others.push_back(d);
    auto channels = tensorType({dimOf(w.getType(), axis)}, b.getF32Type());
    Value largest = b.create<ReduceOp>(loc, channels, b.create<AbsOp>(loc, w.getType(), w), others, "max");
    Value scale = positive(b.create<DivOp>(loc, channels, largest, spread(scalar(127), largest)));
    Dims dims(tensorOf(w).getRank(), DimExpr(1));
    dims[axis] = dimOf(w.getType(), axis);
    return throughBytes(w, b.create<ReshapeOp>(loc, tensorType(dims, b.getF32Type()), scale), Value());
  }

private:
  /// Below it a scale's inverse is not a finite float.
  static constexpr double kSmallestScale = 1e-30;

  Type u8() { return b.getIntegerType(8, /*isSigned=*/false); }
  Value spread(Value parameter, Value x) {
    Type type = tensorType(dimsOf(x), elementOf(parameter));
    return parameter.getType() == type ? parameter : Value(b.create<BroadcastOp>(loc, type, parameter));
  }
  Value positive(Value scale) {
    return b.create<MaxOp>(loc, scale.getType(), scale, spread(scalar(kSmallestScale), scale));
  }

  OpBuilder &b;
  Location loc;
  Value codes;
};

/// The dim of the weight whose indices are output channels; -1: it has none.
int64_t channelAxis(const QuantizableLayer &layer) {
  if (isa<ConvOp>(layer.op))
    return cast<ConvOp>(layer.op).getLayout() == "nhwc" ? tensorOf(layer.op->getOperand(1)).getRank() - 1 : 0;
  auto contract = cast<ContractOp>(layer.op);
  bool isRight = layer.weight == 1;
  ArrayRef<int64_t> batch = isRight ? contract.getRhsBatch() : contract.getLhsBatch();
  ArrayRef<int64_t> contracted = isRight ? contract.getRhsContract() : contract.getLhsContract();
  int64_t axis = tensorOf(layer.op->getOperand(layer.weight)).getRank() - 1;
  while (axis >= 0 && (llvm::is_contained(batch, axis) || llvm::is_contained(contracted, axis)))
    --axis;
  return axis;
}

struct InsertQuantization : optc::impl::InsertQuantizationBase<InsertQuantization> {
  using InsertQuantizationBase::InsertQuantizationBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    QuantizedTensors possible(function, [](const QuantizableLayer &layer) { return !layer.op->hasAttr(kKeepFloat); });
    // A layer needs the ranges of all that it reads.
    llvm::DenseSet<Operation *> isStatic;
    for (const QuantizableLayer &layer : possible.layers())
      if (llvm::all_of(layer.activations, [&](unsigned i) {
            return llvm::all_of(possible.sourcesOf(layer.op->getOperand(i)), [](Value v) { return rangeOf(v).has_value(); });
          }))
        isStatic.insert(layer.op);

    QuantizedTensors chosen(function, [&](const QuantizableLayer &layer) { return isStatic.contains(layer.op); });
    SmallVector<QuantizableLayer> layers(chosen.layers());
    note(function, isStatic);
    quantizeTensors(chosen);
    for (const QuantizableLayer &layer : possible.layers())
      if (!isStatic.contains(layer.op) && takesRangeAtRunTime(layer)) {
        layers.push_back(layer);
        quantizeAtRunTime(layer);
      }
    for (const QuantizableLayer &layer : layers)
      quantizeWeight(layer);
    function.walk([](Operation *op) {
      clearRanges(op);
      op->removeAttr(kKeepFloat);
    });
    clearRanges(function);
  }

private:
  bool takesRangeAtRunTime(const QuantizableLayer &layer) { return dynamic && isa<ContractOp>(layer.op) && layer.weight >= 0; }

  void quantizeTensors(const QuantizedTensors &chosen) {
    llvm::DenseMap<Value, ElementRange> ranges; // of what shares a scale
    for (Value tensor : chosen.tensors())
      if (auto range = rangeOf(tensor)) {
        auto [it, inserted] = ranges.try_emplace(chosen.scaleOf(tensor), *range);
        it->second = {std::min(it->second.low, range->low), std::max(it->second.high, range->high)};
      }
    for (Value tensor : chosen.tensors()) {
      // Calibration knows no range of what it could not observe.
      if (!rangeOf(tensor))
        continue;
      OpBuilder b(&getContext());
      b.setInsertionPointAfterValue(tensor);
      QuantizationBuilder builder(b, tensor.getLoc());
      Value twin = builder.activation(tensor, ranges[chosen.scaleOf(tensor)]);
      tensor.replaceUsesWithIf(twin, [&](OpOperand &use) {
        return use.getOwner() != builder.quantize() && !isa<func::ReturnOp>(use.getOwner());
      });
    }
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

  void quantizeWeight(const QuantizableLayer &layer) {
    if (layer.weight < 0)
      return;
    OpOperand &operand = layer.op->getOpOperand(layer.weight);
    OpBuilder b(layer.op);
    operand.set(QuantizationBuilder(b, operand.get().getLoc()).weight(operand.get(), channelAxis(layer)));
  }

  /// What became of everything that a user may expect 8 bits of.
  void note(func::FuncOp function, const llvm::DenseSet<Operation *> &isStatic) {
    function.walk([&](Operation *op) {
      if (isa<AttentionOp>(op))
        return noteKept(function, op, "attention computes in floats");
      if (isa<RecurrentOp>(op))
        return noteKept(function, op, "recurrent layers compute in floats");
      if (isa<ConvTransposeOp, DeformConvOp>(op))
        return noteKept(function, op, "only plain convolutions compute in 8 bits");
      if (!isa<ConvOp, ContractOp>(op) || isWeight(op->getResult(0)))
        return;
      QuantizableLayer layer;
      std::string reason = readQuantizableLayer(op, layer);
      if (!reason.empty())
        noteKept(function, op, reason);
      else if (op->getBlock() != &function.getBody().front())
        noteKept(function, op, "it is inside a branch or loop, where no ranges are observed");
      else if (auto why = op->getAttrOfType<StringAttr>(kKeepFloat))
        noteKept(function, op, why);
      else if (isStatic.contains(op) || takesRangeAtRunTime(layer))
        noteLowered(function, op, "int8");
      else
        noteKept(function, op, "the range of what it reads is not known, it takes calibration data");
    });
  }

  /// Of the operands whose range is taken at run time.
  llvm::DenseMap<Value, Value> twins;
};

} // namespace
