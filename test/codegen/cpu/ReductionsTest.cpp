//===- ReductionsTest.cpp - Reductions and pooling ------------------------===//
//
// Sums are taken in another order than the reference's, which adds in f64: k terms of at most 2 err by less than
// k * 2^-24 * (the sum of their magnitudes), far less in practice; the bound is k * 2^-23 at k terms of [-2, 2],
// and that of the result's type on top. Minima and maxima are exact.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;
struct Row {
  const char *name;
  Shape x;
  std::string axes;
  Shape result;
};
const Row kRows[] = {
    {"all", {"n"}, "0", {}},
    {"rows", {"7", "n"}, "1", {"7"}},
    {"columns", {"n", "19"}, "0", {"19"}},
    {"all of two", {"3", "n"}, "0, 1", {}},
    {"middle", {"2", "n", "5"}, "1", {"2", "5"}},
    {"outer and inner", {"3", "4", "n"}, "0, 2", {"4"}},
    {"image", {"2", "3", "7", "9"}, "2, 3", {"2", "3"}},
    {"static row", {"5", "33"}, "1", {"5"}},
    {"short row", {"5", "3"}, "1", {"5"}},
};
const std::vector<Sizes> kRuns = {{{"n", 1}}, {{"n", 3}}, {{"n", 7}}, {{"n", 16}}, {{"n", 17}}, {{"n", 64}}, {{"n", 65}}, {{"n", 125}}, {{"n", 1000}}};

Case caseOf(const Row &row, const std::string &kind, const std::string &element, Fill fill, Bound bound) {
  std::string x = typeText(row.x, element), y = typeText(row.result, element);
  return {kind + " " + row.name + " " + element, {{x, fill}},
          "%y = optc.reduce %0 {axes = array<i64" + std::string(*row.axes.c_str() ? ": " : "") + row.axes + ">, kind = \"" + kind + "\"} : (" + x + ") -> " + y, y, bound, ""};
}

} // namespace

TEST(Reductions, integers) {
  Batch batch;
  for (const Row &row : kRows)
    for (const char *kind : {"sum", "prod", "max", "min"})
      for (const std::string &element : words(kIntegers))
        if (std::string(kind) != "prod" || element[0] == 'i')
          batch.add(caseOf(row, kind, element, Fill::any, {}));
  batch.check(kRuns);
}

TEST(Reductions, extrema) {
  Batch batch;
  for (const Row &row : kRows)
    for (const char *kind : {"max", "min"})
      for (const std::string &element : words(kFloats)) {
        batch.add(caseOf(row, kind, element, Fill::moderate, {}));
        // Infinities and NaN; which zero of two is open.
        Case special = caseOf(row, kind, element, Fill::any, {0.25, 0});
        special.name += " special";
        batch.add(special);
      }
  batch.check(kRuns);
}

TEST(Reductions, sums) {
  Batch batch;
  // 3,000 terms at most.
  for (const Row &row : kRows)
    for (const char *kind : {"sum", "mean"})
      for (const std::string &element : words(kFloats))
        batch.add(caseOf(row, kind, element, Fill::moderate, {1, 3000 * std::ldexp(1.0, element == "f64" ? -52 : -23)}));
  for (const Row &row : kRows)
    batch.add(caseOf(row, "prod", "f32", Fill::moderate, {1000, 0})); // half an ulp a factor
  batch.check(kRuns);
}

TEST(Reductions, integerMeans) {
  Batch batch;
  for (const Row &row : kRows)
    for (const std::string &element : words(kIntegers))
      batch.add(caseOf(row, "mean", element, Fill::any, {}));
  batch.check(kRuns);
}

TEST(Reductions, withoutElements) {
  Batch batch;
  for (const Row &row : kRows)
    for (const char *kind : {"sum", "prod", "max", "min", "mean"})
      for (const char *element : {"f32", "i32", "ui8"})
        if (llvm::is_contained(row.x, "n"))
          batch.add(caseOf(row, kind, element, Fill::any, {}));
  batch.check({{{"n", 0}}});
}

/// The position of the best element: the first of equals or the last, the first NaN.
TEST(Reductions, positions) {
  Batch batch;
  for (const Row &row : kRows)
    if (row.axes.size() == 1)
      for (const char *kind : {"max", "min"})
        for (const char *last : {"false", "true"})
          for (const std::string &element : words(kNumbers))
            for (Fill fill : {Fill::moderate, Fill::any})
              if (row.x.size() < 2 || fill == Fill::any || element[0] != 'f')
                batch.add(opCase(std::string("arg ") + kind + last + row.name + element + (fill == Fill::any ? " any" : ""),
                                 "arg_reduce %0 {axis = " + row.axes + " : i64, kind = \"" + kind + "\", last = " + last + "}", {{typeText(row.x, element), fill}},
                                 {typeText(row.result, "i64")}));
  batch.check(kRuns);
}

