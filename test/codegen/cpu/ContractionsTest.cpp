//===- ContractionsTest.cpp - Matrix products -----------------------------===//
//
// k products of at most 4 are summed in another order than the reference's, which adds in f64: each of k steps rounds a
// partial sum of at most 4k by 2^-24 of it, far less in practice; the bound is k * 4 * 2^-22, and the rounding of the result.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;
struct Row {
  const char *name;
  Shape lhs, rhs, y;
  const char *lhsBatch, *rhsBatch, *lhsContract, *rhsContract;
  bool weight;
  int64_t terms;
};

const Row kRows[] = {
    {"weight", {"n", "64"}, {"64", "33"}, {"n", "33"}, "", "", "1", "0", true, 64},
    {"weight turned", {"n", "19"}, {"48", "19"}, {"n", "48"}, "", "", "1", "1", true, 19},
    {"one term", {"n", "1"}, {"1", "7"}, {"n", "7"}, "", "", "1", "0", true, 1},
    {"one column", {"n", "37"}, {"37", "1"}, {"n", "1"}, "", "", "1", "0", true, 37},
    {"static", {"5", "130"}, {"130", "80"}, {"5", "80"}, "", "", "1", "0", true, 130},
    {"one row", {"1", "70"}, {"70", "100"}, {"1", "100"}, "", "", "1", "0", true, 70},
    {"vector", {"40"}, {"40", "17"}, {"17"}, "", "", "0", "0", true, 40},
    {"rank 3", {"2", "n", "24"}, {"24", "16"}, {"2", "n", "16"}, "", "", "2", "0", true, 24},
    {"values", {"n", "40"}, {"40", "m"}, {"n", "m"}, "", "", "1", "0", false, 40},
    {"values turned", {"n", "13"}, {"m", "13"}, {"n", "m"}, "", "", "1", "1", false, 13},
    {"left turned", {"17", "n"}, {"17", "m"}, {"n", "m"}, "", "", "0", "0", false, 17},
    {"batches", {"3", "n", "20"}, {"3", "20", "m"}, {"3", "n", "m"}, "0", "0", "2", "1", false, 20},
    {"batches turned", {"3", "n", "20"}, {"3", "m", "20"}, {"3", "n", "m"}, "0", "0", "2", "2", false, 20},
    {"two batch dims", {"2", "3", "n", "8"}, {"2", "3", "8", "m"}, {"2", "3", "n", "m"}, "0, 1", "0, 1", "3", "2", false, 8},
    {"inner batch", {"n", "3", "8"}, {"m", "8", "3"}, {"3", "n", "m"}, "1", "2", "2", "1", false, 8},
    {"contracted by n", {"5", "n"}, {"n", "m"}, {"5", "m"}, "", "", "1", "0", false, 125},
    {"two contracted", {"n", "4", "6"}, {"6", "4", "m"}, {"n", "m"}, "", "", "1, 2", "1, 0", false, 24},
    {"outer product", {"n"}, {"m"}, {"n", "m"}, "", "", "", "", false, 1},
    {"dot product", {"n"}, {"n"}, {}, "", "", "0", "0", false, 125},
};
const std::vector<Sizes> kRuns = {{{"n", 1}, {"m", 1}}, {{"n", 3}, {"m", 17}}, {{"n", 7}, {"m", 16}}, {{"n", 17}, {"m", 3}}, {{"n", 125}, {"m", 33}}};

