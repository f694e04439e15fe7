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

const Convolution kDepthwise[] = {
    {"depthwise 3x3, stride 2", {"n", "40", "11", "30"}, {"40", "1", "3", "3"}, {"n", "40", "6", "15"}, "2, 2", "1, 1", "1, 1", "1, 1", 40},
    {"depthwise 5x5", {"n", "24", "13", "31"}, {"24", "1", "5", "5"}, {"n", "24", "13", "31"}, "1, 1", "1, 1", "2, 2", "2, 2", 24},
    {"depthwise 7x7", {"n", "8", "9", "9"}, {"8", "1", "7", "7"}, {"n", "8", "9", "9"}, "1, 1", "1, 1", "3, 3", "3, 3", 8},
    {"depthwise 4x2", {"n", "19", "9", "11"}, {"19", "1", "4", "2"}, {"n", "19", "7", "5"}, "1, 2", "1, 1", "0, 0", "1, 0", 19},
    {"depthwise dilated", {"n", "24", "9", "11"}, {"24", "1", "3", "3"}, {"n", "24", "9", "11"}, "1, 1", "2, 3", "2, 3", "2, 3", 24},
    {"depthwise, any plane", {"n", "36", "h", "w"}, {"36", "1", "3", "3"}, {"n", "36", "h", "w"}, "1, 1", "1, 1", "1, 1", "1, 1", 36},
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
    all.insert(all.end(), std::begin(kDepthwise), std::end(kDepthwise));
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

/// Zero points of a filter's channels, which differ or not.
TEST(Bytes, filterZeroPoints) {
  for (const char *target : kTargets) {
    Batch batch(target);
    std::vector<Convolution> all(std::begin(kConvolutions), std::end(kConvolutions));
    all.insert(all.end(), std::begin(kGrouped), std::end(kGrouped));
    all.insert(all.end(), std::begin(kDepthwise), std::end(kDepthwise));
    for (const Convolution &v : all)
      for (bool differ : {false, true}) {
        const char *element = differ ? "ui8" : "i8";
        std::string x = typeText(v.x, "f32"), w = typeText(v.w, "f32"), y = typeText(v.y, "f32"), codes = typeText(v.w, element);
        Shape channel(v.w.size(), "1");
        channel[0] = v.w[0];
        Case c;
        c.name = std::string("zero points of ") + v.name + " " + element;
        c.arguments = {{typeText(v.x, "ui8")}, {codes, Fill::any, 0, true}, {typeText(channel, element), Fill::any, 0, true}};
        std::string zeros = differ ? opText("wz", "broadcast %2", {typeText(channel, element)}, codes) + "\n" : splat("wz", "-7", v.w, element);
        c.body = dequantize("x", "%0", v.x, "ui8", "0.0625", "119") + splat("ws", "0.03125", v.w, "f32") + zeros +
                 opText("w", "dequantize %1, %ws, %wz", {codes, w, codes}, w) + "\n" + opText("c", convText(v, "%x", "%w"), {x, w}, y) + "\n" +
                 quantize("y", "%c", v.y, "ui8", "8.0", "3");
        c.result = typeText(v.y, "ui8");
        batch.add(c);
      }
    batch.check(kPlanes);
  }
}

TEST(Bytes, transposedConvolutions) {
  struct Transposed {
    const char *name;
    Shape x, w, y;
    const char *strides, *low, *high, *output;
  };
  const Transposed rows[] = {
      {"twice by 4x4", {"n", "9", "5", "6"}, {"9", "7", "4", "4"}, {"n", "7", "10", "12"}, "2, 2", "1, 1", "1, 1", "0, 0"},
      {"twice by 3x3", {"n", "9", "5", "6"}, {"9", "7", "3", "3"}, {"n", "7", "10", "12"}, "2, 2", "1, 1", "1, 1", "1, 1"},
      {"twice by 2x2", {"n", "9", "5", "6"}, {"9", "7", "2", "2"}, {"n", "7", "10", "12"}, "2, 2", "0, 0", "0, 0", "0, 0"},
      {"same", {"n", "9", "h", "w"}, {"9", "7", "3", "3"}, {"n", "7", "h", "w"}, "1, 1", "1, 1", "1, 1", "0, 0"},
  };
  for (const char *target : kTargets) {
    Batch batch(target);
    for (const Transposed &v : rows) {
      std::string x = typeText(v.x, "f32"), w = typeText(v.w, "f32"), y = typeText(v.y, "f32"), bias = typeText({"7", "1", "1"}, "f32");
      Shape scales = {"1", "7", "1", "1"};
      std::string each = typeText(scales, "f32");
      Case c;
      c.name = std::string("transposed ") + v.name;
      c.arguments = {{typeText(v.x, "ui8")}, {typeText(v.w, "i8"), Fill::any, 0, true}, {each, Fill::count, 4, true}, {bias, Fill::index, 64, true}};
      c.body = dequantize("x", "%0", v.x, "ui8", "0.0625", "119") + opText("ws", "broadcast %2", {each}, w) + "\n" +
               opText("w", "dequantize %1, %ws", {typeText(v.w, "i8"), w}, w) + "\n" +
               opText("c", std::string("conv_transpose %x, %w {") + list("strides", v.strides) + ", " + list("dilations", "1, 1") + ", " + list("pads_low", v.low) + ", " +
                               list("pads_high", v.high) + ", " + list("output_padding", v.output) + ", groups = 1 : i64}",
                      {x, w}, y) +
               "\n" + opText("b", "broadcast %3", {bias}, y) + "\n" + opText("d", "add %c, %b", {y, y}, y) + "\n" + splat("zero", "0.0", v.y, "f32") +
               opText("r", "max %d, %zero", {y, y}, y) + "\n" + quantize("y", "%r", v.y, "ui8", "512.0", "3");
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
