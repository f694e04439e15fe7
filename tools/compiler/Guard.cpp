//===- Guard.cpp - Back to floats until the answers hold ------------------===//

#include "tools/compiler/Guard.h"
#include "ir/Locations.h"
#include "passes/Passes.h"
#include "passes/QuantizationBuilder.h"
#include "tools/compiler/FormatLayers.h"
#include "tools/compiler/Metric.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace optc;

std::optional<double> optc::parseLimit(const std::string &text) {
  StringRef number(text);
  bool isPercent = number.consume_back("%");
  double value;
  if (number.getAsDouble(value) || !(value >= 0) || !std::isfinite(value))
    return std::nullopt;
  return isPercent ? value / 100 : value;
}

std::string optc::percentText(double share) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.3g%%", share * 100);
  return text;
}

std::string optc::accuracyText(const Deviation &deviation) {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (const OutputError &e : deviation.outputs) {
    out << (text.empty() ? "" : "; ") << "output '" << e.name << "': cosine " << llvm::format("%.6f", e.cosine()) << ", SQNR "
        << llvm::format("%.1f", e.decibels()) << " dB, largest error " << llvm::format("%.3g", e.maxAbsolute);
    if (e.agreement())
      out << ", top-1 agreement " << percentText(*e.agreement());
  }
  return text;
}

AccuracyNote optc::accuracyNoteOf(const Deviation &deviation, const std::string &measure, double allowed, size_t sets) {
  AccuracyNote note{measure, deviation.error, allowed, int64_t(sets), deviation.output};
  for (const OutputError &e : deviation.outputs)
    note.outputs.push_back({e.name, e.relativeNorm(), e.cosine(), e.decibels(), e.maxAbsolute, e.agreement()});
  return note;
}

namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();
/// The search goes by so many golden sets: it runs once a layer at least.
constexpr size_t kSearchSets = 16;
/// Searches before all layers go back.
constexpr int kRounds = 5;

std::string number(double x) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.6g", x);
  return text;
}

/// What goes back to f32 together.
struct Layer {
  SmallVector<Operation *> ops;
  mlir::Value weight = {}; // of a format's
  std::string form;        // what it is lowered to
  bool isLowered = true;
  /// The outputs' error when it alone is.
  double alone = 0;

  std::string name() const {
    auto nodes = nodesOf(ops.front()->getLoc());
    return nodes.empty() ? ops.front()->getName().stripDialect().str() : nodes.front();
  }
  std::string reason() const { return "in " + form + " it alone puts the outputs' error at " + percentText(alone); }
};

class Guard {
public:
  Guard(ModuleOp module, const GuardOptions &options, const GuardedLowering &lowering, unsigned jobs, const Progress &progress)
      : module(module), function(module.lookupSymbol<func::FuncOp>("main")), options(options), lowering(lowering), jobs(jobs), progress(progress) {
    if (lowering.int8) {
      choice.emplace(function, /*dynamic=*/true);
      for (const QuantizableLayer &layer : choice->layers())
        layers.push_back({{layer.op}, {}, "8 bits"});
    }
    firstOfFormat = layers.size();
    if (lowering.weights)
      for (FormatLayer &layer : formatLayers(function, lowering.pipeline.bfloat)) {
        llvm::erase_if(layer.ops, [&](Operation *op) { return choice && (choice->isLowered(op) || QuantizationChoice::isWeightsOnly(op)); });
        if (!layer.ops.empty())
          layers.push_back({layer.ops, layer.weight, lowering.weights->format().name});
      }
  }

  Error run(std::vector<std::string> &notes) {
    if (Error error = openReference())
      return error;
    Deviation plain;
    if (Error error = measureFinal(plain))
      return error;
    if (plain.error > allowed())
      if (Error error = putBack(plain))
        return error;
    for (const Layer &layer : layers)
      if (!layer.isLowered)
        notes.push_back("node '" + layer.name() + "' stays in f32: " + layer.reason());
    notes.push_back(hasMetric() ? dropText() : errorText() + ", --max-error allows " + percentText(options.maxError));
    if (!best.outputs.empty())
      notes.push_back(accuracyText(best));
    noteAccuracy(function, accuracyNoteOf(best, hasMetric() ? "metric_drop" : "relative_l2", allowed(), golden.size()));
    return Error::success();
  }

private:
  bool hasMetric() const { return !options.metric.empty(); }
  double allowed() const { return hasMetric() ? options.maxDrop : options.maxError; }
  std::string errorText() const { return "the outputs differ from the golden ones by " + percentText(best.error); }
  std::string dropText() const {
    return "--metric gives " + number(inFloats - best.error) + ", in f32 " + number(inFloats) + ", --max-drop allows " +
           number(options.maxDrop) + " less";
  }

