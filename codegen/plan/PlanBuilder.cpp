//===- PlanBuilder.cpp - The model's ports, its frames, its report --------===//

#include "codegen/plan/PlanBuilder.h"
#include "codegen/plan/FrameBuilder.h"
#include "ir/eval/Evaluate.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace optc;

static void collectNodes(Location location, llvm::SetVector<StringRef> &names) {
  if (auto name = dyn_cast<NameLoc>(location))
    names.insert(name.getName().getValue());
  else if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      collectNodes(part, names);
}

SmallVector<std::string> optc::nodesOf(Location location) {
  llvm::SetVector<StringRef> names;
  collectNodes(location, names);
  return SmallVector<std::string>(llvm::map_range(names, [](StringRef s) { return s.str(); }));
}

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

static llvm::json::Value portReport(const Port &port) {
  llvm::json::Array shape;
  for (size_t i = 0; i < port.dims.size(); ++i)
    shape.push_back(port.dims[i] < 0 ? llvm::json::Value(port.symbols[i]) : llvm::json::Value(port.dims[i]));
  return llvm::json::Object{{"name", port.name}, {"type", nameOf(port.type)}, {"shape", std::move(shape)}};
}

/// The artefact's own report: what holds for every run and every machine. See docs/report.md.
static std::string reportOf(const PlanContext &context, func::FuncOp function) {
  const Plan &plan = context.result.plan;
  llvm::json::Array inputs, outputs, steps, fallbacks, eliminated;
  for (const Port &p : plan.inputs)
    inputs.push_back(portReport(p));
  for (const Port &p : plan.outputs)
    outputs.push_back(portReport(p));
  static const char *kinds[] = {"kernel", "library", "bind", "subplan", "subplan"};
  // Locations also name inputs and weights; the report lists nodes.
  llvm::StringSet<> known, present;
  auto nodeNames = function->getAttrOfType<ArrayAttr>("optc.nodes");
  if (nodeNames)
    for (auto name : nodeNames.getAsValueRange<StringAttr>())
      known.insert(name);
  for (const Step &step : plan.frames[0].steps) {
    llvm::json::Array nodes;
    for (const std::string &name : nodesOf(context.stepLocations[step.report])) {
      if (nodeNames && !known.contains(name))
        continue;
      nodes.push_back(name);
      present.insert(name);
    }
    llvm::json::Object entry{{"name", step.name}, {"nodes", std::move(nodes)}, {"kind", kinds[int(step.kind)]}, {"device", "cpu"}};
    if (step.kind == Step::Kind::library)
      entry["function"] = step.function;
    steps.push_back(std::move(entry));
  }
  if (nodeNames)
    for (auto name : nodeNames.getAsValueRange<StringAttr>())
      if (!present.contains(name))
        eliminated.push_back(llvm::json::Object{{"node", name}, {"by", "folding"}});
  llvm::json::Object report{{"schema", 1},
                            {"inputs", std::move(inputs)},
                            {"outputs", std::move(outputs)},
                            {"steps", std::move(steps)},
                            {"fallbacks", std::move(fallbacks)},
                            {"eliminated", std::move(eliminated)},
                            {"memory", llvm::json::Object{{"arena_bytes", int64_t(plan.frames[0].arenaBytes)},
                                                          {"static", plan.frames[0].isStatic},
                                                          {"state_bytes", 0}}}};
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::formatv("{0:2}", llvm::json::Value(std::move(report)));
  return text;
}

FailureOr<BuiltPlan> optc::buildPlan(func::FuncOp function) {
  PlanContext context;
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
  if (failed(top.build(function.getBody().front(), {})))
    return failure();
  plan.frames[0] = top.take();
  plan.report = reportOf(context, function);
  return std::move(context.result);
}
