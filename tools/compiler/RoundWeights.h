//===- RoundWeights.h - Weights in few bits, chosen with samples *- C++ -*-===//
//
// --calib rounds the weights of matrix products to integers by what their inputs are (passes/Gptq.h) and writes them on the IR as
// the model itself could have them, dequantize of codes; compress-weights stores those as they are.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_ROUNDWEIGHTS_H
#define OPTC_TOOLS_COMPILER_ROUNDWEIGHTS_H

#include "passes/WeightFormats.h"
#include "tools/compiler/WeightTables.h"

namespace optc {

/// The weights of a module in a format, once they are rounded.
class WeightRounding {
public:
  /// `module` is as after recognition (passes/Pipelines.h).
  WeightRounding(mlir::ModuleOp module, WeightFormat format);

  const WeightFormat &format() const { return wanted; }
  /// By samples, of integers; what is kept in f32 (kKeepFloat) aside.
  Error roundByInputs(const SampleSource &samples, unsigned jobs, const Progress &progress);
  /// Puts what was rounded by samples into the module or a copy of it, but for what is kept in f32 there. The module gets notes.
  void apply(mlir::ModuleOp copy) const;
  /// What samples made of a table of `module`, and whether that is [n, k]; null where they rounded nothing.
  std::pair<const BlockCodes *, bool> codesOf(mlir::Value table) const;

private:
  mlir::ModuleOp module;
  WeightFormat wanted;
  llvm::SmallVector<WeightTable> tables;
  /// By table: codes, and their signal over noise on the samples.
  struct Rounded {
    BlockCodes codes;
    double decibels;
  };
  std::vector<std::optional<Rounded>> rounded;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_ROUNDWEIGHTS_H
