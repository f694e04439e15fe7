//===- SparseCodesTest.cpp - Products of bytes with many zeros ------------===//
//
// Weights whose zeros are not stored (codegen/kernel/SparseCodes.h): any pattern, where the level spreads bytes by masks, and 2 of 4.
// Sums are integers, so that every level gives exactly what the evaluator gives.
//
//===----------------------------------------------------------------------===//

#include "Products.h"

using namespace optc::test;

namespace {

const char *kTargets[] = {"native", "x86-64-v4+avx512vnni+avx512vbmi2", "x86-64-v4+avx512vnni", "x86-64-v4", "x86-64-v3+avxvnni", "x86-64-v3", "x86-64-v2", "x86-64"};

std::string text(int64_t number) { return std::to_string(number); }

/// %w = the weights %1 where %2 is true, and %3 where `few`.
std::string masked(const Shape &dims, bool few) {
  std::string mask = typeText(dims, "i1"), codes = typeText(dims, "i8");
  return opText("b", few ? "and %2, %3" : "and %2, %2", {mask, mask}, mask) + "\n" + opText("f", "cast %b", {mask}, codes) + "\n" +
         opText("w", "mul %1, %f", {codes, codes}, codes) + "\n";
}

/// %w = the weights %1 [k, n] where the pattern that %2 [k / 4, n] chooses has ones: at most 2 of 4.
std::string twoOfFour(int64_t k, int64_t n) {
  int64_t fours = (k + 3) / 4;
  Shape ids = {text(fours), text(n)}, gathered = {text(fours), text(n), "4"}, turned = {text(fours), "4", text(n)}, padded = {text(fours * 4), text(n)}, own = {text(k), text(n)};
  std::string codes = typeText(own, "i8");
  return "%t = optc.constant dense<[[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 1, 0]]> : tensor<8x4xi8>\n" +
         opText("g", "gather %t, %2 {axis = 0 : i64}", {typeText({"8", "4"}, "i8"), typeText(ids, "i64")}, typeText(gathered, "i8")) + "\n" +
         opText("h", "transpose %g {permutation = array<i64: 0, 2, 1>}", {typeText(gathered, "i8")}, typeText(turned, "i8")) + "\n" +
         opText("p", "reshape %h", {typeText(turned, "i8")}, typeText(padded, "i8")) + "\n" +
         opText("f", "slice %p {starts = #optc.dims<[0, 0]>, strides = #optc.dims<[1, 1]>}", {typeText(padded, "i8")}, codes) + "\n" +
         opText("w", "mul %1, %f", {codes, codes}, codes) + "\n";
}

std::string contract(const std::string &x, const std::string &w, const std::string &y) {
  return opText("y", "contract %0, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}", {x, w}, y);
}

const std::pair<int64_t, int64_t> kSizes[] = {{64, 64}, {70, 70}, {129, 130}, {1000, 17}, {37, 200}, {768, 48}};
const std::vector<Sizes> kRows = {{{"n", 0}}, {{"n", 1}}, {{"n", 4}}, {{"n", 6}}, {{"n", 7}}, {{"n", 17}}, {{"n", 150}}};

} // namespace

TEST(SparseCodes, products) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (auto [k, n] : kSizes)
      for (const char *m : {"n", "1", "2", "3", "5", "6", "9", "17"}) {
        Shape own = {text(k), text(n)};
        std::string x = typeText({m, text(k)}, "ui8"), w = typeText(own, "i8"), y = typeText({m, text(n)}, "i32"), mask = typeText(own, "i1");
        for (bool few : {false, true})
          if (*m == 'n' || few == (n % 2 == 0))
            batch.add({std::string(few ? "few" : "half") + " m=" + m + " k=" + text(k) + " n=" + text(n),
                       {{x}, {w, Fill::any, 0, true}, {mask, Fill::any, 0, true}, {mask, Fill::any, 0, true}}, masked(own, few) + contract(x, w, y), y, {}, ""});
        batch.add({std::string("2 of 4 m=") + m + " k=" + text(k) + " n=" + text(n),
                   {{x}, {w, Fill::any, 0, true}, {typeText({text((k + 3) / 4), text(n)}, "i64"), Fill::index, 8, true}}, twoOfFour(k, n) + contract(x, w, y), y, {}, ""});
      }
    batch.check(kRows);
  }
}

/// Windows, whose panels have a run of taps and channels together; weights of zeros alone, and columns of them.
TEST(SparseCodes, convolutions) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const Convolution &v : kConvolutions) {
      if (v.groups != 1)
        continue;
      std::string x = typeText(v.x, "f32"), w = typeText(v.w, "f32"), y = typeText(v.y, "f32"), codes = typeText(v.w, "i8"), mask = typeText(v.w, "i1"), in = typeText(v.x, "ui8");
      auto scale = [&](const std::string &name, const std::string &type) {
        return "%" + name + "_ = optc.constant dense<0.03125> : tensor<f32>\n" + opText(name, "broadcast %" + name + "_", {typeText({}, "f32")}, type) + "\n";
      };
      batch.add({std::string("conv ") + v.name, {{in}, {codes, Fill::any, 0, true}, {mask, Fill::any, 0, true}, {mask, Fill::any, 0, true}},
                 masked(v.w, true) + scale("xs", x) + opText("xd", "dequantize %0, %xs", {in, x}, x) + "\n" + scale("ws", w) + opText("wd", "dequantize %w, %ws", {codes, w}, w) + "\n" +
                     opText("y", convText(v, "%xd", "%wd"), {x, w}, y),
                 y, {}, ""});
    }
    batch.check(kPlanes);
  }
}

TEST(SparseCodes, emptyColumns) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const char *m : {"n", "1", "40"})
      for (bool all : {false, true}) {
        std::string x = typeText({m, "128"}, "ui8"), w = typeText({"128", "96"}, "i8"), y = typeText({m, "96"}, "i32"), columns = typeText({"96"}, "i8");
        batch.add({std::string(all ? "all" : "columns") + " m=" + m, {{x}, {w, Fill::any, 0, true}, {columns, Fill::index, all ? 1 : 2, true}},
                   opText("c", "broadcast %2", {columns}, w) + "\n" + opText("w", "mul %1, %c", {w, w}, w) + "\n" + contract(x, w, y), y, {}, ""});
      }
    batch.check(kRows);
  }
}
