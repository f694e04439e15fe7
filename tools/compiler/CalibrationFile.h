//===- CalibrationFile.h - Observed ranges as JSON --------------*- C++ -*-===//
//
//   {"format": "optc-calibration", "version": 1, "method": "minmax", "samples": 64,
//    "tensors": [{"name": "/layer1/Relu", "low": 0, "high": 6.2}, ...]}
//
// Tensors are in the model's order, under the names of passes/QuantizedTensors.h. A tensor that no sample reached, in a
// branch that none took, has null for both ends. The same data give the same bytes.
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
  std::string method;
  int64_t samples = 0;
  std::vector<Tensor> tensors;
};

Error writeCalibration(const std::string &path, const Calibration &calibration);
/// Checks all but whether it fits a model.
Error readCalibration(const std::string &path, Calibration &calibration);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_CALIBRATIONFILE_H
