//===- RoundWeights.h - Weights in few bits, chosen with samples *- C++ -*-===//
//
// --calib rounds the weights of matrix products to integers by what their inputs are (passes/Gptq.h) and writes them on the IR as
// the model itself could have them, dequantize of codes; compress-weights stores those as they are. --golden, --max-error puts layers
// back to f32 until the answers hold: those first whose own results the format puts off most, or, of bf16 as arithmetic, that alone
// put the model's outputs off most (passes/SwitchRounding.cpp).
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_ROUNDWEIGHTS_H
#define OPTC_TOOLS_COMPILER_ROUNDWEIGHTS_H

#include "passes/Pipelines.h"
#include "passes/WeightFormats.h"
#include "tools/compiler/Guard.h"

namespace optc {

struct WeightOptions {
  /// No name: weights stay as the model has them.
  WeightFormat format;
  SampleSource calibration; // sets of inputs; of formats of integers
  GuardOptions guard;
  /// What the model is compiled with where it is measured.
  PipelineOptions pipeline;
};

/// `module` is as after recognition (passes/Pipelines.h). Layers to be kept in f32 are marked (kKeepFloat), and further ones are.
Error prepareWeights(mlir::ModuleOp module, const WeightOptions &options, unsigned jobs, const Progress &progress, std::vector<std::string> &notes);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_ROUNDWEIGHTS_H
