//===- CompressedWeightsTest.cpp - Products with weights of few bits ------===//
//
// What a model has in few bits is multiplied by the generator of codegen/cpu/CompressedTile.cpp: codes of 4 and 8 bits with
// scales in blocks of every kind, with and without zero points, and halves; a few rows and many. Bounds as of
// ContractionsTest.cpp: k products of at most 2 * 16 * 4.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

struct Format {
  const char *codes, *scale;
  int64_t limit; // of the codes; -1: floats of 8 bits
  bool zeros;
};

const Format kFormats[] = {
    {"i8", "f32", 0, false},    {"i8", "f16", 0, true},         {"ui8", "f32", 16, true},     {"ui8", "f16", 16, false},
    {"ui8", "f32", 256, true},  {"f8E4M3FN", "f16", -1, false}, {"f8E5M2", "f32", -1, false},
};

std::string contractText(bool turned) {
  return std::string("contract %0, %w {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: ") +
         (turned ? "1" : "0") + ">}";
}

/// x [m, k] times (codes - zeros) * scales, where each scale is for `block` k's. `turned`: weights are [n, k].
Case caseOf(const Format &format, const std::string &m, int64_t k, int64_t n, int64_t block, bool turned) {
  auto text = [](int64_t v) { return std::to_string(v); };
  std::string blocks = text((k + block - 1) / block), all = text((k + block - 1) / block * block), size = text(block);
  auto order = [&](std::string a, std::string b) {
    return turned ? std::vector<std::string>{b, a} : std::vector<std::string>{a, b};
  };
  std::string codes = typeText(order(text(k), text(n)), format.codes);
  auto spread = [&](const std::string &name, const std::string &source, const std::string &element, const std::string &to) {
    std::string body;
    std::string from = typeText(order(blocks, text(n)), element), x = source;
    if (element != to) {
      std::string wide = typeText(order(blocks, text(n)), to);
      body += opText(name + "c", "cast " + x, {from}, wide) + "\n";
      x = "%" + name + "c";
      from = wide;
    }
    auto with = [&](const std::string &middle) {
      return turned ? typeText({text(n), blocks, middle}, to) : typeText({blocks, middle, text(n)}, to);
    };
    std::string merged = typeText(order(all, text(n)), to), own = typeText(order(text(k), text(n)), to);
    body += opText(name + "1", "reshape " + x, {from}, with("1")) + "\n" + opText(name + "2", "broadcast %" + name + "1", {with("1")}, with(size)) + "\n" +
            opText(name + "3", "reshape %" + name + "2", {with(size)}, merged) + "\n" +
            opText(name, "slice %" + name + "3 {starts = #optc.dims<[0, 0]>, strides = #optc.dims<[1, 1]>}", {merged}, own) + "\n";
    return body;
  };
  std::string x = typeText({m, text(k)}, "f32"), y = typeText({m, text(n)}, "f32"), w = typeText(order(text(k), text(n)), "f32");
  Case c;
  c.name = std::string(format.codes) + (format.limit == 16 ? " of 4 bits" : "") + " " + format.scale + (format.zeros ? " zeros" : "") + " m=" + m +
           " k=" + text(k) + " n=" + text(n) + " block=" + text(block) + (turned ? " turned" : "");
  c.arguments = {{x, Fill::moderate},
                 {codes, format.limit < 0 ? Fill::moderate : format.limit ? Fill::index : Fill::any, std::max<int64_t>(0, format.limit), true},
                 {typeText(order(blocks, text(n)), format.scale), Fill::positive, 0, true}};
  c.body = spread("s", "%2", format.scale, "f32");
  std::vector<std::string> types{codes, w};
  if (format.zeros) {
    c.arguments.push_back({typeText(order(blocks, text(n)), format.codes), Fill::index, format.codes[0] == 'u' ? format.limit : 8, true});
    c.body += spread("z", "%3", format.codes, format.codes);
    types.push_back(codes);
  }
  c.body += opText("w", std::string("dequantize %1, %s") + (format.zeros ? ", %z" : ""), types, w) + "\n" + opText("y", contractText(turned), {x, w}, y);
  c.result = y;
  double largest = 2 * 4 * (format.limit == 16 ? 16.0 : format.limit < 0 ? 2.0 : 256.0);
  c.bound = {8, double(k) * largest * 0x1p-22};
  return c;
}

