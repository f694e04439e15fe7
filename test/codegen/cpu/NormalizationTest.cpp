//===- NormalizationTest.cpp - Softmax and normalisations -----------------===//
//
// softmax: exp (1 ulp), the argument's rounding (2), a reciprocal and a product (1 each), and a sum of n positive terms in
// blocks of 16, which errs by (16 + n / 16) / 2 at most (39 for 1,000) and by a fifth of that in practice.
// normalize: of values around 1; sums as in ReductionsTest.cpp. A row of one element is its own mean: 0.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"
#include "llvm/ADT/StringRef.h"

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;
const std::vector<Sizes> kRuns = {{{"n", 1}}, {{"n", 3}}, {{"n", 7}}, {{"n", 16}}, {{"n", 17}}, {{"n", 65}}, {{"n", 125}}, {{"n", 1000}}};
std::string libraryFor(const std::string &element) { return element == "f64" ? "no polynomials of f64's precision" : ""; }

} // namespace

static void checkSoftmax(const std::string &types, const char *level) {
  struct Row {
    const char *name;
    Shape x;
    int axis;
  };
  const Row rows[] = {{"rows", {"5", "n"}, 1}, {"columns", {"n", "19"}, 0}, {"middle", {"2", "n", "5"}, 1}, {"all", {"n"}, 0},
                      {"static", {"3", "33"}, 1}, {"short", {"7", "3"}, 1}, {"outer of many", {"4", "n", "7"}, 0}};
  Batch batch(level);
  for (const Row &row : rows)
    for (bool log : {false, true})
      for (const std::string &element : words(types)) {
        std::string x = typeText(row.x, element), axis = std::to_string(row.axis);
        batch.add(opCase(std::string(log ? "log " : "") + "softmax " + row.name + element, "softmax %0 {axis = " + axis + " : i64, log = " + (log ? "true" : "false") + "}",
                         {{x, Fill::moderate}}, {x}, log ? Bound{2, 2e-6} : Bound{5 + 8, 0}, libraryFor(element)));
      }
  batch.check(kRuns);
}

TEST(Normalization, softmax) { checkSoftmax(kFloats, "native"); }

/// Logits up to 200 apart, -infinity (a mask) in some: exp of the differences is 0 or subnormal. A difference below 256
/// is rounded by 2^-17, which is 128 ulps of its exp.
TEST(Normalization, softmaxOfMaskedRows) {
  Batch batch;
  for (const Shape &shape : {Shape{"5", "n"}, Shape{"n", "5"}}) {
    std::string x = typeText(shape, "f32"), y = x, bits = typeText(shape, "i1");
    for (const char *fill : {"0xFF800000", "-1.0e4"}) {
      std::string scalar = typeText({}, "f32");
      batch.add({"masked by " + std::string(fill) + shape[0], {{x, Fill::moderate}, {bits}},
                 "%c = optc.constant dense<" + std::string(fill) + "> : " + scalar + "\n" + opText("m", "broadcast %c", {scalar}, x) + "\n" +
                     opText("z", "sub %0, %0", {x, x}, x) + "\n%k = optc.constant dense<50.0> : " + scalar + "\n" + opText("f", "broadcast %k", {scalar}, x) + "\n" +
                     opText("l", "mul %0, %f", {x, x}, x) + "\n" + opText("s", "select %1, %l, %m", {bits, x, x}, x) + "\n" + opText("y", "softmax %s {axis = 1 : i64}", {x}, x),
                 y, {128 + 6, 0x1p-149}, ""});
    }
  }
  batch.check({{{"n", 3}}, {{"n", 17}}, {{"n", 125}}});
}

static void checkNormalize(const std::string &types, const char *level) {
  struct Row {
    const char *name;
    Shape x, parameter;
    int axis;
  };
  const Row rows[] = {{"rows", {"5", "n"}, {"n"}, 1}, {"two dims", {"3", "4", "n"}, {"4", "n"}, 1}, {"static", {"n", "33"}, {"33"}, 1},
                      {"wide", {"n", "768"}, {"768"}, 1}, {"rank 3", {"2", "n", "24"}, {"24"}, 2}, {"all", {"n"}, {"n"}, 0}};
  Batch batch(level);
  for (const Row &row : rows)
    for (const char *kind : {"layer", "rms"})
      for (int parameters : {0, 1, 2})
        for (const std::string &element : words(types)) {
          std::string x = typeText(row.x, element), p = typeText(row.parameter, element);
          std::vector<Argument> arguments{{x, Fill::moderate}};
          std::string op = "normalize %0";
          if (parameters > 0)
            op += " scale %1", arguments.push_back({p, Fill::moderate});
          if (parameters > 1)
            op += " bias %2", arguments.push_back({p, Fill::moderate});
          batch.add(opCase(std::string("normalize ") + kind + row.name + std::to_string(parameters) + element,
                           op + " {axis = " + std::to_string(row.axis) + " : i64, epsilon = 1.0e-5 : f64, kind = \"" + kind + "\"}", arguments, {x}, {1, 4e-6}, ""));
        }
  batch.check(kRuns);
}

TEST(Normalization, normalize) { checkNormalize(kFloats, "native"); }

TEST(Normalization, otherLevels) {
  for (const char *level : {"x86-64", "x86-64-v3"}) {
    checkSoftmax("f32 f16", level);
    checkNormalize("f32 bf16", level);
  }
}

TEST(Normalization, lrn) {
  Batch batch;
  for (const std::string &element : words(kFloats))
    for (const Shape &shape : {Shape{"2", "7", "n", "3"}, Shape{"n", "5"}}) {
      std::string x = typeText(shape, element);
      batch.add(opCase("lrn " + element + shape[0], "lrn %0 {alpha = 1.0e-2 : f64, beta = 0.75 : f64, bias = 1.0 : f64, size = 3 : i64}", {{x, Fill::moderate}}, {x}, {1, 1e-5},
                       "no generator of kernels"));
    }
  batch.check(kRuns);
}
