//===- EqualizeLayers.cpp - Channels of like ranges -----------------------===//
//
// One range serves all channels of what a layer reads: a channel much smaller than the largest keeps few of the 256 codes.
// Between two layers a channel may be made smaller and what reads it larger, where only what commutes with a factor stands
// between them (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019):
//
//   conv (max (conv x, w + b), 0), v  ⇒  conv (max (conv x, w / s + b / s), 0), (v * s)
//   min y, 6                          ⇒  min y, 6 / s
//
// with s such that channel c of w / s and of v * s have one range: s = sqrt (max |w_c| / max |v_c|), rounded to a power of
// two. Chains are gone through until they settle. What f32 computes stays the same to the bit.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Evaluate.h"
#include "passes/ChannelScale.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include <cmath>

namespace optc {
#define GEN_PASS_DEF_EQUALIZELAYERS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Rounds over all pairs, and the change (in powers of two) from which on they have settled.
constexpr int kRounds = 50;
constexpr double kSettled = 0.01;

/// A layer's weight as the largest magnitude for each output and input channel; one input where it is a filter a channel.
struct Layer {
  QuantizableLayer layer;
  int64_t inputAxis = -1;
  int64_t outputs = 0, inputs = 0;
  std::vector<float> largest;
  int before = -1, after = -1; // pairs

  float at(int64_t o, int64_t i) const { return largest[o * inputs + i]; }
  bool isDepthwise() const { return inputAxis == weightChannelAxis(layer); }
};

struct Pair {
  unsigned producer, consumer;
  /// Operands between them that take the factor: biases and bounds.
  SmallVector<OpOperand *> parameters;
  std::vector<double> exponents;
};

class Equalizer {
public:
  void run(func::FuncOp function) {
    forEachOp(function, [&](Operation *op) {
      QuantizableLayer layer;
      if (isa<ConvOp, ContractOp>(op) && readQuantizableLayer(op, layer).empty() && weightInputAxis(layer) >= 0)
        addLayer(layer);
    });
    for (unsigned i = 0; i < layers.size(); ++i)
      findPair(i);
    settle();
    for (const Pair &pair : pairs)
      apply(pair);
  }

private:
  void addLayer(const QuantizableLayer &layer) {
    numbers[layer.op] = layers.size();
    Layer &l = layers.emplace_back();
    l.layer = layer;
    l.inputAxis = weightInputAxis(layer);
  }

  /// Reads the weight; false where it cannot be.
  bool read(Layer &l) {
    if (!l.largest.empty())
      return true;
    auto value = evaluateWeight(l.layer.op->getOperand(l.layer.weight), cache);
    if (failed(value) || value->type != DType::f32)
      return false;
    int64_t outputAxis = weightChannelAxis(l.layer), rank = int64_t(value->dims.size());
    l.outputs = value->dims[outputAxis];
    l.inputs = l.isDepthwise() ? 1 : value->dims[l.inputAxis];
    l.largest.assign(l.outputs * l.inputs, 0.0f);
    SmallVector<int64_t> index(rank, 0);
    for (int64_t e = 0; e < value->size(); ++e) {
      float &most = l.largest[index[outputAxis] * l.inputs + (l.isDepthwise() ? 0 : index[l.inputAxis])];
      most = std::max(most, std::abs(value->as<float>()[e]));
      for (int64_t d = rank - 1; d >= 0 && ++index[d] == value->dims[d]; --d)
        index[d] = 0;
    }
    return true;
  }

  /// The layer that computes what layer `i` reads, with nothing between them but what commutes with a factor a channel.
  void findPair(unsigned i) {
    Pair pair{0, i, {}, {}};
    mlir::Value value = layers[i].layer.op->getOperand(layers[i].layer.activations[0]);
    int64_t axis = isa<ConvOp>(layers[i].layer.op) ? 1 : tensorOf(value).getRank() - 1;
    while (Operation *op = value.getDefiningOp()) {
      if (!value.hasOneUse())
        return;
      if (auto found = numbers.find(op); found != numbers.end()) {
        pair.producer = found->second;
        Layer &producer = layers[pair.producer], &consumer = layers[i];
        if (resultChannelAxis(producer.layer) != axis || !read(producer) || !read(consumer))
          return;
        pair.exponents.assign(producer.outputs, 0.0);
        producer.after = consumer.before = int(pairs.size());
        pairs.push_back(std::move(pair));
        return;
      }
      // Windows lie within a channel of a convolution's image.
      bool isWindow = isa<PoolOp>(op) && isa<ConvOp>(layers[i].layer.op);
      int64_t next = isWindow ? 0 : nextOf(op, axis, pair);
      if (next < 0)
        return;
      value = op->getOperand(next);
    }
  }

