//===- HalvesTest.cpp - Products of bf16 and f16 --------------------------===//
//
// Products of whole numbers are exact in f32, so every kernel gives what the evaluator gives; others differ by the order of
// sums. Every way of multiplying bf16 is run that the machine has.
//
//===----------------------------------------------------------------------===//

#include "Products.h"

using namespace optc::test;

namespace {

const char *kTargets[] = {"native", "x86-64-v4+amx", "x86-64-v4+avx512bf16", "x86-64-v4", "x86-64-v3", "x86-64"};

std::string line(const std::string &result, const std::string &op, const std::vector<std::string> &types, const std::string &type) {
  return opText(result, op, types, type) + "\n";
}

/// x, w of bf16 under casts, a residual of bf16, relu, and the result as `element`.
std::string body(const std::string &product, const Shape &lhs, const Shape &rhs, const Shape &shape, const std::string &element) {
  std::string x = typeText(lhs, "f32"), w = typeText(rhs, "f32"), y = typeText(shape, "f32"), half = typeText(shape, "bf16");
  return line("x", "cast %0", {typeText(lhs, "bf16")}, x) + line("w", "cast %1", {typeText(rhs, "bf16")}, w) + line("c", product, {x, w}, y) +
         line("r", "cast %2", {half}, y) + line("s", "sub %c, %r", {y, y}, y) + "%z_ = optc.constant dense<0.0> : tensor<f32>\n" +
         line("z", "broadcast %z_", {typeText({}, "f32")}, y) + (element == "f32" ? line("y", "max %s, %z", {y, y}, y)
                                                                             : line("m", "max %s, %z", {y, y}, y) + line("y", "cast %m", {y}, half));
}

Case productCase(const Product &p, const std::string &element, bool whole) {
  std::string text = contractText(p);
  text.replace(text.find("%0, %1"), 6, "%x, %w");
  Fill fill = whole ? Fill::index : Fill::moderate;
  Case c;
  c.name = std::string("product ") + p.name + " " + element + (whole ? " exact" : "");
  c.arguments = {{typeText(p.lhs, "bf16"), fill, 9}, {typeText(p.rhs, "bf16"), fill, 9, p.weight}, {typeText(p.y, "bf16"), fill, 200}};
  c.body = body(text, p.lhs, p.rhs, p.y, element);
  c.result = typeText(p.y, element);
  // Of up to 1000 products of at most 4; a bf16 result may round the other way.
  c.bound = whole ? Bound{} : Bound{element == "f32" ? 8.0 : 1.0, 1000 * 4 * 0x1p-22};
  return c;
}

Case convCase(const Convolution &v, const std::string &element, bool whole) {
  Fill fill = whole ? Fill::index : Fill::moderate;
  Case c;
  c.name = std::string("conv ") + v.name + " " + element + (whole ? " exact" : "");
  c.arguments = {{typeText(v.x, "bf16"), fill, 9}, {typeText(v.w, "bf16"), fill, 9, true}, {typeText(v.y, "bf16"), fill, 200}};
  c.body = body(convText(v, "%x", "%w"), v.x, v.w, v.y, element);
  c.result = typeText(v.y, element);
  c.bound = whole ? Bound{} : Bound{element == "f32" ? 8.0 : 1.0, 1000 * 4 * 0x1p-22};
  return c;
}

} // namespace

TEST(Halves, products) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const Product &p : kProducts)
      for (const char *element : {"f32", "bf16"})
        for (bool whole : {false, true})
          batch.add(productCase(p, element, whole));
    batch.check(kRuns);
  }
}

TEST(Halves, convolutions) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const Convolution &v : kConvolutions)
      for (const char *element : {"f32", "bf16"})
        for (bool whole : {false, true})
          batch.add(convCase(v, element, whole));
    batch.check(kPlanes);
  }
}

/// Models in f16 or bf16 altogether: sums are f32, and rounded once.
TEST(Halves, models) {
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const char *element : {"f16", "bf16"}) {
      for (const Product &p : kProducts)
        batch.add(opCase(std::string("contract ") + p.name + " " + element, contractText(p),
                         {{typeText(p.lhs, element), Fill::index, 5}, {typeText(p.rhs, element), Fill::index, 3, p.weight}}, {typeText(p.y, element)}));
      for (const Convolution &v : kConvolutions)
        batch.add(opCase(std::string("conv ") + v.name + " " + element, convText(v, "%0", "%1"),
                         {{typeText(v.x, element), Fill::index, 5}, {typeText(v.w, element), Fill::index, 3, true}}, {typeText(v.y, element)}));
    }
    auto runs = kRuns;
    for (Sizes &sizes : runs)
      sizes.insert({{"h", 5}, {"w", 7}});
    batch.check(runs);
  }
}
