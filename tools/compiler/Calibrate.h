//===- Calibrate.h - Ranges of a model's tensors out of samples -*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_CALIBRATE_H
#define OPTC_TOOLS_COMPILER_CALIBRATE_H

#include "mlir/IR/BuiltinOps.h"
#include "tools/compiler/CalibrationFile.h"
#include "tools/compiler/TensorSets.h"
#include "llvm/ADT/StringMap.h"
#include <functional>

namespace optc {

using Progress = std::function<void(const std::string &)>;

/// Runs the model in f32 over the sets of `source`, with the tensors that quantisation asks for as further outputs. `module`
/// is as after recognition (passes/Pipelines.h) and stays as it is.
Error calibrate(mlir::ModuleOp module, const SampleSource &source, CalibrationMethod method, unsigned jobs,
                const Progress &progress, Calibration &calibration);

/// Writes the ranges on the IR. `source` names where they come from: a file may be of another model.
Error applyCalibration(mlir::ModuleOp module, const Calibration &calibration, const std::string &source);

/// Says that what `source` has does not fit the model.
Error refuseCalibration(const std::string &source, const std::string &why);

/// A calibration's numbers a channel, handed out by tensor.
class ChannelsByName {
public:
  explicit ChannelsByName(const std::vector<Calibration::Channels> &list);
  /// Those of a tensor with so many channels; null where there are none.
  const std::vector<float> *take(const std::string &name, std::optional<int64_t> channels);
  /// A tensor whose numbers are of another size, or that nothing took; empty: all fit.
  std::string misfit() const;

private:
  const std::vector<Calibration::Channels> &list;
  llvm::StringMap<const std::vector<float> *> left;
  std::string wrongSize;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_CALIBRATE_H
