#include "Run.h"
using namespace optc;
using namespace optc::test;

TEST(Movement, Reshape) {
  Value y = run("reshape", {ramp(DType::i16, {2, 3})}, {}, {{DType::i16, Dims{3, 2}}});
  expectValues(y, {0, 1, 2, 3, 4, 5});
  expectValues(run("reshape", {f32({1, 1}, {7})}, {}, {{DType::f32, Dims{}}}), {7});
  EXPECT_EQ(errorOf("reshape", {f32({2}, {1, 2})}, {}, {{DType::f32, Dims{3}}}), "cannot reshape [2] to [3]");
}

TEST(Movement, Broadcast) {
  expectValues(run("broadcast", {f32({2, 1}, {1, 2})}, {}, {{DType::f32, Dims{2, 2, 3}}}),
               {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
  expectValues(run("broadcast", {i64({}, {5})}, {}, {{DType::i64, Dims{3}}}), {5, 5, 5});
  EXPECT_EQ(run("broadcast", {f32({1}, {1})}, {}, {{DType::f32, Dims{0, 4}}}).size(), 0);
  EXPECT_EQ(texts(run("broadcast", {strings({1}, {"ab"})}, {}, {{DType::string, Dims{2}}})),
            (Texts{"ab", "ab"}));
  EXPECT_EQ(errorOf("broadcast", {f32({2}, {1, 2})}, {}, {{DType::f32, Dims{3}}}),
            "cannot broadcast [2] to [3]");
}

TEST(Movement, TransposeEveryPermutationAndWidth) {
  for (DType type : {DType::u8, DType::f16, DType::f32, DType::i64})
    for (Ints p :
         {Ints{0, 1, 2}, Ints{0, 2, 1}, Ints{1, 0, 2}, Ints{1, 2, 0}, Ints{2, 0, 1}, Ints{2, 1, 0}}) {
      Dims dims{3, 19, 2}; // past a tile
      Value y = run("transpose", {ramp(type, dims)}, {{"permutation", p}});
      Reals got = values(y);
      Ints strides{38, 2, 1};
      for (int64_t i = 0, at = 0; i < dims[p[0]]; ++i)
        for (int64_t j = 0; j < dims[p[1]]; ++j)
          for (int64_t k = 0; k < dims[p[2]]; ++k)
            ASSERT_EQ(got[at++], i * strides[p[0]] + j * strides[p[1]] + k * strides[p[2]]);
    }
  EXPECT_EQ(run("transpose", {f32({0, 2}, {})}, {{"permutation", Ints{1, 0}}}).dims, (Dims{2, 0}));
  EXPECT_EQ(errorOf("transpose", {f32({1, 1}, {1})}, {{"permutation", Ints{1, 1}}}),
            "not a permutation: [1, 1]");
}

TEST(Movement, Slice) {
  Value x = ramp(DType::f32, {3, 4});
  auto slice = [&](Ints starts, Ints strides, Dims dims) {
    return run("slice", {x}, {{"starts", starts}, {"strides", strides}}, {{DType::f32, dims}});
  };
  expectValues(slice({1, 0}, {1, 2}, {2, 2}), {4, 6, 8, 10});
  expectValues(slice({2, 3}, {-2, -1}, {2, 4}), {11, 10, 9, 8, 3, 2, 1, 0});
  EXPECT_EQ(slice({3, 0}, {1, 1}, {0, 4}).size(), 0);
  EXPECT_EQ(
      errorOf("slice", {x}, {{"starts", Ints{2, 0}}, {"strides", Ints{1, 1}}}, {{DType::f32, Dims{2, 4}}}),
      "index 3 is out of range for dim 0 of size 3");
}

TEST(Movement, Pad) {
  Value x = f32({3}, {1, 2, 3});
  auto pad = [&](const char *mode, int64_t low, int64_t size) {
    return run("pad", {x, {}}, {{"low", Ints{low}}, {"mode", mode}}, {{DType::f32, Dims{size}}});
  };
  expectValues(pad("constant", 1, 6), {0, 1, 2, 3, 0, 0});
  expectValues(pad("edge", 2, 6), {1, 1, 1, 2, 3, 3});
  expectValues(pad("reflect", 4, 9), {1, 2, 3, 2, 1, 2, 3, 2, 1});
  expectValues(pad("wrap", 2, 7), {2, 3, 1, 2, 3, 1, 2});
  expectValues(pad("constant", -1, 3), {2, 3, 0});
  expectValues(run("pad", {ramp(DType::f32, {2, 2}), f32({}, {9})},
                   {{"low", Ints{1, 0}}, {"mode", "constant"}}, {{DType::f32, Dims{3, 3}}}),
               {9, 9, 9, 0, 1, 9, 2, 3, 9});
  expectValues(run("pad", {f32({0}, {}), f32({}, {4})}, {{"low", Ints{1}}, {"mode", "constant"}},
                   {{DType::f32, Dims{2}}}),
               {4, 4});
  EXPECT_EQ(errorOf("pad", {f32({0}, {})}, {{"low", Ints{1}}, {"mode", "edge"}}, {{DType::f32, Dims{2}}}),
            "cannot pad the empty dim 0 in mode edge");
}

TEST(Movement, Concat) {
  expectValues(
      run("concat",
          {ramp(DType::u8, {2, 1}), ramp(DType::u8, {2, 2}, 1, 5), Value::allocate(DType::u8, {2, 0})},
          {{"axis", int64_t(1)}}),
      {0, 5, 6, 1, 7, 8});
  EXPECT_EQ(errorOf("concat", {f32({1, 2}, {1, 2}), f32({1, 1}, {1})}, {{"axis", int64_t(0)}}),
            "operands of concat differ in dim 1: [1, 2] and [1, 1]");
}

TEST(Movement, IotaFromDimsReverse) {
  expectValues(run("iota", {}, {{"axis", int64_t(1)}}, {{DType::f32, Dims{2, 3}}}), {0, 1, 2, 0, 1, 2});
  expectValues(run("from_dims", {}, {{"values", Ints{4, 7}}}, {{DType::i32, Dims{2}}}), {4, 7});
  expectValues(run("reverse_sequence", {ramp(DType::f32, {4, 2}), i64({2}, {3, 2})},
                   {{"time_axis", int64_t(0)}, {"batch_axis", int64_t(1)}}),
               {4, 3, 2, 1, 0, 5, 6, 7});
  EXPECT_EQ(errorOf("reverse_sequence", {ramp(DType::f32, {4, 1}), i64({1}, {5})},
                    {{"time_axis", int64_t(0)}, {"batch_axis", int64_t(1)}}),
            "length 5 is out of range for 4 steps");
}
