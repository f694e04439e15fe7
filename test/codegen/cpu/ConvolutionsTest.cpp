//===- ConvolutionsTest.cpp - Convolutions of every kind ------------------===//
//
// The bound is that of matrix products (ContractionsTest.cpp) with one term a tap and channel; for 3x3 kernels 8 times
// that, as Winograd's transforms have entries up to 8.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;
struct Row {
  const char *name;
  Shape x, w, y;
  const char *strides, *dilations, *low, *high;
  int64_t groups;
  int64_t terms;
  const char *library = "";
};

const char *kGroups = "no generator of kernels for groups";
const Row kRows[] = {
    {"1x1", {"n", "16", "7", "9"}, {"24", "16", "1", "1"}, {"n", "24", "7", "9"}, "1, 1", "1, 1", "0, 0", "0, 0", 1, 16},
    {"1x1 strided", {"n", "8", "7", "9"}, {"17", "8", "1", "1"}, {"n", "17", "4", "5"}, "2, 2", "1, 1", "0, 0", "0, 0", 1, 8},
    {"3x3", {"n", "32", "14", "15"}, {"32", "32", "3", "3"}, {"n", "32", "14", "15"}, "1, 1", "1, 1", "1, 1", "1, 1", 1, 288},
    {"3x3 small", {"n", "24", "5", "6"}, {"20", "24", "3", "3"}, {"n", "20", "3", "4"}, "1, 1", "1, 1", "0, 0", "0, 0", 1, 216},
    {"3x3 large", {"1", "16", "30", "33"}, {"48", "16", "3", "3"}, {"1", "48", "30", "33"}, "1, 1", "1, 1", "1, 1", "1, 1", 1, 144},
    {"first layer", {"n", "3", "17", "18"}, {"16", "3", "3", "3"}, {"n", "16", "9", "9"}, "2, 2", "1, 1", "1, 1", "1, 1", 1, 27},
    {"7x7 strided", {"n", "3", "19", "23"}, {"9", "3", "7", "7"}, {"n", "9", "10", "12"}, "2, 2", "1, 1", "3, 3", "3, 3", 1, 147},
    {"dilated", {"n", "5", "12", "13"}, {"7", "5", "3", "3"}, {"n", "7", "12", "13"}, "1, 1", "2, 2", "2, 2", "2, 2", 1, 45},
    {"uneven", {"n", "5", "9", "8"}, {"6", "5", "2", "4"}, {"n", "6", "5", "9"}, "2, 1", "1, 1", "0, 3", "1, 1", 1, 40},
    {"any plane", {"n", "4", "h", "w"}, {"8", "4", "3", "3"}, {"n", "8", "h-2", "w-2"}, "1, 1", "1, 1", "0, 0", "0, 0", 1, 36},
    {"1d", {"n", "6", "31"}, {"10", "6", "5"}, {"n", "10", "31"}, "1", "1", "2", "2", 1, 30},
    {"1d strided", {"n", "6", "31"}, {"10", "6", "4"}, {"n", "10", "15"}, "2", "1", "1", "0", 1, 24},
    {"3d", {"n", "2", "5", "6", "7"}, {"3", "2", "3", "2", "3"}, {"n", "3", "5", "5", "7"}, "1, 1, 1", "1, 1, 1", "1, 0, 1", "1, 0, 1", 1, 36},
    {"depthwise", {"n", "24", "9", "11"}, {"24", "1", "3", "3"}, {"n", "24", "9", "11"}, "1, 1", "1, 1", "1, 1", "1, 1", 24, 9},
    {"depthwise strided", {"n", "17", "9", "11"}, {"17", "1", "5", "5"}, {"n", "17", "5", "6"}, "2, 2", "1, 1", "2, 2", "2, 2", 17, 25},
    {"depthwise 1d", {"n", "16", "19"}, {"16", "1", "3"}, {"n", "16", "19"}, "1", "1", "1", "1", 16, 3},
    {"groups", {"n", "12", "6", "7"}, {"18", "4", "3", "3"}, {"n", "18", "6", "7"}, "1, 1", "1, 1", "1, 1", "1, 1", 3, 36},
    {"groups, 1x1", {"n", "16", "6", "7"}, {"40", "8", "1", "1"}, {"n", "40", "6", "7"}, "1, 1", "1, 1", "0, 0", "0, 0", 2, 8, kGroups},
    {"groups, 1x1 of 16", {"n", "32", "6", "7"}, {"40", "16", "1", "1"}, {"n", "40", "6", "7"}, "1, 1", "1, 1", "0, 0", "0, 0", 2, 16},
    {"groups, 1d", {"n", "16", "19"}, {"6", "8", "3"}, {"n", "6", "10"}, "2", "1", "1", "1", 2, 24},
    {"multiplier", {"n", "6", "6", "7"}, {"12", "1", "3", "3"}, {"n", "12", "6", "7"}, "1, 1", "1, 1", "1, 1", "1, 1", 6, 9, kGroups},
};
const std::vector<Sizes> kRuns = {{{"n", 1}, {"h", 3}, {"w", 3}}, {{"n", 2}, {"h", 5}, {"w", 19}}, {{"n", 3}, {"h", 16}, {"w", 7}}};

