// Plans by hand: kernels, sizes, memory, errors. Branches and loops: ExecutorControlTest.cpp.
#include "Kernels.h"
#include "Sketch.h"
#include "runtime/reference/Reference.h"
#include <thread>

using namespace optc;
using namespace optc::test;
using testing::Test;

namespace {

const std::vector<OptcKernel> kKernels{doubleKernel, addKernel, iotaKernel, scratchKernel, failingKernel};
enum { kDouble, kAdd, kIota, kScratch, kFailing };

/// y = 2 (2 x) + x with two temporaries, for any length.
FrameSketch chain() {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n});
  auto a = f.arena(DType::f32, {n}), b = f.arena(DType::f32, {n});
  auto y = f.output(DType::f32, {n});
  f.kernel(kDouble, {x}, {a}, {n}, n);
  f.kernel(kDouble, {a}, {b}, {n}, n);
  f.kernel(kAdd, {b, x}, {y}, {n}, n);
  return f;
}

TEST(Executor, DynamicDim) {
  FrameSketch f = chain();
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 2);
  for (int64_t n : {3, 1, 1000, 0, 77, 3}) {
    std::vector<float> x(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = float(i) + 1;
    Ran ran(session, {floats(x)});
    ASSERT_TRUE(ran.status.ok()) << ran.status.message;
    EXPECT_EQ(ran.outputs[0].dims, std::vector<int64_t>{n});
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(ran.outputs[0].as<float>()[i], 5 * float(i + 1));
  }
  EXPECT_EQ(session.arenaBytes(), 2u * 4032); // the largest run's: 1000 floats, up to a multiple of 64 bytes
}

TEST(Executor, MemoryTheCallerGives) {
  FrameSketch f = chain();
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  Value x = floats({1, 2, 3});
  const Value *inputs[] = {&x};
  float memory[3] = {};
  Value given[] = {Value(DType::f32, {3}, memory)};
  ASSERT_TRUE(session.run(inputs, given).ok());
  EXPECT_EQ(memory[2], 15);

  auto message = [&](DType type, std::vector<int64_t> dims) {
    Value wrong[] = {Value(type, std::move(dims), memory)};
    return session.run(inputs, wrong).message;
  };
  EXPECT_EQ(message(DType::f32, {2}),
            "output 'y0': the memory given is for shape [2], the result has 12 bytes");
  EXPECT_EQ(message(DType::f32, {4}), "output 'y0' has shape [3], the memory given is for [4]");
  EXPECT_EQ(message(DType::f32, {1, 3}), "output 'y0' has shape [3], the memory given is for [1, 3]");
  EXPECT_EQ(message(DType::i32, {3}), "output 'y0': has memory for type i32, the result is f32");
}

// Results of an earlier run are written over where they are large enough.
TEST(Executor, MemoryOfAnEarlierRun) {
  FrameSketch f = chain();
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  Value three = floats({1, 2, 3}), one = floats({7}), four = floats({1, 2, 3, 4});
  Value outputs[1];
  auto run = [&](const Value &x) {
    const Value *inputs[] = {&x};
    Status status = session.run(inputs, outputs);
    EXPECT_TRUE(status.ok()) << status.message;
    return outputs[0].data;
  };
  void *first = run(three);
  EXPECT_EQ(run(three), first);
  EXPECT_EQ(run(one), first);
  EXPECT_EQ(outputs[0].dims, std::vector<int64_t>{1});
  EXPECT_EQ(outputs[0].as<float>()[0], 35);
  run(four);
  EXPECT_EQ(outputs[0].as<float>()[3], 20);
}

