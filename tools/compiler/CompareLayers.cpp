//===- CompareLayers.cpp - Where the error of 8 bits arises ---------------===//

#include "tools/compiler/CompareLayers.h"
#include "ir/Locations.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/QuantizationBuilder.h"
#include "tools/compiler/NativeModel.h"
#include "tools/compiler/Taps.h"
#include "tools/compiler/TensorSets.h"
#include "tools/tensors/OutputError.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cmath>
#include <map>

using namespace mlir;
using namespace optc;

/// The last value that each node computes, in order. A pass may have made one op of several nodes: the first names it.
static SmallVector<Tap> resultsOfNodes(func::FuncOp function) {
  llvm::MapVector<std::string, mlir::Value, std::map<std::string, unsigned>> results;
  forEachOp(function, [&](Operation *op) {
    if (op->getNumResults() == 0 || isWeight(op->getResult(0)) || isa<BroadcastOp>(op))
      return;
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    auto nodes = nodesOf(op->getLoc());
    if (type && type.getElementType().isF32() && !nodes.empty())
      results[nodes.front()] = op->getResult(0);
  });
  SmallVector<Tap> taps;
  for (const auto &[name, value] : results)
    taps.push_back({value, llvm::json::fixUTF8(name)});
  return taps;
}

Error optc::compareLayers(ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                          std::vector<LayerError> &errors) {
  TensorSets sets;
  if (Error error = TensorSets::open(source, sets))
    return error;
  OwningOpRef<ModuleOp> tapped = module.clone();
  auto function = tapped->lookupSymbol<func::FuncOp>("main");
  SmallVector<Tap> taps = resultsOfNodes(function);
  QuantizationChoice choice(function, /*dynamic=*/true);
  for (const Tap &tap : taps)
    errors.push_back({tap.name, errors.size()});
  // A node's last op may be what follows the product: its bias.
  llvm::StringSet<> layers;
  for (const QuantizableLayer &layer : choice.layers())
    for (const std::string &node : nodesOf(layer.op->getLoc()))
      layers.insert(llvm::json::fixUTF8(node));
  for (LayerError &error : errors)
    error.lowered = layers.contains(error.node);
  size_t first = function.getNumResults();
  addOutputs(function, taps);

  progress("compile with " + std::to_string(taps.size()) + " observed tensors");
  NativeModel f32, lowered;
  if (Error error = f32.build(*tapped, jobs))
    return error;
  progress("compile the quantised model with " + std::to_string(taps.size()) + " observed tensors");
  if (Error error = lowered.build(*tapped, jobs, createInsertQuantization({/*dynamic=*/true})))
    return error;
  std::vector<OutputError> sums(taps.size());
  for (size_t i = 0; i < sets.size(); ++i) {
    progress("compare " + std::to_string(i + 1) + "/" + std::to_string(sets.size()));
    std::vector<HostValue> inputs;
    if (Error error = sets.inputs(i, f32.plan().inputs, inputs))
      return error;
    for (NativeModel *model : {&f32, &lowered})
      if (Error error = model->run(inputs))
        return Error::at(sets.name(i), error.message);
    for (size_t t = 0; t < taps.size(); ++t) {
      OutputError one = compareValues(taps[t].name, lowered.outputs()[first + t], f32.outputs()[first + t], 0, 0);
      sums[t].differenceSquared += one.differenceSquared;
      sums[t].expectedSquared += one.expectedSquared;
      sums[t].maxAbsolute = std::max(sums[t].maxAbsolute, one.maxAbsolute);
    }
  }
  for (size_t t = 0; t < taps.size(); ++t) {
    double relative = sums[t].relativeNorm();
    errors[t].relative = std::isnan(relative) ? INFINITY : relative;
    errors[t].largest = sums[t].maxAbsolute;
  }
  std::sort(errors.begin(), errors.end(), [](const LayerError &a, const LayerError &b) {
    return a.relative != b.relative ? a.relative > b.relative : a.node < b.node;
  });
  return Error::success();
}

std::string optc::layerTable(const std::vector<LayerError> &errors) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "   error   max error  in    node\n";
  for (const LayerError &e : errors)
    os << llvm::format("%7.3g%%  %10.3g  %-4s  ", e.relative * 100, e.largest, e.lowered ? "int8" : "f32") << e.node << "\n";
  return text;
}

std::string optc::layerJson(const std::vector<LayerError> &errors) {
  // JSON has no infinity.
  auto number = [](double x) { return std::isfinite(x) ? llvm::json::Value(x) : llvm::json::Value(nullptr); };
  llvm::json::Array layers;
  for (const LayerError &e : errors)
    layers.push_back(llvm::json::Object{{"node", e.node},
                                        {"precision", e.lowered ? "int8" : "f32"},
                                        {"relative_l2", number(e.relative)},
                                        {"max_abs_error", number(e.largest)}});
  return llvm::formatv("{0:2}\n", llvm::json::Value(llvm::json::Object{{"schema", 1}, {"layers", std::move(layers)}})).str();
}