TEST(Reductions, otherLevels) {
  for (const char *level : {"x86-64", "x86-64-v3"}) {
    Batch batch(level);
    for (const Row &row : kRows) {
      for (const std::string &element : words("f32 f16 i8 ui16 i64"))
        for (const std::string kind : {"sum", "max", "mean"}) {
          bool isFloat = element[0] == 'f', sums = kind != "max";
          batch.add(caseOf(row, kind, element, isFloat && sums ? Fill::moderate : Fill::any, isFloat ? sums ? Bound{1, 3000 * 0x1p-23} : Bound{0.25, 0} : Bound{}));
        }
      if (row.axes.size() == 1)
        for (const std::string &element : words("f32 f16 i8 ui64"))
          batch.add(opCase(std::string("arg ") + row.name + element, "arg_reduce %0 {axis = " + row.axes + " : i64, kind = \"max\", last = false}",
                           {{typeText(row.x, element)}}, {typeText(row.result, "i64")}));
    }
    batch.check(kRuns);
  }
}

/// Bool has no arithmetic in registers.
TEST(Reductions, ofBool) {
  Batch batch;
  for (const Row &row : kRows)
    for (const char *kind : {"max", "min"}) {
      Case c = caseOf(row, kind, "i1", Fill::any, {});
      c.library = "no generator of kernels for bool";
      batch.add(c);
    }
  batch.check(kRuns);
}

TEST(Reductions, pooling) {
  struct Pool {
    const char *name;
    Shape x, y;
    const char *window, *strides, *dilations, *low, *high;
    bool ceil = false, countPadding = false;
    const char *layout = "nchw";
  };
  const Pool pools[] = {
      {"1d", {"2", "3", "17"}, {"2", "3", "8"}, "3", "2", "1", "0", "0"},
      {"2d", {"2", "3", "9", "20"}, {"2", "3", "9", "20"}, "3, 3", "1, 1", "1, 1", "1, 1", "1, 1"},
      {"2d counted", {"2", "3", "9", "20"}, {"2", "3", "9", "20"}, "3, 3", "1, 1", "1, 1", "1, 1", "1, 1", false, true},
      {"2d dilated", {"1", "2", "9", "20"}, {"1", "2", "5", "16"}, "3, 3", "1, 1", "2, 2", "0, 0", "0, 0"},
      {"2d ceil", {"1", "2", "8", "9"}, {"1", "2", "4", "4"}, "3, 3", "2, 2", "1, 1", "0, 0", "0, 0", true},
      {"2d nhwc", {"2", "9", "8", "19"}, {"2", "5", "4", "19"}, "2, 2", "2, 2", "1, 1", "1, 0", "0, 0", false, false, "nhwc"},
      {"3d", {"1", "2", "5", "6", "7"}, {"1", "2", "3", "4", "5"}, "3, 3, 3", "1, 1, 1", "1, 1, 1", "0, 0, 0", "0, 0, 0"},
      {"batch", {"n", "3", "7", "7"}, {"n", "3", "3", "3"}, "2, 2", "2, 2", "1, 1", "0, 0", "0, 0"},
  };
  Batch batch;
  for (const Pool &p : pools)
    for (const std::string kind : {"max", "mean", "lp"})
      for (const std::string &element : words(kind == "max" ? "f32 f64 f16 bf16 i8 ui8" : kFloats)) {
        bool isFloat = element[0] == 'f' || element[0] == 'b';
        auto flag = [](bool b) { return b ? "true" : "false"; };
        auto list = [](const char *name, const char *values) { return std::string(name) + " = array<i64: " + values + ">, "; };
        std::string x = typeText(p.x, element), y = typeText(p.y, element);
        // 27 terms of at most 2: see the top.
        batch.add({"pool " + kind + " " + p.name + " " + element, {{x, Fill::moderate}},
                   "%y = optc.pool %0 {kind = \"" + kind + "\", " + list("window", p.window) + list("strides", p.strides) +
                       list("dilations", p.dilations) + list("pads_low", p.low) + list("pads_high", p.high) + "ceil = " + flag(p.ceil) +
                       ", count_padding = " + flag(p.countPadding) + ", layout = \"" + p.layout + "\"} : (" + x + ") -> " + y,
                   y, {kind == "max" ? 0.0 : 2.0, kind == "max" ? 0 : 27 * 2.4e-7}, kind == "lp" || !isFloat ? "no generator of kernels" : ""});
      }
  batch.check({{{"n", 1}}, {{"n", 5}}});
}
