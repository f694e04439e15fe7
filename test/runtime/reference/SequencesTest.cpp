#include "Run.h"
using namespace optc;
using namespace optc::test;

static const Declared integer{DType::i64}, real{DType::f32};

TEST(Sequences, BuildAndTake) {
  Value s = run("sequence_construct", {f32({1}, {1}), f32({2}, {2, 3})});
  ASSERT_EQ(s.items.size(), 2u);
  s = run("sequence_insert", {s, f32({}, {9}), i64({}, {-1})});
  expectValues(run("sequence_length", {s}, {}, {integer}), {3});
  expectValues(run("sequence_at", {s, i64({}, {1})}, {}, {real}), {9});
  expectValues(run("sequence_at", {s, i64({}, {-1})}, {}, {real}), {2, 3});
  s = run("sequence_erase", {s, i64({}, {0})});
  expectValues(run("sequence_at", {s, i64({}, {0})}, {}, {real}), {9});
  s = run("sequence_erase", {s});
  s = run("sequence_erase", {s});
  expectValues(run("sequence_length", {s}, {}, {integer}), {0});
  EXPECT_EQ(errorOf("sequence_erase", {s}), "position -1 is out of range for a sequence of 0");
  EXPECT_EQ(errorOf("sequence_at", {s, i64({}, {3})}, {}, {real}),
            "position 3 is out of range for a sequence of 0");
  EXPECT_EQ(errorOf("sequence_length", {f32({}, {1})}, {}, {integer}), "operand 0 is not a sequence");
}

TEST(Sequences, OutlivesTheCallersMemory) {
  float memory[2] = {1, 2};
  Value s = run("sequence_construct", {Value(DType::f32, {2}, memory)});
  memory[0] = 7;
  expectValues(s.items[0], {1, 2});
}

TEST(Sequences, SplitAndConcat) {
  Value x = ramp(DType::i32, {2, 5});
  Value s = run("split_to_sequence", {x, i64({}, {2})}, {{"axis", int64_t(1)}});
  ASSERT_EQ(s.items.size(), 3u);
  expectValues(s.items[2], {4, 9});
  expectValues(run("concat_from_sequence", {s}, {{"axis", int64_t(-1)}}, {{DType::i32}}), values(x));
  s = run("split_to_sequence", {x, {}}, {{"axis", int64_t(0)}, {"keepdims", int64_t(0)}});
  EXPECT_EQ(s.items[1].dims, (Dims{5}));
  EXPECT_EQ(
      run("concat_from_sequence", {s}, {{"axis", int64_t(1)}, {"new_axis", int64_t(1)}}, {{DType::i32}}).dims,
      (Dims{5, 2}));
  EXPECT_EQ(errorOf("split_to_sequence", {x, i64({2}, {2, 2})}, {{"axis", int64_t(1)}}),
            "the parts add up to 4, not to 5");
}

TEST(Sequences, Optionals) {
  Value full = run("optional_make", {f32({1}, {5})}), none = run("optional_make", {{}});
  expectValues(run("optional_has", {full}, {}, {{DType::boolean}}), {1});
  expectValues(run("optional_has", {none}, {}, {{DType::boolean}}), {0});
  expectValues(run("optional_get", {full}, {}, {real}), {5});
  EXPECT_EQ(errorOf("optional_get", {none}, {}, {real}), "the optional is empty");
}
