//===- PrecisionGraphTest.cpp - Which layers gain from 8 bits -------------===//

#include "passes/PrecisionGraph.h"
#include <gtest/gtest.h>
#include <random>

using namespace optc;

namespace {

/// Layers in a row with a tensor before each: those between layers cost `floats` or `codes`.
PrecisionGraph chain(llvm::ArrayRef<LayerCost> layers, double convert, double floats = 2, double codes = 1) {
  PrecisionGraph graph;
  for (LayerCost cost : layers)
    graph.addLayer(cost);
  for (int i = 0; i < int(layers.size()); ++i) {
    TensorCost tensor;
    tensor.writer = i - 1;
    tensor.readers = {i};
    tensor.quantize = tensor.dequantize = convert;
    tensor.floats = floats;
    tensor.codes = codes;
    graph.addTensor(tensor);
  }
  return graph;
}

PrecisionLabels none(const PrecisionGraph &graph) { return PrecisionLabels(graph.size(), false); }

TEST(PrecisionGraph, GainsDecide) {
  PrecisionGraph graph = chain({{10, 5}, {10, 15}, {10, 5}}, 1);
  EXPECT_EQ(graph.cheapest(none(graph)), (PrecisionLabels{true, false, true}));
}

TEST(PrecisionGraph, ConversionsCount) {
  // Each layer gains 1, and a tensor of codes instead of floats another 1.
  EXPECT_EQ(chain({{10, 9}, {10, 9}}, 3).cheapest({false, false}), (PrecisionLabels{false, false}));
  EXPECT_EQ(chain({{10, 9}, {10, 9}}, 1.5).cheapest({false, false}), (PrecisionLabels{true, true}));
}

TEST(PrecisionGraph, AThresholdIsNoCost) {
  PrecisionGraph graph = chain({{10, 12, 3}, {10, 12, 0.5}}, 0, 1, 1);
  PrecisionLabels labels = graph.cheapest(none(graph));
  EXPECT_EQ(labels, (PrecisionLabels{true, false}));
  EXPECT_EQ(graph.floatRegions(labels)[0].f32, 11);
}

TEST(PrecisionGraph, ReadersShareCodes) {
  // One conversion of 5 serves three layers that gain 2 each: none alone is worth it.
  PrecisionGraph graph;
  TensorCost tensor;
  for (int i = 0; i < 3; ++i)
    tensor.readers.push_back(graph.addLayer({10, 8}));
  tensor.quantize = 5;
  graph.addTensor(tensor);
  EXPECT_EQ(graph.cheapest(none(graph)), PrecisionLabels(3, true));
  EXPECT_EQ(graph.cheapest({true, false, false}), PrecisionLabels(3, false));
}

TEST(PrecisionGraph, FloatsBesideCodesNeedAPass) {
  // The second reader would lose 4 in 8 bits; in f32 it needs floats again, for 6.
  PrecisionGraph graph;
  TensorCost tensor;
  tensor.readers = {graph.addLayer({30, 10}), graph.addLayer({10, 14})};
  tensor.quantize = 1;
  tensor.dequantize = 6;
  graph.addTensor(tensor);
  EXPECT_EQ(graph.cheapest(none(graph)), PrecisionLabels(2, true));
}

TEST(PrecisionGraph, RegionsInFloat) {
  PrecisionGraph graph = chain({{10, 15}, {10, 15}, {10, 1}, {10, 15}}, 2);
  PrecisionLabels labels = graph.cheapest(none(graph));
  ASSERT_EQ(labels, (PrecisionLabels{false, false, true, false}));
  auto regions = graph.floatRegions(labels);
  ASSERT_EQ(regions.size(), 2u);
  EXPECT_EQ(regions[0].layers, (std::vector<int>{0, 1}));
  // Two tensors of floats and the codes behind them; three of codes.
  EXPECT_EQ(regions[0].f32, 2 * 10 + 2 * 2 + (1 + 2));
  EXPECT_EQ(regions[0].bytes, 2 * 15 + 3 * (1 + 2));
  EXPECT_EQ(regions[0].conversions, 3 * 2);
}

/// Every choice of few layers: what is found is never worse than all in one precision, and seldom more than the least.
TEST(PrecisionGraph, NearTheLeastCost) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> number(0, 10);
  int least = 0;
  constexpr int kGraphs = 100, kLayers = 8;
  for (int g = 0; g < kGraphs; ++g) {
    PrecisionGraph graph;
    for (int i = 0; i < kLayers; ++i)
      graph.addLayer({number(random), number(random)});
    for (int t = 0; t < kLayers + 2; ++t) {
      TensorCost tensor;
      tensor.writer = int(random() % (kLayers + 1)) - 1;
      for (int r = 0; r < 1 + int(random() % 3); ++r)
        tensor.readers.push_back(int(random() % kLayers));
      tensor.quantize = number(random) / 2;
      tensor.dequantize = number(random) / 2;
      tensor.codes = number(random) / 4;
      tensor.floats = 4 * tensor.codes;
      graph.addTensor(tensor);
    }
    double found = graph.cost(graph.cheapest(none(graph))), best = found;
    for (int bits = 0; bits < 1 << kLayers; ++bits) {
      PrecisionLabels labels;
      for (int i = 0; i < kLayers; ++i)
        labels.push_back(bits >> i & 1);
      best = std::min(best, graph.cost(labels));
    }
    EXPECT_LE(found, graph.cost(PrecisionLabels(kLayers, true)) + 1e-9);
    EXPECT_LE(found, graph.cost(PrecisionLabels(kLayers, false)) + 1e-9);
    EXPECT_LE(found, 1.1 * best);
    least += found <= best + 1e-9;
  }
  EXPECT_GE(least, kGraphs * 9 / 10);
}

} // namespace
