//===- BiasCorrection.h - What 8 bits move a channel by ---------*- C++ -*-===//
//
// Rounding a channel's weights, and clipping what it reads, moves its mean. --bias-correction measures by how much over the
// calibration data (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, the
// empirical form), each layer by itself: it computes what f32 reads both ways, so that no correction counts what another
// makes good.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_BIASCORRECTION_H
#define OPTC_TOOLS_COMPILER_BIASCORRECTION_H

#include "tools/compiler/Calibrate.h"

namespace optc {

/// Adds the corrections to `calibration`, whose ranges are on the IR.
Error measureBias(mlir::ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                  Calibration &calibration);
/// Writes them on the IR.
Error applyBias(mlir::ModuleOp module, const Calibration &calibration, const std::string &source);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_BIASCORRECTION_H
