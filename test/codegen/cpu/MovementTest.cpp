//===- MovementTest.cpp - Ops that only move elements ---------------------===//
//
// Exact for every type; one row an op and a shape. Symbols: n runs over odd sizes.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"
#include <functional>

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;
using Type = std::function<std::string(const Shape &)>;

struct Row {
  const char *name;
  std::vector<Shape> operands;
  Shape result;
  /// "reverse %0 {...}": the op without its types.
  std::string op;
  const char *library = "";
};

const Row kRows[] = {
    {"broadcast scalar", {{}}, {"3", "n"}, "broadcast %0"},
    {"broadcast rows", {{"n"}}, {"5", "n"}, "broadcast %0"},
    {"broadcast columns", {{"5", "1"}}, {"5", "n"}, "broadcast %0"},
    {"broadcast middle", {{"2", "1", "7"}}, {"3", "2", "n", "7"}, "broadcast %0"},
    {"broadcast by size", {{"n", "7"}}, {"bcast(n,m)", "7"}, "broadcast %0"},
    {"broadcast last by size", {{"7", "n"}}, {"7", "bcast(n,m)"}, "broadcast %0"},
    {"transpose", {{"n", "17"}}, {"17", "n"}, "transpose %0 {permutation = array<i64: 1, 0>}"},
    {"transpose static", {{"33", "18"}}, {"18", "33"}, "transpose %0 {permutation = array<i64: 1, 0>}"},
    {"transpose heads", {{"2", "n", "3", "8"}}, {"2", "3", "n", "8"}, "transpose %0 {permutation = array<i64: 0, 2, 1, 3>}"},
    {"transpose channels", {{"2", "5", "3", "n"}}, {"2", "3", "n", "5"}, "transpose %0 {permutation = array<i64: 0, 2, 3, 1>}"},
    {"transpose rank 5", {{"2", "3", "4", "5", "6"}}, {"6", "3", "2", "5", "4"}, "transpose %0 {permutation = array<i64: 4, 1, 0, 3, 2>}"},
    {"slice", {{"19", "n"}}, {"8", "n"}, "slice %0 {starts = #optc.dims<[3, 0]>, strides = #optc.dims<[2, 1]>}"},
    {"slice inner", {{"3", "40"}}, {"3", "19"}, "slice %0 {starts = #optc.dims<[0, 1]>, strides = #optc.dims<[1, 2]>}"},
    {"slice backwards", {{"n"}}, {"n"}, "slice %0 {starts = #optc.dims<[\"n-1\"]>, strides = #optc.dims<[-1]>}"},
    {"slice inner backwards", {{"5", "40"}}, {"5", "20"}, "slice %0 {starts = #optc.dims<[0, 39]>, strides = #optc.dims<[1, -2]>}"},
    {"slice at a size", {{"17", "n"}}, {"9", "n"}, "slice %0 {starts = #optc.dims<[\"min(m,8)\", 0]>, strides = #optc.dims<[1, 1]>}"},
    {"pad constant", {{"3", "n"}}, {"6", "n+5"}, "pad %0 {low = #optc.dims<[1, 2]>, mode = \"constant\"}"},
    {"pad value", {{"2", "n"}, {}}, {"2", "n+3"}, "pad %0, %1 {low = #optc.dims<[0, 3]>, mode = \"constant\"}"},
    {"pad crop", {{"9", "20"}}, {"5", "30"}, "pad %0 {low = #optc.dims<[-2, 4]>, mode = \"constant\"}"},
    {"pad edge", {{"5", "18"}}, {"9", "25"}, "pad %0 {low = #optc.dims<[2, 4]>, mode = \"edge\"}"},
    {"pad reflect", {{"5", "18"}}, {"9", "25"}, "pad %0 {low = #optc.dims<[2, 4]>, mode = \"reflect\"}"},
    {"pad wrap", {{"5", "18"}}, {"9", "60"}, "pad %0 {low = #optc.dims<[2, 25]>, mode = \"wrap\"}"},
    {"pad edge by size", {{"3", "n+1"}}, {"3", "n+m+1"}, "pad %0 {low = #optc.dims<[0, 1]>, mode = \"edge\"}"},
    {"concat rows", {{"3", "n"}, {"1", "n"}, {"4", "n"}}, {"8", "n"}, "concat %0, %1, %2 {axis = 0 : i64}"},
    {"concat columns", {{"3", "n"}, {"3", "5"}, {"3", "m"}}, {"3", "n+m+5"}, "concat %0, %1, %2 {axis = 1 : i64}"},
    {"concat columns static", {{"3", "17"}, {"3", "5"}}, {"3", "22"}, "concat %0, %1 {axis = 1 : i64}"},
    {"concat middle", {{"2", "n", "3"}, {"2", "m", "3"}}, {"2", "n+m", "3"}, "concat %0, %1 {axis = 1 : i64}"},
};

