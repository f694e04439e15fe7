//===- PrecisionGraph.h - Which layers gain from 8 bits ---------*- C++ -*-===//
//
// Layers, the tensors between them, and what each costs in f32 and in 8 bits (codegen/kernel/CostModel.h). A tensor is
// stored as codes where a layer reads codes; layers that read floats then need a conversion. The cheapest labels are searched
// by descent from three starts: all layers in 8 bits, all in f32, and each region of connected layers as it is cheaper; moves
// are a layer, and a layer with what is next to it.
//
// Knows no IR, so that its decisions are tested on numbers.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_PRECISIONGRAPH_H
#define OPTC_PASSES_PRECISIONGRAPH_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <vector>

namespace optc {

/// By layer; true: in 8 bits.
using PrecisionLabels = llvm::SmallVector<bool>;

/// Nanoseconds of a layer's product, reading its activations included.
struct LayerCost {
  double f32 = 0, bytes = 0;
  /// What f32 has to gain to be chosen: no part of its time.
  double threshold = 0;
};

struct TensorCost {
  /// The layer whose kernel computes it; -1: something else.
  int writer = -1;
  /// Layers that read it as an operand of their product.
  llvm::SmallVector<int, 2> readers;
  /// To make codes of it, as its kernel stores it or in a pass of its own, and to make floats of the codes in a pass of its own.
  double quantize = 0, dequantize = 0;
  /// To store it and to read it by all but the layers, as floats and as codes.
  double floats = 0, codes = 0;
  /// Floats are there beside the codes: of a tensor whose range is taken when it runs.
  bool keepsFloats = false;
  /// The model itself rounds it, whatever reads it.
  bool isRounded = false;

  double cost(llvm::ArrayRef<bool> bytes) const;
  /// What of it a product in f32 would not need.
  double conversions(llvm::ArrayRef<bool> bytes) const;
};

class PrecisionGraph {
public:
  int addLayer(LayerCost cost);
  void addTensor(TensorCost tensor);
  size_t size() const { return layers.size(); }

  /// The cheapest labels found: true is 8 bits. Layers of `kept` stay in f32.
  PrecisionLabels cheapest(llvm::ArrayRef<bool> kept) const;
  double cost(llvm::ArrayRef<bool> bytes) const;

  /// Connected layers in f32 among `labels`, and what they and their tensors cost in f32 and would in 8 bits.
  struct Region {
    std::vector<int> layers;
    double f32 = 0, bytes = 0, conversions = 0; // conversions: part of bytes
  };
  std::vector<Region> floatRegions(llvm::ArrayRef<bool> labels) const;

private:
  std::vector<std::vector<int>> connected(llvm::ArrayRef<bool> member) const;
  /// Of the layers and their tensors.
  double costAround(llvm::ArrayRef<int> some, llvm::ArrayRef<bool> bytes, double *conversions = nullptr) const;
  void descend(PrecisionLabels &labels, llvm::ArrayRef<bool> kept) const;
  /// Flips the layers that may be in 8 bits to `value` where that is cheaper.
  bool tryMove(PrecisionLabels &labels, llvm::ArrayRef<bool> kept, llvm::ArrayRef<int> some, bool value) const;

  std::vector<LayerCost> layers;
  std::vector<TensorCost> tensors;
  std::vector<llvm::SmallVector<int>> tensorsOf; // by layer
};

} // namespace optc

#endif // OPTC_PASSES_PRECISIONGRAPH_H
