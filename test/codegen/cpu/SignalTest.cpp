//===- SignalTest.cpp - Transforms, determinants, random numbers ----------===//
//
// Random numbers are the same on every target for a seed and a run; the evaluator's are those of the first.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {
using Shape = std::vector<std::string>;
const char *kLibrary = "no generator of kernels";
const std::vector<Sizes> kRuns = {{{"n", 1}}, {{"n", 3}}, {{"n", 17}}};
} // namespace

TEST(Signal, dft) {
  struct Row {
    const char *name;
    Shape x, y;
    int axis;
    const char *length, *inverse, *onesided;
  };
  const Row rows[] = {{"real", {"n", "16", "1"}, {"n", "16", "2"}, 1, "16", "false", "false"},     {"odd", {"n", "15", "2"}, {"n", "15", "2"}, 1, "15", "false", "false"},
                      {"one-sided", {"2", "n", "1"}, {"2", "floordiv(n,2)+1", "2"}, 1, "\"n\"", "false", "true"}, {"inverse", {"n", "8", "2"}, {"n", "8", "2"}, 1, "8", "true", "false"},
                      {"outer", {"n", "5", "2"}, {"n", "5", "2"}, 0, "\"n\"", "false", "false"}};
  Batch batch;
  for (const Row &row : rows)
    for (const char *element : {"f32", "f64", "f16"})
      batch.add(opCase(std::string("dft ") + row.name + element, "dft %0 {axis = " + std::to_string(row.axis) + " : i64, length = #optc.dims<[" + row.length +
                                                                     "]>, inverse = " + row.inverse + ", onesided = " + row.onesided + "}",
                       {{typeText(row.x, element), Fill::moderate}}, {typeText(row.y, element)}, {1, 1e-5}, kLibrary));
  batch.check(kRuns);
}

TEST(Signal, det) {
  Batch batch;
  for (const std::string &element : words(kFloats))
    for (const char *size : {"1", "2", "3", "5"})
      batch.add(opCase("det " + element + size, "det %0", {{typeText({"n", size, size}, element), Fill::moderate}}, {typeText({"n"}, element)}, {1, 1e-5}, kLibrary));
  batch.check(kRuns);
}

TEST(Signal, melWeightMatrix) {
  Batch batch;
  for (const char *element : {"f32", "f64", "f16", "i32"}) {
    std::string y = typeText({"floordiv(n,2)+1", "5"}, element), scalar = typeText({}, "f32"), rate = typeText({}, "i64");
    batch.add({std::string("mel_weight_matrix ") + element, {{scalar, Fill::positive}, {scalar, Fill::positive}, {typeText({"n"}, "f32")}},
               "%r = optc.constant dense<20> : " + rate + "\n%u = optc.add %0, %1 : (" + scalar + ", " + scalar + ") -> " + scalar +
                   "\n%y = optc.mel_weight_matrix %r, %0, %u {length = #optc.dims<[\"n\"]>} : (" + rate + ", " + scalar + ", " + scalar + ") -> " + y,
               y, {}, kLibrary});
  }
  batch.check(kRuns);
}

TEST(Signal, random) {
  Batch batch;
  for (const char *distribution : {"uniform", "normal"})
    for (const std::string &element : words(kFloats))
      for (const Shape &shape : {Shape{"3", "n"}, Shape{"17"}}) {
        std::string y = typeText(shape, element);
        batch.add({std::string("random ") + distribution + element + shape[0], {{typeText({"n"}, "f32")}},
                   "%y = optc.random {distribution = \"" + std::string(distribution) + "\", low = -1.0 : f64, high = 2.0 : f64, seed = 7 : i64} : " + y, y, {1, 1e-6}, kLibrary});
      }
  batch.check({{{"n", 125}}});
}

TEST(Signal, library) {
  Batch batch;
  for (const char *element : {"f32", "f64", "i32"}) {
    std::string x = typeText({"n", "3"}, element);
    batch.add(opCase(std::string("binarizer ") + element, "library %0 {function = \"binarizer\", parameters = {threshold = 0.5 : f64}}", {{x, Fill::moderate}}, {x}, {}, kLibrary));
  }
  std::string x = typeText({"n", "3"}, "f32");
  batch.add(opCase("scaler", "library %0 {function = \"scaler\", parameters = {offset = [0.5, 1.0, -1.0], scale = [2.0, 0.5, 1.0]}}", {{x, Fill::moderate}}, {x}, {}, kLibrary));
  batch.check({{{"n", 1}}, {{"n", 17}}});
}
