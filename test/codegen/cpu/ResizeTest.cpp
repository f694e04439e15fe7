//===- ResizeTest.cpp - Interpolation against the evaluator ---------------===//
//
// Every coordinate rule and rounding, sizes up and down, channels first and last, sizes known at run time only.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

struct Row {
  std::vector<std::string> from, to;
  const char *scales;
};

const Row kRows[] = {
    {{"1", "5", "7", "3"}, {"1", "10", "14", "3"}, "1.0, 2.0, 2.0, 1.0"},
    {{"2", "3", "7", "9"}, {"2", "3", "4", "13"}, "1.0, 1.0, 0.0, 0.0"},
    {{"n", "3", "6", "c"}, {"n", "5", "9", "c"}, "0.0, 1.7, 1.5, 0.0"},
    {{"1", "1", "1", "4"}, {"1", "3", "1", "4"}, "1.0, 3.0, 0.0, 1.0"},
};
const char *kCoordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn"};

Case caseOf(const Row &row, const std::string &mode, const std::string &coordinates, const std::string &nearest, const std::string &element) {
  std::string x = typeText(row.from, element), y = typeText(row.to, element);
  Case c{mode + " " + coordinates + " " + nearest + " " + x, {{x, Fill::moderate, 0}}, "", y, {}, ""};
  if (mode == "linear")
    c.bound = {4, element == "f32" ? 1e-6 : element == "f64" ? 1e-14 : 4e-3};
  c.body = "%y = optc.resize %0 {mode = \"" + mode + "\", coordinates = \"" + coordinates + "\", nearest_mode = \"" + nearest +
           "\", scales = array<f64: " + row.scales + ">} : (" + x + ") -> " + y;
  return c;
}

TEST(Resize, Kernels) {
  Batch batch;
  for (const Row &row : kRows)
    for (const char *coordinates : kCoordinates) {
      batch.add(caseOf(row, "linear", coordinates, "floor", "f32"));
      for (const char *nearest : {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"})
        batch.add(caseOf(row, "nearest", coordinates, nearest, "f32"));
    }
  for (const char *element : {"f64", "f16"})
    batch.add(caseOf(kRows[0], "linear", "half_pixel", "floor", element));
  for (const char *element : {"i8", "i64", "f16", "i1"})
    batch.add(caseOf(kRows[0], "nearest", "asymmetric", "floor", element));
  batch.check({{{"n", 1}, {"c", 1}}, {{"n", 2}, {"c", 37}}, {{"n", 0}, {"c", 3}}});
}

} // namespace