TEST(Executor, InPlace) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n});
  auto a = f.arena(DType::f32, {n});
  auto b = f.view(f.frame.buffers[a].storage, DType::f32, {n});
  auto y = f.output(DType::f32, {n});
  f.kernel(kDouble, {x}, {a}, {n}, n);
  f.kernel(kDouble, {a}, {b}, {n}, n).inPlace = true;
  f.kernel(kDouble, {b}, {y}, {n}, n);
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 3);
  Ran ran(session, {floats({1, 2, 3, 4, 5})});
  ASSERT_TRUE(ran.status.ok()) << ran.status.message;
  EXPECT_EQ(elementsOf<float>(ran.outputs[0]), (std::vector<float>{8, 16, 24, 32, 40}));
}

// The values of unique are the library's memory; a kernel overwrites them.
TEST(Executor, InPlaceOfALibrarysResult) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n});
  auto k = f.fresh();
  f.library("unique", {x}, {}).definitions.push_back({0, 0, k});
  auto values = f.dynamic(DType::f32, {k});
  auto doubled = f.view(f.frame.buffers[values].storage, DType::f32, {k});
  f.frame.steps.back().outputs = {values, f.dynamic(DType::i64, {k}), f.dynamic(DType::i64, {n}),
                                  f.dynamic(DType::i64, {k})};
  auto y = f.output(DType::f32, {k});
  f.kernel(kDouble, {values}, {doubled}, {k}, k).inPlace = true;
  f.kernel(kDouble, {doubled}, {y}, {k}, k);
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  for (int round = 0; round < 2; ++round) {
    Ran ran(session, {floats({7, 7, 3})});
    ASSERT_TRUE(ran.status.ok()) << ran.status.message;
    EXPECT_EQ(elementsOf<float>(ran.outputs[0]), (std::vector<float>{12, 28}));
  }
}

TEST(Executor, StaticArenaAndWeights) {
  FrameSketch f;
  auto n = f.constant(4);
  auto x = f.input(DType::f32, {n});
  auto w = f.buffer(Storage::Kind::weight, DType::f32, {n});
  auto a = f.arena(DType::f32, {n}), b = f.arena(DType::f32, {n});
  auto y = f.output(DType::f32, {n});
  f.frame.storages[f.frame.buffers[w].storage].offset = 4;
  f.frame.storages[f.frame.buffers[b].storage].offset = 64;
  f.frame.isStatic = true;
  f.frame.arenaBytes = 128;
  f.kernel(kDouble, {x}, {a}, {n}, n);
  f.kernel(kAdd, {a, w}, {b}, {n}, n);
  f.kernel(kAdd, {a, b}, {y}, {n}, n);
  float weights[] = {99, 10, 20, 30, 40};
  Sketch sketch(f, kKernels, std::string(reinterpret_cast<char *>(weights), sizeof weights));
  Session session(sketch.program, 2);
  for (int round = 0; round < 2; ++round) {
    Ran ran(session, {floats({1, 2, 3, 4})});
    ASSERT_TRUE(ran.status.ok()) << ran.status.message;
    EXPECT_EQ(elementsOf<float>(ran.outputs[0]), (std::vector<float>{14, 28, 42, 56}));
  }
  EXPECT_EQ(session.arenaBytes(), 128u);
}

// Each worker has scratch of its own, whatever the number of threads.
TEST(Executor, Scratch) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  f.input(DType::f32, {n});
  auto y = f.output(DType::f32, {n});
  auto bytes = f.constant(256);
  f.kernel(kScratch, {}, {y}, {n}, n).scratch = bytes;
  Sketch sketch(f, kKernels);
  for (unsigned threads : {0u, 1u, 4u}) {
    Session session(sketch.program, threads);
    Ran ran(session, {floats(std::vector<float>(5000))});
    ASSERT_TRUE(ran.status.ok());
    for (int64_t i = 0; i < 5000; ++i)
      ASSERT_EQ(ran.outputs[0].as<float>()[i], float(i));
  }
}

