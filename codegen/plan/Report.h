//===- Report.h - What the compiler did, as JSON ----------------*- C++ -*-===//
//
// Private to codegen/plan. The object's fields are documented in docs/cli.md.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_PLAN_REPORT_H
#define OPTC_CODEGEN_PLAN_REPORT_H

#include "codegen/plan/FrameBuilder.h"

namespace optc {

/// The artefact's own report: what holds for every run and every machine.
std::string reportOf(const PlanContext &context, mlir::func::FuncOp function, const ReportHeader &header);

/// The library steps of all frames that stand for an operator without a kernel. Bookkeeping on sizes and copies to
/// outputs are not among them.
std::vector<LibraryCall> libraryCallsOf(const Plan &plan);

} // namespace optc

#endif // OPTC_CODEGEN_PLAN_REPORT_H
