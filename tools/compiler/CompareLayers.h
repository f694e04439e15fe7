//===- CompareLayers.h - Where the error of 8 bits arises -------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_COMPARELAYERS_H
#define OPTC_TOOLS_COMPILER_COMPARELAYERS_H

#include "tools/compiler/Calibrate.h"

namespace optc {

/// How far a node's result is from that in f32, over all sets: what earlier layers did to it is part of it.
struct LayerError {
  std::string node;
  size_t position = 0; // in the model's order
  bool lowered = false;
  /// |got - expected| / |expected| in 2-norms, and the largest |got - expected|.
  double relative = 0, largest = 0;
};

/// Runs the model in f32 and lowered over the sets of `source`; worst first. `module` has what InsertQuantization goes by.
Error compareLayers(mlir::ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                    std::vector<LayerError> &errors);

std::string layerTable(const std::vector<LayerError> &errors);
std::string layerJson(const std::vector<LayerError> &errors);
/// A picture: a bar a node, in the model's order.
std::string layerSvg(const std::vector<LayerError> &errors);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_COMPARELAYERS_H
