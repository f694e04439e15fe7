//===- PrecisionGraph.cpp - Which layers gain from 8 bits -----------------===//

#include "passes/PrecisionGraph.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallSet.h"

using namespace optc;
using llvm::ArrayRef;

double TensorCost::conversions(ArrayRef<bool> bytes) const {
  bool anyBytes = llvm::any_of(readers, [&](int r) { return bytes[r]; });
  bool anyFloats = llvm::any_of(readers, [&](int r) { return !bytes[r]; });
  if (!anyBytes)
    return isRounded ? quantize : 0;
  return quantize + (anyFloats && !keepsFloats ? dequantize : 0);
}

double TensorCost::cost(ArrayRef<bool> bytes) const {
  bool anyBytes = llvm::any_of(readers, [&](int r) { return bytes[r]; });
  double stored = !anyBytes ? floats : keepsFloats ? floats + codes : codes;
  return stored + conversions(bytes);
}

int PrecisionGraph::addLayer(LayerCost cost) {
  layers.push_back(cost);
  tensorsOf.emplace_back();
  return int(layers.size()) - 1;
}

void PrecisionGraph::addTensor(TensorCost tensor) {
  int index = int(tensors.size());
  auto link = [&](int layer) {
    if (layer >= 0 && (tensorsOf[layer].empty() || tensorsOf[layer].back() != index))
      tensorsOf[layer].push_back(index);
  };
  llvm::for_each(tensor.readers, link);
  link(tensor.writer);
  tensors.push_back(std::move(tensor));
}

double PrecisionGraph::cost(ArrayRef<bool> bytes) const {
  double sum = 0;
  for (auto [i, layer] : llvm::enumerate(layers))
    sum += bytes[i] ? layer.bytes : layer.f32 + layer.threshold;
  for (const TensorCost &tensor : tensors)
    sum += tensor.cost(bytes);
  return sum;
}

double PrecisionGraph::costAround(ArrayRef<int> some, ArrayRef<bool> bytes, double *conversions) const {
  double sum = 0, converted = 0;
  llvm::SmallSet<int, 16> seen;
  for (int i : some) {
    sum += bytes[i] ? layers[i].bytes : layers[i].f32 + layers[i].threshold;
    for (int t : tensorsOf[i])
      if (seen.insert(t).second) {
        sum += tensors[t].cost(bytes);
        converted += tensors[t].conversions(bytes);
      }
  }
  if (conversions)
    *conversions = converted;
  return sum;
}

/// Layers are connected where one reads what another writes, or both read one tensor.
std::vector<std::vector<int>> PrecisionGraph::connected(ArrayRef<bool> member) const {
  std::vector<std::vector<int>> groups;
  PrecisionLabels seen(layers.size());
  for (size_t first = 0; first < layers.size(); ++first) {
    if (seen[first] || !member[first])
      continue;
    std::vector<int> group{int(first)};
    seen[first] = true;
    for (size_t i = 0; i < group.size(); ++i) // grows meanwhile
      for (int t : tensorsOf[group[i]]) {
        auto visit = [&](int next) {
          if (next < 0 || seen[next] || !member[next])
            return;
          seen[next] = true;
          group.push_back(next);
        };
        visit(tensors[t].writer);
        llvm::for_each(tensors[t].readers, visit);
      }
    llvm::sort(group);
    groups.push_back(std::move(group));
  }
  return groups;
}

bool PrecisionGraph::tryMove(PrecisionLabels &labels, ArrayRef<bool> kept, ArrayRef<int> some, bool value) const {
  llvm::SmallVector<int> moved;
  for (int i : some)
    if (labels[i] != value && !(value && kept[i]))
      moved.push_back(i);
  if (moved.empty())
    return false;
  double before = costAround(moved, labels);
  auto set = [&](bool to) {
    for (int i : moved)
      labels[i] = to;
  };
  set(value);
  // Rounding of sums is no gain.
  if (costAround(moved, labels) < before * (1 - 1e-9))
    return true;
  set(!value);
  return false;
}

void PrecisionGraph::descend(PrecisionLabels &labels, ArrayRef<bool> kept) const {
  // Every move makes it cheaper, so this ends; the bound is for large graphs.
  constexpr int kRounds = 16;
  bool changed = true;
  for (int round = 0; changed && round < kRounds; ++round) {
    changed = false;
    for (int i = 0; i < int(layers.size()); ++i) {
      int alone[] = {i};
      changed |= tryMove(labels, kept, alone, !labels[i]);
      for (int t : tensorsOf[i]) {
        llvm::SmallVector<int> around(tensors[t].readers.begin(), tensors[t].readers.end());
        if (tensors[t].writer >= 0)
          around.push_back(tensors[t].writer);
        changed |= tryMove(labels, kept, around, true) || tryMove(labels, kept, around, false);
      }
    }
  }
}

PrecisionLabels PrecisionGraph::cheapest(ArrayRef<bool> kept) const {
  PrecisionLabels best;
  double bestCost = 0;
  auto consider = [&](PrecisionLabels labels) {
    descend(labels, kept);
    PrecisionLabels inFloat;
    for (bool bytes : labels)
      inFloat.push_back(!bytes);
    for (const std::vector<int> &region : connected(inFloat))
      tryMove(labels, kept, region, true);
    descend(labels, kept);
    double total = cost(labels);
    if (best.empty() || total < bestCost * (1 - 1e-9)) {
      best = std::move(labels);
      bestCost = total;
    }
  };
  PrecisionLabels all(layers.size(), true);
  for (size_t i = 0; i < layers.size(); ++i)
    all[i] = !kept[i];
  consider(all);
  consider(PrecisionLabels(layers.size(), false));
  for (const std::vector<int> &region : connected(all))
    tryMove(all, kept, region, false);
  consider(all);
  return best;
}

std::vector<PrecisionGraph::Region> PrecisionGraph::floatRegions(ArrayRef<bool> labels) const {
  PrecisionLabels inFloat;
  for (bool bytes : labels)
    inFloat.push_back(!bytes);
  std::vector<Region> regions;
  for (std::vector<int> &group : connected(inFloat)) {
    PrecisionLabels lowered(labels);
    Region region;
    region.f32 = costAround(group, labels);
    for (int i : group) {
      region.f32 -= layers[i].threshold;
      lowered[i] = true;
    }
    region.bytes = costAround(group, lowered, &region.conversions);
    region.layers = std::move(group);
    regions.push_back(std::move(region));
  }
  return regions;
}
