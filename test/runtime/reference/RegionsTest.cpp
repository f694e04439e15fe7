#include "Run.h"
using namespace optc;
using namespace optc::test;

static AttributeList align(double scale, int64_t ratio, int64_t halfPixel, const char *kind = "mean") {
  return {{"height", int64_t(2)},   {"width", int64_t(2)}, {"sampling_ratio", ratio},
          {"spatial_scale", scale}, {"kind", kind},        {"half_pixel", halfPixel}};
}

// Expected values are those of onnx.reference.

TEST(Regions, RoiAlign) {
  Value x = wave({1, 2, 6, 6}), rois = f32({2, 4}, {0.5, 1, 4, 3.5, 2, 2, 2.2, 5}), batch = i64({2}, {0, 0});
  expectValues(run("roi_align", {x, rois, batch}, align(0.9, 0, 1)),
               {-0.262727022, 0.301457703, -0.190710545, -0.541368902, -0.23065646, 0.330947518, -0.224287331,
                -0.544082105, -0.384307384, -0.39907676, 0.537081659, 0.53726393, -0.401661873, -0.414588511,
                0.540140748, 0.537949562},
               1e-5);
  expectValues(run("roi_align", {x, rois, batch}, align(0.9, 2, 0)),
               {-0.423639327, -0.0137773678, 0.228246093, -0.276559919, -0.409256399, 0.0175540969,
                0.198975474, -0.302497685, -0.214955956, -0.343453526, 0.318018556, 0.420149386, -0.24421826,
                -0.364854395, 0.343656421, 0.435977131},
               1e-5);
  expectValues(run("roi_align", {x, rois, batch}, align(1, 2, 1, "max")),
               {0.127831787, 0.647793531, 0.466403931, 0.363246739, 0.126426518, 0.673260689, 0.460199594,
                0.33390522, 0.292947918, 0.274340242, 0.292947918, 0.274340242, 0.289050996, 0.252180189,
                0.289050996, 0.252180189},
               1e-5);
  EXPECT_EQ(errorOf("roi_align", {x, rois, i64({2}, {0, 1})}, align(1, 2, 1)),
            "index 1 is out of range for dim 0 of size 1");
  EXPECT_EQ(errorOf("roi_align", {x, f32({1, 4}, {0, 0, 1e30, 1}), i64({1}, {0})}, align(1, 0, 1)),
            "region 0 is out of range");
}

TEST(Regions, MaxRoiPool) {
  Value x = ramp(DType::f32, {1, 1, 4, 4});
  AttributeList list{{"height", int64_t(2)}, {"width", int64_t(2)}, {"spatial_scale", 1.0}};
  expectValues(run("max_roi_pool", {x, f32({2, 5}, {0, 0, 0, 3, 3, 0, 1, 1, 2, 9})}, list),
               {5, 7, 13, 15, 13, 14, 0, 0});
  EXPECT_EQ(errorOf("max_roi_pool", {x, f32({1, 5}, {NAN, 0, 0, 1, 1})}, list), "region 0 is out of range");
}

TEST(Regions, NonMaxSuppression) {
  Value boxes = f32({1, 6, 4}, {0, 0,  1, 1,  0, 0.1,  1, 1.1,  0, -0.1, 1, 0.9,
                                0, 10, 1, 11, 0, 10.1, 1, 11.1, 0, 100,  1, 101});
  Value scores = f32({1, 1, 6}, {0.9, 0.75, 0.6, 0.95, 0.5, 0.3});
  auto select = [&](double limit, Value iou, Value score) {
    return run("nms", {boxes, scores, i64({1}, {limit}), iou, score}, {{"center_box", int64_t(0)}},
               {{DType::i64}});
  };
  expectValues(select(3, f32({1}, {0.5}), f32({1}, {0})), {0, 0, 3, 0, 0, 0, 0, 0, 5});
  expectValues(select(2, f32({1}, {0.5}), {}), {0, 0, 3, 0, 0, 0});
  expectValues(select(30, f32({}, {0.5}), f32({}, {0.4})), {0, 0, 3, 0, 0, 0});
  EXPECT_EQ(run("nms", {boxes, scores}, {}, {{DType::i64}}).dims, (Dims{0, 3})); // no limit given: none
  EXPECT_EQ(errorOf("nms", {boxes, f32({1, 1, 1}, {0})}, {}, {{DType::i64}}),
            "scores has shape [1, 1, 1], expected [1, 1, 6]");
}
