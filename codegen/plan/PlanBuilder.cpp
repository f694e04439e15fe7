//===- PlanBuilder.cpp - The model's ports and its frames -----------------===//

#include "codegen/plan/PlanBuilder.h"
#include "codegen/plan/FrameBuilder.h"
#include "codegen/plan/Report.h"
#include "ir/eval/Evaluate.h"

using namespace mlir;
using namespace optc;

static Port portOf(Type type, StringRef name) {
  Port port;
  port.name = name.str();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) {
    port.kind = isa<SequenceType>(type) ? HostValue::Kind::sequence : HostValue::Kind::optional;
    return port;
  }
  port.type = dtypeOf(tensor.getElementType());
  for (const DimExpr &d : dimsOf(type)) {
    port.dims.push_back(d.constant().value_or(-1));
    port.symbols.push_back(d.isConstant() ? "" : d.str());
  }
  return port;
}

FailureOr<BuiltPlan> optc::buildPlan(func::FuncOp function, const ReportHeader &header, const DeviceCode *device) {
  PlanContext context;
  context.device = device;
  Plan &plan = context.result.plan;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto name = function.getArgAttrOfType<StringAttr>(i, "optc.name");
    plan.inputs.push_back(portOf(function.getArgument(i).getType(), name ? name.getValue() : "input_" + std::to_string(i)));
  }
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    auto name = function.getResultAttrOfType<StringAttr>(i, "optc.name");
    plan.outputs.push_back(portOf(function.getResultTypes()[i], name ? name.getValue() : "output_" + std::to_string(i)));
  }
  plan.frames.emplace_back(); // the model's frame has number 0
  FrameBuilder top(context, nullptr);
  FrameBuilder::Sides host{llvm::SmallVector<bool>(function.getNumArguments()), llvm::SmallVector<bool>(function.getNumResults())};
  if (failed(top.build(function.getBody().front(), {}, host)))
    return failure();
  plan.frames[0] = top.take();
  if (device) {
    plan.images = device->images;
    context.result.imageBytes = device->contents;
  }
  plan.report = reportOf(context, function, header);
  context.result.libraryCalls = libraryCallsOf(plan);
  return std::move(context.result);
}
