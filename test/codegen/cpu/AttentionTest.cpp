//===- AttentionTest.cpp - Attention against the evaluator ----------------===//
//
// Queries that fill no vector, keys that fill no tile, heads read through strides, masks of every kind.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

std::string f32(const std::vector<std::string> &dims) { return typeText(dims, "f32"); }

struct Row {
  const char *name;
  std::vector<std::string> q, k, v, mask; // no mask: empty
  const char *attributes;
};

const Row kRows[] = {
    {"plain", {"b", "2", "s", "16"}, {"b", "2", "t", "16"}, {"b", "2", "t", "16"}, {}, "scale = 0.25 : f64"},
    {"odd sizes", {"b", "3", "s", "7"}, {"b", "3", "t", "7"}, {"b", "3", "t", "5"}, {}, "scale = 0.5 : f64"},
    {"grouped heads", {"b", "6", "s", "8"}, {"b", "2", "t", "8"}, {"b", "2", "t", "8"}, {}, "scale = 0.4 : f64"},
    {"mask of keys", {"b", "2", "s", "16"}, {"b", "2", "t", "16"}, {"b", "2", "t", "16"}, {"b", "1", "1", "t"}, "scale = 0.25 : f64"},
    {"mask of all", {"b", "2", "s", "16"}, {"b", "2", "t", "16"}, {"b", "2", "t", "16"}, {"1", "2", "s", "t"}, "scale = 0.25 : f64"},
    {"mask of queries", {"b", "2", "s", "16"}, {"b", "2", "t", "16"}, {"b", "2", "t", "16"}, {"1", "1", "s", "1"}, "scale = 0.25 : f64"},
    {"causal", {"b", "2", "s", "16"}, {"b", "2", "t", "16"}, {"b", "2", "t", "16"}, {}, "scale = 0.25 : f64, causal = true"},
    {"softcap", {"b", "2", "s", "16"}, {"b", "2", "t", "16"}, {"b", "2", "t", "16"}, {}, "scale = 2.0 : f64, softcap = 3.0 : f64"},
    {"static", {"1", "2", "70", "16"}, {"1", "2", "33", "16"}, {"1", "2", "33", "24"}, {}, "scale = 0.25 : f64"},
};

Case caseOf(const Row &row) {
  Case c{row.name, {}, "", "", {16, 1e-5}, ""};
  for (const auto *dims : {&row.q, &row.k, &row.v, &row.mask})
    if (!dims->empty())
      c.arguments.push_back({f32(*dims), Fill::moderate, 0});
  std::vector<std::string> out = row.q;
  out.back() = row.v.back();
  c.result = f32(out);
  bool masked = !row.mask.empty();
  c.body = std::string("%y = optc.attention %0, %1, %2") + (masked ? ", %3" : "") + " {" + row.attributes + "} : (" + f32(row.q) + ", " +
           f32(row.k) + ", " + f32(row.v) + (masked ? ", " + f32(row.mask) : "") + ") -> " + c.result;
  return c;
}

TEST(Attention, Kernels) {
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const Row &row : kRows)
      batch.add(caseOf(row));
    batch.check({{{"b", 1}, {"s", 1}, {"t", 1}}, {{"b", 2}, {"s", 17}, {"t", 19}}, {{"b", 1}, {"s", 32}, {"t", 64}}, {{"b", 1}, {"s", 45}, {"t", 101}},
                 {{"b", 3}, {"s", 64}, {"t", 14}}});
  }
}

/// Operands of bf16; with leave to round probabilities, too, AMX's tiles compute it: 2^-9 of each, of values up to 2.
TEST(Attention, Halves) {
  for (const char *target : {"native", "x86-64-v4+amx", "x86-64-v4", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const Row &row : kRows)
      for (bool rounds : {false, true}) {
        Case c = caseOf(row);
        c.name += rounds ? " rounded" : " bf16";
        std::string casts;
        const std::vector<std::string> *dims[] = {&row.q, &row.k, &row.v};
        for (int i = 0; i < 3; ++i) {
          c.arguments[i].type = typeText(*dims[i], "bf16");
          casts += opText("f" + std::to_string(i), "cast %" + std::to_string(i), {c.arguments[i].type}, f32(*dims[i])) + "\n";
        }
        c.body.replace(c.body.find("%0, %1, %2"), 10, "%f0, %f1, %f2");
        if (rounds) {
          c.body.replace(c.body.find("{"), 1, "{optc.rounds_probabilities, ");
          c.bound = {16, 2 * 0x1p-8};
        }
        c.body = casts + c.body;
        batch.add(c);
      }
    batch.check({{{"b", 1}, {"s", 1}, {"t", 1}}, {{"b", 2}, {"s", 17}, {"t", 19}}, {{"b", 1}, {"s", 32}, {"t", 64}}, {{"b", 1}, {"s", 45}, {"t", 101}},
                 {{"b", 3}, {"s", 160}, {"t", 14}}});
  }
}

