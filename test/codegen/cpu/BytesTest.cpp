//===- BytesTest.cpp - Products of 8-bit integers -------------------------===//
//
// Sums are integers: every kernel gives exactly what the evaluator gives. Scales are powers of two where floats follow, so
// that those are exact, too. Every way of multiplying bytes is run that the machine has.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

const char *kTargets[] = {"native",     "x86-64-v4+avx512vnni", "x86-64-v4",        "x86-64-v3+avxvnni",
                          "x86-64-v3",  "x86-64"};

using Shape = std::vector<std::string>;

std::string list(const std::string &name, const std::string &values) {
  return name + " = array<i64" + (values.empty() ? "" : ": ") + values + ">";
}

struct Product {
  const char *name;
  Shape lhs, rhs, y;
  const char *batch, *lhsContract, *rhsContract;
  bool weight;
};
const Product kProducts[] = {
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
const std::vector<Sizes> kRuns = {{{"n", 1}, {"m", 1}}, {{"n", 3}, {"m", 17}}, {{"n", 17}, {"m", 3}}, {{"n", 125}, {"m", 33}}};

std::string contractText(const Product &p) {
  return "contract %0, %1 {" + list("lhs_batch", p.batch) + ", " + list("rhs_batch", p.batch) + ", " + list("lhs_contract", p.lhsContract) + ", " +
         list("rhs_contract", p.rhsContract) + "}";
}

/// %name = `value` of a type at a shape.
std::string splat(const std::string &name, const std::string &value, const Shape &shape, const std::string &element) {
  return "%" + name + "_ = optc.constant dense<" + value + "> : tensor<" + element + ">\n" +
         opText(name, "broadcast %" + name + "_", {typeText({}, element)}, typeText(shape, element)) + "\n";
}
/// %name = (codes - zero) * scale
std::string dequantize(const std::string &name, const std::string &codes, const Shape &shape, const std::string &element, const std::string &scale,
                       const std::string &zero) {
  return splat(name + "s", scale, shape, "f32") + splat(name + "z", zero, shape, element) +
         opText(name, "dequantize " + codes + ", %" + name + "s, %" + name + "z", {typeText(shape, element), typeText(shape, "f32"), typeText(shape, element)},
                typeText(shape, "f32")) +
         "\n";
}
std::string quantize(const std::string &name, const std::string &x, const Shape &shape, const std::string &element, const std::string &scale,
                     const std::string &zero) {
  return splat(name + "s", scale, shape, "f32") + splat(name + "z", zero, shape, element) +
         opText(name, "quantize " + x + ", %" + name + "s, %" + name + "z", {typeText(shape, "f32"), typeText(shape, "f32"), typeText(shape, element)},
                typeText(shape, element)) +
         "\n";
}

struct Convolution {
  const char *name;
  Shape x, w, y;
  const char *strides, *dilations, *low, *high;
  int groups;
};
const Convolution kConvolutions[] = {
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
const std::vector<Sizes> kPlanes = {{{"n", 1}, {"h", 3}, {"w", 3}}, {{"n", 2}, {"h", 5}, {"w", 19}}};

std::string convText(const Convolution &c, const std::string &x, const std::string &w) {
  return "conv " + x + ", " + w + " {" + list("strides", c.strides) + ", " + list("dilations", c.dilations) + ", " + list("pads_low", c.low) + ", " +
         list("pads_high", c.high) + ", groups = " + std::to_string(c.groups) + " : i64}";
}

} // namespace

/// Bytes of either sign, as they are.
TEST(Bytes, products) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const Product &p : kProducts)
      for (const char *lhs : {"ui8", "i8"})
        for (const char *rhs : {"i8", "ui8"})
          batch.add(opCase(std::string("contract ") + p.name + " " + lhs + " " + rhs, contractText(p), {{typeText(p.lhs, lhs)}, {typeText(p.rhs, rhs), Fill::any, 0, p.weight}},
                           {typeText(p.y, "i32")}));
    batch.check(kRuns);
  }
}

