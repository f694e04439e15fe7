//===- SortingTest.cpp - Order, scans and results of unknown size ---------===//
//
// Ties are frequent: few different values. Sizes that an op finds are symbols it defines. Exact, but for scans of
// floats where a kernel may take another order: 2,000 terms of at most 2 (see ReductionsTest.cpp).
//
//===----------------------------------------------------------------------===//

#include "Differential.h"
#include <cmath>

using namespace optc::test;

namespace {
using Shape = std::vector<std::string>;
const std::vector<Sizes> kRuns = {{{"n", 0}}, {{"n", 1}}, {{"n", 3}}, {{"n", 17}}, {{"n", 125}}};
const char *kLibrary = "no generator of kernels";
std::string i64(const Shape &shape) { return typeText(shape, "i64"); }
std::string flag(bool b) { return b ? "true" : "false"; }
} // namespace

TEST(Sorting, topK) {
  Batch batch;
  for (const std::string &element : words(kNumbers))
    for (bool largest : {true, false})
      for (Fill fill : {Fill::moderate, Fill::any}) {
        bool ties = fill == Fill::moderate && element[0] != 'f' && element[0] != 'b';
        if (fill == Fill::moderate && !ties)
          continue;
        std::string name = element + (largest ? " largest" : " smallest") + (ties ? " ties" : "");
        std::string order = "largest = " + flag(largest) + ", sorted = true}";
        batch.add(opCase("top_k inner " + name, "top_k %0 {axis = 1 : i64, " + order, {{typeText({"3", "n+5"}, element), fill}},
                         {typeText({"3", "5"}, element), i64({"3", "5"})}, {}, kLibrary));
        batch.add(opCase("top_k outer " + name, "top_k %0 {axis = 0 : i64, " + order, {{typeText({"7", "n"}, element), fill}},
                         {typeText({"2", "n"}, element), i64({"2", "n"})}, {}, kLibrary));
        batch.add(opCase("top_k all " + name, "top_k %0 {axis = 0 : i64, " + order, {{typeText({"n"}, element), fill}}, {typeText({"n"}, element), i64({"n"})}, {},
                         kLibrary));
      }
  batch.check(kRuns);
}

TEST(Sorting, nonzeroAndUnique) {
  Batch batch;
  for (const std::string &element : words("i1 " + kNumbers)) {
    for (const Shape &x : {Shape{"n"}, Shape{"3", "n"}, Shape{"2", "n", "5"}, Shape{"4", "3"}})
      batch.add(opCase("nonzero " + std::to_string(x.size()) + x.back() + element, "nonzero %0", {{typeText(x, element), Fill::moderate}},
                       {i64({std::to_string(x.size()), "k@"})}, {}, kLibrary));
    if (element == "i1")
      continue;
    for (bool sorted : {true, false}) {
      std::string attributes = "{sorted = " + flag(sorted);
      batch.add(opCase("unique " + element + flag(sorted), "unique %0 " + attributes + "}", {{typeText({"3", "n"}, element), Fill::index, 5}},
                       {typeText({"u@"}, element), i64({"u@"}), i64({"3*n"}), i64({"u@"})}, {}, kLibrary));
      batch.add(opCase("unique rows " + element + flag(sorted), "unique %0 " + attributes + ", axis = 0 : i64}", {{typeText({"n", "2"}, element), Fill::index, 2}},
                       {typeText({"u@", "2"}, element), i64({"u@"}), i64({"n"}), i64({"u@"})}, {}, kLibrary));
    }
  }
  batch.check(kRuns);
}

/// A size that an op has found is one of the next op's.
TEST(Sorting, sizesFound) {
  Batch batch;
  std::string x = typeText({"n"}, "f32"), found = i64({"1", "k@"}), flat = i64({"k@"}), y = typeText({"k@"}, "f32");
  batch.add({"take what is not zero", {{x, Fill::moderate}},
             "%z = optc.round %0 : (" + x + ") -> " + x + "\n%i = optc.nonzero %z : (" + x + ") -> " + found + "\n%f = optc.reshape %i : (" + found + ") -> " + flat +
                 "\n%g = optc.gather %z, %f {axis = 0 : i64} : (" + x + ", " + flat + ") -> " + y + "\n%y = optc.neg %g : (" + y + ") -> " + y,
             y, {}, kLibrary});
  batch.check(kRuns);
}

TEST(Sorting, cumulative) {
  Batch batch;
  for (const std::string &element : words(kNumbers))
    for (const char *kind : {"sum", "prod"})
      for (bool exclusive : {false, true})
        for (bool reverse : {false, true})
          for (int axis : {0, 1, 2}) {
            std::string x = typeText({"3", "n", "5"}, element);
            batch.add(opCase(std::string("cumulative ") + kind + std::to_string(axis) + flag(exclusive) + flag(reverse) + element,
                             "cumulative %0 {axis = " + std::to_string(axis) + " : i64, kind = \"" + kind + "\", exclusive = " + flag(exclusive) +
                                 ", reverse = " + flag(reverse) + "}",
                             {{x, Fill::moderate}}, {x}, {kind[0] == 's' ? 1.0 : 125, 125 * 0x1p-23}, kLibrary));
          }
  batch.check(kRuns);
}

TEST(Sorting, nms) {
  Batch batch;
  for (bool center : {false, true})
    for (const char *element : {"f32", "f64", "f16"}) {
      std::string boxes = typeText({"2", "n", "4"}, element), scores = typeText({"2", "3", "n"}, element), scalar = typeText({}, "f32");
      std::string attributes = " {center_box = " + flag(center) + "}";
      batch.add(opCase("nms " + std::string(element) + flag(center), "nms (%0, %1, max_per_class %2, iou_threshold %3, score_threshold %4)" + attributes,
                       {{boxes, Fill::positive}, {scores, Fill::moderate}, {i64({}), Fill::count, 3}, {scalar, Fill::positive}, {scalar, Fill::moderate}},
                       {i64({"k@", "3"})}, {}, kLibrary));
      batch.add(opCase("nms without scalars " + std::string(element) + flag(center), "nms (%0, %1, max_per_class %2)" + attributes,
                       {{boxes, Fill::positive}, {scores, Fill::moderate}, {i64({}), Fill::count, 9}}, {i64({"k@", "3"})}, {}, kLibrary));
    }
  batch.check(kRuns);
}