/// Operands that are codes, of either sign: probabilities are multiples of 1/255 here and in the evaluator. One that lies halfway may be
/// rounded to either side, which moves a result by less than 1/255 of the distance to a value; mostly by much less.
TEST(Attention, Bytes) {
  const struct {
    const char *name, *types[3];
    int zeros[3];
  } kForms[] = {{" of u8", {"ui8", "ui8", "ui8"}, {128, 117, 131}}, {" of i8", {"i8", "i8", "i8"}, {0, -7, 3}}, {" of both", {"i8", "ui8", "ui8"}, {-128, 255, 0}}};
  for (const char *target : {"native", "x86-64-v4+avx512vnni", "x86-64-v3+avxvnni", "x86-64-v4", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    std::vector<Row> rows{{"whole heads", {"1", "2", "70", "64"}, {"1", "2", "130", "64"}, {"1", "2", "130", "32"}, {}, "scale = 0.125 : f64"},
                          {"long heads", {"1", "1", "40", "128"}, {"1", "1", "33", "128"}, {"1", "1", "33", "128"}, {}, "scale = 0.1 : f64"}};
    for (const Row &row : kRows)
      if (std::stoi(row.q.back()) % 4 == 0 && std::stoi(row.v.back()) % 16 == 0)
        rows.push_back(row);
    for (size_t number = 0; number < rows.size(); ++number)
      for (size_t signs = 0; signs < std::size(kForms); ++signs) {
        // Signs and masks have little to do with each other.
        if (number > 0 && number % std::size(kForms) != signs)
          continue;
        const Row &row = rows[number];
        const auto &form = kForms[signs];
        Case c = caseOf(row);
        c.name += form.name;
        c.bound = {16, 5e-3};
        std::string head;
        const std::vector<std::string> *dims[] = {&row.q, &row.k, &row.v};
        for (int i = 0; i < 3; ++i) {
          std::string n = std::to_string(i), type = typeText(*dims[i], form.types[i]), wide = f32(*dims[i]);
          c.arguments[i] = {type, Fill::any, 0};
          head += "%s" + n + " = optc.constant dense<" + (i == 2 ? "0.02" : "0.015") + "> : tensor<f32>\n%z" + n + " = optc.constant dense<" +
                  std::to_string(form.zeros[i]) + "> : tensor<" + form.types[i] + ">\n";
          head += opText("sb" + n, "broadcast %s" + n, {"tensor<f32>"}, wide) + "\n" +
                  opText("zb" + n, "broadcast %z" + n, {std::string("tensor<") + form.types[i] + ">"}, type) + "\n" +
                  opText("f" + n, "dequantize %" + n + ", %sb" + n + ", %zb" + n, {type, wide, type}, wide) + "\n";
        }
        c.body.replace(c.body.find("%0, %1, %2"), 10, "%f0, %f1, %f2");
        c.body.replace(c.body.find("{"), 1, "{optc.probability_steps = 255 : i64, ");
        c.body = head + c.body;
        batch.add(c);
      }
    batch.check({{{"b", 1}, {"s", 1}, {"t", 1}}, {{"b", 2}, {"s", 17}, {"t", 19}}, {{"b", 1}, {"s", 32}, {"t", 64}}, {{"b", 1}, {"s", 45}, {"t", 101}},
                 {{"b", 3}, {"s", 160}, {"t", 14}}});
  }
}

TEST(Attention, ThroughStrides) {
  std::string fused = f32({"b", "s", "96"}), third = f32({"b", "s", "32"}), split = f32({"b", "s", "2", "16"}), heads = f32({"b", "2", "s", "16"});
  std::string body;
  for (int i = 0; i < 3; ++i) {
    std::string n = std::to_string(i);
    body += "%a" + n + " = optc.slice %0 {starts = #optc.dims<[0, 0, " + std::to_string(32 * i) + "]>, strides = #optc.dims<[1, 1, 1]>} : (" + fused +
            ") -> " + third + "\n%b" + n + " = optc.reshape %a" + n + " : (" + third + ") -> " + split + "\n%c" + n + " = optc.transpose %b" + n +
            " {permutation = array<i64: 0, 2, 1, 3>} : (" + split + ") -> " + heads + "\n";
  }
  body += "%h = optc.attention %c0, %c1, %c2 {scale = 0.25 : f64} : (" + heads + ", " + heads + ", " + heads + ") -> " + heads +
          "\n%t = optc.transpose %h {permutation = array<i64: 0, 2, 1, 3>} : (" + heads + ") -> " + split + "\n%y = optc.reshape %t : (" + split +
          ") -> " + third;
  Batch batch;
  batch.add({"fused projection", {{fused, Fill::moderate, 0}}, body, third, {16, 1e-5}, ""});
  batch.check({{{"b", 1}, {"s", 1}}, {{"b", 2}, {"s", 37}}, {{"b", 1}, {"s", 64}}});
}

} // namespace
