//===- PlanBuilder.h - From kernels and ops to a plan -----------*- C++ -*-===//
//
// Walks the model in order and turns it into steps over buffers: kernels, library steps for what
// has no kernel, branches and loops as sub-frames. Assigns buffers to storage (views share it,
// outputs are written in place), turns dim expressions into the shape program.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_PLAN_PLANBUILDER_H
#define OPTC_CODEGEN_PLAN_PLANBUILDER_H

#include "codegen/kernel/Kernel.h"
#include "codegen/plan/DeviceCode.h"
#include "ir/Locations.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/Plan.h"

namespace optc {

/// A step that runs a reference function, as no kernel computes its operator.
struct LibraryCall {
  std::string node, function;
  std::string reason() const { return "no kernel computes '" + function + "' on these types and attributes"; }
};

/// A kernel of an artefact for GPUs that runs on the CPU.
struct HostKernel {
  std::string node, kind, reason;
};

/// What the report says of the compile itself. The same for equal flags, wherever and however fast it runs.
struct ReportHeader {
  std::string version, command;
  std::vector<std::string> targets;
};

struct BuiltPlan {
  Plan plan;
  /// Distinct kernels in the plan's numbering: canonical text, and the name of the first step that uses it.
  std::vector<std::string> kernelTexts;
  std::vector<std::string> kernelNames;
  /// Weights in order of first use; Storage::index of a weight storage refers to it until packaging
  /// gives it an offset.
  std::vector<mlir::Value> weights;
  std::vector<LibraryCall> libraryCalls;
  std::vector<HostKernel> hostKernels;
  /// Of the plan's images.
  std::string imageBytes;
};

/// Fails with a diagnostic at the op that cannot be planned. `device`: kernels that run on a GPU; null: there is none.
mlir::FailureOr<BuiltPlan> buildPlan(mlir::func::FuncOp function, const ReportHeader &header = {}, const DeviceCode *device = nullptr);

} // namespace optc

#endif // OPTC_CODEGEN_PLAN_PLANBUILDER_H
