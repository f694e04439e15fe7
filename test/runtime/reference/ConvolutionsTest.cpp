#include "Run.h"
using namespace optc;
using namespace optc::test;

static AttributeList window(Ints strides, Ints dilations, Ints low, Ints high, int64_t groups,
                            const char *layout = "nchw") {
  return {{"strides", strides}, {"dilations", dilations}, {"pads_low", low},
          {"pads_high", high},  {"groups", groups},       {"layout", layout}};
}
static Value toNhwc(const Value &x, Ints permutation) {
  return run("transpose", {x}, {{"permutation", permutation}});
}

// Expected values are those of onnx.reference.

TEST(Convolutions, GroupsStridesDilations) {
  Value x = wave({2, 4, 5, 3}), w = wave({6, 2, 3, 2}, 2);
  Value y = run("conv", {x, w}, window({2, 1}, {1, 2}, {1, 0}, {2, 1}, 2));
  EXPECT_EQ(y.dims, (Dims{2, 6, 3, 2}));
  Value sum = run("reduce", {y}, {{"kind", "sum"}, {"axes", Ints{0}}});
  expectValues(sum, {-3.36395884, -1.26972222,  1.60541701,  -0.31294167, 1.33412933,  1.39262414,
                     0.149027586, -0.709683299, 3.37450075,  2.50789046,  -3.78363824, -2.0093503,
                     3.20918202,  2.00678301,   -5.11009789, -2.29169655, 2.59547114,  0.694241762,
                     3.00488615,  1.8130908,    -4.80210876, -2.2245307,  2.59798026,  0.825792789,
                     -3.41394472, -1.42064703,  2.23948431,  0.432476759, 0.9054811,   1.02822363,
                     0.540759802, -0.337639093, 2.47623134,  1.77537036,  -3.53839207, -1.89368248},
               1e-5);
  Value last = run("conv", {toNhwc(x, {0, 2, 3, 1}), toNhwc(w, {2, 3, 1, 0})},
                   window({2, 1}, {1, 2}, {1, 0}, {2, 1}, 2, "nhwc"));
  EXPECT_EQ(values(last), values(toNhwc(y, {0, 2, 3, 1})));
}

TEST(Convolutions, OneAndThreeDims) {
  expectValues(
      run("conv", {f32({1, 1, 4}, {1, 2, 3, 4}), f32({1, 1, 2}, {1, 10})}, window({1}, {1}, {0}, {0}, 1)),
      {21, 32, 43});
  Value y = run("conv", {ramp(DType::i32, {1, 1, 2, 2, 2}), tensor(DType::i32, {1, 1, 2, 2, 2}, Reals(8, 1))},
                window({1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, 1));
  expectValues(y, {28});
}

TEST(Convolutions, Transposed) {
  Value x = wave({1, 4, 3, 2}), w = wave({4, 2, 3, 2}, 2);
  AttributeList list = window({2, 1}, {1, 1}, {1, 0}, {0, 1}, 1);
  list.push_back({"output_padding", Ints{1, 0}});
  Value y = run("conv_transpose", {x, w}, list);
  EXPECT_EQ(y.dims, (Dims{1, 2, 7, 2}));
  expectValues(y, {0.146963716, -2.26240206,  -1.22408032, -5.43954182, -1.55394113, -3.4569149, -3.42360711,
                   -4.1967907,  -0.675201535, 1.08727813,  1.68917847,  4.38448811,  0,          0,
                   1.89648092,  4.70159531,   2.58212447,  4.24236822,  1.85924268,  1.33600926, 0.839059114,
                   -2.5377636,  -1.26446068,  -4.24743986, -1.67924488, -1.84701014, 0,          0},
               1e-5);
  list[5].second = "nhwc";
  Value last = run("conv_transpose", {toNhwc(x, {0, 2, 3, 1}), toNhwc(w, {2, 3, 0, 1})}, list);
  EXPECT_EQ(values(last), values(toNhwc(y, {0, 2, 3, 1})));
}

TEST(Convolutions, Deformable) {
  AttributeList list = window({1, 1}, {1, 1}, {0, 0}, {0, 0}, 1);
  list.push_back({"offset_groups", int64_t(1)});
  Value y =
      run("deform_conv",
          {wave({1, 2, 4, 4}), wave({2, 2, 2, 2}, 2), wave({1, 8, 3, 3}, 3, 1.5), wave({1, 4, 3, 3}, 4)},
          list, {{DType::f32, Dims{1, 2, 3, 3}}});
  expectValues(y,
               {-1.07875729, 0.403951108, 0.224229857, -0.0685006678, 0.151751474, 0.302765608, -1.08188033,
                -0.119465083, 0.0211518034, -0.416696906, -0.447147042, -0.0479785241, -0.0763194785,
                0.131268337, 0.164817274, -1.34556127, -0.175339252, 0.0442290232},
               1e-5);
}

TEST(Convolutions, EmptyAndErrors) {
  AttributeList plain = window({1}, {1}, {0}, {0}, 1);
  EXPECT_EQ(run("conv", {f32({0, 1, 4}, {}), f32({1, 1, 2}, {1, 1})}, plain).dims, (Dims{0, 1, 3}));
  expectValues(run("conv", {f32({1, 0, 2}, {}), f32({1, 0, 1}, {})}, plain), {0, 0});
  EXPECT_EQ(errorOf("conv", {f32({1, 1, 2}, {1, 1}), f32({1, 1, 4}, {1, 1, 1, 1})}, plain),
            "the window of dim 0 is larger than the padded input");
  EXPECT_EQ(errorOf("conv", {f32({1, 2, 1}, {1, 1}), f32({1, 1, 1}, {1})}, plain),
            "input has 2 channels, weights [1, 1, 1] do not fit them in 1 groups");
  EXPECT_EQ(errorOf("conv", {f32({1, 1, 2}, {1, 1}), f32({1, 1, 1}, {1})}, window({0}, {1}, {0}, {0}, 1)),
            "strides and dilations must be at least 1");
}
