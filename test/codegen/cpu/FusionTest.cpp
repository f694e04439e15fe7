//===- FusionTest.cpp - Several ops in one kernel -------------------------===//
//
// What models are made of: an op's operands are other ops' values in registers, through broadcasts, reshapes and
// slices. Floats differ from the reference by what their ops do; between fused ops f16 is not rounded, as it is f32.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

/// "$abc" in a row's text stands for a tensor type of its table.
struct Row {
  const char *name;
  std::vector<std::string> arguments; // letters into types
  std::string body, result;
  Bound bound = {};
};

const std::map<char, std::vector<std::string>> kShapes = {
    {'A', {"3", "n"}},      {'B', {"n"}},      {'C', {"3", "1"}},      {'D', {"n", "3"}}, {'E', {"3*n"}},
    {'S', {}},              {'F', {"3"}},      {'G', {"2", "3", "n"}}, {'H', {"6", "n"}}, {'I', {"2", "n", "3"}},
    {'J', {"n", "2", "3"}}, {'K', {"6", "2*n"}}, {'L', {"3", "2*n"}},
};

const Row kRows[] = {
    {"bias and relu", {"A", "B"}, "%b = optc.broadcast %1 : ($B) -> $A\n%s = optc.add %0, %b : ($A, $A) -> $A\n"
     "%z = optc.sub %0, %0 : ($A, $A) -> $A\n%y = optc.max %s, %z : ($A, $A) -> $A", "A"},
    {"scale by row", {"A", "C"}, "%b = optc.broadcast %1 : ($C) -> $A\n%y = optc.mul %0, %b : ($A, $A) -> $A", "A"},
    {"transposed operand", {"A", "D"}, "%t = optc.transpose %1 {permutation = array<i64: 1, 0>} : ($D) -> $A\n%y = optc.sub %0, %t : ($A, $A) -> $A", "A"},
    {"reshape between", {"A", "E"}, "%r = optc.reshape %0 : ($A) -> $E\n%y = optc.mul %r, %1 : ($E, $E) -> $E", "E"},
    {"merged dims", {"G", "H"}, "%x = optc.abs %0 : ($G) -> $G\n%r = optc.reshape %x : ($G) -> $H\n%y = optc.add %r, %1 : ($H, $H) -> $H", "H"},
    {"shuffled dims", {"G", "J"}, "%x = optc.neg %0 : ($G) -> $G\n%r = optc.reshape %x : ($G) -> $J\n%y = optc.add %r, %1 : ($J, $J) -> $J", "J"},
    {"split dims and transpose", {"H"}, "%r = optc.reshape %0 : ($H) -> $G\n%t = optc.transpose %r {permutation = array<i64: 0, 2, 1>} : ($G) -> $I\n"
     "%y = optc.neg %t : ($I) -> $I", "I"},
    {"sum of a product", {"A", "A"}, "%p = optc.mul %0, %1 : ($A, $A) -> $A\n%y = optc.reduce %p {axes = array<i64: 1>, kind = \"sum\"} : ($A) -> $F", "F", {8, 2e-3}},
    {"centred", {"A"}, "%m = optc.reduce %0 {axes = array<i64: 1>, kind = \"mean\"} : ($A) -> $F\n%r = optc.reshape %m : ($F) -> $C\n"
     "%b = optc.broadcast %r : ($C) -> $A\n%y = optc.sub %0, %b : ($A, $A) -> $A", "A", {2, 1e-3}},
    {"concat of computed parts", {"A", "A"}, "%a = optc.neg %0 : ($A) -> $A\n%b = optc.abs %1 : ($A) -> $A\n"
     "%c = optc.concat %a, %b {axis = 1 : i64} : ($A, $A) -> $L\n%y = optc.neg %c : ($L) -> $L", "L"},
    {"compare and select", {"A", "A"}, "%c = optc.compare %0, %1 {predicate = \"lt\"} : ($A, $A) -> $!A\n%d = optc.neg %0 : ($A) -> $A\n"
     "%y = optc.select %c, %d, %1 : ($!A, $A, $A) -> $A", "A"},
    {"one operand twice", {"A"}, "%y = optc.mul %0, %0 : ($A, $A) -> $A", "A"},
    {"scalar operand", {"A", "S"}, "%b = optc.broadcast %1 : ($S) -> $A\n%y = optc.div %0, %b : ($A, $A) -> $A", "A"},
};

std::string substitute(const std::string &text, const std::string &element) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] != '$')
      out += text[i];
    else if (text[i + 1] == '!')
      out += typeText(kShapes.at(text[i += 2]), "i1");
    else
      out += typeText(kShapes.at(text[++i]), element);
  return out;
}

void check(const std::string &element, double ulps) {
  Batch batch;
  for (const Row &row : kRows) {
    Case c{std::string(row.name) + " " + element, {}, substitute(row.body, element), substitute("$" + row.result, element), row.bound, ""};
    if (ulps > 0)
      c.bound.ulps = std::max(c.bound.ulps, ulps);
    for (const std::string &a : row.arguments)
      c.arguments.push_back({substitute("$" + a, element), Fill::moderate});
    batch.add(c);
  }
  batch.check({{{"n", 1}}, {{"n", 3}}, {{"n", 7}}, {{"n", 17}}, {{"n", 125}}, {{"n", 1000}}});
}

} // namespace

TEST(Fusion, f32) { check("f32", 0); }
TEST(Fusion, f64) { check("f64", 0); }
TEST(Fusion, i32) { check("i32", 0); }
TEST(Fusion, i64) { check("i64", 0); }
TEST(Fusion, ui8) { check("ui8", 0); }
// What the reference rounds between two ops is not rounded here: 2 ulps more.
TEST(Fusion, f16) { check("f16", 4); }
TEST(Fusion, bf16) { check("bf16", 4); }
