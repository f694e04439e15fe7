#include "Run.h"
using namespace optc;
using namespace optc::test;

static Outcome top(const Value &x, int64_t axis, int64_t largest, Dims dims) {
  return call("top_k", {x}, {{"axis", axis}, {"largest", largest}, {"sorted", int64_t(1)}},
              {{x.type, dims}, {DType::i64, dims}});
}

TEST(Sorting, TopK) {
  Outcome out = top(f32({2, 4}, {1, 3, 3, 2, NAN, 0, -1, 5}), 1, 1, {2, 2});
  expectValues(out.results[0], {3, 3, NAN, 5});
  expectValues(out.results[1], {1, 2, 0, 3}); // equal values keep their order
  out = top(i32({3, 2}, {5, 1, 4, 1, 6, 0}), 0, 0, {2, 2});
  expectValues(out.results[0], {4, 0, 5, 1});
  expectValues(out.results[1], {1, 2, 0, 0});
  EXPECT_TRUE(top(f32({0, 2}, {}), 1, 1, {0, 1}).status.ok());
  EXPECT_EQ(top(f32({2}, {1, 2}), 0, 1, {3}).status.message, "k is 3, but dim 0 has size 2");
  EXPECT_EQ(top(f32({2}, {1, 2}), 1, 1, {1}).status.message, "axis 1 is out of range for rank 1");
}

TEST(Sorting, NonZero) {
  Value y = run("nonzero", {f32({2, 3}, {0, 1, NAN, -2, 0, -0.0})}, {}, {{DType::i64}});
  EXPECT_EQ(y.dims, (Dims{2, 3}));
  expectValues(y, {0, 0, 1, 1, 2, 0});
  EXPECT_EQ(run("nonzero", {boolean({3}, {0, 0, 0})}, {}, {{DType::i64}}).dims, (Dims{1, 0}));
  EXPECT_EQ(run("nonzero", {f32({}, {2})}, {}, {{DType::i64}}).dims, (Dims{0, 1}));
}

static Outcome unique(const Value &x, int64_t sorted, int64_t axis = -1) {
  return call("unique", {x}, {{"sorted", sorted}, {"axis", axis}},
              {{x.type}, {DType::i64}, {DType::i64}, {DType::i64}});
}

TEST(Sorting, UniqueElements) {
  Outcome out = unique(f32({6}, {2, 1, 1, 3, 4, 3}), 0);
  expectValues(out.results[0], {2, 1, 3, 4});
  expectValues(out.results[1], {0, 1, 3, 4});
  expectValues(out.results[2], {0, 1, 1, 2, 3, 2});
  expectValues(out.results[3], {1, 2, 2, 1});
  out = unique(f32({2, 2}, {NAN, 1, -0.0, NAN}), 1);
  expectValues(out.results[0], {0, 1, NAN});
  expectValues(out.results[2], {2, 1, 0, 2});
  EXPECT_EQ(texts(unique(strings({3}, {"b", "a", "b"}), 1).results[0]), (Texts{"a", "b"}));
  EXPECT_EQ(unique(i64({0}, {}), 1).results[0].dims, (Dims{0}));
}

TEST(Sorting, UniqueSlices) {
  Outcome out = unique(f32({3, 3}, {1, 0, 0, 1, 0, 0, 2, 3, 4}), 1, 0);
  expectValues(out.results[0], {1, 0, 0, 2, 3, 4});
  expectValues(out.results[2], {0, 0, 1});
  expectValues(unique(i32({2, 3}, {2, 1, 2, 0, 5, 0}), 1, 1).results[0], {1, 2, 5, 0});
}
