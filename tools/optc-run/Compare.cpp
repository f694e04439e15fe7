//===- Compare.cpp - Outputs against expected ones ------------------------===//

#include "tools/optc-run/Compare.h"
#include "tools/tensors/Folder.h"
#include "tools/optc-run/Table.h"
#include <nlohmann/json.hpp>

using namespace optc;

namespace {

std::string errorTable(const std::vector<OutputError> &errors) {
  Table table;
  table.alignment = "llrrrl";
  table.rows.push_back({"output", "type", "max abs error", "max rel error", "outside", ""});
  for (const OutputError &e : errors)
    table.rows.push_back(
        {e.name, e.type, formatted("%.3g", e.maxAbsolute), formatted("%.3g", e.maxRelative),
         formatted("%lld of %lld", (long long)e.outside, (long long)e.count),
         e.problem.empty() ? (e.within() ? "ok" : "OUTSIDE") : "output '" + e.name + "' " + e.problem});
  return table.text();
}

std::string errorJson(const Options &options, const std::vector<OutputError> &errors, bool within) {
  nlohmann::ordered_json outputs = nlohmann::ordered_json::array();
  for (const OutputError &e : errors) {
    nlohmann::ordered_json entry{{"name", e.name},
                                 {"type", e.type},
                                 {"within", e.within()},
                                 {"count", e.count},
                                 {"outside", e.outside},
                                 {"max_abs_error", e.maxAbsolute},
                                 {"max_rel_error", e.maxRelative}};
    if (!e.problem.empty())
      entry["problem"] = e.problem;
    outputs.push_back(std::move(entry));
  }
  nlohmann::ordered_json all{
      {"within", within}, {"rtol", options.rtol}, {"atol", options.atol}, {"outputs", std::move(outputs)}};
  return all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

} // namespace

Error optc::runOnce(const Options &options) {
  Runner runner;
  if (Error error = runner.load(options.model))
    return error;
  const Plan &plan = runner.loaded().plan();
  if (options.inputs.empty() && !plan.inputs.empty())
    return Error::usage("the model has inputs", "give them with --inputs DIR");
  std::vector<Value> expected;
  if (!options.expected.empty())
    if (Error error = readFolder(options.expected, "output", plan.outputs, expected))
      return error;
  std::string warning;
  if (Error error = runner.prepare(options, warning))
    return error;
  if (!options.outputs.empty())
    if (Error error = writeOutputs(options.outputs, options.format, plan.outputs, runner.outputs()))
      return error;
  if (options.expected.empty())
    return Error::success();

  std::vector<OutputError> errors;
  size_t outside = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    errors.push_back(
        compareValues(plan.outputs[i].name, runner.outputs()[i], expected[i], options.rtol, options.atol));
    outside += !errors.back().within();
  }
  std::string text = options.json ? errorJson(options, errors, outside == 0) : errorTable(errors);
  std::fputs(text.c_str(), stdout);
  if (outside == 0)
    return Error::success();
  Error error = Error::at(options.model, std::to_string(outside) + " of " + std::to_string(errors.size()) +
                                             " outputs differ from the expected ones");
  error.exitCode = ExitCode::policy;
  return error;
}
