// Branches and loops of plans written by hand.
#include "Kernels.h"
#include "Sketch.h"
#include <cmath>

using namespace optc;
using namespace optc::test;

namespace {

const std::vector<OptcKernel> kKernels{doubleKernel, addKernel, iotaKernel};
enum { kDouble, kAdd, kIota };

Value truth(bool b) { return valueOf<uint8_t>(DType::boolean, {}, {uint8_t(b)}); }
Value scalar(int64_t n) { return valueOf<int64_t>(DType::i64, {}, {n}); }

/// y = condition ? 2 x : x + x[:]; the else frame makes a result of its own by way of a temporary.
std::vector<Frame> branchFrames() {
  FrameSketch thenFrame, elseFrame, f;
  {
    auto n = thenFrame.dim(0, 0);
    auto x = thenFrame.input(DType::f32, {n});
    thenFrame.kernel(kDouble, {x}, {thenFrame.output(DType::f32, {n})}, {n}, n);
  }
  {
    auto n = elseFrame.inherit(1); // the outer frame's n
    auto x = elseFrame.input(DType::f32, {n});
    auto t = elseFrame.arena(DType::f32, {n}), y = elseFrame.output(DType::f32, {n});
    elseFrame.kernel(kIota, {}, {t}, {n}, n);
    elseFrame.kernel(kAdd, {x, t}, {y}, {n}, n);
  }
  f.fresh(); // register 0 is not n: the inner number differs from the outer
  auto n = f.dim(1, 0);
  auto condition = f.input(DType::boolean, {});
  auto x = f.input(DType::f32, {n});
  auto a = f.arena(DType::f32, {n}), y = f.output(DType::f32, {n}), y1 = f.output(DType::f32, {n});
  f.step(Step::Kind::branch, {condition, x}, {a}).target = 1;
  f.kernel(kDouble, {a}, {y}, {n}, n);
  f.step(Step::Kind::branch, {condition, a}, {y1}).target = 1;
  return {f.take(), thenFrame.take(), elseFrame.take()};
}

TEST(ExecutorControl, Branch) {
  Sketch sketch(branchFrames(), kKernels);
  Session session(sketch.program, 2);
  for (int round = 0; round < 3; ++round) {
    Ran yes(session, {truth(true), floats({1, 2, 3})}, 2);
    ASSERT_TRUE(yes.status.ok()) << yes.status.message;
    EXPECT_EQ(elementsOf<float>(yes.outputs[0]), (std::vector<float>{4, 8, 12}));
    EXPECT_EQ(elementsOf<float>(yes.outputs[1]), (std::vector<float>{4, 8, 12}));
    Ran no(session, {truth(false), floats({1, 2})}, 2);
    ASSERT_TRUE(no.status.ok()) << no.status.message;
    EXPECT_EQ(elementsOf<float>(no.outputs[0]), (std::vector<float>{2, 6}));
    EXPECT_EQ(elementsOf<float>(no.outputs[1]), (std::vector<float>{1, 4}));
  }
}

// The two branches give different lengths: the step defines the size.
TEST(ExecutorControl, BranchDefinesASize) {
  FrameSketch thenFrame, elseFrame, f;
  for (auto [frame, length] : {std::pair(&thenFrame, 3), {&elseFrame, 5}}) {
    auto n = frame->constant(length);
    frame->kernel(kIota, {}, {frame->output(DType::f32, {n})}, {n}, n);
  }
  auto condition = f.input(DType::boolean, {});
  auto k = f.fresh();
  Step &branch = f.step(Step::Kind::branch, {condition}, {});
  branch.target = 1;
  branch.definitions.push_back({0, 0, k});
  auto a = f.dynamic(DType::f32, {k}), y = f.output(DType::f32, {k});
  f.frame.steps[0].outputs = {a};
  f.kernel(kDouble, {a}, {y}, {k}, k);
  Sketch sketch({f.take(), thenFrame.take(), elseFrame.take()}, kKernels);
  Session session(sketch.program, 1);
  for (bool which : {true, false, true}) {
    Ran ran(session, {truth(which)});
    ASSERT_TRUE(ran.status.ok()) << ran.status.message;
    EXPECT_EQ(ran.outputs[0].dims, std::vector<int64_t>{which ? 3 : 5});
    EXPECT_EQ(ran.outputs[0].as<float>()[2], 4);
  }
}

// A branch whose result has another shape than the step declares is an error, not a write past the end.
TEST(ExecutorControl, BranchOfTheWrongShape) {
  FrameSketch thenFrame, elseFrame, f;
  for (auto [frame, length] : {std::pair(&thenFrame, 3), {&elseFrame, 500}}) {
    auto n = frame->constant(length);
    frame->kernel(kIota, {}, {frame->output(DType::f32, {n})}, {n}, n);
  }
  auto condition = f.input(DType::boolean, {});
  auto three = f.constant(3);
  auto a = f.arena(DType::f32, {three});
  auto y = f.output(DType::f32, {three});
  f.step(Step::Kind::branch, {condition}, {a}).target = 1;
  f.kernel(kDouble, {a}, {y}, {three}, three);
  Sketch sketch({f.take(), thenFrame.take(), elseFrame.take()}, kKernels);
  Session session(sketch.program, 1);
  EXPECT_TRUE(Ran(session, {truth(true)}).status.ok());
  EXPECT_FALSE(Ran(session, {truth(false)}).status.ok());
  EXPECT_TRUE(Ran(session, {truth(true)}).status.ok());
}

/// x is doubled in each of `trips` iterations; each iteration's x is also scanned.
struct LoopSketch {
  FrameSketch body, f;
  LoopSketch(bool toArena) {
    {
      auto n = body.dim(1, 0);
      body.input(DType::i64, {});
      auto x = body.input(DType::f32, {n});
      auto bias = body.input(DType::f32, {n}); // captured
      auto condition = body.output(DType::boolean, {});
      auto next = body.output(DType::f32, {n}), seen = body.output(DType::f32, {n});
      auto t = body.arena(DType::f32, {n});
      (void)condition; // never written: a loop without a condition does not look at it
      body.kernel(kAdd, {x, x}, {t}, {n}, n);
      body.kernel(kAdd, {t, bias}, {next}, {n}, n);
      body.kernel(kDouble, {x}, {seen}, {n}, n);
    }
    auto n = f.dim(1, 0);
    auto trips = f.input(DType::i64, {});
    auto x = f.input(DType::f32, {n}), bias = f.input(DType::f32, {n});
    auto last = toArena ? f.arena(DType::f32, {n}) : f.output(DType::f32, {n});
    auto doubled = toArena ? f.output(DType::f32, {n}) : last;
    auto k = f.fresh();
    Step &loop = f.step(Step::Kind::loop, {trips, kNone, x, bias}, {});
    loop.target = 1;
    loop.carried = 1;
    loop.definitions.push_back({1, 0, k});
    if (toArena)
      f.kernel(kDouble, {last}, {doubled}, {n}, n);
    auto scan = f.output(DType::f32, {k, n});
    f.frame.steps[0].outputs = {last, scan};
  }
};

TEST(ExecutorControl, LoopWithScan) {
  for (bool toArena : {false, true}) {
    LoopSketch l(toArena);
    Sketch sketch({l.f.take(), l.body.take()}, kKernels);
    Session session(sketch.program, 2);
    for (int64_t trips : {3, 0, 1, 4, 100, 0, 3}) {
      Ran ran(session, {scalar(trips), floats({1, 2}), floats({0, 0})}, 2);
      ASSERT_TRUE(ran.status.ok()) << ran.status.message;
      float factor = std::ldexp(1.0f, int(trips));
      EXPECT_EQ(elementsOf<float>(ran.outputs[0]),
                (std::vector<float>{factor * (1 + toArena), 2 * factor * (1 + toArena)}));
      ASSERT_EQ(ran.outputs[1].dims, (std::vector<int64_t>{trips, 2}));
      for (int64_t i = 0; i < trips; ++i)
        ASSERT_EQ(ran.outputs[1].as<float>()[2 * i + 1], std::ldexp(4.0f, int(i)));
    }
  }
}

// The result of no iteration is a copy of the initial value, and the caller's memory is used if given.
TEST(ExecutorControl, LoopThatDoesNotRun) {
  LoopSketch l(false);
  Sketch sketch({l.f.take(), l.body.take()}, kKernels);
  Session session(sketch.program, 1);
  Value trips = scalar(0), x = floats({1, 2}), bias = floats({0, 0});
  const Value *inputs[] = {&trips, &x, &bias};
  Value outputs[2];
  ASSERT_TRUE(session.run(inputs, outputs).ok());
  EXPECT_NE(outputs[0].data, x.data);
  EXPECT_TRUE(outputs[0].storage);
  float memory[2] = {};
  Value given[2] = {Value(DType::f32, {2}, memory), Value()};
  for (int64_t n : {0, 2}) {
    trips.as<int64_t>()[0] = n;
    Status status = session.run(inputs, given);
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(memory[1], n ? 8 : 2);
  }
}

// do n = n - 1 while (n != 0): the condition comes from the body.
TEST(ExecutorControl, LoopWhile) {
  FrameSketch body, f;
  {
    body.input(DType::i64, {});
    auto n = body.input(DType::i64, {}), one = body.input(DType::i64, {});
    auto condition = body.output(DType::boolean, {}), next = body.output(DType::i64, {});
    body.library("sub", {n, one}, {next});
    body.library("cast", {next}, {condition});
  }
  auto start = f.input(DType::i64, {}), one = f.input(DType::i64, {});
  auto condition = f.input(DType::boolean, {});
  auto y = f.output(DType::i64, {});
  Step &loop = f.step(Step::Kind::loop, {kNone, condition, start, one}, {y});
  loop.target = 1;
  loop.carried = 1;
  Sketch sketch({f.take(), body.take()}, kKernels);
  Session session(sketch.program, 1);
  auto run = [&](int64_t n, bool enter) {
    Ran ran(session, {scalar(n), scalar(1), truth(enter)});
    EXPECT_TRUE(ran.status.ok()) << ran.status.message;
    return ran.outputs[0].as<int64_t>()[0];
  };
  EXPECT_EQ(run(5, true), 0);
  EXPECT_EQ(run(1, true), 0); // once
  EXPECT_EQ(run(5, false), 5);
}

TEST(ExecutorControl, ErrorsSayWhere) {
  LoopSketch l(false);
  Sketch sketch({l.f.take(), l.body.take()},
                {doubleKernel, [](const OptcArgs *, int64_t, int64_t) -> int32_t { return 7; }});
  Session session(sketch.program, 1);
  Ran ran(session, {scalar(2), floats({1}), floats({1})}, 2);
  EXPECT_EQ(ran.status.message, "step 'step0': iteration 0: step 'step0': kernel error 7");
}

} // namespace
