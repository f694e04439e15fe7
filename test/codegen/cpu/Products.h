//===- Products.h - Products of narrow operands -----------------*- C++ -*-===//
//
// Shapes that products of 8-bit integers and of bf16 are tested with: around the sizes of tiles and panels, and those that
// are known at run time only.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_CODEGEN_CPU_PRODUCTS_H
#define OPTC_TEST_CODEGEN_CPU_PRODUCTS_H

#include "Differential.h"

namespace optc::test {

using Shape = std::vector<std::string>;

inline std::string list(const std::string &name, const std::string &values) {
  return name + " = array<i64" + (values.empty() ? "" : ": ") + values + ">";
}

struct Product {
  const char *name;
  Shape lhs, rhs, y;
  const char *batch, *lhsContract, *rhsContract;
  bool weight;
};
inline const Product kProducts[] = {
    {"weight", {"n", "64"}, {"64", "33"}, {"n", "33"}, "", "1", "0", true},
    {"weight turned", {"n", "19"}, {"48", "19"}, {"n", "48"}, "", "1", "1", true},
    {"one term", {"n", "1"}, {"1", "7"}, {"n", "7"}, "", "1", "0", true},
    {"one column", {"n", "37"}, {"37", "1"}, {"n", "1"}, "", "1", "0", true},
    {"long", {"n", "1000"}, {"1000", "40"}, {"n", "40"}, "", "1", "0", true},
    {"odd steps", {"n", "150"}, {"150", "17"}, {"n", "17"}, "", "1", "0", true},
    {"many columns", {"n", "32"}, {"32", "300"}, {"n", "300"}, "", "1", "0", true},
    {"many rows", {"200", "96"}, {"96", "64"}, {"200", "64"}, "", "1", "0", true},
    {"rows of a prime", {"67", "24"}, {"24", "144"}, {"67", "144"}, "", "1", "0", true},
    {"one row", {"1", "256"}, {"256", "200"}, {"1", "200"}, "", "1", "0", true},
    {"values", {"n", "40"}, {"40", "m"}, {"n", "m"}, "", "1", "0", false},
    {"values turned", {"n", "13"}, {"m", "13"}, {"n", "m"}, "", "1", "1", false},
    {"batches", {"3", "n", "20"}, {"3", "20", "m"}, {"3", "n", "m"}, "0", "2", "1", false},
    {"batches turned", {"3", "n", "64"}, {"3", "m", "64"}, {"3", "n", "m"}, "0", "2", "2", false},
    {"static batches", {"2", "50", "64"}, {"2", "64", "48"}, {"2", "50", "48"}, "0", "2", "1", false},
    {"contracted by n", {"5", "n"}, {"n", "m"}, {"5", "m"}, "", "1", "0", false},
};
inline const std::vector<Sizes> kRuns = {{{"n", 1}, {"m", 1}}, {{"n", 3}, {"m", 17}}, {{"n", 17}, {"m", 3}}, {{"n", 125}, {"m", 33}}};

inline std::string contractText(const Product &p) {
  return "contract %0, %1 {" + list("lhs_batch", p.batch) + ", " + list("rhs_batch", p.batch) + ", " + list("lhs_contract", p.lhsContract) + ", " +
         list("rhs_contract", p.rhsContract) + "}";
}

struct Convolution {
  const char *name;
  Shape x, w, y;
  const char *strides, *dilations, *low, *high;
  int groups;
};
inline const Convolution kConvolutions[] = {
    {"1x1", {"n", "16", "7", "9"}, {"24", "16", "1", "1"}, {"n", "24", "7", "9"}, "1, 1", "1, 1", "0, 0", "0, 0", 1},
    {"1x1 strided", {"n", "8", "7", "9"}, {"17", "8", "1", "1"}, {"n", "17", "4", "5"}, "2, 2", "1, 1", "0, 0", "0, 0", 1},
    {"3x3", {"n", "32", "14", "15"}, {"32", "32", "3", "3"}, {"n", "32", "14", "15"}, "1, 1", "1, 1", "1, 1", "1, 1", 1},
    {"3x3 of 80", {"1", "80", "7", "7"}, {"48", "80", "3", "3"}, {"1", "48", "7", "7"}, "1, 1", "1, 1", "1, 1", "1, 1", 1},
    {"first layer", {"n", "3", "17", "18"}, {"16", "3", "3", "3"}, {"n", "16", "9", "9"}, "2, 2", "1, 1", "1, 1", "1, 1", 1},
    {"7x7 strided", {"n", "3", "19", "23"}, {"9", "3", "7", "7"}, {"n", "9", "10", "12"}, "2, 2", "1, 1", "3, 3", "3, 3", 1},
    {"dilated", {"n", "5", "12", "13"}, {"7", "5", "3", "3"}, {"n", "7", "12", "13"}, "1, 1", "2, 2", "2, 2", "2, 2", 1},
    {"uneven", {"n", "5", "9", "8"}, {"6", "5", "2", "4"}, {"n", "6", "5", "9"}, "2, 1", "1, 1", "0, 3", "1, 1", 1},
    {"any plane", {"n", "4", "h", "w"}, {"8", "4", "3", "3"}, {"n", "8", "h-2", "w-2"}, "1, 1", "1, 1", "0, 0", "0, 0", 1},
    {"1d", {"n", "6", "31"}, {"10", "6", "5"}, {"n", "10", "31"}, "1", "1", "2", "2", 1},
    {"3d", {"n", "2", "5", "6", "7"}, {"3", "2", "3", "2", "3"}, {"n", "3", "5", "5", "7"}, "1, 1, 1", "1, 1, 1", "1, 0, 1", "1, 0, 1", 1},
    {"depthwise", {"n", "24", "9", "11"}, {"24", "1", "3", "3"}, {"n", "24", "9", "11"}, "1, 1", "1, 1", "1, 1", "1, 1", 24},
    {"depthwise strided", {"n", "17", "9", "11"}, {"17", "1", "5", "5"}, {"n", "17", "5", "6"}, "2, 2", "1, 1", "2, 2", "2, 2", 17},
    {"depthwise 1d", {"n", "16", "19"}, {"16", "1", "3"}, {"n", "16", "19"}, "1", "1", "1", "1", 16},
};
inline const std::vector<Sizes> kPlanes = {{{"n", 1}, {"h", 3}, {"w", 3}}, {{"n", 2}, {"h", 5}, {"w", 19}}};

inline std::string convText(const Convolution &c, const std::string &x, const std::string &w) {
  return "conv " + x + ", " + w + " {" + list("strides", c.strides) + ", " + list("dilations", c.dilations) + ", " + list("pads_low", c.low) + ", " +
         list("pads_high", c.high) + ", groups = " + std::to_string(c.groups) + " : i64}";
}

} // namespace optc::test

#endif // OPTC_TEST_CODEGEN_CPU_PRODUCTS_H