Case halvesOf(const std::string &element, const std::string &m, int64_t k, int64_t n) {
  std::string K = std::to_string(k), N = std::to_string(n), x = typeText({m, K}, "f32"), h = typeText({K, N}, element), w = typeText({K, N}, "f32"),
              y = typeText({m, N}, "f32");
  Case c;
  c.name = element + " m=" + m + " k=" + K + " n=" + N;
  c.arguments = {{x, Fill::moderate}, {h, Fill::moderate, 0, true}};
  c.body = opText("w", "cast %1", {h}, w) + "\n" + opText("y", contractText(false), {x, w}, y);
  c.result = y;
  c.bound = {8, double(k) * 4 * 0x1p-22};
  return c;
}

const std::vector<Sizes> kRuns = {{{"n", 0}}, {{"n", 1}}, {{"n", 3}}, {{"n", 6}}, {{"n", 7}}, {{"n", 33}}, {{"n", 400}}};

struct Size {
  int64_t k, n, block;
};

} // namespace

TEST(CompressedWeights, codes) {
  const Size sizes[] = {{64, 64, 32}, {70, 33, 16}, {100, 17, 128}, {96, 70, 24}, {129, 130, 64}, {5, 16, 8}, {1, 1, 8}, {256, 48, 256}};
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const Format &format : kFormats)
      for (const Size &size : sizes)
        for (const char *m : {"n", "1", "5", "9"})
          if (target == std::string("native") ? *m == 'n' || size.n == 70 : *m == '5' && size.n != 17)
            batch.add(caseOf(format, m, size.k, size.n, size.block, size.n % 2 == 0));
    batch.check(kRuns);
  }
}

TEST(CompressedWeights, halves) {
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (const char *element : {"f16", "bf16", "f8E4M3FN", "f8E5M2"})
      for (const char *m : {"n", "1", "4", "20"}) {
        batch.add(halvesOf(element, m, 77, 130));
        batch.add(halvesOf(element, m, 8, 5));
      }
    batch.check(kRuns);
  }
}

/// Weights of which half are 0, and of which most are: only the others are stored.
TEST(CompressedWeights, zeros) {
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (auto [k, n] : {std::pair<int64_t, int64_t>{70, 70}, {129, 130}, {300, 17}})
      for (const char *m : {"n", "5"})
        for (bool few : {false, true}) {
          std::string K = std::to_string(k), N = std::to_string(n), x = typeText({m, K}, "f32"), w = typeText({K, N}, "f32"), mask = typeText({K, N}, "i1"),
                      y = typeText({m, N}, "f32");
          Case c;
          c.name = std::string(few ? "few" : "half") + " m=" + m + " k=" + K + " n=" + N;
          c.arguments = {{x, Fill::moderate}, {w, Fill::moderate, 0, true}, {mask, Fill::any, 0, true}, {mask, Fill::any, 0, true}};
          c.body = opText("b", few ? "and %2, %3" : "and %2, %2", {mask, mask}, mask) + "\n" + opText("f", "cast %b", {mask}, w) + "\n" +
                   opText("w", "mul %1, %f", {w, w}, w) + "\n" + opText("y", contractText(false), {x, w}, y);
          c.result = y;
          c.bound = {8, double(k) * 4 * 0x1p-22};
          batch.add(c);
        }
    batch.check(kRuns);
  }
}

