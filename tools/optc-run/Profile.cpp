//===- Profile.cpp - Time by step -----------------------------------------===//
//
// The session sums the time of each step of the model's own frame over many runs; the compiler's report says
// which ONNX nodes a step computes, where and in what precision.
//
//===----------------------------------------------------------------------===//

#include "tools/optc-run/Profile.h"
#include "tools/optc-run/Bench.h"
#include "tools/optc-run/Table.h"
#include "tools/tensors/TensorFile.h"
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

using namespace optc;
using Json = nlohmann::ordered_json;

namespace {

struct StepProfile {
  std::string name, kind, device, precision, nodes;
  double microseconds = 0; // mean of a run
  double share = 0;
  double flopsPerSecond = 0, bytesPerSecond = 0;
};

std::string textOf(const Json &entry, const char *key) {
  auto it = entry.find(key);
  return it != entry.end() && it->is_string() ? it->get<std::string>() : "";
}

std::string nodesOf(const Json &entry) {
  std::string text;
  if (auto it = entry.find("nodes"); it != entry.end() && it->is_array())
    for (const Json &node : *it)
      if (node.is_string())
        text += (text.empty() ? "" : ", ") + node.get<std::string>();
  return text;
}

std::vector<StepProfile> profileOf(const Plan &plan, const std::vector<StepTime> &times) {
  static const char *kinds[] = {"kernel", "library", "bind", "branch", "loop", "copy"};
  Json report = Json::parse(plan.report, nullptr, /*allow_exceptions=*/false);
  Json entries = report.is_object() ? report.value("steps", Json::array()) : Json::array();
  std::vector<StepProfile> steps;
  double total = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    const Step &step = plan.frames[0].steps[i];
    Json entry =
        entries.is_array() && i < entries.size() && entries[i].is_object() ? entries[i] : Json::object();
    StepProfile p;
    p.name = step.name;
    p.kind = textOf(entry, "kind").empty() ? kinds[int(step.kind)] : textOf(entry, "kind");
    p.device = textOf(entry, "device");
    p.precision = textOf(entry, "precision");
    p.nodes = nodesOf(entry);
    if (times[i].runs)
      p.microseconds = double(times[i].nanoseconds) / double(times[i].runs) / 1e3;
    if (p.microseconds > 0) {
      p.flopsPerSecond = double(times[i].flops) / p.microseconds * 1e6;
      p.bytesPerSecond = double(times[i].bytes) / p.microseconds * 1e6;
    }
    total += p.microseconds;
    steps.push_back(std::move(p));
  }
  for (StepProfile &p : steps)
    p.share = total > 0 ? p.microseconds / total : 0;
  return steps;
}

/// The steps one after the other, each as long as it takes on average.
std::string traceOf(const std::string &model, unsigned threads, const std::vector<StepProfile> &steps) {
  Json events = Json::array();
  events.push_back(
      {{"ph", "M"}, {"pid", 1}, {"tid", 1}, {"name", "process_name"}, {"args", {{"name", model}}}});
  double start = 0;
  for (const StepProfile &p : steps) {
    events.push_back({{"ph", "X"},
                      {"pid", 1},
                      {"tid", 1},
                      {"name", p.name},
                      {"cat", p.kind},
                      {"ts", start},
                      {"dur", p.microseconds},
                      {"args",
                       {{"nodes", p.nodes},
                        {"kind", p.kind},
                        {"device", p.device},
                        {"precision", p.precision},
                        {"share", p.share},
                        {"gb_per_s", p.bytesPerSecond / 1e9},
                        {"gflop_per_s", p.flopsPerSecond / 1e9}}}});
    start += p.microseconds;
  }
  Json trace{
      {"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}, {"otherData", {{"threads", threads}}}};
  return trace.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string clipped(const std::string &text, size_t most) {
  return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

std::string profileTable(const std::vector<StepProfile> &steps) {
  std::vector<size_t> order(steps.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(-steps[a].microseconds, a) < std::pair(-steps[b].microseconds, b);
  });
  Table table;
  table.alignment = "rrrrrllll";
  table.rows.push_back(
      {"step", "time us", "share", "GB/s", "GFLOP/s", "kind", "device", "precision", "ONNX nodes"});
  for (size_t i : order) {
    const StepProfile &p = steps[i];
    auto rate = [](double perSecond) {
      return perSecond > 0 ? formatted("%.1f", perSecond / 1e9) : std::string("-");
    };
    table.rows.push_back({std::to_string(i), formatted("%.1f", p.microseconds),
                          formatted("%.1f%%", p.share * 100), rate(p.bytesPerSecond), rate(p.flopsPerSecond),
                          p.kind, p.device, p.precision, clipped(p.nodes.empty() ? p.name : p.nodes, 80)});
  }
  return table.text();
}

} // namespace

BesideKernels optc::besideKernels(const Plan &plan, const std::vector<StepTime> &times) {
  const Frame &top = plan.frames[0];
  auto kindOf = [&](BufferId b) { return top.storages[top.buffers[b].storage].kind; };
  BesideKernels beside;
  for (size_t i = 0; i < times.size(); ++i) {
    const Step &step = top.steps[i];
    double microseconds = times[i].runs ? double(times[i].nanoseconds) / double(times[i].runs) / 1e3 : 0;
    if (step.kind == Step::Kind::copy) {
      bool isPort = kindOf(step.inputs[0]) == Storage::Kind::input || kindOf(step.outputs[0]) == Storage::Kind::output;
      (isPort ? beside.ports : beside.fallbackCopies) += microseconds;
    } else if (!step.onDevice && (step.kind == Step::Kind::kernel || step.kind == Step::Kind::library)) {
      beside.fallbacks += microseconds;
    }
  }
  return beside;
}

std::string BesideKernels::text() const {
  return formatted("copies of inputs and outputs %.1f us; on the CPU %.1f us, copies for it %.1f us", ports, fallbacks, fallbackCopies);
}

Error optc::runProfile(const Options &options) {
  Runner runner;
  std::string warning;
  if (Error error = runner.load(options.model))
    return error;
  if (Error error = runner.prepare(options, warning))
    return error;
  warn(options, warning);
  double warmUp = std::min(500.0, options.seconds * 200);
  Clock::time_point start = Clock::now();
  for (bool timed : {false, true}) {
    runner.session().profile(timed);
    start = Clock::now();
    do {
      if (Error error = runner.run())
        return error;
    } while (millisecondsSince(start) < (timed ? options.seconds * 1e3 : warmUp));
  }
  const std::vector<StepTime> &times = runner.session().times();
  std::vector<StepProfile> steps = profileOf(runner.loaded().plan(), times);
  if (Error error = writeFile(options.profile, traceOf(options.model, options.threads, steps)))
    return error;
  double total = 0;
  for (const StepProfile &p : steps)
    total += p.microseconds;
  std::fputs(profileTable(steps).c_str(), stdout);
  std::printf("all steps %.1f us, mean of %llu runs, %u thread%s\n", total,
              times.empty() ? 0ull : (unsigned long long)times[0].runs, options.threads,
              options.threads == 1 ? "" : "s");
  if (!runner.loaded().plan().images.empty())
    std::printf("%s\n", besideKernels(runner.loaded().plan(), times).text().c_str());
  return Error::success();
}
