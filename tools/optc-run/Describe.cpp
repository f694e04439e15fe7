//===- Describe.cpp - What a model is -------------------------------------===//

#include "tools/optc-run/Describe.h"
#include "tools/optc-run/Runner.h"
#include "tools/optc-run/Table.h"
#include <nlohmann/json.hpp>

using namespace optc;
using Json = nlohmann::ordered_json;

namespace {

std::string portType(const Port &port) {
  if (port.kind != Value::Kind::tensor)
    return port.kind == Value::Kind::sequence ? "sequence" : "optional";
  std::string text = nameOf(port.type);
  text += "[";
  for (size_t i = 0; i < port.dims.size(); ++i)
    text += (i ? ", " : "") + (port.dims[i] < 0 ? port.symbols[i] : std::to_string(port.dims[i]));
  return text + "]";
}

void addPorts(Table &table, const char *title, const std::vector<Port> &ports) {
  for (size_t i = 0; i < ports.size(); ++i)
    table.rows.push_back({i ? "" : title, ports[i].name, portType(ports[i])});
  if (ports.empty())
    table.rows.push_back({title, "none"});
}

std::string stepsText(const Frame &frame) {
  static const char *kinds[] = {"kernel", "library step", "size", "branch", "loop", "copy", "kernel of the GPU"};
  static const char *several[] = {"kernels", "library steps", "sizes", "branches", "loops", "copies", "kernels of the GPU"};
  size_t counts[std::size(kinds)] = {};
  for (const Step &step : frame.steps)
    ++counts[step.onDevice ? std::size(kinds) - 1 : size_t(step.kind)];
  std::string text = std::to_string(frame.steps.size());
  const char *separator = ": ";
  for (size_t i = 0; i < std::size(kinds); ++i)
    if (counts[i]) {
      text += separator + std::to_string(counts[i]) + " " + (counts[i] == 1 ? kinds : several)[i];
      separator = ", ";
    }
  return text;
}

/// "node 'n' (Op): reason" from an entry of the report's fallbacks.
std::string fallbackText(const Json &entry) {
  auto text = [&](const char *key) {
    auto it = entry.find(key);
    return it != entry.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  std::string node = text("node").empty() ? text("name") : text("node");
  std::string out = "'" + node + "'";
  if (!text("operator").empty())
    out += " (" + text("operator") + ")";
  return text("reason").empty() ? out : out + ": " + text("reason");
}

void addFallbacks(Table &table, const Plan &plan) {
  Json report = Json::parse(plan.report, nullptr, /*allow_exceptions=*/false);
  Json list = report.is_object() ? report.value("fallbacks", Json::array()) : Json::array();
  if (!list.is_array() || list.empty()) {
    table.rows.push_back({"fallbacks", "none"});
    return;
  }
  for (size_t i = 0; i < list.size(); ++i)
    table.rows.push_back(
        {i ? "" : "fallbacks", list[i].is_object() ? fallbackText(list[i]) : list[i].dump()});
}

void addLibrarySteps(Table &table, const Frame &frame) {
  bool first = true;
  for (const Step &step : frame.steps)
    if (step.kind == Step::Kind::library) {
      table.rows.push_back({first ? "library" : "", step.function, step.name});
      first = false;
    }
}

} // namespace

Error optc::describe(const Options &options) {
  Runner runner;
  if (Error error = runner.load(options.model))
    return error;
  const Model &model = runner.loaded();
  const Frame &top = model.plan().frames[0];
  // Two tables, so that a long name in one does not widen the other.
  Table ports, facts;
  ports.alignment = facts.alignment = "lll";
  addPorts(ports, "inputs", model.plan().inputs);
  addPorts(ports, "outputs", model.plan().outputs);
  std::string code = model.level();
  for (const DeviceImage &image : model.plan().images)
    code += std::string(image.isPtx ? ", PTX from sm_" : ", sm_") + std::to_string(image.architecture);
  facts.rows.push_back({"code for", code});
  facts.rows.push_back({"steps", stepsText(top)});
  addFallbacks(facts, model.plan());
  std::string arena =
      top.isStatic ? "arena " + bytesText(double(top.arenaBytes)) : "arena by the inputs' sizes";
  if (top.isStatic && !model.plan().images.empty())
    arena += ", of the GPU " + bytesText(double(top.deviceArenaBytes));
  facts.rows.push_back(
      {"memory", "weights " + bytesText(double(model.program().weightBytes)) + ", " + arena});
  Table library;
  library.alignment = "lll";
  addLibrarySteps(library, top);
  std::fputs((ports.text() + facts.text() + library.text()).c_str(), stdout);
  return Error::success();
}

Error optc::printReport(const Options &options) {
  Runner runner;
  if (Error error = runner.load(options.model))
    return error;
  const std::string &report = runner.loaded().plan().report;
  std::fputs(report.c_str(), stdout);
  if (!report.ends_with('\n'))
    std::fputc('\n', stdout);
  return Error::success();
}
