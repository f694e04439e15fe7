//===- Quantize.h - The int8 part of a compile ------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_QUANTIZE_H
#define OPTC_TOOLS_COMPILER_QUANTIZE_H

#include "tools/compiler/Calibrate.h"
#include "tools/compiler/Guard.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace optc {

/// --int8 and what goes with it (docs/quantization.md).
struct QuantizationOptions {
  bool int8 = false;
  SampleSource calibration; // --calib: sets of inputs
  CalibrationMethod method = CalibrationMethod::mse;
  bool correctBias = false, equalize = false;
  std::optional<double> smoothAlpha; // --smooth-quant
  std::string save, load; // calibration files
  /// Names of ONNX nodes.
  std::vector<std::string> keepFloat;
  GuardOptions guard;
};

/// Marks the convolutions and products of the named nodes (--keep-float).
Error keepInFloat(mlir::func::FuncOp function, const std::vector<std::string> &nodes);

/// Writes on the IR what InsertQuantization goes by: ranges, and the layers that stay in floats. `levels` are those that 8 bits
/// have to gain on (codegen/kernel/CostModel.h), `calibration` is what --save-calib keeps.
Error prepareQuantization(mlir::ModuleOp module, const QuantizationOptions &options, const std::vector<std::string> &levels, unsigned jobs,
                          const Progress &progress, Calibration &calibration, std::vector<std::string> &notes);

/// A note for the user on the layers that are estimated to be faster in f32.
void noteFloatRegions(mlir::ModuleOp module, std::vector<std::string> &notes);

/// The flags as the report has them: without the names of folders and files, which change nothing.
std::string commandOf(const QuantizationOptions &options);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_QUANTIZE_H