std::string list(const char *name, const char *values) { return std::string(name) + " = array<i64: " + values + ">, "; }

Case caseOf(const Row &row, const std::string &element, bool weight, std::string library) {
  double factor = row.w.size() == 4 && row.w[2] == "3" ? 8 : 1;
  Bound bound{1, factor * double(row.terms) * (element == "f64" ? 0x1p-50 : 0x1p-20)};
  return opCase(std::string("conv ") + row.name + " " + element + (weight ? "" : " values"),
                "conv %0, %1 {" + list("strides", row.strides) + list("dilations", row.dilations) + list("pads_low", row.low) + list("pads_high", row.high) +
                    "groups = " + std::to_string(row.groups) + " : i64}",
                {{typeText(row.x, element), Fill::moderate}, {typeText(row.w, element), Fill::moderate, 0, weight}}, {typeText(row.y, element)}, bound,
                std::move(library));
}

} // namespace

TEST(Convolutions, f32) {
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const Row &row : kRows)
      batch.add(caseOf(row, "f32", true, row.library));
    batch.check(kRuns);
  }
}

TEST(Convolutions, otherTypesAndFilters) {
  Batch batch;
  for (const Row &row : kRows) {
    batch.add(caseOf(row, "f32", false, std::string(row.name) == "1x1" ? "" : "filters that are not weights have no kernels"));
    for (const char *element : {"f64", "f16", "bf16"})
      batch.add(caseOf(row, element, true, "no generator of kernels for the type"));
  }
  batch.check({{{"n", 2}, {"h", 3}, {"w", 5}}});
}

TEST(Convolutions, withoutImages) {
  Batch batch;
  for (const Row &row : kRows)
    batch.add(caseOf(row, "f32", true, row.library));
  batch.check({{{"n", 0}, {"h", 3}, {"w", 5}}});
}

/// Filters of which most blocks of 16 channels are 0.
TEST(Convolutions, blocksOfZeros) {
  struct Filter {
    const char *name;
    Shape x, y;
    const char *out, *panels, *in, *taps;
    const char *strides, *dilations, *pads;
  };
  const Filter filters[] = {
      {"3x3 strided", {"n", "21", "13", "12"}, {"n", "37", "7", "6"}, "37", "3", "21", "3", "2, 2", "1, 1", "1, 1"},
      {"5x5", {"n", "16", "9", "11"}, {"n", "48", "9", "11"}, "48", "3", "16", "5", "1, 1", "1, 1", "2, 2"},
      {"dilated", {"n", "32", "h", "w"}, {"n", "16", "h", "w"}, "16", "1", "32", "3", "1, 1", "2, 2", "2, 2"},
  };
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const Filter &v : filters) {
      std::string columns = std::to_string(std::stoi(v.panels) * 16);
      std::string x = typeText(v.x, "f32"), w = typeText({v.out, v.in, v.taps, v.taps}, "f32"), y = typeText(v.y, "f32");
      std::string mask = typeText({v.panels, "1", v.in, v.taps, v.taps}, "i1"), wide = typeText({v.panels, "16", v.in, v.taps, v.taps}, "i1"),
                  all = typeText({columns, v.in, v.taps, v.taps}, "i1"), own = typeText({v.out, v.in, v.taps, v.taps}, "i1");
      Case c;
      c.name = std::string("zeros in ") + v.name;
      c.arguments = {{x, Fill::moderate}, {w, Fill::moderate, 0, true}, {mask, Fill::any, 0, true}, {mask, Fill::any, 0, true}, {mask, Fill::any, 0, true}, {mask, Fill::any, 0, true}};
      c.body = opText("p", "and %2, %3", {mask, mask}, mask) + "\n" + opText("q", "and %4, %5", {mask, mask}, mask) + "\n" +
               opText("a", "and %p, %q", {mask, mask}, mask) + "\n" + opText("b", "broadcast %a", {mask}, wide) + "\n" + opText("c", "reshape %b", {wide}, all) + "\n" +
               opText("d", "slice %c {starts = #optc.dims<[0, 0, 0, 0]>, strides = #optc.dims<[1, 1, 1, 1]>}", {all}, own) + "\n" + opText("e", "cast %d", {own}, w) +
               "\n" + opText("w", "mul %1, %e", {w, w}, w) + "\n" +
               opText("y", "conv %0, %w {" + list("strides", v.strides) + list("dilations", v.dilations) + list("pads_low", v.pads) + list("pads_high", v.pads) + "groups = 1 : i64}",
                      {x, w}, y);
      c.result = y;
      c.bound = {1, 400 * 0x1p-20};
      batch.add(c);
    }
    batch.check(kRuns);
  }
}