  Error openReference() {
    progress("compile the reference");
    if (hasMetric())
      if (Error error = Metric::parse(options.metric, metric))
        return error;
    NativeModel f32;
    if (Error error = f32.build(module, jobs))
      return error;
    if (Error error = golden.open(options.golden, f32))
      return error;
    std::vector<OutputError> none;
    return hasMetric() ? metric.measure(golden, f32, {}, inFloats, none) : Error::success();
  }

  /// By what decides: the metric's drop always takes all sets.
  Error judge(NativeModel &model, ArrayRef<HostValue> further, size_t most, Deviation &deviation) {
    if (!hasMetric())
      return golden.measure(model, further, most, deviation);
    double value = 0;
    deviation = {};
    Error error = metric.measure(golden, model, further, value, deviation.outputs);
    deviation.error = inFloats - value;
    return error;
  }

  /// Marks the layers that are not lowered.
  void mark() {
    for (const Layer &layer : layers)
      for (Operation *op : layer.ops)
        if (layer.isLowered)
          op->removeAttr(kKeepFloat);
        else
          op->setAttr(kKeepFloat, StringAttr::get(module.getContext(), layer.reason()));
  }
  void lowerAll(bool isLowered) {
    for (Layer &layer : layers)
      layer.isLowered = isLowered;
  }

  /// The choice as it is, by the kernels that the artefact will have, over all sets.
  Error measureFinal(Deviation &deviation) {
    mark();
    progress("compile and measure the model in " + form());
    OwningOpRef<ModuleOp> copy = module.clone();
    if (lowering.weights)
      lowering.weights->apply(*copy);
    NativeModel model;
    if (Error error = model.build(*copy, jobs, choice ? createInsertQuantization({/*dynamic=*/true}) : nullptr, lowering.pipeline))
      return error;
    return measured(judge(model, {}, kAll, deviation), deviation);
  }

  /// "8 bits and int4"
  std::string form() const {
    std::string text;
    for (const Layer &layer : layers)
      if (!StringRef(text).contains(layer.form))
        text += (text.empty() ? "" : " and ") + layer.form;
    return text.empty() ? "f32" : text;
  }

  /// All choices in one model.
  Error buildSwitched() {
    progress("compile with switches");
    lowerAll(true);
    mark();
    IRMapping mapping;
    OwningOpRef<ModuleOp> copy(cast<ModuleOp>(module->clone(mapping)));
    if (choice) {
      PassManager passes(module.getContext());
      passes.addNestedPass<func::FuncOp>(createSwitchQuantization({/*dynamic=*/true}));
      if (failed(passes.run(*copy)))
        return internalError("layers cannot be switched");
    }
    auto main = copy->lookupSymbol<func::FuncOp>("main");
    for (auto [i, layer] : llvm::enumerate(ArrayRef(layers).drop_front(firstOfFormat))) {
      SmallVector<Operation *> ops;
      for (Operation *op : layer.ops)
        ops.push_back(mapping.lookup(op));
      auto [codes, isTurned] = lowering.weights->codesOf(layer.weight);
      switchFormat(ops, {lowering.weights->format(), lowering.pipeline.bfloat, codes, isTurned}, addSwitch(main, (choice ? choice->tensors().size() : 0) + firstOfFormat + i));
    }
    return switched.build(*copy, jobs);
  }

  /// The choice as it is, for the model with switches: of tensors, of layers in 8 bits, of layers of a format.
  std::vector<HostValue> switches() {
    mark();
    std::vector<HostValue> switches;
    auto add = [&](bool on) {
      switches.push_back(HostValue::allocate(DType::boolean, {}));
      *switches.back().as<bool>() = on;
    };
    if (choice) {
      QuantizationChoice now(function, /*dynamic=*/true);
      llvm::DenseSet<mlir::Value> quantised;
      for (const auto &[tensor, range] : now.tensors())
        quantised.insert(tensor);
      for (const auto &[tensor, range] : choice->tensors())
        add(quantised.contains(tensor));
    }
    for (const Layer &layer : layers)
      add(layer.isLowered);
    return switches;
  }

  Error measured(Error error, const Deviation &deviation) {
    if (!error && (best.output.empty() || deviation.error < best.error))
      best = deviation;
    return error;
  }

