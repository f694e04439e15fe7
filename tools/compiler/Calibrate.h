//===- Calibrate.h - Ranges of a model's tensors out of samples -*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_CALIBRATE_H
#define OPTC_TOOLS_COMPILER_CALIBRATE_H

#include "mlir/IR/BuiltinOps.h"
#include "tools/compiler/CalibrationFile.h"
#include "tools/compiler/TensorSets.h"
#include <functional>

namespace optc {

using Progress = std::function<void(const std::string &)>;

/// Runs the model in f32 over the sets of `source`, with the tensors that quantisation asks for as further outputs. `module`
/// is as after recognition (passes/Pipelines.h) and stays as it is.
Error calibrate(mlir::ModuleOp module, const SampleSource &source, CalibrationMethod method, unsigned jobs,
                const Progress &progress, Calibration &calibration);

/// Writes the ranges on the IR. `source` names where they come from: a file may be of another model.
Error applyCalibration(mlir::ModuleOp module, const Calibration &calibration, const std::string &source);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_CALIBRATE_H
