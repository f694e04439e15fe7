//===- ElementwiseTest.cpp - Every elementwise op, every element type -----===//
//
// One row an op. Rows without a bound must agree exactly, in all of their types: f16 and bf16 are computed in f32,
// which holds twice their digits and two more, so that rounding twice is rounding once.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

/// Of +0 and -0 the one or the other: IEEE 754 leaves min and max of them open.
const Bound kEitherZero{0.25, 0};

struct Row {
  const char *op;
  const char *attributes;
  int operands;
  std::string types;
  std::string result = ""; // empty: the operands' type
  Bound bound = {};
  Fill fill = Fill::any;
  const char *library = "";
};

Case caseOf(const Row &row, const std::string &element, const std::vector<std::string> &dims) {
  std::string type = typeText(dims, element), result = row.result.empty() ? type : typeText(dims, row.result);
  Case c{std::string(row.op) + row.attributes + " " + element + (row.result.empty() ? "" : " to " + row.result), {}, "", result,
         row.bound, row.library};
  std::string operands, types;
  for (int i = 0; i < row.operands; ++i) {
    bool isCondition = std::string(row.op) == "select" && i == 0;
    std::string t = isCondition ? typeText(dims, "i1") : type;
    c.arguments.push_back({t, row.fill});
    operands += (i ? ", %" : "%") + std::to_string(i);
    types += (i ? ", " : "") + t;
  }
  c.body = "%y = optc." + std::string(row.op) + " " + operands + " " + row.attributes + " : (" + types + ") -> " + result;
  return c;
}

void check(const std::vector<Row> &rows, const std::vector<std::string> &dims, const std::vector<Sizes> &runs, const char *target = "native") {
  Batch batch(target);
  for (const Row &row : rows)
    for (const std::string &element : words(row.types))
      batch.add(caseOf(row, element, dims));
  batch.check(runs);
}

/// None, one, and around the vectors of each level (4 to 64 lanes) and the chunks of a loop (4,096).
const std::vector<Sizes> kOddSizes = {{{"n", 0}},  {{"n", 1}},  {{"n", 3}},  {{"n", 7}},   {{"n", 8}},    {{"n", 15}},   {{"n", 16}},
                                      {{"n", 17}}, {{"n", 31}}, {{"n", 64}}, {{"n", 65}}, {{"n", 125}}, {{"n", 1000}}, {{"n", 5000}}};

const std::vector<Row> kArithmetic = {
    {"add", "", 2, kNumbers},
    {"sub", "", 2, kNumbers},
    {"mul", "", 2, kNumbers},
    {"div", "", 2, kNumbers},
    {"mod", "{truncate = true}", 2, kIntegers},
    {"mod", "{truncate = false}", 2, kIntegers},
    {"fma", "", 3, "f32 f64"},
    {"min", "", 2, kNumbers, "", kEitherZero},
    {"max", "", 2, kNumbers, "", kEitherZero},
    {"neg", "", 1, kNumbers},
    {"abs", "", 1, kNumbers},
    {"sign", "", 1, kNumbers},
    {"floor", "", 1, kFloats},
    {"ceil", "", 1, kFloats},
    {"round", "", 1, kFloats},
    {"round_tf32", "", 1, "f32"},
    {"sqrt", "", 1, kFloats},
    {"reciprocal", "", 1, kFloats},
    {"mod", "{truncate = true}", 2, kFloats, "", {}, Fill::any, "fmod is exact only bit by bit"},
    {"mod", "{truncate = false}", 2, kFloats, "", {}, Fill::any, "fmod is exact only bit by bit"},
};

const std::vector<Row> kLogic = {
    {"and", "", 2, "i1 " + kIntegers},
    {"or", "", 2, "i1 " + kIntegers},
    {"xor", "", 2, "i1 " + kIntegers},
    {"not", "", 1, "i1"},
    {"bit_not", "", 1, kIntegers},
    {"shift", "{direction = \"left\"}", 2, kIntegers},
    {"shift", "{direction = \"right\"}", 2, kIntegers},
    {"compare", "{predicate = \"eq\"}", 2, "i1 " + kNumbers, "i1"},
    {"compare", "{predicate = \"ne\"}", 2, "i1 " + kNumbers, "i1"},
    {"compare", "{predicate = \"lt\"}", 2, kNumbers, "i1"},
    {"compare", "{predicate = \"le\"}", 2, kNumbers, "i1"},
    {"compare", "{predicate = \"gt\"}", 2, kNumbers, "i1"},
    {"compare", "{predicate = \"ge\"}", 2, kNumbers, "i1"},
    {"select", "", 3, "i1 " + kNumbers},
    {"is_nan", "", 1, kFloats, "i1"},
    {"is_inf", "{negative = true, positive = true}", 1, kFloats, "i1"},
    {"is_inf", "{negative = true, positive = false}", 1, kFloats, "i1"},
    {"is_inf", "{negative = false, positive = true}", 1, kFloats, "i1"},
    {"is_inf", "{negative = false, positive = false}", 1, kFloats, "i1"},
    {"bitcast", "", 1, "i8", "ui8"},
    {"bitcast", "", 1, "ui32", "i32"},
    {"bitcast", "", 1, "f32", "i32", {}, Fill::any, "no kernels that look at a float's bits"},
    {"bitcast", "", 1, "i64", "f64", {}, Fill::moderate, "no kernels that look at a float's bits"},
};

} // namespace

