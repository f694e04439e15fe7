//===- Compare.cpp - Outputs against expected ones ------------------------===//

#include "tools/optc-run/Compare.h"
#include "tools/tensors/Folder.h"
#include "tools/optc-run/Table.h"
#include <cmath>
#include <nlohmann/json.hpp>

using namespace optc;

double OutputError::relativeNorm() const {
  if (differenceSquared == 0)
    return 0;
  return std::sqrt(differenceSquared / expectedSquared);
}

std::string optc::typeText(const Value &value) {
  if (value.kind == Value::Kind::sequence)
    return "sequence of " + std::to_string(value.items.size());
  if (value.kind == Value::Kind::optional)
    return value.items.empty() ? "empty optional" : "optional " + typeText(value.items.front());
  std::string text = nameOf(value.type);
  text += "[";
  for (size_t i = 0; i < value.dims.size(); ++i)
    text += (i ? ", " : "") + std::to_string(value.dims[i]);
  return text + "]";
}

namespace {

/// One pair of elements; a and b convert to long double without loss.
template <typename T> void compareOne(T a, T b, double rtol, double atol, OutputError &error) {
  auto x = static_cast<long double>(a), y = static_cast<long double>(b);
  if (a == b) {
    if (std::isfinite(y))
      error.expectedSquared += double(y * y);
    return;
  }
  bool bothNan = std::isnan(x) && std::isnan(y);
  if (bothNan)
    return;
  long double difference = std::fabs(x - y);
  if (!std::isfinite(difference)) {
    ++error.outside;
    error.maxAbsolute = error.maxRelative = error.differenceSquared = INFINITY;
    return;
  }
  error.outside += !(difference <= atol + rtol * std::fabs(y));
  error.maxAbsolute = std::max(error.maxAbsolute, double(difference));
  if (y != 0)
    error.maxRelative = std::max(error.maxRelative, double(difference / std::fabs(y)));
  error.differenceSquared += double(difference * difference);
  error.expectedSquared += double(y * y);
}

template <typename T>
void compareElements(const Value &got, const Value &expected, double rtol, double atol, OutputError &error) {
  constexpr int64_t kBlock = 512;
  T a[kBlock], b[kBlock];
  for (int64_t done = 0, total = got.size(); done < total; done += kBlock) {
    int64_t n = std::min(kBlock, total - done);
    load(got, done, n, a);
    load(expected, done, n, b);
    for (int64_t i = 0; i < n; ++i)
      compareOne(a[i], b[i], rtol, atol, error);
  }
}

/// A complex tensor as one of its real and imaginary parts.
Value parts(const Value &value) {
  if (value.type != DType::c64 && value.type != DType::c128)
    return value;
  Value real = value;
  real.type = value.type == DType::c64 ? DType::f32 : DType::f64;
  real.dims.push_back(2);
  return real;
}

void compareInto(const Value &got, const Value &expected, double rtol, double atol, OutputError &error) {
  if (got.kind != expected.kind ||
      (got.kind != Value::Kind::tensor && got.items.size() != expected.items.size()) ||
      (got.kind == Value::Kind::tensor && (got.type != expected.type || got.dims != expected.dims))) {
    if (error.problem.empty())
      error.problem = "is " + typeText(got) + ", expected " + typeText(expected);
    return;
  }
  if (got.kind != Value::Kind::tensor) {
    for (size_t i = 0; i < got.items.size(); ++i)
      compareInto(got.items[i], expected.items[i], rtol, atol, error);
    return;
  }
  error.count += got.size();
  if (got.type == DType::string) {
    for (int64_t i = 0; i < got.size(); ++i)
      error.outside += got.as<std::string>()[i] != expected.as<std::string>()[i];
    return;
  }
  if (got.type == DType::boolean)
    rtol = atol = 0;
  Value a = parts(got), b = parts(expected);
  switch (classOf(a.type)) {
  case Class::f64: return compareElements<double>(a, b, rtol, atol, error);
  case Class::i64: return compareElements<int64_t>(a, b, rtol, atol, error);
  case Class::u64: return compareElements<uint64_t>(a, b, rtol, atol, error);
  case Class::object: return;
  }
}

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

OutputError optc::compareValues(const std::string &name, const Value &got, const Value &expected, double rtol,
                                double atol) {
  OutputError error;
  error.name = name;
  error.type = typeText(got);
  compareInto(got, expected, rtol, atol, error);
  return error;
}

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
