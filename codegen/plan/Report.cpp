//===- Report.cpp - What the compiler did, as JSON ------------------------===//

#include "codegen/plan/Report.h"
#include "ir/PrecisionNotes.h"
#include "ir/eval/Evaluate.h"
#include "runtime/Instructions.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cmath>

using namespace mlir;
using namespace optc;
namespace json = llvm::json;

static json::Value portReport(const Port &port) {
  json::Array shape;
  for (size_t i = 0; i < port.dims.size(); ++i)
    shape.push_back(port.dims[i] < 0 ? json::Value(port.symbols[i]) : json::Value(port.dims[i]));
  return json::Object{{"name", port.name}, {"type", nameOf(port.type)}, {"shape", std::move(shape)}};
}

static json::Array precisionReport(ArrayRef<PrecisionNote> notes, StringRef key) {
  json::Array entries;
  for (const auto &[node, text] : notes)
    entries.push_back(json::Object{{"node", node}, {key, text}});
  return entries;
}

static json::Object precisionReport(func::FuncOp function) {
  json::Object report{{"lowered", precisionReport(loweredNodes(function), "precision")},
                      {"kept", precisionReport(keptNodes(function), "reason")}};
  json::Array regions;
  auto nanoseconds = [](double us) { return int64_t(std::llround(us * 1000)); };
  for (const FloatRegionNote &region : floatRegions(function))
    regions.push_back(json::Object{{"nodes", json::Array(region.nodes)},
                                   {"level", region.level},
                                   {"f32_ns", nanoseconds(region.f32)},
                                   {"int8_ns", nanoseconds(region.bytes)},
                                   {"conversions_ns", nanoseconds(region.conversions)}});
  if (!regions.empty())
    report["float_regions"] = std::move(regions);
  if (auto accuracy = accuracyOf(function)) {
    json::Object entry{{"measure", accuracy->measure}, {"error", accuracy->error}, {"allowed", accuracy->allowed}, {"sets", accuracy->sets}};
    if (!accuracy->output.empty())
      entry["output"] = accuracy->output;
    json::Array outputs;
    // What is infinite or no number has no text in JSON.
    auto number = [](double x) { return std::isfinite(x) ? json::Value(x) : json::Value(nullptr); };
    for (const OutputAccuracy &output : accuracy->outputs) {
      json::Object one{{"name", output.name}, {"relative_l2", number(output.relative)}, {"cosine", number(output.cosine)},
                       {"sqnr_db", number(output.decibels)}, {"max_abs_error", number(output.maxAbsolute)}};
      if (output.agreement)
        one["top1_agreement"] = number(*output.agreement);
      outputs.push_back(std::move(one));
    }
    if (!outputs.empty())
      entry["outputs"] = std::move(outputs);
    report["accuracy"] = std::move(entry);
  }
  return report;
}

/// A step that moves a size or a result where it is wanted: no operator's work.
static bool isBookkeeping(const Step &step) { return step.function == "from_dims" || step.function == "reshape" || step.function == "constant_strings"; }

std::vector<LibraryCall> optc::libraryCallsOf(const Plan &plan) {
  std::vector<LibraryCall> calls;
  for (const Frame &frame : plan.frames)
    for (const Step &step : frame.steps)
      if (step.kind == Step::Kind::library && !isBookkeeping(step))
        calls.push_back({step.name, step.function});
  return calls;
}

namespace {

/// The sizes of a frame that are constants.
class Constants {
public:
  explicit Constants(const Frame &frame) : frame(frame), values(constantsOf(frame)) {}
  std::optional<int64_t> valueOf(RegisterId r) const {
    auto it = values.find(r);
    return it == values.end() ? std::nullopt : std::optional(it->second);
  }
  /// Read and written; nullopt when a size is known at run time only.
  std::optional<int64_t> bytesOf(const Step &step) const {
    int64_t sum = 0;
    for (const auto *list : {&step.inputs, &step.outputs})
      for (BufferId b : *list) {
        if (b == kNone)
          continue;
        const Buffer &buffer = frame.buffers[b];
        if (frame.storages[buffer.storage].kind == Storage::Kind::object)
          return std::nullopt;
        int64_t bytes = sizeOf(buffer.type);
        for (RegisterId d : buffer.dims) {
          auto size = valueOf(d);
          if (!size)
            return std::nullopt;
          bytes *= *size;
        }
        sum += bytes;
      }
    return sum;
  }

private:
  const Frame &frame;
  std::map<RegisterId, int64_t> values;
};

/// The type that the step's results have: what it computes in, as nothing is lowered yet.
StringRef precisionOf(const Frame &frame, const Step &step) {
  for (BufferId b : step.outputs)
    if (b != kNone && frame.storages[frame.buffers[b].storage].kind != Storage::Kind::object)
      return nameOf(frame.buffers[b].type);
  return "";
}

} // namespace

