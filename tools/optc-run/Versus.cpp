//===- Versus.cpp - Two compilations of a model, side by side -------------===//
//
// The two run in turns, a b b a a b ..., and the ratio is the median over pairs: what slows the
// machine for a while slows both runs of a pair.
//
//===----------------------------------------------------------------------===//

#include "tools/optc-run/Versus.h"
#include "tools/optc-run/Bench.h"
#include "tools/optc-run/Compare.h"
#include "tools/optc-run/Table.h"
#include <nlohmann/json.hpp>

using namespace optc;

namespace {

Error checkPorts(const Runner &a, const Runner &b) {
  const Plan &left = a.loaded().plan(), &right = b.loaded().plan();
  auto same = [](const std::vector<Port> &x, const std::vector<Port> &y) {
    bool equal = x.size() == y.size();
    for (size_t i = 0; equal && i < x.size(); ++i)
      equal = x[i].kind == y[i].kind && x[i].type == y[i].type && x[i].dims.size() == y[i].dims.size();
    return equal;
  };
  if (!same(left.inputs, right.inputs))
    return Error::at(b.file(), "takes other inputs than " + a.file());
  if (left.outputs.size() != right.outputs.size())
    return Error::at(b.file(), "gives another number of outputs than " + a.file());
  return Error::success();
}

Error timeOne(Runner &runner, double &milliseconds) {
  Clock::time_point start = Clock::now();
  Error error = runner.run();
  milliseconds = millisecondsSince(start);
  return error;
}

struct Pairs {
  std::vector<double> a, b, ratios;
};

Error timePairs(Runner &a, Runner &b, double seconds, Pairs &pairs) {
  for (std::vector<double> *list : {&pairs.a, &pairs.b, &pairs.ratios})
    list->reserve(size_t(1) << 22);
  double warmUp = std::min(500.0, seconds * 200);
  Clock::time_point start = Clock::now();
  bool measuring = false;
  for (bool swap = false;; swap = !swap) {
    double timeA = 0, timeB = 0;
    Runner &first = swap ? b : a, &second = swap ? a : b;
    if (Error error = timeOne(first, swap ? timeB : timeA))
      return error;
    if (Error error = timeOne(second, swap ? timeA : timeB))
      return error;
    if (!measuring) {
      measuring = millisecondsSince(start) >= warmUp;
      if (measuring)
        start = Clock::now();
      continue;
    }
    pairs.a.push_back(timeA);
    pairs.b.push_back(timeB);
    pairs.ratios.push_back(timeA / timeB);
    if ((millisecondsSince(start) >= seconds * 1e3 && pairs.a.size() >= 3) ||
        pairs.a.size() == pairs.a.capacity())
      return Error::success();
  }
}

struct Side {
  std::string file;
  double p50, p95, arena, weights;
};

Side sideOf(Runner &runner, const Samples &samples) {
  return {runner.file(), samples.percentile(0.5), samples.percentile(0.95),
          double(runner.session().arenaBytes()), double(runner.loaded().program().weightBytes)};
}

/// Equal or not: there is nothing to measure.
bool isText(const OutputError &e) { return e.problem.empty() && e.type.starts_with("string"); }

void printTable(const Side (&sides)[2], const std::vector<OutputError> &errors, double ratio, size_t pairs) {
  Table times;
  times.rows.push_back({"", "p50 ms", "p95 ms", "arena", "weights"});
  for (const Side &s : sides)
    times.rows.push_back({s.file, formatted("%.3f", s.p50), formatted("%.3f", s.p95), bytesText(s.arena),
                          bytesText(s.weights)});
  Table outputs;
  outputs.alignment = "llrrrrrr";
  outputs.rows.push_back({"output", "type", "max abs error", "max rel error", "|a-b|/|b|", "cosine", "SQNR dB", "top-1"});
  for (const OutputError &e : errors)
    if (isText(e))
      outputs.rows.push_back({e.name, e.type, std::to_string(e.outside) + " of " + std::to_string(e.count) + " differ"});
    else
      outputs.rows.push_back(e.problem.empty()
                               ? std::vector<std::string>{e.name, e.type, formatted("%.3g", e.maxAbsolute),
                                                          formatted("%.3g", e.maxRelative),
                                                          formatted("%.3g", e.relativeNorm()), formatted("%.6f", e.cosine()),
                                                          formatted("%.1f", e.decibels()),
                                                          e.agreement() ? formatted("%.2f%%", *e.agreement() * 100) : "-"}
                               : std::vector<std::string>{e.name, e.problem});
  std::printf("%s\nlatency ratio %.3f (median of %zu pairs)\n\n%s", times.text().c_str(), ratio, pairs,
              outputs.text().c_str());
}

void printJson(const Side (&sides)[2], const std::vector<OutputError> &errors, double ratio, size_t pairs) {
  auto sideJson = [](const Side &s) {
    return nlohmann::ordered_json{{"model", s.file},
                                  {"p50_ms", s.p50},
                                  {"p95_ms", s.p95},
                                  {"arena_bytes", s.arena},
                                  {"weight_bytes", s.weights}};
  };
  nlohmann::ordered_json outputs = nlohmann::ordered_json::array();
  for (const OutputError &e : errors) {
    if (isText(e)) {
      outputs.push_back({{"name", e.name}, {"differing", e.outside}, {"elements", e.count}});
      continue;
    }
    outputs.push_back({{"name", e.name},
                       {"max_abs_error", e.maxAbsolute},
                       {"max_rel_error", e.maxRelative},
                       {"relative_norm", e.relativeNorm()},
                       {"cosine", e.cosine()},
                       {"sqnr_db", e.decibels()}});
    if (e.agreement())
      outputs.back()["top1_agreement"] = *e.agreement();
    if (!e.problem.empty())
      outputs.back()["problem"] = e.problem;
  }
  nlohmann::ordered_json line{{"a", sideJson(sides[0])},
                              {"b", sideJson(sides[1])},
                              {"latency_ratio", ratio},
                              {"n", pairs},
                              {"outputs", outputs}};
  std::printf("%s\n", line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

Error checkThresholds(const Options &options, const std::vector<OutputError> &errors, double ratio) {
  Error error;
  for (const OutputError &e : errors)
    if (!e.problem.empty())
      error = Error::at(options.model, "output '" + e.name + "' " + e.problem);
    else if (options.maxError && !(e.relativeNorm() <= *options.maxError))
      error = Error::at(options.model, formatted("output '%s' has error %.3g, above %.3g", e.name.c_str(),
                                                 e.relativeNorm(), *options.maxError));
  if (!error && options.maxRatio && !(ratio <= *options.maxRatio))
    error = Error::at(options.model, formatted("takes %.3f times the time of %s, above %.3f", ratio,
                                               options.other.c_str(), *options.maxRatio));
  error.exitCode = ExitCode::policy;
  return error;
}

} // namespace

Error optc::runVersus(const Options &options) {
  Runner a, b;
  if (Error error = a.load(options.model))
    return error;
  if (Error error = b.load(options.other))
    return error;
  if (Error error = checkPorts(a, b))
    return error;
  std::string warning;
  if (Error error = a.prepare(options, warning))
    return error;
  warn(options, warning);
  if (Error error = b.prepareAs(a, options))
    return error;
  std::vector<OutputError> errors;
  for (size_t i = 0; i < a.outputs().size(); ++i)
    errors.push_back(compareValues(a.loaded().plan().outputs[i].name, a.outputs()[i], b.outputs()[i], 0, 0));
  Pairs pairs;
  if (Error error = timePairs(a, b, options.seconds, pairs))
    return error;
  size_t count = pairs.a.size();
  double ratio = Samples(std::move(pairs.ratios)).percentile(0.5);
  Side sides[2] = {sideOf(a, Samples(std::move(pairs.a))), sideOf(b, Samples(std::move(pairs.b)))};
  (options.json ? printJson : printTable)(sides, errors, ratio, count);
  return checkThresholds(options, errors, ratio);
}