/// A chain of layers: layouts are converted once, epilogues hold bias, activation and residual.
TEST(Convolutions, chain) {
  Batch batch;
  std::string x = typeText({"n", "16", "14", "14"}, "f32"), w = typeText({"16", "16", "3", "3"}, "f32"), d = typeText({"16", "1", "3", "3"}, "f32"),
              bias = typeText({"16", "1", "1"}, "f32"), tail = " {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, "
                                                               "pads_high = array<i64: 1, 1>, groups = ";
  batch.add({"two layers", {{x, Fill::moderate}, {w, Fill::moderate, 0, true}, {bias, Fill::moderate, 0, true}, {d, Fill::moderate, 0, true}},
             opText("c", "conv %0, %1" + tail + "1 : i64}", {x, w}, x) + "\n" + opText("b", "broadcast %2", {bias}, x) + "\n" + opText("s", "add %c, %b", {x, x}, x) +
                 "\n" + opText("h", "hard_swish %s", {x}, x) + "\n" + opText("e", "conv %h, %3" + tail + "16 : i64}", {x, d}, x) + "\n" +
                 opText("y", "add %e, %0", {x, x}, x),
             x, {1, 8 * 9 * 144 * 0x1p-20}, ""});
  batch.check({{{"n", 1}}, {{"n", 3}}});
}

TEST(Convolutions, transposed) {
  struct Transposed {
    const char *name;
    Shape x, w, y;
    const char *strides, *dilations, *low, *high, *output;
    int64_t groups;
    bool inKernel = true;
  };
  const Transposed rows[] = {
      {"same", {"n", "5", "7", "8"}, {"5", "6", "3", "3"}, {"n", "6", "7", "8"}, "1, 1", "1, 1", "1, 1", "1, 1", "0, 0", 1},
      {"twice", {"n", "4", "5", "6"}, {"4", "3", "2", "2"}, {"n", "3", "10", "12"}, "2, 2", "1, 1", "0, 0", "0, 0", "0, 0", 1},
      {"twice by 3x3", {"n", "4", "5", "6"}, {"4", "3", "3", "3"}, {"n", "3", "10", "12"}, "2, 2", "1, 1", "1, 1", "1, 1", "1, 1", 1},
      {"uneven", {"n", "4", "5", "6"}, {"4", "3", "4", "3"}, {"n", "3", "15", "9"}, "3, 1", "1, 2", "1, 0", "0, 1", "0, 0", 1, false},
      {"four times by 4x6", {"n", "4", "5", "6"}, {"4", "3", "4", "6"}, {"n", "3", "16", "23"}, "4, 4", "1, 1", "3, 2", "1, 3", "0, 2", 1},
      {"beyond the windows", {"n", "4", "5", "6"}, {"4", "3", "2", "1"}, {"n", "3", "11", "12"}, "2, 2", "1, 1", "0, 0", "0, 0", "1, 1", 1},
      {"groups", {"n", "6", "5", "4"}, {"6", "2", "3", "3"}, {"n", "6", "11", "9"}, "2, 2", "1, 1", "0, 0", "0, 0", "0, 0", 3, false},
      {"1d", {"n", "3", "m"}, {"3", "4", "4"}, {"n", "4", "2*m"}, "2", "1", "1", "1", "0", 1},
  };
  Batch batch;
  for (const Transposed &row : rows)
    for (const std::string &element : words(kFloats))
      for (bool weight : {true, false})
        batch.add(opCase(std::string("conv_transpose ") + row.name + element + (weight ? "" : " values"),
                         "conv_transpose %0, %1 {" + list("strides", row.strides) + list("dilations", row.dilations) + list("pads_low", row.low) +
                             list("pads_high", row.high) + list("output_padding", row.output) + "groups = " + std::to_string(row.groups) + " : i64}",
                         {{typeText(row.x, element), Fill::moderate}, {typeText(row.w, element), Fill::moderate, 0, weight}}, {typeText(row.y, element)},
                         {1, 54 * 0x1p-20}, row.inKernel && element == "f32" && (weight || std::string(row.name) == "twice") ? "" : "no generator of kernels"));
  batch.check({{{"n", 1}, {"m", 1}}, {{"n", 2}, {"m", 17}}});
}

TEST(Convolutions, deformable) {
  Batch batch;
  for (const char *element : {"f32", "f64", "f16"})
    for (bool masked : {false, true}) {
      std::vector<Argument> arguments{{typeText({"n", "4", "6", "7"}, element), Fill::moderate}, {typeText({"6", "2", "3", "3"}, element), Fill::moderate, 0, true},
                                      {typeText({"n", "36", "6", "7"}, element), Fill::moderate}};
      if (masked)
        arguments.push_back({typeText({"n", "18", "6", "7"}, element), Fill::moderate});
      batch.add(opCase(std::string("deform_conv ") + element + (masked ? " masked" : ""),
                       std::string("deform_conv %0, %1, %2") + (masked ? ", %3" : "") +
                           " {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, groups = 2 : i64, offset_groups = 2 : i64}",
                       arguments, {typeText({"n", "6", "6", "7"}, element)}, {1, 18 * 0x1p-18}, "no generator of kernels"));
    }
  batch.check({{{"n", 1}}, {{"n", 2}}});
}