std::string optc::reportOf(const PlanContext &context, func::FuncOp function, const ReportHeader &header) {
  const Plan &plan = context.result.plan;
  const Frame &top = plan.frames[0];
  json::Array inputs, outputs, steps, fallbacks, eliminated, targets;
  for (const Port &p : plan.inputs)
    inputs.push_back(portReport(p));
  for (const Port &p : plan.outputs)
    outputs.push_back(portReport(p));
  for (const std::string &target : header.targets)
    targets.push_back(target);

  // Locations also name inputs and weights; the report lists nodes.
  llvm::StringSet<> known, present;
  auto nodeNames = function->getAttrOfType<ArrayAttr>("optc.nodes");
  if (nodeNames)
    for (auto name : nodeNames.getAsValueRange<StringAttr>())
      known.insert(name);
  static const char *kinds[] = {"kernel", "library", "bind", "subplan", "subplan", "copy"};
  Constants constants(top);
  for (const Step &step : top.steps) {
    json::Array nodes;
    for (const std::string &name : nodesOf(context.stepLocations[step.report])) {
      if (nodeNames && !known.contains(name))
        continue;
      nodes.push_back(name);
      present.insert(name);
    }
    json::Object entry{{"name", step.name}, {"nodes", std::move(nodes)}, {"kind", kinds[int(step.kind)]}, {"device", step.onDevice ? "gpu" : "cpu"}};
    if (StringRef precision = precisionOf(top, step); !precision.empty())
      entry["precision"] = precision;
    if (auto flops = constants.valueOf(step.flops); flops && *flops > 0)
      entry["flops"] = *flops;
    if (auto bytes = constants.bytesOf(step))
      entry["bytes"] = *bytes;
    if (step.kind == Step::Kind::library) {
      entry["function"] = step.function;
      entry["reason"] = isBookkeeping(step) ? "copies a result, a size or a constant" : LibraryCall{step.name, step.function}.reason();
    }
    steps.push_back(std::move(entry));
  }
  for (const HostKernel &kernel : context.result.hostKernels)
    fallbacks.push_back(json::Object{{"node", kernel.node}, {"operator", kernel.kind}, {"to", "cpu"}, {"reason", kernel.reason}});
  for (const LibraryCall &call : libraryCallsOf(plan))
    fallbacks.push_back(json::Object{{"node", call.node}, {"operator", call.function}, {"to", "library"}, {"reason", call.reason()}});
  if (nodeNames)
    for (auto name : nodeNames.getAsValueRange<StringAttr>())
      if (!present.contains(name))
        eliminated.push_back(json::Object{{"node", name}, {"by", "folding"}});
  json::Array constantInputs;
  if (auto names = function->getAttrOfType<ArrayAttr>("optc.constant_inputs"))
    for (auto name : names.getAsValueRange<StringAttr>())
      constantInputs.push_back(name);
  int64_t weightBytes = 0;
  for (mlir::Value weight : context.result.weights) {
    auto type = cast<RankedTensorType>(weight.getType());
    weightBytes += type.getNumElements() * int64_t(sizeOf(dtypeOf(type.getElementType())));
  }
  json::Object report{{"schema", 1},
                      {"version", header.version},
                      {"command", header.command},
                      {"targets", std::move(targets)},
                      {"inputs", std::move(inputs)},
                      {"constant_inputs", std::move(constantInputs)},
                      {"outputs", std::move(outputs)},
                      {"steps", std::move(steps)},
                      {"fallbacks", std::move(fallbacks)},
                      {"eliminated", std::move(eliminated)},
                      {"precision", precisionReport(function)},
                      {"sparsity", precisionReport(sparseNodes(function), "found")},
                      {"merged", precisionReport(mergedNodes(function), "adapter")},
                      {"memory", json::Object{{"weight_bytes", weightBytes},
                                              {"arena_bytes", int64_t(top.arenaBytes)},
                                              {"static", top.isStatic},
                                              {"state_bytes", 0}}}};
  if (context.device) {
    report.getObject("memory")->insert({"device_arena_bytes", int64_t(top.deviceArenaBytes)});
    json::Array code;
    bool isCompiled = !context.device->compiler.empty();
    for (auto [i, image] : llvm::enumerate(plan.images)) {
      int64_t bytes = 0;
      for (const DeviceModule &module : image.modules)
        bytes += int64_t(module.bytes);
      json::Object entry{{"target", "sm_" + std::to_string(image.architecture)},
                         {"form", !isCompiled ? "source" : image.isPtx ? "ptx" : "cubin"},
                         {"modules", int64_t(image.modules.size())},
                         {"bytes", bytes}};
      if (isCompiled) {
        entry["compiler"] = context.device->compiler;
        entry["options"] = context.device->options[i];
      }
      code.push_back(std::move(entry));
    }
    report["device_code"] = std::move(code);
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::formatv("{0:2}", json::Value(std::move(report)));
  return text;
}
