//===- Smooth.h - Ranges of channels, evened out ----------------*- C++ -*-===//
//
// --equalize and --smooth-quant: what they do to the f32 model before ranges are chosen, and the data that it takes.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_SMOOTH_H
#define OPTC_TOOLS_COMPILER_SMOOTH_H

#include "tools/compiler/Calibrate.h"

namespace optc {

/// The largest magnitude of each channel of what normalisations give, over the sets of `source`, into `calibration`.
Error measureChannels(mlir::ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                      Calibration &calibration);

/// Runs the passes that `calibration` asks for on the module. `source` as for applyCalibration.
Error applySmoothing(mlir::ModuleOp module, const Calibration &calibration, const std::string &source);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_SMOOTH_H
