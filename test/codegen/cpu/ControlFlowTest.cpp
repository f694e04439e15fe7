//===- ControlFlowTest.cpp - Branches, loops, sizes out of values ---------===//
//
// Frames of their own, values from around them, results whose sizes only the run decides; kernels inside.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {
using Shape = std::vector<std::string>;
const std::vector<Sizes> kRuns = {{{"n", 0}}, {{"n", 1}}, {{"n", 3}}, {{"n", 17}}, {{"n", 125}}};
const std::string kBool = typeText({}, "i1"), kTrips = typeText({}, "i64");
} // namespace

TEST(ControlFlow, branches) {
  Batch batch;
  for (const std::string &element : words(kNumbers)) {
    std::string x = typeText({"3", "n"}, element);
    batch.add({"if " + element, {{kBool}, {x, Fill::moderate}, {x, Fill::moderate}},
               "%a = optc.abs %1 : (" + x + ") -> " + x + "\n%y = optc.if %0 : (" + kBool + ") -> " + x + " {\n" + opText("t", "add %a, %2", {x, x}, x) +
                   "\noptc.yield %t : " + x + "\n} else {\n" + opText("e", "neg %2", {x}, x) + "\n" + opText("f", "sub %e, %a", {x, x}, x) + "\noptc.yield %f : " + x + "\n}",
               x, {1, 0}, ""});
  }
  // Sizes that differ, and a branch in a branch.
  std::string one = typeText({"n"}, "f32"), two = typeText({"n+2"}, "f32"), either = typeText({"d@"}, "f32"), pair = "(" + either + ", " + one + ")";
  batch.add({"if of two sizes", {{kBool}, {kBool}, {one}, {two}},
             "%y:2 = optc.if %0 : (" + kBool + ") -> " + pair + " {\n" + opText("t", "neg %2", {one}, one) + "\noptc.yield %t, %2 : " + one + ", " + one + "\n} else {\n" +
                 opText("e", "abs %3", {two}, two) + "\n%i = optc.if %1 : (" + kBool + ") -> " + one + " {\n" + opText("u", "sign %2", {one}, one) + "\noptc.yield %u : " + one +
                 "\n} else {\n" + opText("v", "ceil %2", {one}, one) + "\noptc.yield %v : " + one + "\n}\noptc.yield %e, %i : " + two + ", " + one + "\n}",
             either, {}, "", {one}});
  batch.check(kRuns);
}

TEST(ControlFlow, loops) {
  Batch batch;
  for (const std::string &element : words("f32 f64 f16 i32 i64 ui8")) {
    std::string x = typeText({"n"}, element), scanned = typeText({"t@", "n"}, element);
    batch.add({"loop " + element, {{kTrips, Fill::count, 5}, {x, Fill::moderate}, {x, Fill::moderate}},
               "%y:2 = optc.loop trips %0 init (%1) : (" + kTrips + ", " + x + ") -> (" + x + ", " + scanned + ") {\n^bb0(%i: " + kTrips + ", %c: " + x + "):\n" +
                   opText("s", "add %c, %2", {x, x}, x) + "\n" + opText("m", "max %s, %1", {x, x}, x) +
                   "\n%go = optc.constant dense<true> : " + kBool + "\noptc.yield %go, %s, %m : " + kBool + ", " + x + ", " + x + "\n}",
               x, {4, 1e-2}, "", {scanned}});
  }
  // Until a value says so; the iteration is a value; nothing is scanned.
  std::string x = typeText({"n"}, "i64"), s = typeText({}, "i64");
  batch.add({"while", {{kTrips, Fill::count, 4}, {kBool}, {x, Fill::moderate}},
             "%k = optc.constant dense<2> : " + s + "\n%y = optc.loop trips %0 while %1 init (%2) : (" + kTrips + ", " + kBool + ", " + x + ") -> " + x + " {\n^bb0(%i: " + kTrips +
                 ", %c: " + x + "):\n" + opText("b", "broadcast %i", {s}, x) + "\n" + opText("z", "add %c, %b", {x, x}, x) + "\n" +
                 opText("go", "compare %i, %k {predicate = \"lt\"}", {s, s}, kBool) + "\noptc.yield %go, %z : " + kBool + ", " + x + "\n}",
             x, {}, ""});
  batch.check(kRuns);
}

TEST(ControlFlow, sizes) {
  Batch batch;
  std::string x = typeText({"n"}, "f32");
  for (const char *index : {"i64", "i32"}) {
    std::string sizes = typeText({"2"}, index), y = typeText({"$r@", "$c@"}, "f32"), scalar = typeText({}, "f32");
    batch.add({std::string("bind ") + index, {{sizes, Fill::count, 20}, {scalar, Fill::moderate}},
               "optc.bind %0 [\"$r@\", \"$c@\"] : " + sizes + "\n" + opText("b", "broadcast %1", {scalar}, y) + "\n" + opText("i", "iota {axis = 1 : i64}", {}, y) + "\n" +
                   opText("y", "add %b, %i", {y, y}, y),
               y, {}, ""});
    batch.add({std::string("from_dims ") + index, {{x}}, "%y = optc.from_dims {values = #optc.dims<[\"n\", \"2*n+1\"]>} : () -> " + sizes, sizes, {},
               "sizes of a run are written by a library step"});
  }
  std::string table = typeText({"4"}, "f32"), wide = typeText({"n", "4"}, "f32");
  batch.add({"constant", {{wide, Fill::moderate}}, "%c = optc.constant dense<[1.0, -2.0, 0.5, 3.0]> : " + table + "\n" + opText("b", "broadcast %c", {table}, wide) + "\n" +
                                                       opText("y", "mul %0, %b", {wide, wide}, wide),
             wide, {}, ""});
  batch.check(kRuns);
}
