//===- Quantize.cpp - The int8 part of a compile --------------------------===//

#include "tools/compiler/Quantize.h"
#include "ir/Dialect.h"
#include "ir/Locations.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "passes/Passes.h"
#include "passes/QuantizedTensors.h"
#include "tools/compiler/BiasCorrection.h"
#include "tools/compiler/Smooth.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace mlir;
using namespace optc;

Error optc::keepInFloat(func::FuncOp function, const std::vector<std::string> &nodes) {
  for (const std::string &node : nodes) {
    bool found = false;
    function.walk([&](Operation *op) {
      if (!isa<ConvOp, ContractOp, AttentionOp, GatherOp, RecurrentOp>(op) || !llvm::is_contained(nodesOf(op->getLoc()), node))
        return;
      op->setAttr(kKeepFloat, StringAttr::get(op->getContext(), "--keep-float names it"));
      found = true;
    });
    if (!found)
      return Error::at("optc", "--keep-float=" + node + ": no layer with weights is of a node of this name",
                       "optc --emit=report lists the nodes");
  }
  return Error::success();
}

/// Weights that have no codes stay floats, as in the other formats.
static void keepWhatIsNotFinite(func::FuncOp function) {
  llvm::DenseMap<mlir::Value, HostValue> cache;
  function.walk([&](Operation *op) {
    QuantizableLayer layer;
    if (!isa<ConvOp, ContractOp>(op) || op->hasAttr(kKeepFloat) || !readQuantizableLayer(op, layer).empty() || layer.weight < 0)
      return;
    auto weight = evaluateWeight(op->getOperand(layer.weight), cache);
    if (succeeded(weight) && !llvm::all_of(ArrayRef<float>(weight->as<float>(), weight->size()), [](float x) { return std::isfinite(x); }))
      op->setAttr(kKeepFloat, StringAttr::get(op->getContext(), "a weight is not finite"));
    cache.clear();
  });
}

/// Tensors that tell nothing of their range.
static void noteUnseen(const Calibration &calibration, const std::string &source, std::vector<std::string> &notes) {
  auto hasNone = [](const Calibration::Tensor &t) { return !t.range; };
  auto first = llvm::find_if(calibration.tensors, hasNone);
  if (first == calibration.tensors.end())
    return;
  size_t others = size_t(llvm::count_if(calibration.tensors, hasNone)) - 1;
  notes.push_back(llvm::formatv("{0}: tensor '{1}'{2} {3} 0 in all sets, or never computed: what reads {4} takes ranges when it runs", source, first->name,
                                others ? llvm::formatv(" and {0} others", others).str() : "", others ? "are" : "is", others ? "them" : "it"));
}

static Error findRanges(ModuleOp module, const QuantizationOptions &options, unsigned jobs, const Progress &progress,
                        Calibration &calibration, std::vector<std::string> &notes) {
  if (!options.load.empty()) {
    if (Error error = readCalibration(options.load, calibration))
      return error;
    if (Error error = applySmoothing(module, calibration, options.load))
      return error;
    return applyCalibration(module, calibration, options.load);
  }
  if (options.calibration.empty())
    return Error::success();
  calibration.equalized = options.equalize;
  calibration.smoothAlpha = options.smoothAlpha;
  if (options.smoothAlpha)
    if (Error error = measureChannels(module, options.calibration, jobs, progress, calibration))
      return error;
  if (Error error = applySmoothing(module, calibration, options.calibration.path))
    return error;
  if (Error error = calibrate(module, options.calibration, options.method, jobs, progress, calibration))
    return error;
  noteUnseen(calibration, options.calibration.path, notes);
  return applyCalibration(module, calibration, options.calibration.path);
}

/// Once it is known which layers compute in 8 bits.
static Error findBias(ModuleOp module, const QuantizationOptions &options, unsigned jobs, const Progress &progress, Calibration &calibration) {
  if (!options.load.empty())
    return applyBias(module, calibration, options.load);
  if (options.calibration.empty() || !options.correctBias)
    return Error::success();
  if (Error error = measureBias(module, options.calibration, jobs, progress, calibration))
    return error;
  return applyBias(module, calibration, options.calibration.path);
}

void optc::noteFloatRegions(ModuleOp module, std::vector<std::string> &notes) {
  auto regions = floatRegions(module.lookupSymbol<func::FuncOp>("main"));
  size_t layers = 0;
  for (const FloatRegionNote &region : regions)
    layers += region.nodes.size();
  if (layers)
    notes.push_back(llvm::formatv("{0} layer{1} stay{2} in f32, where {3} estimated to be faster (precision.float_regions of the report)", layers,
                                  layers == 1 ? "" : "s", layers == 1 ? "s" : "", layers == 1 ? "it is" : "they are"));
}

/// Layers that 8 bits do not gain for stay in floats.
static Error choosePrecision(ModuleOp module, const std::vector<std::string> &levels, std::vector<std::string> &notes) {
  PassManager passes(module.getContext());
  passes.addNestedPass<func::FuncOp>(createChoosePrecision({llvm::to_vector(levels)}));
  if (failed(passes.run(module)))
    return {"optc", "the choice of precision failed", "", ExitCode::internal};
  noteFloatRegions(module, notes);
  return Error::success();
}

Error optc::prepareQuantization(ModuleOp module, const QuantizationOptions &options, const std::vector<std::string> &levels, unsigned jobs,
                                const Progress &progress, Calibration &calibration, std::vector<std::string> &notes) {
  if (Error error = keepInFloat(module.lookupSymbol<func::FuncOp>("main"), options.keepFloat))
    return error;
  keepWhatIsNotFinite(module.lookupSymbol<func::FuncOp>("main"));
  if (Error error = findRanges(module, options, jobs, progress, calibration, notes))
    return error;
  if (Error error = choosePrecision(module, levels, notes))
    return error;
  return findBias(module, options, jobs, progress, calibration);
}

std::string optc::commandOf(const QuantizationOptions &options) {
  std::string command;
  if (options.int8)
    command += " --int8";
  if (!options.calibration.empty())
    command += std::string(" --calib") + (options.int8 ? std::string(" --calib-method=") + nameOf(options.method) : "");
  if (options.equalize)
    command += " --equalize";
  if (options.smoothAlpha)
    llvm::raw_string_ostream(command) << llvm::format(" --smooth-quant=%g", *options.smoothAlpha);
  if (options.correctBias)
    command += " --bias-correction";
  if (!options.load.empty())
    command += " --load-calib";
  const GuardOptions &guard = options.guard;
  if (!guard.metric.empty())
    llvm::raw_string_ostream(command) << llvm::format(" --golden --metric --max-drop=%g", guard.maxDrop);
  else if (!guard.golden.empty())
    llvm::raw_string_ostream(command) << llvm::format(" --golden --max-error=%g", guard.maxError);
  const auto &preprocess = options.calibration.empty() ? guard.golden.preprocess : options.calibration.preprocess;
  if (preprocess)
    command += " --preprocess=" + preprocess->text;
  for (const std::string &node : options.keepFloat)
    command += " --keep-float=" + node;
  return command;
}