/// Weights of which most blocks of 16 columns are 0: what is not stored is not multiplied.
TEST(CompressedWeights, blocksOfZeros) {
  for (const char *target : {"native", "x86-64-v3", "x86-64"}) {
    Batch batch(target);
    for (auto [k, panels, n] : {std::tuple<int64_t, int64_t, int64_t>{100, 8, 128}, {129, 3, 41}, {301, 1, 16}, {64, 7, 102}})
      for (const char *m : {"n", "1", "9", "100"}) {
        auto dims = [](std::initializer_list<int64_t> sizes, const char *element) {
          std::vector<std::string> text;
          for (int64_t size : sizes)
            text.push_back(std::to_string(size));
          return typeText(text, element);
        };
        std::string x = typeText({m, std::to_string(k)}, "f32"), w = dims({k, n}, "f32"), y = typeText({m, std::to_string(n)}, "f32");
        std::string mask = dims({k, panels}, "i1"), column = dims({k, panels, 1}, "i1"), wide = dims({k, panels, 16}, "i1"), all = dims({k, panels * 16}, "i1"),
                    own = dims({k, n}, "i1");
        Case c;
        c.name = std::string("m=") + m + " k=" + std::to_string(k) + " n=" + std::to_string(n);
        c.arguments = {{x, Fill::moderate}, {w, Fill::moderate, 0, true}, {mask, Fill::any, 0, true}, {mask, Fill::any, 0, true}};
        c.body = opText("a", "and %2, %3", {mask, mask}, mask) + "\n" + opText("b", "reshape %a", {mask}, column) + "\n" +
                 opText("c", "broadcast %b", {column}, wide) + "\n" + opText("d", "reshape %c", {wide}, all) + "\n" +
                 opText("e", "slice %d {starts = #optc.dims<[0, 0]>, strides = #optc.dims<[1, 1]>}", {all}, own) + "\n" + opText("f", "cast %e", {own}, w) +
                 "\n" + opText("w", "mul %1, %f", {w, w}, w) + "\n" + opText("y", contractText(false), {x, w}, y);
        c.result = y;
        c.bound = {8, double(k) * 4 * 0x1p-22};
        batch.add(c);
      }
    batch.check({{{"n", 0}}, {{"n", 1}}, {{"n", 7}}, {{"n", 200}}});
  }
}

/// Every panel keeps one block.
TEST(CompressedWeights, nothingButZeros) {
  Batch batch;
  for (const char *m : {"n", "16"}) {
    std::string x = typeText({m, "64"}, "f32"), w = typeText({"64", "128"}, "f32"), y = typeText({m, "128"}, "f32");
    batch.add({std::string("m=") + m, {{x, Fill::moderate}, {w, Fill::moderate, 0, true}},
               opText("s", "sub %1, %1", {w, w}, w) + "\n" + opText("y", "contract %0, %s {lhs_batch = array<i64>, rhs_batch = array<i64>, lhs_contract = array<i64: 1>, rhs_contract = array<i64: 0>}", {x, w}, y), y, {}, ""});
  }
  batch.check({{{"n", 0}}, {{"n", 1}}, {{"n", 200}}});
}

/// Rows of a table of few bits.
TEST(CompressedWeights, gathers) {
  Batch batch;
  std::string indices = typeText({"n"}, "i64");
  for (const char *element : {"f16", "bf16", "f8E4M3FN", "f8E5M2"}) {
    std::string h = typeText({"300", "35"}, element), w = typeText({"300", "35"}, "f32"), y = typeText({"n", "35"}, "f32");
    batch.add({std::string("table of ") + element, {{h, Fill::moderate, 0, true}, {indices, Fill::index, 300}},
               opText("w", "cast %0", {h}, w) + "\n" + opText("y", "gather %w, %1 {axis = 0 : i64}", {w, indices}, y), y, {1, 0}, ""});
  }
  for (const char *element : {"i8", "ui8"}) {
    std::string q = typeText({"300", "35"}, element), s = typeText({"300", "1"}, "f32"), w = typeText({"300", "35"}, "f32"), y = typeText({"n", "35"}, "f32");
    for (int64_t limit : {0, 8, 16})
      batch.add({std::string("table of ") + element + std::to_string(limit),
                 {{q, limit ? Fill::index : Fill::any, limit, true}, {s, Fill::positive, 0, true}, {indices, Fill::index, 300}},
                 opText("b", "broadcast %1", {s}, w) + "\n" + opText("w", "dequantize %0, %b", {q, w}, w) + "\n" +
                     opText("y", "gather %w, %2 {axis = 0 : i64}", {w, indices}, y), y, {1, 0}, ""});
  }
  batch.check(kRuns);
}