  Error putBack(const Deviation &plain) {
    if (Error error = buildSwitched())
      return error;
    if (Error error = rank())
      return error;
    Deviation floats;
    lowerAll(false);
    if (Error error = measured(judge(switched, switches(), kAll, floats), floats))
      return error;
    // A metric may turn on the last bits, which the model with switches does not share: the final model decides.
    if (!hasMetric() && floats.error > allowed())
      return cannotHold(plain, floats);
    double target = allowed();
    for (int round = 0; round < kRounds; ++round) {
      if (Error error = search(target))
        return error;
      Deviation final;
      if (Error error = measureFinal(final))
        return error;
      best = final;
      if (final.error <= allowed())
        return Error::success();
      // As much less as it missed by, and some more.
      if (hasMetric())
        target -= (final.error - allowed()) * 1.1;
      else
        target *= std::clamp(options.maxError / final.error, 0.25, 1.0) * 0.9;
    }
    lowerAll(false);
    if (Error error = measureFinal(best))
      return error;
    return best.error <= allowed() ? Error::success() : cannotHold(plain, best);
  }

  /// Those first that put the outputs off most when they alone are lowered.
  Error rank() {
    for (auto [i, layer] : llvm::enumerate(layers)) {
      progress("rank layers " + std::to_string(i + 1) + "/" + std::to_string(layers.size()));
      lowerAll(false);
      layer.isLowered = true;
      Deviation deviation;
      if (Error error = golden.measure(switched, switches(), kSearchSets, deviation))
        return error;
      layer.alone = deviation.error;
    }
    for (Layer &layer : layers)
      order.push_back(&layer);
    llvm::sort(order, [](const Layer *a, const Layer *b) { return std::pair(-a->alone, a) < std::pair(-b->alone, b); });
    return Error::success();
  }

  Error holds(double target, bool &answer) {
    Deviation deviation;
    Error error = judge(switched, switches(), kSearchSets, deviation);
    answer = deviation.error <= target;
    return error;
  }

  /// As few layers in floats as it takes.
  Error search(double target) {
    auto keepFirst = [&](size_t n) {
      for (size_t i = 0; i < order.size(); ++i)
        order[i]->isLowered = i >= n;
    };
    size_t few = 0, many = order.size(); // `many` holds
    while (few < many) {
      size_t middle = few + (many - few) / 2;
      progress("search: " + std::to_string(middle) + " of " + std::to_string(order.size()) + " layers in f32");
      keepFirst(middle);
      bool enough;
      if (Error error = holds(target, enough))
        return error;
      if (enough)
        many = middle;
      else
        few = middle + 1;
    }
    keepFirst(many);
    // What went back early may not have been to blame.
    for (size_t i = many; i-- > 0;) {
      progress("search: lower again " + std::to_string(many - i) + "/" + std::to_string(many));
      order[i]->isLowered = true;
      bool still;
      if (Error error = holds(target, still))
        return error;
      order[i]->isLowered = still;
    }
    return Error::success();
  }

  Error cannotHold(const Deviation &plain, const Deviation &floats) {
    std::string worst;
    for (size_t i = 0; i < std::min<size_t>(3, order.size()); ++i)
      worst += (i ? ", '" : "'") + order[i]->name() + "' (" + percentText(order[i]->alone) + ")";
    if (!worst.empty())
      worst = "; the layers that hurt most, each alone in " + form() + ": " + worst;
    Error error = Error::at("", hasMetric() ? dropText() : errorText() + " at best (output '" + best.output + "'), --max-error allows " +
                                                               percentText(options.maxError));
    error.hint = hasMetric() ? "in " + form() + " it gives " + number(inFloats - plain.error) + ", with all layers back in f32 " +
                                   number(inFloats - floats.error) + worst
                             : "in " + form() + " it is " + percentText(plain.error) + ", in f32 " + percentText(floats.error) + worst;
    error.exitCode = ExitCode::policy;
    return error;
  }

  ModuleOp module;
  func::FuncOp function;
  const GuardOptions &options;
  const GuardedLowering &lowering;
  unsigned jobs;
  const Progress &progress;
  GoldenSets golden;
  Metric metric;
  double inFloats = 0; // what it gives for f32
  /// All that 8 bits can be had for.
  std::optional<QuantizationChoice> choice;
  /// Those of `choice`, then those of a format.
  std::vector<Layer> layers;
  size_t firstOfFormat;
  /// The worst first.
  std::vector<Layer *> order;
  NativeModel switched;
  Deviation best;
};

} // namespace

Error optc::guardAccuracy(ModuleOp module, const GuardOptions &options, const GuardedLowering &lowering, unsigned jobs, const Progress &progress,
                          std::vector<std::string> &notes) {
  return Guard(module, options, lowering, jobs, progress).run(notes);
}
