//===- CalibrationFile.h - Observed ranges as JSON --------------*- C++ -*-===//
//
//   {"format": "optc-calibration", "version": 1, "method": "minmax", "samples": 64,
//    "tensors": [{"name": "/layer1/Relu", "low": 0, "high": 6.2}, ...],
//    "corrections": [{"name": "/layer1/Conv", "channels": [0.01, -0.002]}, ...]}
//
// Tensors are in the model's order, under the names of passes/QuantizedTensors.h. A tensor that no sample reached, in a
// branch that none took, has null for both ends. Corrections are those of biases (tools/compiler/BiasCorrection.h), if any.
// With "equalized": true, or "smooth_alpha": 0.5 and "channel_max" (in the form of corrections), ranges are of the model
// after the passes EqualizeLayers and SmoothQuant. The same data give the same bytes.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_CALIBRATIONFILE_H
#define OPTC_TOOLS_COMPILER_CALIBRATIONFILE_H

#include "tools/compiler/Observer.h"
#include "tools/tensors/Error.h"
#include <string>

namespace optc {

struct Calibration {
  struct Tensor {
    std::string name;
    std::optional<Observer::Bounds> range;
  };
  struct Channels {
    std::string name;
    std::vector<float> values;
  };
  std::string method;
  int64_t samples = 0;
  std::vector<Tensor> tensors = {};
  std::vector<Channels> corrections = {};
  // What was done to the model before.
  bool equalized = false;
  std::optional<double> smoothAlpha = {};
  std::vector<Channels> channelMax = {};
};

Error writeCalibration(const std::string &path, const Calibration &calibration);
/// Checks all but whether it fits a model.
Error readCalibration(const std::string &path, Calibration &calibration);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_CALIBRATIONFILE_H
