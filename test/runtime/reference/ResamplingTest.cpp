#include "Run.h"
using namespace optc;
using namespace optc::test;

namespace {
struct Row {
  const char *mode, *padding;
  int64_t align;
  Reals expected;
};
} // namespace

// The expected values are those of onnx.reference.
TEST(Resampling, GridSample) {
  // clang-format off
  const Row rows[] = {
      {"nearest", "zeros", 0, {0, 0, 0, 0.850437, 0, 0.0415807}},
      {"nearest", "zeros", 1, {0, 0.991665, 0, 0.850437, 0, -0.883455}},
      {"nearest", "border", 0, {0.662969, 0.991665, 0.841471, 0.850437, 0.662969, 0.0415807}},
      {"nearest", "border", 1, {0.662969, 0.991665, 0.841471, 0.850437, 0.662969, -0.883455}},
      {"nearest", "reflection", 0, {0.662969, 0.991665, 0.991665, 0.850437, 0.989358, 0.0415807}},
      {"nearest", "reflection", 1, {0.989358, 0.991665, 0.991665, 0.850437, 0.989358, -0.883455}},
      {"linear", "zeros", 0, {0, 0.0341092, 0, 0.540146, 0, -0.0600976}},
      {"linear", "zeros", 1, {0.106465, 0.673245, 0.0800511, 0.755014, 0.0653031, -0.199555}},
      {"linear", "border", 0, {0.662969, 0.943944, 0.841471, 0.88296, 0.662969, -0.0600976}},
      {"linear", "border", 1, {0.335127, 0.974648, 0.841471, 0.755014, 0.662969, -0.199555}},
      {"linear", "reflection", 0, {0.796708, 0.943944, 0.944763, 0.88296, 0.604135, -0.0600976}},
      {"linear", "reflection", 1, {0.377473, 0.383762, 0.728763, 0.755014, 0.166661, -0.199555}},
      {"cubic", "zeros", 0, {-0.0716101, 0.0305985, -0.0156864, 0.804153, 0.00415818, -0.127137}},
      {"cubic", "zeros", 1, {0.118633, 0.932277, 0.0759441, 0.884301, 0.0685032, -0.369098}},
      {"cubic", "border", 0, {0.681949, 0.981985, 0.841471, 1.15867, 0.662969, -0.128233}},
      {"cubic", "border", 1, {0.334428, 0.998691, 0.841471, 0.838158, 0.662969, -0.368418}},
      {"cubic", "reflection", 0, {0.829278, 1.0306, 1.28008, 1.29402, 0.638068, -0.128233}},
      {"cubic", "reflection", 1, {0.539552, 0.565195, 0.911157, 0.93291, 0.259002, -0.289768}},
  };
  // clang-format on
  for (const Row &row : rows) {
    SCOPED_TRACE(std::string(row.mode) + " " + row.padding + " " + std::to_string(row.align));
    Value y = run("grid_sample", {wave({1, 1, 3, 4}), wave({1, 2, 3, 2}, 2, 1.6f)},
                  {{"mode", row.mode}, {"padding", row.padding}, {"align_corners", row.align}});
    EXPECT_EQ(y.dims, (Dims{1, 1, 2, 3}));
    expectValues(y, row.expected, 1e-5);
  }
}

TEST(Resampling, GridSampleInThreeDimsAndErrors) {
  AttributeList linear{{"mode", "linear"}, {"padding", "zeros"}, {"align_corners", int64_t(1)}};
  expectValues(run("grid_sample", {wave({1, 1, 2, 3, 2}), wave({1, 1, 2, 2, 3}, 2)}, linear),
               {0.0513427258, 0.60586524, 0.705014765, 0.0539346784});
  expectValues(run("grid_sample", {f32({1, 1, 1, 2}, {3, 3}), f32({1, 1, 2, 2}, {NAN, 0, 1e30, 0})}, linear),
               {0, 0});
  EXPECT_EQ(errorOf("grid_sample", {wave({1, 1, 2, 2}), wave({1, 1, 1, 3})}, linear),
            "grid [1, 1, 1, 3] does not fit the input [1, 1, 2, 2]");
}

TEST(Resampling, Col2Im) {
  AttributeList list{
      {"block", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"dilations", Ints{1, 1}}, {"pads", Ints{0, 1, 0, 1}}};
  Value y = run("col2im", {wave({1, 8, 6})}, list, {{DType::f32, Dims{1, 2, 5, 5}}});
  expectValues(y, {-0.88345468,
                   0.991664827,
                   -0.373876661,
                   0.6754632,
                   0.311541349,
                   0.859161794,
                   -0.625070632,
                   0.986771941,
                   -0.980936229,
                   0.650287867,
                   0.850436628,
                   -0.611857891,
                   0.989358246,
                   -0.977530122,
                   0.662969232,
                   0.00796318334,
                   -0.35822928,
                   -0.638106704,
                   0.327474445,
                   -0.984064996,
                   0,
                   0,
                   0,
                   0,
                   0,
                   -0.00885130931,
                   -0.34248063,
                   -0.650962293,
                   0.343314916,
                   -0.986915529,
                   -0.849969029,
                   0.980763257,
                   -0.310697287,
                   0.624377131,
                   0.374700278,
                   -0.858707011,
                   0.983906686,
                   -0.326635122,
                   0.637422621,
                   0.35905835,
                   0.883870423,
                   -0.663633883,
                   0.977342486,
                   -0.989487112,
                   0.611155152,
                   0,
                   0,
                   0,
                   0,
                   0});
  EXPECT_EQ(errorOf("col2im", {wave({1, 8, 5})}, list, {{DType::f32, Dims{1, 2, 5, 5}}}),
            "the columns has shape [1, 8, 5], expected [1, 8, 6]");
}
