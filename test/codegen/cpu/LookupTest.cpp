//===- LookupTest.cpp - Tables of codes against the evaluator -------------===//
//
// Alone, with as many lanes as there are bytes; behind a product of floats, and behind one of bytes, with a lane for each sum.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

/// Any 256 codes, none twice.
std::string table() {
  std::string text = "{table = array<i64: ";
  for (int i = 0; i < 256; ++i)
    text += (i ? ", " : "") + std::to_string((i * 77 + 19) % 256);
  return text + ">}";
}

std::string behind(const std::string &product, const std::string &sums) {
  std::string codes = typeText({"m", "24"}, "ui8"), floats = typeText({"m", "24"}, "f32");
  std::string text = product + "\n%one = optc.constant dense<3.0> : tensor<f32>\n" + opText("scale", "broadcast %one", {"tensor<f32>"}, floats) + "\n";
  return text + opText("c", "quantize %" + sums + ", %scale", {floats, floats}, codes) + "\n" + opText("y", "lookup %c " + table(), {codes}, typeText({"m", "24"}, "i8"));
}

TEST(Lookup, Kernels) {
  for (const char *target : {"native", "x86-64-v4+avx512vbmi", "x86-64-v4", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const char *from : {"ui8", "i8"})
      for (const char *to : {"ui8", "i8"})
        batch.add(opCase(std::string("lookup ") + from + " " + to, "lookup %0 " + table(), {{typeText({"m", "331"}, from)}}, {typeText({"m", "331"}, to)}));
    const std::string dims = "{lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}";
    for (const char *element : {"f32", "i8"}) {
      bool bytes = element == std::string("i8");
      std::string lhs = typeText({"m", "40"}, bytes ? "ui8" : "f32"), rhs = typeText({"40", "24"}, element), sums = typeText({"m", "24"}, bytes ? "i32" : "f32");
      std::string product = opText("a", "contract %0, %1 " + dims, {lhs, rhs}, sums);
      if (bytes)
        product += "\n" + opText("f", "cast %a", {sums}, typeText({"m", "24"}, "f32"));
      // Whole numbers: no sum depends on its order.
      Fill fill = bytes ? Fill::moderate : Fill::index;
      batch.add({std::string("behind a product of ") + element, {{lhs, fill, 4}, {rhs, fill, 4, /*weight=*/true}}, behind(product, bytes ? "f" : "a"),
                 typeText({"m", "24"}, "i8"), {}, ""});
    }
    batch.check({{{"m", 1}}, {{"m", 17}}});
  }
}

} // namespace