Case caseOf(const Row &row, const std::string &lhs, const std::string &rhs, const std::string &result) {
  auto list = [](const char *name, const char *values) { return std::string(name) + " = array<i64" + (*values ? ": " : "") + values + ">"; };
  bool isFloat = result[0] == 'f' || result[0] == 'b';
  Bound bound = !isFloat ? Bound{} : result == "f64" ? Bound{1, double(row.terms) * 0x1p-50} : Bound{1, double(row.terms) * 0x1p-20};
  return opCase(std::string("contract ") + row.name + " " + lhs + " " + rhs,
                "contract %0, %1 {" + list("lhs_batch", row.lhsBatch) + ", " + list("rhs_batch", row.rhsBatch) + ", " + list("lhs_contract", row.lhsContract) +
                    ", " + list("rhs_contract", row.rhsContract) + "}",
                {{typeText(row.lhs, lhs), Fill::moderate}, {typeText(row.rhs, rhs), Fill::moderate, 0, row.weight}}, {typeText(row.y, result)}, bound,
                result == "f32" ? "" : "no generator of kernels for the type");
}

} // namespace

TEST(Contractions, f32) {
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const Row &row : kRows)
      batch.add(caseOf(row, "f32", "f32", "f32"));
    batch.check(kRuns);
  }
}

TEST(Contractions, otherTypes) {
  Batch batch;
  for (const Row &row : kRows) {
    for (const char *element : {"f64", "f16", "bf16", "i32", "i64", "ui32", "ui64"})
      batch.add(caseOf(row, element, element, element));
  }
  batch.check(kRuns);
}

TEST(Contractions, withoutElements) {
  Batch batch;
  for (const Row &row : kRows)
    if (std::string(row.name) != "contracted by n" && std::string(row.name) != "dot product")
      batch.add(caseOf(row, "f32", "f32", "f32"));
  batch.check({{{"n", 0}, {"m", 0}}, {{"n", 0}, {"m", 5}}, {{"n", 5}, {"m", 0}}});
}

/// No rows by the model's own shapes, times weights in panels.
TEST(Contractions, withoutRows) {
  Batch batch;
  for (auto [left, right, result] : {std::tuple("f32", "f32", "f32"), {"ui8", "i8", "i32"}}) {
    std::string x = typeText({"0", "64"}, left), w = typeText({"64", "51"}, right), y = typeText({"0", "51"}, result);
    batch.add({std::string("no rows of ") + left, {{x, Fill::moderate}, {w, Fill::moderate, 0, true}},
               opText("y", "contract %0, %1 {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}", {x, w}, y), y, {}, ""});
  }
  batch.check(kRuns);
}

/// Bias, residual and activation in the epilogue.
TEST(Contractions, epilogues) {
  Batch batch;
  for (const char *activation : {"gelu %s {approximate = \"none\"}", "gelu %s {approximate = \"tanh\"}", "sigmoid %s", "silu %s", "tanh %s"}) {
    std::string x = typeText({"n", "40"}, "f32"), w = typeText({"40", "51"}, "f32"), bias = typeText({"51"}, "f32"), y = typeText({"n", "51"}, "f32");
    batch.add({std::string("epilogue ") + activation, {{x, Fill::moderate}, {w, Fill::moderate, 0, true}, {bias, Fill::moderate, 0, true}, {y, Fill::moderate}},
               opText("c", "contract %0, %1 {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}", {x, w}, y) + "\n" +
                   opText("b", "broadcast %2", {bias}, y) + "\n" + opText("s", "add %c, %b", {y, y}, y) + "\n" + opText("a", activation, {y}, y) + "\n" +
                   opText("y", "add %a, %3", {y, y}, y),
               y, {8, 40 * 0x1p-20}, ""});
  }
  // A result of another type: of whole numbers, which f32 adds exactly.
  for (const char *element : {"f16", "bf16", "i32"}) {
    std::string x = typeText({"n", "40"}, "f32"), w = typeText({"40", "51"}, "f32"), y = typeText({"n", "51"}, "f32"), z = typeText({"n", "51"}, element);
    batch.add({std::string("epilogue cast ") + element, {{x, Fill::index, 8}, {w, Fill::index, 8, true}},
               opText("c", "contract %0, %1 {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}", {x, w}, y) + "\n" +
                   opText("y", "cast %c", {y}, z),
               z, {}, ""});
  }
  batch.check(kRuns);
}
