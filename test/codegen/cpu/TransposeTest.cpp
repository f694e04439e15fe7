//===- TransposeTest.cpp - Loops over a turned operand --------------------===//
//
// Blocks of rows that are not whole, columns that fill no vector, outer dims before and between, ops after the transpose.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

struct Row {
  const char *name;
  std::vector<std::string> from;
  std::vector<int> permutation;
  const char *element;
};

const Row kRows[] = {
    {"matrix", {"n", "m"}, {1, 0}, "f32"},           {"to channels first", {"b", "n", "m"}, {0, 2, 1}, "f32"},
    {"images", {"b", "n", "m", "5"}, {0, 3, 1, 2}, "f32"}, {"across", {"n", "b", "m"}, {2, 1, 0}, "f32"},
    {"integers", {"n", "m"}, {1, 0}, "i32"},         {"wide rows", {"3", "n"}, {1, 0}, "f32"},
    {"few rows", {"n", "3"}, {1, 0}, "f32"},         {"static", {"35", "50"}, {1, 0}, "f32"},
    {"doubles", {"n", "m"}, {1, 0}, "f64"},
    {"colours", {"b", "3", "n", "m"}, {0, 2, 3, 1}, "f32"}, {"two columns", {"2", "n"}, {1, 0}, "i32"},
    {"four columns of bytes", {"4", "1000"}, {1, 0}, "ui8"}, {"colours of bytes", {"3", "n"}, {1, 0}, "i8"},
    {"halves", {"3", "n"}, {1, 0}, "f16"},           {"five columns", {"5", "n"}, {1, 0}, "f32"},
};

TEST(Transpose, Kernels) {
  for (const char *target : {"native", "x86-64-v3"}) {
    Batch batch(target);
    for (const Row &row : kRows)
      for (bool after : {false, true}) {
        std::vector<std::string> to;
        std::string list;
        for (int p : row.permutation) {
          to.push_back(row.from[size_t(p)]);
          list += (list.empty() ? "" : ", ") + std::to_string(p);
        }
        std::string x = typeText(row.from, row.element), y = typeText(to, row.element), column = typeText({to.back()}, row.element);
        std::string transpose = "optc.transpose %0 {permutation = array<i64: " + list + ">} : (" + x + ") -> " + y;
        Case c{std::string(row.name) + (after ? " with a sum" : ""), {{x}}, "%y = " + transpose, y, {}, ""};
        if (after) {
          c.arguments.push_back({column});
          c.body = "%t = " + transpose + "\n%b = optc.broadcast %1 : (" + column + ") -> " + y + "\n%y = optc.add %t, %b : (" + y + ", " + y + ") -> " + y;
        }
        batch.add(c);
      }
    batch.check({{{"b", 1}, {"n", 1}, {"m", 1}}, {{"b", 2}, {"n", 17}, {"m", 33}}, {{"b", 3}, {"n", 16}, {"m", 16}}, {{"b", 1}, {"n", 0}, {"m", 7}},
                 {{"b", 2}, {"n", 100}, {"m", 23}}});
  }
}

} // namespace