  /// The operand that the factor comes through, or -1.
  static int64_t nextOf(Operation *op, int64_t axis, Pair &pair) {
    if (!isa<AddOp, MaxOp, MinOp>(op))
      return -1;
    for (unsigned side : {0u, 1u}) {
      OpOperand &other = op->getOpOperand(1 - side);
      if (!isParameter(other.get(), axis, /*mayBeOne=*/!isa<AddOp>(op)))
        continue;
      // max (x, 0) needs nothing.
      if (splatValue(other.get()) != 0.0)
        pair.parameters.push_back(&other);
      return side;
    }
    return -1;
  }

  /// A broadcast weight that varies along `axis` only, or is one number.
  static bool isParameter(mlir::Value value, int64_t axis, bool mayBeOne) {
    auto broadcast = value.getDefiningOp<BroadcastOp>();
    if (!broadcast || !isWeight(broadcast.getX()))
      return false;
    Dims own = dimsOf(broadcast.getX());
    if (numElements(own) == DimExpr(1))
      return mayBeOne || splatValue(value) == 0.0;
    int64_t at = axis - (tensorOf(value).getRank() - int64_t(own.size()));
    return at >= 0 && numElements(own) == own[at] && own[at] == dimOf(value.getType(), axis);
  }

  double exponent(int pair, int64_t channel) const { return pair < 0 ? 0 : pairs[pair].exponents[channel]; }

  /// log2 of the range of an output channel, of an input channel; -inf: it is empty.
  double outputRange(const Layer &l, int64_t o) const {
    double most = -INFINITY;
    for (int64_t i = 0; i < l.inputs; ++i)
      most = std::max(most, std::log2(double(l.at(o, i))) + exponent(l.before, l.isDepthwise() ? o : i));
    return most - exponent(l.after, o);
  }
  double inputRange(const Layer &l, int64_t i) const {
    if (l.isDepthwise())
      return outputRange(l, i);
    double most = -INFINITY;
    for (int64_t o = 0; o < l.outputs; ++o)
      most = std::max(most, std::log2(double(l.at(o, i))) - exponent(l.after, o));
    return most + exponent(l.before, i);
  }

  void settle() {
    for (int round = 0; round < kRounds; ++round) {
      double change = 0;
      for (Pair &pair : pairs)
        for (size_t c = 0; c < pair.exponents.size(); ++c) {
          double step = (outputRange(layers[pair.producer], c) - inputRange(layers[pair.consumer], c)) / 2;
          if (!std::isfinite(step))
            continue;
          pair.exponents[c] += step;
          change = std::max(change, std::abs(step));
        }
      if (change < kSettled)
        return;
    }
  }

  void apply(const Pair &pair) {
    Exponents exponents = roundExponents(pair.exponents);
    Layer &producer = layers[pair.producer], &consumer = layers[pair.consumer];
    auto scale = [&](Layer &l, int sign, int64_t axis) {
      OpBuilder b(l.layer.op);
      OpOperand &weight = l.layer.op->getOpOperand(l.layer.weight);
      weight.set(scaleAlong(b, weight.get(), exponents, sign, axis));
    };
    scale(producer, -1, weightChannelAxis(producer.layer));
    scale(consumer, 1, consumer.inputAxis);
    for (OpOperand *operand : pair.parameters) {
      OpBuilder b(operand->getOwner());
      auto broadcast = operand->get().getDefiningOp<BroadcastOp>();
      mlir::Value parameter = broadcast.getX();
      // One number for all becomes one a channel.
      if (numElements(dimsOf(parameter)) == DimExpr(1)) {
        int64_t axis = isa<ConvOp>(producer.layer.op) ? 1 : tensorOf(operand->get()).getRank() - 1;
        Dims dims(tensorOf(operand->get()).getRank() - axis, DimExpr(1));
        dims[0] = DimExpr(exponents.size());
        mlir::Value number = b.create<ReshapeOp>(parameter.getLoc(), tensorType({}, elementOf(parameter)), parameter);
        parameter = b.create<BroadcastOp>(parameter.getLoc(), tensorType(dims, elementOf(parameter)), number);
      }
      operand->set(b.create<BroadcastOp>(broadcast.getLoc(), broadcast.getType(), scaleParameter(b, parameter, exponents, -1)));
    }
  }

  std::vector<Layer> layers;
  llvm::DenseMap<Operation *, unsigned> numbers;
  std::vector<Pair> pairs;
  llvm::DenseMap<mlir::Value, HostValue> cache;
};

struct EqualizeLayers : optc::impl::EqualizeLayersBase<EqualizeLayers> {
  void runOnOperation() override { Equalizer().run(getOperation()); }
};

} // namespace
