#include "tools/optc-run/Inputs.h"
#include <gtest/gtest.h>

using namespace optc;

namespace {

Port dynamicPort(const char *name, std::vector<std::string> symbols, DType type = DType::f32) {
  Port p;
  p.name = name;
  p.type = type;
  p.symbols = std::move(symbols);
  for (const std::string &s : p.symbols)
    p.dims.push_back(s.empty() ? 3 : -1);
  return p;
}

/// The first dim with a symbol brings it, others are checked.
Plan planOf(std::vector<Port> ports) {
  Plan plan;
  plan.inputs = std::move(ports);
  Frame &frame = plan.frames.emplace_back();
  std::map<std::string, RegisterId> registers;
  for (uint32_t i = 0; i < plan.inputs.size(); ++i)
    for (uint32_t d = 0; d < plan.inputs[i].dims.size(); ++d)
      if (plan.inputs[i].dims[d] < 0) {
        auto [it, isNew] = registers.try_emplace(plan.inputs[i].symbols[d], frame.registers);
        frame.registers += isNew;
        frame.bindings.push_back({i, d, it->second, !isNew});
      }
  return plan;
}

TEST(Inputs, ShapesFollowTheirSymbols) {
  Options options;
  options.shapes["ids"] = {2, 128};
  Plan plan = planOf({dynamicPort("mask", {"batch", "length", "other", ""}),
                      dynamicPort("ids", {"batch", "length"}, DType::i64)});
  std::vector<Value> values;
  ASSERT_FALSE(randomInputs(options, plan, 100, values));
  EXPECT_EQ(values[0].dims, (std::vector<int64_t>{2, 128, 1, 3}));
  EXPECT_EQ(values[1].dims, (std::vector<int64_t>{2, 128}));
  for (int64_t i = 0; i < values[1].size(); ++i)
    EXPECT_TRUE(values[1].as<int64_t>()[i] >= 0 && values[1].as<int64_t>()[i] < 100);
  for (int64_t i = 0; i < values[0].size(); ++i)
    EXPECT_TRUE(values[0].as<float>()[i] >= 0 && values[0].as<float>()[i] < 1);
}

// x [n], y [n - 5].
TEST(Inputs, DimsThatComputeFollow) {
  Plan plan = planOf({dynamicPort("x", {"n"}), dynamicPort("y", {"n-5"})});
  Frame &frame = plan.frames.front();
  Instruction five{Instruction::Op::constant}, less{Instruction::Op::add};
  five.target = frame.registers++;
  five.value = -5;
  less.target = frame.bindings[1].target;
  less.args[0] = frame.bindings[0].target;
  less.args[1] = five.target;
  frame.program = {five, less};
  frame.entryEnd = 2;
  frame.bindings[1].check = true;
  auto dimOfY = [&](int64_t n) {
    Options options;
    options.shapes["x"] = {n};
    std::vector<Value> values;
    std::string message = randomInputs(options, plan, 100, values).message;
    return message.empty() ? std::to_string(values[1].dims[0]) : message;
  };
  EXPECT_EQ(dimOfY(7), "2");
  EXPECT_EQ(dimOfY(5), "0");
  EXPECT_EQ(dimOfY(3), "--shape: dim 0 of input 'y' would be n-5 = -2");
}

TEST(Inputs, EveryTypeAndTheSameAgain) {
  Options options;
  options.shapes["x"] = {1000};
  for (int type = 1; type <= int(DType::i2); ++type) {
    if (DType(type) == DType::c64 || DType(type) == DType::c128)
      continue;
    std::vector<Value> a, b;
    Plan plan = planOf({dynamicPort("x", {"n"}, DType(type))});
    ASSERT_FALSE(randomInputs(options, plan, 100, a));
    ASSERT_FALSE(randomInputs(options, plan, 100, b));
    if (DType(type) != DType::string)
      EXPECT_EQ(std::string(a[0].as<char>(), a[0].bytes()), std::string(b[0].as<char>(), b[0].bytes()));
  }
}

TEST(Inputs, WrongShapes) {
  Plan plan = planOf({dynamicPort("x", {"n", ""})});
  auto message = [&](const std::string &name, std::vector<int64_t> dims) {
    Options options;
    options.shapes[name] = std::move(dims);
    std::vector<Value> values;
    return randomInputs(options, plan, 100, values).message;
  };
  EXPECT_EQ(message("x", {1, 3}), "");
  EXPECT_EQ(message("y", {1}), "--shape: the model has no input 'y'");
  EXPECT_EQ(message("x", {1}), "--shape: input 'x' has rank 2, not 1");
  EXPECT_EQ(message("x", {1, 4}), "--shape: input 'x' has 3 in dim 1, not 4");
  EXPECT_EQ(message("x", {int64_t(1) << 62, 3}), "--shape: input 'x' would not fit into memory");
}

} // namespace