/// y = iota of as many elements as x says, doubled: a size that is a value.
FrameSketch sizeFromValue(bool isOutput) {
  FrameSketch f;
  auto x = f.input(DType::i64, {f.constant(1)});
  f.step(Step::Kind::bind, {x}, {});
  auto n = f.fresh();
  f.frame.steps.back().registers = {n};
  auto a = isOutput ? kNone : f.dynamic(DType::f32, {n});
  auto y = f.output(DType::f32, {n});
  if (isOutput) {
    f.kernel(kIota, {}, {y}, {n}, n);
  } else {
    f.kernel(kIota, {}, {a}, {n}, n);
    f.kernel(kDouble, {a}, {y}, {n}, n);
  }
  return f;
}
Value count(int64_t n) { return valueOf<int64_t>(DType::i64, {1}, {n}); }

TEST(Executor, SizeFromAValue) {
  for (bool isOutput : {false, true}) {
    FrameSketch f = sizeFromValue(isOutput);
    Sketch sketch(f, kKernels);
    Session session(sketch.program, 2);
    for (int64_t n : {5, 0, 300, 2}) {
      Ran ran(session, {count(n)});
      ASSERT_TRUE(ran.status.ok()) << ran.status.message;
      ASSERT_EQ(ran.outputs[0].dims, std::vector<int64_t>{n});
      for (int64_t i = 0; i < n; ++i)
        EXPECT_EQ(ran.outputs[0].as<float>()[i], float(i) * (isOutput ? 1 : 2));
    }
    for (int64_t n : {int64_t(-1), INT64_MAX, INT64_MIN, int64_t(1) << 62, int64_t(1) << 45})
      EXPECT_FALSE(Ran(session, {count(n)}).status.ok()) << n;
    EXPECT_TRUE(Ran(session, {count(3)}).status.ok()); // still usable
  }
}

// [a, b] elements where a * b * 4 wraps to a small number.
TEST(Executor, SizesDoNotWrap) {
  FrameSketch f;
  auto x = f.input(DType::i64, {f.constant(2)});
  f.step(Step::Kind::bind, {x}, {});
  auto a = f.fresh(), b = f.fresh();
  f.frame.steps.back().registers = {a, b};
  auto y = f.output(DType::f32, {a, b});
  f.kernel(kIota, {}, {y}, {a}, f.constant(1));
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  for (auto [p, q] :
       {std::pair(int64_t(1) << 32, int64_t(1) << 32), {int64_t(1) << 62, 4}, {-2, -2}, {INT64_MIN, -1}})
    EXPECT_FALSE(Ran(session, {valueOf<int64_t>(DType::i64, {2}, {p, q})}).status.ok()) << p << " " << q;
  EXPECT_TRUE(Ran(session, {valueOf<int64_t>(DType::i64, {2}, {2, 3})}).status.ok());
}

// A reshape to a shape that came in as values.
TEST(Executor, ViewsAreChecked) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n});
  auto shape = f.input(DType::i64, {f.constant(2)});
  f.step(Step::Kind::bind, {shape}, {});
  auto a = f.fresh(), b = f.fresh();
  f.frame.steps.back().registers = {a, b};
  auto viewed = f.view(f.frame.buffers[x].storage, DType::f32, {a, b});
  auto y = f.output(DType::f32, {a, b});
  auto tiles = f.op(FrameSketch::Op::mul, a, b);
  f.kernel(kDouble, {viewed}, {y}, {tiles}, tiles);
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  auto run = [&](int64_t p, int64_t q) {
    return Ran(session, {floats({1, 2, 3, 4, 5, 6}), valueOf<int64_t>(DType::i64, {2}, {p, q})});
  };
  EXPECT_EQ(run(2, 3).outputs[0].dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(run(2, 4).status.message, "step 'step1': a tensor of 6 elements cannot have shape [2, 4]");
  EXPECT_FALSE(run(1, 3).status.ok());
  EXPECT_FALSE(run(-2, -3).status.ok());
}