TEST(Elementwise, arithmetic) { check(kArithmetic, {"n"}, kOddSizes); }
TEST(Elementwise, logic) { check(kLogic, {"n"}, kOddSizes); }

TEST(Elementwise, casts) {
  std::vector<Row> rows;
  for (const std::string &to : words("i1 " + kNumbers)) {
    for (const std::string &from : words("i1 " + kNumbers)) {
      if (from == to)
        continue;
      rows.push_back({"cast", "", 1, from, to});
    }
  }
  check(rows, {"n"}, {{{"n", 0}}, {{"n", 5}}, {{"n", 125}}, {{"n", 1000}}});
}

/// Scales and zero points are operands of x's shape. The reference's quotient is rounded to f32 as the kernel's is.
TEST(Elementwise, quantization) {
  Batch batch;
  for (const std::string &small : words("i8 ui8 i16 ui16 f8E4M3FN f8E4M3FNUZ f8E5M2 f8E5M2FNUZ"))
    for (const std::string &element : words("f32 f16 bf16")) {
      const char *library = small[0] == 'f' ? "no kernels for floats of 8 bits" : "";
      std::string x = typeText({"n"}, element), q = typeText({"n"}, small);
      batch.add(opCase("quantize " + element + small, "quantize %0, %1, %2", {{x, Fill::moderate}, {x, Fill::positive}, {q, Fill::index, 5}}, {q}, {}, library));
      batch.add(opCase("quantize anything " + element + small, "quantize %0, %1, %2", {{x}, {x, Fill::positive}, {q, Fill::index, 5}}, {q}, {}, library));
      batch.add(opCase("quantize without zero point " + element + small, "quantize %0, %1", {{x}, {x}}, {q}, {}, library));
      batch.add(opCase("dequantize " + element + small, "dequantize %0, %1, %2", {{q}, {x}, {q}}, {x}, {1, 0}, library));
      batch.add(opCase("dequantize without zero point " + element + small, "dequantize %0, %1", {{q}, {x}}, {x}, {1, 0}, library));
      if (small[0] == 'f') {
        batch.add(opCase("cast " + element + small, "cast %0", {{x}}, {q}, {}, library));
        batch.add(opCase("cast " + small + element, "cast %0", {{q, Fill::moderate}}, {x}, {}, library));
      }
    }
  std::string x = typeText({"n"}, "i32"), y = typeText({"n"}, "f32");
  batch.add(opCase("dequantize i32", "dequantize %0, %1", {{x}, {y, Fill::moderate}}, {y}, {1, 0}));
  batch.check(kOddSizes);
}

/// Static sizes are other code than dynamic ones: ranks 0 to 5, rows shorter and longer than a vector.
TEST(Elementwise, staticShapes) {
  std::vector<Row> rows = {{"add", "", 2, "f32 i8 f64"}, {"compare", "{predicate = \"lt\"}", 2, "f16 ui8", "i1"}};
  for (const std::vector<std::string> &dims : std::vector<std::vector<std::string>>{
           {}, {"0"}, {"1"}, {"7"}, {"125"}, {"4100"}, {"3", "0"}, {"3", "17"}, {"17", "1"}, {"2", "3", "33"}, {"2", "1", "3", "5"}, {"2", "3", "1", "2", "19"}})
    check(rows, dims, {{}});
}

/// A cast rounds where it stands, though registers are wider.
TEST(Elementwise, castsBetween) {
  Batch batch;
  for (const char *narrow : {"f16", "bf16"})
    for (const std::string &wide : words("f32 f64 i32 i64 ui64")) {
      std::string x = typeText({"n"}, wide), h = typeText({"n"}, narrow);
      batch.add({wide + " by " + narrow, {{x}}, opText("h", "cast %0", {x}, h) + "\n" + opText("w", "cast %h", {h}, x) + "\n" + opText("y", "add %w, %w", {x, x}, x), x, {}, ""});
    }
  batch.check(kOddSizes);
}

/// Each level runs the same bodies in vectors of its own; the older ones make up for instructions that they lack.
void checkLevel(const char *level) {
  // Below v3 a product and a sum are two instructions, and no pass makes one op of them.
  std::vector<Row> arithmetic = kArithmetic;
  if (std::string(level) != "x86-64-v3")
    std::erase_if(arithmetic, [](const Row &row) { return std::string(row.op) == "fma"; });
  check(arithmetic, {"n"}, {{{"n", 65}}, {{"n", 1000}}}, level);
  check(kLogic, {"n"}, {{{"n", 65}}, {{"n", 1000}}}, level);
  std::vector<Row> casts;
  for (const std::string &to : words("i1 i8 ui32 i64 f32 f64 f16 bf16"))
    for (const std::string &from : words("i1 ui8 i32 ui64 f32 f64 f16 bf16"))
      if (from != to)
        casts.push_back({"cast", "", 1, from, to});
  check(casts, {"n"}, {{{"n", 65}}, {{"n", 1000}}}, level);
}
TEST(Elementwise, baseline) { checkLevel("x86-64"); }
TEST(Elementwise, level2) { checkLevel("x86-64-v2"); }
TEST(Elementwise, level3) { checkLevel("x86-64-v3"); }
