//===- BytesTest.cpp - Products of 8-bit integers -------------------------===//
//
// Sums are integers: every kernel gives exactly what the evaluator gives. Scales are powers of two where floats follow, so
// that those are exact, too. Every way of multiplying bytes is run that the machine has.
//
//===----------------------------------------------------------------------===//

#include "Products.h"

using namespace optc::test;

namespace {

const char *kTargets[] = {"native",     "x86-64-v4+avx512vnni", "x86-64-v4",        "x86-64-v3+avxvnni",
                          "x86-64-v3",  "x86-64"};

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

const Convolution kGrouped[] = {
    {"groups", {"n", "12", "6", "7"}, {"18", "4", "3", "3"}, {"n", "18", "6", "7"}, "1, 1", "1, 1", "1, 1", "1, 1", 3},
    {"groups strided", {"n", "50", "9", "11"}, {"34", "25", "5", "5"}, {"n", "34", "5", "6"}, "2, 2", "1, 1", "2, 2", "2, 2", 2},
    {"groups 1x1", {"n", "64", "5", "7"}, {"12", "16", "1", "1"}, {"n", "12", "5", "7"}, "1, 1", "1, 1", "0, 0", "0, 0", 4},
    {"groups 1d", {"n", "16", "19"}, {"6", "8", "3"}, {"n", "6", "19"}, "1", "1", "1", "1", 2},
};

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

/// Zero points of the weights that differ between columns.
TEST(Bytes, columnZeroPoints) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const char *element : {"i8", "ui8"}) {
      Shape x = {"n", "33"}, w = {"33", "21"}, y = {"n", "21"};
      std::string xf = typeText(x, "f32"), wf = typeText(w, "f32"), yf = typeText(y, "f32"), codes = typeText(w, element);
      Case c;
      c.name = std::string("zero points of columns ") + element;
      c.arguments = {{typeText(x, "ui8")}, {codes, Fill::any, 0, true}, {typeText({"21"}, element), Fill::any, 0, true}};
      c.body = dequantize("x", "%0", x, "ui8", "0.0625", "119") + splat("ws", "0.03125", w, "f32") + opText("wz", "broadcast %2", {typeText({"21"}, element)}, codes) +
               "\n" + opText("w", "dequantize %1, %ws, %wz", {codes, wf, codes}, wf) + "\n" +
               opText("c", "contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}", {xf, wf}, yf) +
               "\n" + quantize("y", "%c", y, "ui8", "8.0", "3");
      c.result = typeText(y, "ui8");
      batch.add(c);
    }
    batch.check(kRuns);
  }
}

/// Scales and zero points of the activations that differ between rows, beside zero points of columns.
TEST(Bytes, rowRanges) {
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const char *element : {"ui8", "i8"})
      for (const char *weightZero : {"0", "3"}) {
        Shape x = {"n", "70"}, w = {"70", "21"}, y = {"n", "21"}, rows = {"n", "1"};
        std::string xf = typeText(x, "f32"), wf = typeText(w, "f32"), yf = typeText(y, "f32"), codes = typeText(x, element);
        Case c;
        c.name = std::string("ranges of rows ") + element + " zero point of the weights " + weightZero;
        c.arguments = {{codes}, {typeText(w, "i8"), Fill::any, 0, true}, {typeText(rows, "f32"), Fill::index, 9}, {typeText(rows, element)}};
        c.body = splat("one", "1.0", rows, "f32") + opText("scale", "max %2, %one", {typeText(rows, "f32"), typeText(rows, "f32")}, typeText(rows, "f32")) + "\n" +
                 opText("xs", "broadcast %scale", {typeText(rows, "f32")}, xf) + "\n" + opText("xz", "broadcast %3", {typeText(rows, element)}, codes) + "\n" +
                 opText("x", "dequantize %0, %xs, %xz", {codes, xf, codes}, xf) + "\n" + dequantize("w", "%1", w, "i8", "0.03125", weightZero) +
                 opText("y", "contract %x, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}", {xf, wf}, yf);
        c.result = yf;
        batch.add(c);
      }
    batch.check(kRuns);
  }
}

TEST(Bytes, convolutions) {
  for (const char *target : kTargets) {
    Batch batch(target);
    std::vector<Convolution> all(std::begin(kConvolutions), std::end(kConvolutions));
    all.insert(all.end(), std::begin(kGrouped), std::end(kGrouped));
    for (const Convolution &v : all)
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