// unique gives its values and their counts: both have the length that the values' dim defines.
TEST(Executor, TwoResultsOfOneDefinedSize) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n});
  auto k = f.fresh();
  Step &unique = f.library("unique", {x}, {});
  unique.definitions.push_back({0, 0, k});
  unique.attributes.set("sorted", int64_t(1));
  size_t step = f.frame.steps.size() - 1;
  auto values = f.dynamic(DType::f32, {k});
  auto first = f.dynamic(DType::i64, {k}), inverse = f.output(DType::i64, {n}),
       counts = f.output(DType::i64, {k});
  f.frame.steps[step].outputs = {values, first, inverse, counts};
  auto y = f.output(DType::f32, {k});
  f.kernel(kDouble, {values}, {y}, {k}, k);
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  for (int round = 0; round < 2; ++round) {
    Ran ran(session, {floats({3, 1, 3, 3, 2})}, 3);
    ASSERT_TRUE(ran.status.ok()) << ran.status.message;
    EXPECT_EQ(elementsOf<int64_t>(ran.outputs[1]), (std::vector<int64_t>{1, 1, 3}));
    EXPECT_EQ(elementsOf<float>(ran.outputs[2]), (std::vector<float>{2, 4, 6}));
    Ran shorter(session, {floats({5, 5})}, 3);
    ASSERT_TRUE(shorter.status.ok()) << shorter.status.message;
    EXPECT_EQ(elementsOf<float>(shorter.outputs[2]), std::vector<float>{10});
  }
}

TEST(Executor, LibraryStepsWithSizesAsAttributes) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto two = f.constant(2);
  auto x = f.input(DType::f32, {n});
  auto y = f.output(DType::f32, {two, n});
  f.library("broadcast", {x}, {y}).registerAttributes.push_back({"shape", {two, n}});
  Sketch sketch(f);
  Session session(sketch.program, 1);
  Ran ran(session, {floats({1, 2})});
  ASSERT_TRUE(ran.status.ok()) << ran.status.message;
  EXPECT_EQ(elementsOf<float>(ran.outputs[0]), (std::vector<float>{1, 2, 1, 2}));
}

// Strings and sequences go through; what is kept of the arena is copied.
TEST(Executor, Objects) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n});
  auto text = f.input(f.object(Value::Kind::tensor, DType::string, {f.dim(1, 0)}));
  auto a = f.arena(DType::f32, {n}), b = f.arena(DType::f32, {n});
  auto list = f.object(Value::Kind::sequence);
  f.kernel(kDouble, {x}, {a}, {n}, n);
  f.library("sequence_construct", {a, x}, {list});
  f.kernel(kDouble, {a}, {b}, {n}, n); // b may have a's memory
  f.frame.storages[f.frame.buffers[a].storage].lastStep = 1;
  f.frame.storages[f.frame.buffers[b].storage].firstStep = 2;
  auto y = f.output(DType::f32, {n});
  f.output(list);
  f.output(text);
  f.kernel(kDouble, {b}, {y}, {n}, n);
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  Value strings = Value::allocate(DType::string, {2});
  strings.as<std::string>()[1] = "a string that is too long to be kept inside";
  Ran ran(session, {floats({1, 2}), strings}, 3);
  ASSERT_TRUE(ran.status.ok()) << ran.status.message;
  EXPECT_EQ(elementsOf<float>(ran.outputs[0]), (std::vector<float>{8, 16}));
  ASSERT_EQ(ran.outputs[1].items.size(), 2u);
  EXPECT_EQ(elementsOf<float>(ran.outputs[1].items[0]), (std::vector<float>{2, 4}));
  EXPECT_EQ(elementsOf<float>(ran.outputs[1].items[1]), (std::vector<float>{1, 2}));
  EXPECT_EQ(ran.outputs[2].as<std::string>()[1], strings.as<std::string>()[1]);
}