std::string textOf(const Row &row, const Type &type) {
  std::string operands;
  for (const Shape &s : row.operands)
    operands += (operands.empty() ? "" : ", ") + type(s);
  return "%x = optc." + row.op + " : (" + operands + ") -> " + type(row.result);
}

const std::vector<Sizes> kRuns = {{{"n", 1}, {"m", 1}}, {{"n", 1}, {"m", 5}}, {{"n", 3}, {"m", 1}}, {{"n", 16}, {"m", 16}}, {{"n", 17}, {"m", 17}}, {{"n", 64}, {"m", 1}}, {{"n", 125}, {"m", 1}}, {{"n", 1000}, {"m", 1}}};

} // namespace

static void checkRows(const std::string &types, const char *level) {
  Batch batch(level);
  for (const Row &row : kRows)
    for (const std::string &element : words(types)) {
      Type type = [&](const Shape &s) { return typeText(s, element); };
      Case c{std::string(row.name) + " " + element, {}, textOf(row, type), type(row.result), {}, row.library};
      for (const Shape &s : row.operands)
        c.arguments.push_back({type(s)});
      // A movement alone may become a view: an op after it keeps it in a kernel and in the emitter's hands.
      if (element == "i1")
        c.body += "\n%y = optc.not %x : (" + c.result + ") -> " + c.result;
      else
        c.body += "\n%y = optc.neg %x : (" + c.result + ") -> " + c.result;
      batch.add(c);
    }
  batch.check(kRuns);
}

/// Twice the same width in different classes, the converted ones, and bytes.
TEST(Movement, rows) { checkRows("f32 i64 ui8 f16 bf16 i1", "native"); }
TEST(Movement, otherLevels) {
  for (const char *level : {"x86-64", "x86-64-v3"})
    checkRows("f32 ui8 f16 i64", level);
}

TEST(Movement, withoutElements) {
  Batch batch;
  for (const Row &row : kRows)
    if (std::string(row.op).rfind("slice", 0) && std::string(row.name).rfind("pad crop", 0)) {
      Type type = [&](const Shape &s) { return typeText(s, "f32"); };
      Case c{row.name, {}, textOf(row, type) + "\n%y = optc.neg %x : (" + type(row.result) + ") -> " + type(row.result), type(row.result), {}, ""};
      for (const Shape &s : row.operands)
        c.arguments.push_back({type(s)});
      batch.add(c);
    }
  batch.check({{{"n", 0}, {"m", 0}}});
}

TEST(Movement, gather) {
  struct Gather {
    const char *name;
    Shape x, indices, result;
    int axis;
    int64_t size; // of the axis
  };
  const Gather rows[] = {
      {"rows", {"20", "n"}, {"7"}, {"7", "n"}, 0, 20},
      {"rows by table", {"20", "n"}, {"2", "3"}, {"2", "3", "n"}, 0, 20},
      {"columns", {"5", "20"}, {"33"}, {"5", "33"}, 1, 20},
      {"one", {"20", "17"}, {}, {"17"}, 0, 20},
      {"no indices", {"20", "17"}, {"0"}, {"0", "17"}, 0, 20},
      {"middle", {"3", "20", "n"}, {"m"}, {"3", "m", "n"}, 1, 20},
  };
  Batch batch;
  for (const Gather &g : rows)
    for (std::string element : {"f32", "i64", "ui8", "f16", "i1"})
      for (std::string index : {"i64", "i32"}) {
        std::string x = typeText(g.x, element), i = typeText(g.indices, index), y = typeText(g.result, element);
        batch.add({"gather " + std::string(g.name) + " " + element + " " + index, {{x}, {i, Fill::index, g.size}},
                   "%y = optc.gather %0, %1 {axis = " + std::to_string(g.axis) + " : i64} : (" + x + ", " + i + ") -> " + y, y, {}, ""});
      }
  batch.check(kRuns);
}

TEST(Movement, iota) {
  Batch batch;
  for (std::string element : {"f32", "f64", "f16", "i64", "i32", "ui8", "i8"})
    for (int axis : {0, 1}) {
      // Added to an argument: on its own it is a constant where its shape is.
      std::string t = typeText({"3", "n"}, element);
      batch.add({"iota " + element + " " + std::to_string(axis), {{t, Fill::positive}},
                 "%i = optc.iota {axis = " + std::to_string(axis) + " : i64} : () -> " + t + "\n%y = optc.max %0, %i : (" + t + ", " + t + ") -> " + t, t, {}, ""});
    }
  batch.check(kRuns);
}
