//===- LevelChoice.cpp - 8 bits that gain on every level ------------------===//

#include "passes/LevelChoice.h"
#include "ir/PrecisionNotes.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace optc;

FailureOr<SmallVector<const MachineModel *>> optc::machinesOf(func::FuncOp function, ArrayRef<std::string> levels) {
  SmallVector<const MachineModel *> machines;
  for (const std::string &level : levels) {
    const MachineModel *machine = machineModel(level);
    if (!machine) {
      function.emitError("'") << level << "' is no level that costs are known of";
      return failure();
    }
    if (!llvm::is_contained(machines, machine))
      machines.push_back(machine);
  }
  return machines;
}

LevelChoice::LevelChoice(ArrayRef<const MachineModel *> machines, llvm::function_ref<PrecisionGraph(const MachineModel &)> graphOf) {
  for (const MachineModel *machine : machines)
    graphs.push_back(graphOf(*machine));
  size_t count = graphs.front().size();
  PrecisionLabels kept(count, false);
  std::vector<size_t> by(count, 0); // the level that a layer stays in f32 for
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t g = 0; g < graphs.size(); ++g)
      for (auto [i, bytes] : llvm::enumerate(graphs[g].cheapest(kept)))
        if (!bytes && !kept[i]) {
          kept[i] = changed = true;
          by[i] = g;
        }
  }
  for (bool isKept : kept)
    labels.push_back(!isKept);
  regionOf.assign(count, -1);
  for (const PrecisionGraph::Region &found : graphs.front().floatRegions(labels)) {
    // Its costs on the level that asked for it.
    size_t level = by[found.layers.front()];
    for (const PrecisionGraph::Region &same : graphs[level].floatRegions(labels))
      if (same.layers == found.layers)
        regions.push_back({same, machines[level]->name});
    for (int i : found.layers)
      regionOf[i] = int(regions.size()) - 1;
  }
}

std::optional<std::string> LevelChoice::readInputInFloat(ArrayRef<int> layers) {
  constexpr double kMost = 0.125;
  PrecisionLabels inFloat(labels);
  for (int i : layers)
    inFloat[i] = false;
  double share = 0;
  for (const PrecisionGraph &graph : graphs) {
    double before = graph.cost(labels);
    share = std::max(share, (graph.cost(inFloat) - before) / before);
  }
  if (share > kMost || inFloat == labels)
    return std::nullopt;
  labels = inFloat;
  return llvm::formatv("reads the model's input, which is not rounded, for {0:f1} % of the estimated time", 100 * share).str();
}

std::string LevelChoice::reason(int layer) const {
  const Region &region = regions[regionOf[layer]];
  std::string text = llvm::formatv("f32 is estimated to be faster on {0}: {1:f1} us, in 8 bits {2:f1} us, {3:f1} us of them conversions", region.level,
                                   region.f32 / 1000, region.bytes / 1000, region.conversions / 1000);
  if (region.layers.size() > 1)
    text += llvm::formatv(" (with {0} layers next to it)", region.layers.size() - 1);
  return text;
}

void LevelChoice::note(func::FuncOp function, llvm::function_ref<Operation *(int)> opOf) const {
  for (const Region &region : regions) {
    SmallVector<Operation *> ops;
    for (int i : region.layers)
      ops.push_back(opOf(i));
    noteFloatRegion(function, ops, {{}, region.level.str(), region.f32 / 1000, region.bytes / 1000, region.conversions / 1000});
  }
}
