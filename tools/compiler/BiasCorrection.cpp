//===- BiasCorrection.cpp - What 8 bits move a channel by -----------------===//

#include "tools/compiler/BiasCorrection.h"
#include "ir/eval/Evaluate.h"
#include "passes/QuantizationBuilder.h"
#include "tools/compiler/Observe.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace optc;

namespace {

/// The layers that a correction is for, whatever --keep-float says.
template <typename Visit> void forEachCorrected(func::FuncOp function, Visit visit) {
  auto names = nameTensors(function);
  forEachOp(function, [&](Operation *op) {
    QuantizableLayer layer;
    if (!isa<ConvOp, ContractOp>(op) || !readQuantizableLayer(op, layer).empty() || layer.weight < 0)
      return;
    if (int64_t axis = resultChannelAxis(layer); axis >= 0)
      visit(layer, axis, llvm::json::fixUTF8(names[op->getResult(0)]));
  });
}

/// mean (y - (y by way of 8 bits)) a channel.
mlir::Value meanError(const QuantizableLayer &layer, int64_t axis, llvm::function_ref<ElementRange(mlir::Value)> rangeOfOperand) {
  Operation *op = layer.op;
  mlir::Value y = op->getResult(0);
  OpBuilder b(op);
  b.setInsertionPointAfter(op);
  QuantizationBuilder builder(b, op->getLoc());
  IRMapping lowered;
  for (unsigned i : layer.activations)
    lowered.map(op->getOperand(i), builder.activation(op->getOperand(i), rangeOfOperand(op->getOperand(i))));
  lowered.map(op->getOperand(layer.weight), builder.weightOf(layer));
  Operation *twin = b.clone(*op, lowered);
  mlir::Value error = b.create<SubOp>(op->getLoc(), y.getType(), y, twin->getResult(0));
  SmallVector<int64_t> others;
  for (int64_t d = 0; d < tensorOf(y).getRank(); ++d)
    if (d != axis)
      others.push_back(d);
  return b.create<ReduceOp>(op->getLoc(), tensorType({dimOf(y.getType(), axis)}, b.getF32Type()), error, others, "mean");
}

} // namespace

Error optc::measureBias(ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                        Calibration &calibration) {
  TensorSets sets;
  if (Error error = TensorSets::open(source, sets))
    return error;
  OwningOpRef<ModuleOp> copy = module.clone();
  auto function = copy->lookupSymbol<func::FuncOp>("main");
  function.walk([](Operation *op) {
    op->removeAttr(kKeepFloat);
    op->removeAttr(kFasterInFloat);
  });
  QuantizationChoice choice(function, /*dynamic=*/false);
  QuantizedTensors tensors(function, [&](const QuantizableLayer &layer) { return choice.isLowered(layer.op); });
  llvm::DenseMap<mlir::Value, ElementRange> ranges;
  for (const auto &[tensor, range] : choice.tensors())
    ranges[tensor] = range;
  SmallVector<std::tuple<QuantizableLayer, int64_t, std::string>> layers;
  forEachCorrected(function, [&](const QuantizableLayer &layer, int64_t axis, const std::string &name) {
    if (choice.isLowered(layer.op))
      layers.emplace_back(layer, axis, name);
  });
  SmallVector<Tap> taps;
  for (const auto &[layer, axis, name] : layers)
    // What movement joins on the way to the operand shares a range.
    taps.push_back({meanError(layer, axis, [&](mlir::Value v) { return ranges.lookup(tensors.sourcesOf(v).front()); }), name});
  if (taps.empty())
    return Error::success();
  std::vector<size_t> channels;
  for (const Tap &tap : taps)
    channels.push_back(size_t(tensorOf(tap.value).getNumElements()));
  std::vector<std::vector<double>> sums;
  for (size_t n : channels)
    sums.emplace_back(n, 0.0);
  std::vector<int64_t> counts(taps.size());
  Error failed = observe(*copy, taps, sets, jobs, progress, "correct biases", 1, [&](int, size_t, size_t t, const HostValue &means) {
    // Of a layer in a loop, one mean a turn.
    for (int64_t e = 0; e < means.size(); ++e)
      sums[t][size_t(e) % channels[t]] += means.as<float>()[e];
    counts[t] += means.size() / int64_t(channels[t]);
    return Error::success();
  });
  if (failed)
    return failed;
  for (size_t t = 0; t < taps.size(); ++t) {
    Calibration::Channels correction{taps[t].name, {}};
    for (double sum : sums[t])
      correction.values.push_back(float(sum / double(counts[t])));
    // None of a layer without elements.
    if (counts[t] > 0 && llvm::all_of(correction.values, [](float x) { return std::isfinite(x); }))
      calibration.corrections.push_back(std::move(correction));
  }
  return Error::success();
}

Error optc::applyBias(ModuleOp module, const Calibration &calibration, const std::string &source) {
  ChannelsByName corrections(calibration.corrections);
  forEachCorrected(module.lookupSymbol<func::FuncOp>("main"), [&](const QuantizableLayer &layer, int64_t axis, const std::string &name) {
    if (auto *values = corrections.take(name, dimOf(layer.op->getResult(0).getType(), axis).constant()))
      layer.op->setAttr(kBiasCorrection, DenseF32ArrayAttr::get(module.getContext(), *values));
  });
  std::string misfit = corrections.misfit();
  return misfit.empty() ? Error::success() : refuseCalibration(source, "the correction of '" + misfit + "' fits no layer of the model");
}
