#include "Run.h"
using namespace optc;
using namespace optc::test;

static AttributeList pool(const char *kind, int64_t countPadding = 0, const char *layout = "nchw") {
  return {{"kind", kind},           {"window", Ints{3, 2}},
          {"strides", Ints{2, 1}},  {"dilations", Ints{1, 1}},
          {"pads_low", Ints{1, 0}}, {"pads_high", Ints{1, 1}},
          {"ceil", int64_t(1)},     {"count_padding", countPadding},
          {"layout", layout}};
}

// Expected values are those of onnx.reference.

TEST(Windows, MaxAndMean) {
  Value x = wave({1, 2, 5, 4});
  Value y = run("pool", {x}, pool("max"));
  EXPECT_EQ(y.dims, (Dims{1, 2, 3, 4}));
  expectValues(y, {0.991664827, 0.991664827, 0.6754632,   0.0415806621, 0.850436628, 0.989358246,
                   0.989358246, 0.662969232, 0.327474445, 0.859161794,  0.986771941, 0.986771941,
                   0.650287867, 0.343314916, 0.867644072, 0.867644072,  0.983906686, 0.637422621,
                   0.867644072, 0.867644072, 0.980763257, 0.980763257,  0.624377131, 0.35905835});
  expectValues(run("pool", {x}, pool("mean")),
               {0.0609369576, -0.048464179, -0.135071874,  -0.166148007,  -0.171284214,   -0.271199465,
                -0.243565381, -0.195453212, -0.157762498,  -0.104842648,  -0.00261364877, 0.0556598902,
                -0.137857944, -0.157327324, -0.102803171,  -0.0582104623, -0.238996014,   -0.0926560834,
                0.0972614288, 0.191913366,  0.00275544822, 0.104949579,   0.157784268,    0.166697532});
  expectValues(run("pool", {x}, pool("mean", 1)),
               {0.0406246372,  -0.0323094539, -0.0900479183, -0.055382669,  -0.171284214,   -0.271199465,
                -0.243565381,  -0.0977266058, -0.105174996,  -0.0698950961, -0.00174243248, 0.0185532961,
                -0.0919052958, -0.104884885,  -0.0685354471, -0.0194034874, -0.238996014,   -0.0926560834,
                0.0972614288,  0.0959566832,  0.00183696544, 0.0699663833,  0.10518951,     0.0555658452});
  Value last =
      run("pool", {run("transpose", {x}, {{"permutation", Ints{0, 2, 3, 1}}})}, pool("max", 0, "nhwc"));
  EXPECT_EQ(values(last), values(run("transpose", {y}, {{"permutation", Ints{0, 2, 3, 1}}})));
}

TEST(Windows, Norm) {
  Value y = run("pool", {wave({1, 2, 5, 4})},
                {{"kind", "lp"},
                 {"p", int64_t(3)},
                 {"window", Ints{3, 2}},
                 {"strides", Ints{2, 1}},
                 {"dilations", Ints{1, 1}},
                 {"pads_low", Ints{0, 0}},
                 {"pads_high", Ints{0, 0}}});
  expectValues(y, {1.50066495, 1.64979994, 1.32188797, 0.990114987, 1.50970256, 1.64724934, 1.29640305,
                   0.843175173, 1.29708564, 1.64127898, 1.28338516, 0.843627155});
}

TEST(Windows, MaxIndicesAndUnpool) {
  AttributeList list{{"window", Ints{2, 2}},
                     {"strides", Ints{2, 2}},
                     {"dilations", Ints{1, 1}},
                     {"pads_low", Ints{0, 0}},
                     {"pads_high", Ints{0, 0}}};
  Outcome out = call("max_pool_indices", {wave({1, 2, 5, 4})}, list, {{DType::f32}, {DType::i64}});
  expectValues(out.results[1], {1, 2, 9, 10, 20, 27, 28, 35});
  list.push_back({"column_major", int64_t(1)});
  Outcome swapped = call("max_pool_indices", {wave({1, 2, 5, 4})}, list, {{DType::f32}, {DType::i64}});
  expectValues(swapped.results[1], {5, 10, 7, 12, 20, 36, 22, 38});
  expectValues(
      run("max_unpool", {f32({1, 1, 2}, {5, 6}), i64({1, 1, 2}, {3, 0})}, {}, {{DType::f32, Dims{1, 1, 4}}}),
      {6, 0, 0, 5});
  EXPECT_EQ(errorOf("max_unpool", {f32({1}, {5}), i64({1}, {4})}, {}, {{DType::f32, Dims{4}}}),
            "position 4 is out of range for 4 elements");
}

TEST(Windows, EmptyAndErrors) {
  EXPECT_EQ(run("pool", {f32({0, 2, 5, 4}, {})}, pool("max")).dims, (Dims{0, 2, 3, 4}));
  expectValues(run("pool", {tensor(DType::i8, {1, 1, 1, 1}, {-7})}, pool("max")), {-7});
  EXPECT_EQ(errorOf("pool", {f32({1, 2, 1}, {0, 0})}, pool("max")), "the window has 2 entries, expected 1");
  AttributeList bad = pool("max");
  bad[1].second = Ints{0, 1};
  EXPECT_EQ(errorOf("pool", {f32({1, 1, 1, 1}, {0})}, bad), "the window must be at least 1");
}

TEST(Windows, LocalResponse) {
  expectValues(
      run("lrn", {wave({1, 4, 2, 1})}, {{"alpha", 0.5}, {"beta", 0.75}, {"bias", 2.0}, {"size", int64_t(3)}}),
      {0.466770767, 0.555768169, 0.366887193, 0.0220948756, -0.331012031, -0.544330638, -0.490323812,
       -0.208211152});
}