/// Quantised operands, bias, activation, quantised result.
TEST(Bytes, quantizedProducts) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const Product &p : kProducts)
      for (const char *element : {"ui8", "i8"}) {
        Shape bias = {p.y.back()};
        std::string lhs = typeText(p.lhs, "f32"), rhs = typeText(p.rhs, "f32"), y = typeText(p.y, "f32");
        std::string text = contractText(p);
        text.replace(text.find("%0, %1"), 6, "%x, %w");
        Case c;
        c.name = std::string("quantized ") + p.name + " " + element;
        c.arguments = {{typeText(p.lhs, element)}, {typeText(p.rhs, "i8"), Fill::any, 0, p.weight}, {typeText(bias, "f32"), Fill::index, 64, bias[0] != "m"}};
        c.body = dequantize("x", "%0", p.lhs, element, "0.0625", element[0] == 'u' ? "119" : "-9") + dequantize("w", "%1", p.rhs, "i8", "0.03125", p.weight ? "0" : "5") +
                 opText("c", text, {lhs, rhs}, y) + "\n" + opText("b", "broadcast %2", {typeText(bias, "f32")}, y) + "\n" + opText("d", "add %c, %b", {y, y}, y) + "\n" +
                 splat("zero", "0.0", p.y, "f32") + opText("r", "max %d, %zero", {y, y}, y) + "\n" + quantize("y", "%r", p.y, element, "8.0", "3");
        c.result = typeText(p.y, element);
        batch.add(c);
      }
    batch.check(kRuns);
  }
}

TEST(Bytes, convolutions) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const Convolution &v : kConvolutions)
      for (const char *zero : {"0", "131"}) {
        std::string x = typeText(v.x, "f32"), w = typeText(v.w, "f32"), y = typeText(v.y, "f32");
        Case c;
        c.name = std::string("quantized conv ") + v.name + " zero point " + zero;
        c.arguments = {{typeText(v.x, "ui8")}, {typeText(v.w, "i8"), Fill::any, 0, true}, {typeText(v.y, "ui8")}};
        c.body = dequantize("x", "%0", v.x, "ui8", "0.0625", zero) + dequantize("w", "%1", v.w, "i8", "0.03125", "0") + opText("c", convText(v, "%x", "%w"), {x, w}, y) + "\n" +
                 dequantize("r", "%2", v.y, "ui8", "0.5", "7") + opText("d", "add %c, %r", {y, y}, y) + "\n" + quantize("y", "%d", v.y, "ui8", "4.0", "100");
        c.result = typeText(v.y, "ui8");
        batch.add(c);
      }
    batch.check(kPlanes);
  }
}

/// The form of ConvInteger and MatMulInteger with zero points.
TEST(Bytes, integers) {
  Batch batch;
  for (const Product &p : kProducts) {
    std::string lhs = typeText(p.lhs, "i32"), rhs = typeText(p.rhs, "i32"), y = typeText(p.y, "i32");
    std::string text = contractText(p);
    text.replace(text.find("%0, %1"), 6, "%x, %w");
    Case c;
    c.name = std::string("integers ") + p.name;
    c.arguments = {{typeText(p.lhs, "ui8")}, {typeText(p.rhs, "i8"), Fill::any, 0, p.weight}, {typeText({}, "i32"), Fill::index, 100}};
    c.body = opText("a", "cast %0", {typeText(p.lhs, "ui8")}, lhs) + "\n" + opText("z", "broadcast %2", {typeText({}, "i32")}, lhs) + "\n" +
             opText("x", "sub %a, %z", {lhs, lhs}, lhs) + "\n" + opText("w", "cast %1", {typeText(p.rhs, "i8")}, rhs) + "\n" + opText("y", text, {lhs, rhs}, y);
    c.result = y;
    batch.add(c);
  }
  batch.check(kRuns);
}
