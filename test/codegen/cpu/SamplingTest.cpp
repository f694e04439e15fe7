//===- SamplingTest.cpp - Resampling and regions of images ----------------===//
//
// Interpolated values are sums of a few products of at most 8 (cubic weights): 1e-5 is far above their rounding in f32.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {
using Shape = std::vector<std::string>;
const std::vector<Sizes> kRuns = {{{"n", 1}, {"m", 2}}, {{"n", 3}, {"m", 1}}, {{"n", 17}, {"m", 5}}};
const char *kLibrary = "no generator of kernels";
const Bound kClose{1, 1e-5};
} // namespace

TEST(Sampling, resize) {
  struct Row {
    const char *name;
    Shape x, y;
    const char *scales;
  };
  const Row rows[] = {
      {"twice", {"2", "3", "n", "m"}, {"2", "3", "2*n", "2*m"}, "1.0, 1.0, 2.0, 2.0"},
      {"down", {"1", "2", "9", "7"}, {"1", "2", "4", "5"}, "1.0, 1.0, 0.0, 0.0"},
      {"to a size", {"1", "2", "n", "7"}, {"1", "2", "11", "7"}, "1.0, 1.0, 0.0, 1.0"},
      {"1d", {"2", "n"}, {"2", "3*n"}, "1.0, 3.0"},
  };
  Batch batch;
  for (const Row &row : rows)
    for (const char *mode : {"nearest", "linear", "cubic"})
      for (const char *coordinates : {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"})
        for (const std::string &element : words(mode[0] == 'n' ? "f32 f16 ui8 i64" : "f32 f64 f16")) {
          std::string base = std::string("resize %0 {scales = array<f64: ") + row.scales + ">, mode = \"" + mode + "\", coordinates = \"" + coordinates + "\"";
          std::string name = std::string("resize ") + row.name + mode + coordinates + element;
          auto add = [&](const std::string &suffix) {
            batch.add(opCase(name + suffix, base + suffix + "}", {{typeText(row.x, element), Fill::moderate}}, {typeText(row.y, element)}, kClose, kLibrary));
          };
          add("");
          if (mode[0] == 'n' && element == "f32")
            for (const char *nearest : {"round_prefer_ceil", "floor", "ceil"})
              add(std::string(", nearest_mode = \"") + nearest + "\"");
          if (mode[0] != 'n' && std::string(row.name) == "down" && element == "f32")
            add(", antialias = true");
          if (mode[0] == 'c' && element == "f32")
            add(", exclude_outside = true, cubic_coeff_a = -5.000000e-01 : f64");
        }
  batch.check(kRuns);
}

TEST(Sampling, gridSample) {
  Batch batch;
  for (const char *mode : {"nearest", "linear", "cubic"})
    for (const char *padding : {"zeros", "border", "reflection"})
      for (bool align : {true, false})
        for (const char *element : {"f32", "f64", "f16"}) {
          std::string x = typeText({"2", "3", "n", "m"}, element), grid = typeText({"2", "5", "n", "2"}, element), y = typeText({"2", "3", "5", "n"}, element);
          batch.add(opCase(std::string("grid_sample ") + mode + padding + (align ? " aligned " : " ") + element,
                           std::string("grid_sample %0, %1 {align_corners = ") + (align ? "true" : "false") + ", mode = \"" + mode + "\", padding = \"" + padding + "\"}",
                           {{x, Fill::moderate}, {grid, Fill::moderate}}, {y}, kClose, kLibrary));
        }
  batch.check(kRuns);
}

TEST(Sampling, col2im) {
  Batch batch;
  for (const std::string &element : words(kFloats)) {
    batch.add(opCase("col2im " + element, "col2im %0 {block = #optc.dims<[2, 2]>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>}",
                     {{typeText({"n", "12", "16"}, element), Fill::moderate}}, {typeText({"n", "3", "5", "5"}, element)}, kClose, kLibrary));
    batch.add(opCase("col2im strided " + element,
                     "col2im %0 {block = #optc.dims<[3]>, strides = array<i64: 2>, dilations = array<i64: 2>, pads = array<i64: 1, 1>}",
                     {{typeText({"n", "6", "4"}, element), Fill::moderate}}, {typeText({"n", "2", "9"}, element)}, kClose, kLibrary));
  }
  batch.check(kRuns);
}

TEST(Sampling, regions) {
  Batch batch;
  for (const char *element : {"f32", "f64", "f16"}) {
    std::string x = typeText({"2", "3", "9", "8"}, element), y = typeText({"n", "3", "2", "3"}, element);
    for (const char *kind : {"mean", "max"})
      for (const char *half : {"true", "false"})
        batch.add(opCase(std::string("roi_align ") + kind + half + element,
                         std::string("roi_align %0, %1, %2 {height = 2 : i64, width = 3 : i64, sampling_ratio = 2 : i64, spatial_scale = 1.5 : f64, kind = \"") + kind +
                             "\", half_pixel = " + half + "}",
                         {{x, Fill::moderate}, {typeText({"n", "4"}, element), Fill::positive}, {typeText({"n"}, "i64"), Fill::count, 1}}, {y}, kClose, kLibrary));
    batch.add(opCase(std::string("max_roi_pool ") + element, "max_roi_pool %0, %1 {height = 2 : i64, width = 3 : i64, spatial_scale = 1.0 : f64}",
                     {{x, Fill::moderate}, {typeText({"n", "5"}, element), Fill::index, 2}}, {y}, {}, kLibrary));
  }
  batch.check(kRuns);
}

TEST(Sampling, poolingWithPositions) {
  Batch batch;
  for (const char *element : {"f32", "f64", "f16", "i8", "ui8"})
    for (const char *order : {"true", "false"}) {
      std::string x = typeText({"n", "3", "9", "8"}, element);
      Shape y{"n", "3", "5", "4"};
      batch.add(opCase(std::string("max_pool_indices ") + element + order,
                       std::string("max_pool_indices %0 {window = array<i64: 3, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 0>, "
                                   "pads_high = array<i64: 1, 0>, ceil = false, column_major = ") + order + "}",
                       {{x, Fill::moderate}}, {typeText(y, element), typeText(y, "i64")}, {}, kLibrary));
    }
  for (const std::string &element : words(kNumbers))
    batch.add(opCase("max_unpool " + element, "max_unpool %0, %1", {{typeText({"n", "1", "2", "3"}, element), Fill::moderate}, {typeText({"n", "1", "2", "3"}, "i64"), Fill::count, 19}},
                     {typeText({"n", "1", "4", "5"}, element)}, {}, kLibrary));
  batch.check(kRuns);
}
