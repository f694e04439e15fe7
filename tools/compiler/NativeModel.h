//===- NativeModel.h - A module compiled and loaded on the spot -*- C++ -*-===//
//
// Calibration and the accuracy guard run models inside the compiler: a copy of the module is compiled for this machine
// into a temporary file and loaded by the runtime that users have.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_NATIVEMODEL_H
#define OPTC_TOOLS_COMPILER_NATIVEMODEL_H

#include "codegen/cpu/Target.h"
#include "codegen/plan/PlanBuilder.h"
#include "ir/eval/Evaluate.h"
#include "passes/Pipelines.h"
#include "runtime/Model.h"
#include "tools/tensors/Error.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/FileUtilities.h"

namespace optc {

/// An error of the compiler itself.
Error internalError(const std::string &what);

/// Compiles the plan's kernels for each target and writes the artefact.
Error writeCompiled(BuiltPlan &built, llvm::ArrayRef<CpuTarget> targets, unsigned jobs, llvm::StringRef path,
                    llvm::function_ref<void(const std::string &)> progress);

class NativeModel {
public:
  /// `module` as it is after recognition (passes/Pipelines.h); `first` is a pass over its functions before the rest.
  Error build(mlir::ModuleOp module, unsigned jobs, std::unique_ptr<mlir::Pass> first = nullptr,
              const PipelineOptions &pipeline = {});
  /// Of a plan, for the CPU's part `targets`.
  Error build(BuiltPlan &built, llvm::ArrayRef<CpuTarget> targets, unsigned jobs);
  Error load(const std::string &path);

  const Plan &plan() const { return model->plan(); }
  /// The message is without a place: the caller knows whose inputs they are.
  Error run(llvm::ArrayRef<HostValue> inputs);
  /// Times each step from now on.
  void profile(bool on) { session->profile(on); }
  const std::vector<StepTime> &times() const { return session->times(); }
  /// Of the last run; overwritten by the next.
  llvm::ArrayRef<HostValue> outputs() const { return results; }

private:
  std::unique_ptr<llvm::FileRemover> file;
  std::shared_ptr<Model> model;
  std::unique_ptr<Session> session;
  std::vector<HostValue> results;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_NATIVEMODEL_H
