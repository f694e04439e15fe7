//===- Guard.h - Back to floats until the answers hold ----------*- C++ -*-===//
//
// --golden, --max-error. When the lowered model's outputs are too far from the golden ones (or, with --metric and
// --max-drop, what a command makes of them is too far below what it makes of f32's), layers go back to f32: those first
// that do most harm to the outputs when they alone are lowered, as few as it takes; then each of them is lowered again where
// that does no harm any more. Layers are those of --int8 and those of a format of weights (FormatLayers.h), in one order. One
// model with switches shows all choices. What decides is the final model, kernels and all, over all golden sets: where it
// misses, the search starts again for less.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_GUARD_H
#define OPTC_TOOLS_COMPILER_GUARD_H

#include "ir/PrecisionNotes.h"
#include "tools/compiler/Calibrate.h"
#include "tools/compiler/GoldenSets.h"
#include "tools/compiler/RoundWeights.h"

namespace optc {

struct GuardOptions {
  SampleSource golden; // sets of inputs, perhaps of outputs; empty: no guard
  double maxError = 0;
  std::string metric; // a command (tools/compiler/Metric.h) that decides instead
  double maxDrop = 0;
};

/// "0.5%" or "0.005".
std::optional<double> parseLimit(const std::string &text);

/// "0.5%", of a share, by three digits that count.
std::string percentText(double share);
/// What the outputs of `deviation` are like: a line for the user, and the note for the report.
std::string accuracyText(const Deviation &deviation);
AccuracyNote accuracyNoteOf(const Deviation &deviation, const std::string &measure, double allowed, size_t sets);

/// How the model is lowered that is measured.
struct GuardedLowering {
  /// `module` has what InsertQuantization goes by.
  bool int8 = false;
  /// Null: weights stay as the model has them.
  const WeightRounding *weights = nullptr;
  /// What it is compiled with.
  PipelineOptions pipeline;
};

/// Marks the layers that stay in f32 (kKeepFloat) and notes the accuracy (ir/PrecisionNotes.h). Notes are for the user, without a
/// place. An error without one: the model cannot hold.
Error guardAccuracy(mlir::ModuleOp module, const GuardOptions &options, const GuardedLowering &lowering, unsigned jobs, const Progress &progress,
                    std::vector<std::string> &notes);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_GUARD_H
