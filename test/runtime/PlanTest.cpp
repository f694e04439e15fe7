#include "Sketch.h"
#include <random>

using namespace optc;
using namespace optc::test;

namespace {

/// A plan with a bit of everything.
Plan samplePlan() {
  FrameSketch body;
  {
    auto four = body.constant(4);
    body.input(DType::i64, {});
    auto carried = body.input(DType::f32, {four});
    body.output(DType::boolean, {});
    auto next = body.output(DType::f32, {four});
    auto part = body.output(DType::f32, {four});
    body.kernel(0, {carried}, {next}, {four}, four);
    body.kernel(0, {next}, {part}, {four}, four);
  }
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto four = f.constant(4);
  auto m = f.op(FrameSketch::Op::floordiv, n, four);
  auto x = f.input(DType::f32, {n});
  auto a = f.arena(DType::f32, {four});
  auto viewed = f.view(f.frame.buffers[x].storage, DType::f32, {m, four});
  auto trips = f.arena(DType::i64, {});
  f.kernel(0, {viewed, kNone}, {a}, {n, four}, n).flops = m;
  Step &library = f.library("unique", {x, kNone}, {trips});
  library.attributes.set("axis", int64_t(1));
  library.attributes.set("scale", 0.5);
  library.attributes.set("mode", std::string("linear"));
  library.attributes.set("axes", std::vector<int64_t>{1, -2});
  library.attributes.set("scales", std::vector<double>{1.5});
  library.attributes.set("names", std::vector<std::string>{"a", ""});
  library.registerAttributes.push_back({"shape", {n, m}});
  auto k = f.fresh();
  library.definitions.push_back({0, 0, k});
  auto last = f.output(DType::f32, {four}), scan = f.output(DType::f32, {k, four});
  Step &loop = f.step(Step::Kind::loop, {trips, kNone, a}, {last, scan});
  loop.target = 1;
  loop.carried = 1;
  loop.definitions.push_back({1, 0, k});
  Plan plan;
  plan.frames = {f.take(), body.take()};
  addPorts(plan, plan.frames[0].inputs, "x", plan.inputs);
  addPorts(plan, plan.frames[0].outputs, "y", plan.outputs);
  plan.report = R"({"schema": 1})";
  return plan;
}

TEST(Plan, SurvivesItsByteForm) {
  Plan plan = samplePlan();
  ASSERT_TRUE(isConsistent(plan));
  std::string bytes = serialize(plan);
  auto parsed = parsePlan(bytes.data(), bytes.size());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(serialize(*parsed), bytes);
  EXPECT_EQ(print(*parsed), print(plan));
  EXPECT_EQ(parsed->report, plan.report);
  const Attributes &attributes = parsed->frames[0].steps[1].attributes;
  EXPECT_EQ(attributes.integer("axis"), 1);
  EXPECT_EQ(attributes.number("scale"), 0.5);
  EXPECT_EQ(attributes.text("mode"), "linear");
  EXPECT_EQ(attributes.integers("axes"), (std::vector<int64_t>{1, -2}));
  EXPECT_EQ(attributes.numbers("scales"), std::vector<double>{1.5});
  EXPECT_EQ(attributes.texts("names"), (std::vector<std::string>{"a", ""}));
}

TEST(Plan, TruncatedAnywhereIsRefused) {
  std::string bytes = serialize(samplePlan());
  for (size_t n = 0; n < bytes.size(); ++n) {
    std::string part = bytes.substr(0, n); // its own allocation, so that a sanitizer sees reads past the end
    EXPECT_FALSE(parsePlan(part.data(), part.size())) << n;
  }
  std::string longer = bytes + '\0';
  EXPECT_FALSE(parsePlan(longer.data(), longer.size()));
}

// Whatever the bytes are, parsing ends, and what it accepts is consistent and can be printed.
TEST(Plan, CorruptedBytesNeverCrash) {
  const std::string bytes = serialize(samplePlan());
  std::mt19937 random(3);
  int accepted = 0;
  auto attempt = [&](const std::string &damaged) {
    if (auto plan = parsePlan(damaged.data(), damaged.size())) {
      ++accepted;
      EXPECT_TRUE(isConsistent(*plan));
      print(*plan);
    }
  };
  for (size_t at = 0; at < bytes.size(); ++at)
    for (int value : {0x00, 0x01, 0x7f, 0xff}) {
      std::string damaged = bytes;
      damaged[at] = char(value);
      attempt(damaged);
    }
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = bytes;
    for (unsigned k = random() % 4 + 1; k > 0; --k)
      damaged[random() % damaged.size()] = char(random());
    attempt(damaged);
  }
  EXPECT_GT(accepted, 0); // a name or constant may well be another
}

TEST(Plan, FramesMustFit) {
  Plan good = samplePlan();
  auto refused = [&](auto change) {
    Plan plan = good;
    change(plan);
    return !isConsistent(plan);
  };
  EXPECT_TRUE(refused([](Plan &p) { p.frames.clear(); }));
  EXPECT_TRUE(refused([](Plan &p) { p.inputs.clear(); }));
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].steps[0].tiles = kNone; }));
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].steps[2].target = 0; }));  // runs itself
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].steps[2].target = 2; }));  // not there
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].steps[2].carried = 2; })); // more than it takes
  EXPECT_TRUE(refused([](Plan &p) { p.frames[1].inputs.pop_back(); }));
  EXPECT_TRUE(refused([](Plan &p) { p.frames[1].inherited.push_back({99, 0}); }));
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].inherited.push_back({0, 0}); }));
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].steps[1].programEnd += 1; }));
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].buffers[0].dims[0] = 99; }));
  EXPECT_TRUE(refused([](Plan &p) { p.frames[0].storages[0].index = 1; }));
  EXPECT_TRUE(refused([](Plan &p) { std::swap(p.frames[0].outputs[0], p.frames[0].outputs[1]); }));
}

} // namespace
