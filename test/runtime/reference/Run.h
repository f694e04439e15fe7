//===- Run.h - Calling a reference function by name from a test -*- C++ -*-===//
//
//   expectValues(run("add", {f32({2}, {1, 2}), f32({2}, {3, 4})}), {4, 6});
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_RUNTIME_REFERENCE_RUN_H
#define OPTC_TEST_RUNTIME_REFERENCE_RUN_H

#include "runtime/reference/Reference.h"
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

namespace optc::test {

using Dims = std::vector<int64_t>;
using Ints = std::vector<int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;

/// A tensor of any numeric type; the values are stored as a cast would.
inline Value tensor(DType type, Dims dims, const Reals &values) {
  Value value = Value::allocate(type, std::move(dims));
  EXPECT_EQ(value.size(), int64_t(values.size()));
  if (!values.empty())
    store(value, 0, value.size(), values.data());
  return value;
}
inline Value f32(Dims dims, const Reals &values) { return tensor(DType::f32, std::move(dims), values); }
inline Value f64(Dims dims, const Reals &values) { return tensor(DType::f64, std::move(dims), values); }
inline Value i64(Dims dims, const Reals &values) { return tensor(DType::i64, std::move(dims), values); }
inline Value i32(Dims dims, const Reals &values) { return tensor(DType::i32, std::move(dims), values); }
inline Value boolean(Dims dims, const Reals &values) {
  return tensor(DType::boolean, std::move(dims), values);
}
inline Value strings(Dims dims, const Texts &values) {
  Value value = Value::allocate(DType::string, std::move(dims));
  std::copy(values.begin(), values.end(), value.as<std::string>());
  return value;
}
/// 0, 1, 2, ... scaled: inputs whose positions can be told apart.
inline Value ramp(DType type, Dims dims, double step = 1, double start = 0) {
  Value value = Value::allocate(type, std::move(dims));
  for (int64_t i = 0; i < value.size(); ++i) {
    double v = start + step * double(i);
    store(value, i, 1, &v);
  }
  return value;
}

/// sin(seed + 0.7 i): values without a pattern, which a numpy script makes as easily.
inline Value wave(Dims dims, double seed = 1, double scale = 1) {
  Value value = Value::allocate(DType::f32, std::move(dims));
  for (int64_t i = 0; i < value.size(); ++i)
    value.as<float>()[i] = float(float(std::sin(seed + 0.7 * double(i))) * scale);
  return value;
}

/// What a result is declared as; without dims its shape is left to the function.
struct Declared {
  DType type;
  std::optional<Dims> dims = {};
};

struct Outcome {
  Status status;
  std::vector<Value> results;
};

using AttributeList = std::vector<std::pair<std::string, Attributes::Item>>;

/// An operand of DType::none is absent. Without `declared` there is one result of the first operand's type.
inline Outcome call(const char *name, std::vector<Value> operands, const AttributeList &list = {},
                    std::vector<Declared> declared = {}) {
  Attributes attributes;
  for (const auto &[key, item] : list)
    attributes.set(key, item);
  std::vector<const Value *> inputs;
  for (const Value &operand : operands)
    inputs.push_back(operand.kind == Value::Kind::tensor && operand.type == DType::none ? nullptr : &operand);
  if (declared.empty())
    declared.push_back({operands.empty() ? DType::f32 : operands[0].type});
  Outcome outcome;
  std::unique_ptr<bool[]> shaped(new bool[declared.size()]);
  for (size_t i = 0; i < declared.size(); ++i) {
    outcome.results.emplace_back(declared[i].type, declared[i].dims.value_or(Dims()), nullptr);
    shaped[i] = declared[i].dims.has_value();
  }
  ReferenceFunction function = findReference(name);
  if (!function)
    outcome.status = Status::error(std::string("no function ") + name);
  else {
    Call call{attributes, inputs, outcome.results, {shaped.get(), declared.size()}};
    outcome.status = function(call);
  }
  return outcome;
}

/// The first result of a call that must succeed.
inline Value run(const char *name, std::vector<Value> operands, const AttributeList &list = {},
                 std::vector<Declared> declared = {}) {
  Outcome outcome = call(name, std::move(operands), list, std::move(declared));
  EXPECT_EQ(outcome.status.message, "") << name;
  return outcome.results[0];
}
inline std::string errorOf(const char *name, std::vector<Value> operands, const AttributeList &list = {},
                           std::vector<Declared> declared = {}) {
  return call(name, std::move(operands), list, std::move(declared)).status.message;
}

inline Reals values(const Value &value) {
  Reals all(size_t(value.size()));
  if (!all.empty())
    load(value, 0, value.size(), all.data());
  return all;
}
inline Texts texts(const Value &value) {
  return Texts(value.as<std::string>(), value.as<std::string>() + value.size());
}

inline void expectValues(const Value &value, const Reals &expected, double tolerance = 1e-6) {
  Reals got = values(value);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    if (std::isnan(expected[i]))
      EXPECT_TRUE(std::isnan(got[i])) << "element " << i << " is " << got[i];
    else if (std::isinf(expected[i]))
      EXPECT_EQ(got[i], expected[i]) << "element " << i;
    else
      EXPECT_NEAR(got[i], expected[i], tolerance * std::max(1.0, std::fabs(expected[i]))) << "element " << i;
}

} // namespace optc::test

#endif // OPTC_TEST_RUNTIME_REFERENCE_RUN_H
