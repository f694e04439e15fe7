//===- MathTest.cpp - Elementary functions over all of f32 ----------------===//
//
// One row a function, with the error of its polynomial in ulps of f32 (the reference is f64's, rounded). The inputs
// are special values and all magnitudes; f16 and bf16 round f32's value, which may fall to the other side of a tie: 1.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {
struct Function {
  const char *op;
  const char *attributes;
  /// Of f32.
  Bound bound;
  bool polynomial = true;
};

const Function kFunctions[] = {
    {"exp", "", {1, 0}},
    {"expm1", "", {4, 0}},
    {"log", "", {2, 0}},
    {"log1p", "", {4, 0}},
    {"rsqrt", "", {1.5, 0}, false},
    {"sin", "", {2, 0}},
    {"cos", "", {2, 0}},
    {"tan", "", {4, 0}},
    {"asin", "", {4, 0}},
    {"acos", "", {4, 0}},
    {"atan", "", {4, 0}},
    {"sinh", "", {4, 0}},
    {"cosh", "", {4, 0}},
    {"tanh", "", {4, 0}},
    {"asinh", "", {4, 0}},
    {"acosh", "", {4, 0}},
    {"atanh", "", {4, 0}},
    {"erf", "", {6, 0}},
    {"sigmoid", "", {3, 0}},
    // sigmoid(x) is rounded to a multiple of 2^-149 before x, above -104 where that matters, multiplies it.
    {"silu", "", {4, 104 * 0x1p-150}},
    {"softplus", "", {4, 0}},
    {"hard_swish", "", {4, 0}, false},
    {"gelu", "{approximate = \"none\"}", {8, 1e-7}},
    {"gelu", "{approximate = \"tanh\"}", {8, 1e-7}},
};

Case caseOf(const Function &f, const std::string &element, Bound bound) {
  std::string type = typeText({"n"}, element);
  return {std::string(f.op) + f.attributes + " " + element, {{type}}, "%y = optc." + std::string(f.op) + " %0 " + f.attributes + " : (" + type + ") -> " + type,
          type, bound, element == "f64" && f.polynomial ? "no polynomials of f64's precision" : ""};
}
} // namespace

TEST(Math, f32) {
  Batch batch;
  for (const Function &f : kFunctions)
    batch.add(caseOf(f, "f32", f.bound));
  batch.check({{{"n", 0}}, {{"n", 7}}, {{"n", 125}}, {{"n", 100001}}});
}

TEST(Math, otherTypes) {
  Batch batch;
  for (const Function &f : kFunctions) {
    for (const char *element : {"f16", "bf16"})
      batch.add(caseOf(f, element, {1, f.bound.absolute}));
    batch.add(caseOf(f, "f64", {4, 0}));
  }
  batch.check({{{"n", 3}}, {{"n", 20000}}});
}

/// Shorter vectors, no fused multiply-add (v2), no rounding (baseline).
TEST(Math, otherLevels) {
  for (const char *level : {"x86-64", "x86-64-v2", "x86-64-v3"}) {
    Batch batch(level);
    for (const Function &f : kFunctions) {
      batch.add(caseOf(f, "f32", f.bound));
      batch.add(caseOf(f, "f16", {1, f.bound.absolute}));
    }
    batch.check({{{"n", 20000}}});
  }
}

TEST(Math, pow) {
  Batch batch;
  auto add = [&](const std::string &lhs, const std::string &rhs, Fill fill, Bound bound) {
    std::string x = typeText({"n"}, lhs), y = typeText({"n"}, rhs);
    batch.add(opCase("pow " + lhs + " " + rhs, "pow %0, %1", {{x, fill}, {y, fill}}, {x}, bound, lhs == "f32" && rhs == "f32" ? "" : "no generator of kernels for the type"));
  };
  add("f32", "f32", Fill::any, {4, 0});
  for (const std::string &element : words("f64 f16 bf16"))
    add(element, element, Fill::any, {1, 0});
  for (const std::string &element : words(kIntegers)) {
    add(element, element, Fill::moderate, {});
    add("f32", element, Fill::moderate, {4, 0});
    add(element, "f32", Fill::positive, {});
  }
  batch.check({{{"n", 7}}, {{"n", 100001}}});
}