// The shape of strings is known to the function before it makes them.
TEST(Executor, BroadcastStrings) {
  FrameSketch f;
  auto n = f.dim(0, 0), three = f.constant(3);
  auto x = f.input(f.object(Value::Kind::tensor, DType::string, {n}));
  auto y = f.output(f.object(Value::Kind::tensor, DType::string, {three}));
  f.library("broadcast", {x}, {y});
  Sketch sketch(f);
  Session session(sketch.program, 1);
  Value text = Value::allocate(DType::string, {1});
  text.as<std::string>()[0] = "text";
  Ran ran(session, {text});
  ASSERT_TRUE(ran.status.ok()) << ran.status.message;
  ASSERT_EQ(ran.outputs[0].dims, std::vector<int64_t>{3});
  EXPECT_EQ(ran.outputs[0].as<std::string>()[2], "text");
}

TEST(Executor, ErrorsNameWhatIsWrong) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n}), x1 = f.input(DType::f32, {n});
  f.checkDim(1, 0, n);
  auto y = f.output(DType::f32, {n});
  f.kernel(kAdd, {x, x1}, {y}, {n}, n);
  f.kernel(kFailing, {}, {}, {}, n);
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 2);
  auto message = [&](const std::vector<Value> &inputs, size_t outputs = 1) {
    return Ran(session, inputs, outputs).status.message;
  };
  Value good = floats({1, 2});
  EXPECT_EQ(message({good, good}), "");
  EXPECT_EQ(message({good}), "the model has 2 inputs and 1 outputs, got 1 and 1");
  EXPECT_EQ(message({good, good}, 2), "the model has 2 inputs and 1 outputs, got 2 and 2");
  EXPECT_EQ(message({good, floats({1})}), "input 'x1': dim 0 is 1, expected 2");
  EXPECT_EQ(message({count(1), good}), "input 'x0': has type i64, expected f32");
  EXPECT_EQ(message({valueOf<float>(DType::f32, {1, 1}, {1}), good}), "input 'x0': has rank 2, expected 1");
  EXPECT_EQ(message({Value(DType::f32, {2}, nullptr), good}), "input 'x0': has no memory");
  EXPECT_EQ(message({Value(DType::f32, {-2}, good.data), good}),
            "input 'x0': dim 0 is -2, expected 0 or more");
  Value sequence;
  sequence.kind = Value::Kind::sequence;
  EXPECT_EQ(message({sequence, good}), "input 'x0': is of another kind (tensor, sequence or optional)");
  Value long_ = floats({1, 2, 3, 4, 5});
  EXPECT_EQ(message({long_, long_}), "step 'step1': an index is out of range");
}

TEST(Executor, UnknownFunction) {
  FrameSketch f;
  auto n = f.dim(0, 0);
  auto x = f.input(DType::f32, {n}), y = f.output(DType::f32, {n});
  f.library("no such function", {x}, {y});
  Sketch sketch(f);
  Session session(sketch.program, 1);
  EXPECT_EQ(Ran(session, {floats({1})}).status.message,
            "step 'step0': this runtime has no function 'no such function'");
}

TEST(Executor, TwoSessionsAtOnce) {
  FrameSketch f = chain();
  Sketch sketch(f, kKernels);
  std::atomic<int> wrong{0};
  auto work = [&](int64_t n) {
    Session session(sketch.program, 2);
    for (int round = 0; round < 300; ++round) {
      std::vector<float> x(static_cast<size_t>(n + round % 7), 3);
      Ran ran(session, {floats(x)});
      wrong += !ran.status.ok();
      for (float y : elementsOf<float>(ran.outputs[0]))
        wrong += y != 15;
    }
  };
  std::thread a(work, 100), b(work, 1000);
  a.join();
  b.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(Executor, Profile) {
  FrameSketch f = chain();
  f.frame.steps[0].flops = f.frame.bindings[0].target;
  Sketch sketch(f, kKernels);
  Session session(sketch.program, 1);
  session.profile(true);
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(Ran(session, {floats({1, 2})}).status.ok());
  ASSERT_EQ(session.times().size(), 3u);
  EXPECT_EQ(session.times()[0].runs, 3u);
  EXPECT_EQ(session.times()[0].flops, 2);
  EXPECT_EQ(session.times()[2].bytes, 24u);
}

} // namespace
