#include "Run.h"
using namespace optc;
using namespace optc::test;

static const AttributeList axis0{{"axis", int64_t(0)}}, axis1{{"axis", int64_t(1)}};

TEST(Indexing, Gather) {
  Value x = ramp(DType::f32, {2, 3});
  Value y = run("gather", {x, i64({1, 2}, {2, -3})}, axis1);
  EXPECT_EQ(y.dims, (Dims{2, 1, 2}));
  expectValues(y, {2, 0, 5, 3});
  expectValues(run("gather", {x, i32({}, {1})}, axis0), {3, 4, 5});
  EXPECT_EQ(texts(run("gather", {strings({2}, {"a", "b"}), i64({2}, {1, 1})}, axis0)), (Texts{"b", "b"}));
  EXPECT_EQ(run("gather", {x, i64({0}, {})}, axis0).dims, (Dims{0, 3}));
  EXPECT_EQ(errorOf("gather", {x, i64({1}, {7})}, axis0), "index 7 is out of range for dim 0 of size 2");
  EXPECT_EQ(errorOf("gather", {x, i64({1}, {0})}, {{"axis", int64_t(2)}}),
            "axis 2 is out of range for rank 2");
}

TEST(Indexing, GatherElements) {
  Value x = ramp(DType::i32, {3, 3}, 1, 1);
  expectValues(run("gather_elements", {x, i64({2, 3}, {1, 2, 0, 2, 0, 0})}, axis0), {4, 8, 3, 7, 2, 3});
  expectValues(run("gather_elements", {x, i64({2, 2}, {0, -1, 1, 0})}, axis1), {1, 3, 5, 4});
  EXPECT_EQ(errorOf("gather_elements", {x, i64({4, 1}, {0, 0, 0, 0})}, axis1),
            "indices [4, 1] are larger than the data [3, 3]");
}

TEST(Indexing, GatherND) {
  Value x = ramp(DType::f32, {2, 2, 2});
  Value y = run("gather_nd", {x, i64({2, 2}, {0, 1, 1, 0})}, {{"batch_dims", int64_t(0)}});
  EXPECT_EQ(y.dims, (Dims{2, 2}));
  expectValues(y, {2, 3, 4, 5});
  expectValues(run("gather_nd", {x, i64({2, 1}, {1, 0})}, {{"batch_dims", int64_t(1)}}), {2, 3, 4, 5});
  expectValues(run("gather_nd", {x, i64({1, 3}, {1, 1, -1})}, {{"batch_dims", int64_t(0)}}), {7});
  EXPECT_EQ(errorOf("gather_nd", {x, i64({1, 4}, {0, 0, 0, 0})}, {{"batch_dims", int64_t(0)}}),
            "indices [1, 4] address more dims than the data [2, 2, 2] has");
}

TEST(Indexing, ScatterElements) {
  Value x = f32({1, 5}, {1, 2, 3, 4, 5}), indices = i64({1, 2}, {1, 1}), updates = f32({1, 2}, {1.5, 2.25});
  auto scatter = [&](const char *how) {
    return run("scatter_elements", {x, indices, updates}, {{"axis", int64_t(1)}, {"reduction", how}});
  };
  expectValues(scatter("none"), {1, 2.25, 3, 4, 5});
  expectValues(scatter("add"), {1, 5.75, 3, 4, 5});
  expectValues(scatter("mul"), {1, 6.75, 3, 4, 5});
  expectValues(scatter("min"), {1, 1.5, 3, 4, 5});
  expectValues(scatter("max"), {1, 2.25, 3, 4, 5});
  expectValues(run("scatter_elements",
                   {Value::allocate(DType::i8, {3, 3}), i64({2, 3}, {1, 0, 2, 0, 2, 1}),
                    ramp(DType::i8, {2, 3}, 1, 1)},
                   {{"axis", int64_t(0)}, {"reduction", "none"}}),
               {4, 2, 0, 1, 0, 6, 0, 5, 3});
}

TEST(Indexing, ScatterND) {
  expectValues(run("scatter_nd", {ramp(DType::f32, {4}), i64({2, 1}, {3, -3}), f32({2}, {9, 8})},
                   {{"reduction", "none"}}),
               {0, 8, 2, 9});
  expectValues(run("scatter_nd", {ramp(DType::i64, {2, 2}), i64({2, 1}, {0, 0}), i64({2, 2}, {1, 2, 3, 4})},
                   {{"reduction", "add"}}),
               {4, 7, 2, 3});
  EXPECT_EQ(errorOf("scatter_nd", {ramp(DType::f32, {4}), i64({1, 1}, {4}), f32({1}, {9})},
                    {{"reduction", "none"}}),
            "index 4 is out of range for dim 0 of size 4");
  EXPECT_EQ(errorOf("scatter_nd", {ramp(DType::f32, {4}), i64({1, 1}, {3}), f32({2}, {9, 1})},
                    {{"reduction", "none"}}),
            "updates has shape [2], expected [1]");
}
