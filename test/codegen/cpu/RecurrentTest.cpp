//===- RecurrentTest.cpp - Recurrent layers -------------------------------===//
//
// All cells over sizes of the batch, of time and of the state that do and do not fill panels and registers.
// Weights are arguments: the kernels are the same, and packing runs as steps before them. y and the last
// states are compared together.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

struct Layer {
  std::string name, cell;
  int64_t hidden;
  std::string steps = "t", batch = "b"; // symbols or numbers
  std::string attributes = "";          // beyond those that every op has
  std::string activations = "";         // in place of the usual ones, with alpha 0.3 and beta 0.6
  bool bias = true, states = true, lengths = false, peephole = false, reverse = false;
  double error = 3e-6;
};

std::string text(int64_t n) { return std::to_string(n); }

Case makeCase(const Layer &l) {
  int64_t gates = l.cell == "lstm" ? 4 : l.cell == "gru" ? 3 : 1, rows = gates * l.hidden;
  bool lstm = gates == 4;
  Case c;
  c.name = l.name;
  c.bound = {0, l.error};
  std::string operands, types, h = text(l.hidden);
  auto add = [&](const char *keyword, const std::vector<std::string> &dims, const char *element = "f32",
                 Fill fill = Fill::moderate) {
    operands +=
        std::string(keyword) + (keyword == std::string("r") ? " %s " : " %" + text(c.arguments.size()) + " ");
    types += (c.arguments.empty() ? "" : ", ") + typeText(dims, element);
    c.arguments.push_back({typeText(dims, element), fill});
  };
  add("", {l.steps, l.batch, "5"});
  add("w", {text(rows), "5"});
  add("r", {text(rows), h});
  // Larger weights make the recurrence chaotic: it would magnify a rounding with each step.
  std::string r = typeText({text(rows), h}, "f32"), scale = text(2 * l.hidden);
  c.body = "%n = optc.constant dense<" + scale +
           ".0> : tensor<f32>\n%m = optc.broadcast %n : (tensor<f32>) -> " + r +
           "\n%s = optc.div %2, %m : (" + r + ", " + r + ") -> " + r + "\n";
  if (l.bias)
    add("bias", {text(2 * rows)});
  if (l.lengths)
    add("lengths", {l.batch}, "i32", Fill::positive);
  if (l.states)
    add("h0", {l.batch, h});
  if (l.states && lstm)
    add("c0", {l.batch, h});
  if (l.peephole)
    add("peephole", {text(3 * l.hidden)});
  std::string usual = lstm         ? R"("sigmoid", "tanh", "tanh")"
                      : gates == 3 ? R"("sigmoid", "tanh")"
                                   : R"("tanh")";
  std::string y = typeText({l.steps, l.batch, h}, "f32"), state = typeText({l.batch, h}, "f32");
  c.body += "%r:3 = optc.recurrent(" + operands + ") {cell = \"" + l.cell +
            "\", reverse = " + (l.reverse ? "true" : "false") + ", activations = [" +
            (l.activations.empty() ? usual : l.activations) +
            "], alpha = array<f64: 0.3, 0.3, 0.3>, beta = array<f64: 0.6, 0.6, 0.6>" + l.attributes +
            "} : (" + types + ") -> (" + y + ", " + state + ", " + state + ")\n";
  // y, then h and c, one after the other.
  std::string flatState = typeText({"1", l.batch, h}, "f32"),
              all = typeText({l.steps + "+2", l.batch, h}, "f32");
  if (l.steps.find_first_not_of("0123456789") == std::string::npos)
    all = typeText({text(std::stoll(l.steps) + 2), l.batch, h}, "f32");
  c.body += "%h = optc.reshape %r#1 : (" + state + ") -> " + flatState + "\n%c = optc.reshape %r#2 : (" +
            state + ") -> " + flatState + "\n%y = optc.concat %r#0, %h, %c {axis = 0 : i64} : (" + y + ", " +
            flatState + ", " + flatState + ") -> " + all;
  c.result = all;
  return c;
}

const char *kCells[] = {"lstm", "gru", "rnn"};

/// The target under test: v3 and v4 differ in vectors a panel and in rows that fit into the registers.
void check(const std::vector<Layer> &layers, const std::vector<Sizes> &runs,
           const std::string &target = "native") {
  Batch batch(target);
  for (const Layer &l : layers)
    batch.add(makeCase(l));
  batch.check(runs);
}

const std::vector<Sizes> kSizes = {{{"t", 1}, {"b", 1}}, {{"t", 5}, {"b", 1}}, {{"t", 4}, {"b", 2}},
                                   {{"t", 7}, {"b", 3}}, {{"t", 2}, {"b", 4}}, {{"t", 3}, {"b", 7}},
                                   {{"t", 0}, {"b", 2}}, {{"t", 2}, {"b", 0}}};

std::vector<Layer> sizes() {
  std::vector<Layer> layers;
  for (const char *cell : kCells) {
    for (int64_t hidden : {1, 3, 16, 21, 32, 70})
      layers.push_back({std::string(cell) + " " + text(hidden), cell, hidden});
    for (int64_t batch : {1, 2, 3, 5, 6})
      layers.push_back({std::string(cell) + " batch " + text(batch), cell, 19, "3", text(batch)});
  }
  return layers;
}

} // namespace

TEST(Recurrent, Sizes) { check(sizes(), kSizes); }
TEST(Recurrent, SizesWithAvx2) { check(sizes(), kSizes, "x86-64-v3"); }
TEST(Recurrent, SizesWithSse) { check(sizes(), kSizes, "x86-64-v2"); }

TEST(Recurrent, LargeWeights) {
  // Groups of rows take turns with the weights.
  std::vector<Layer> layers;
  for (const char *batch : {"b", "9", "18"}) {
    layers.push_back({std::string("lstm of ") + batch, "lstm", 260, "t", batch});
    layers.push_back({std::string("gru of ") + batch, "gru", 300, "t", batch});
    layers.back().reverse = layers.back().lengths = true;
    layers.push_back({std::string("rnn of ") + batch, "rnn", 520, "t", batch});
  }
  std::vector<Sizes> runs = {
      {{"t", 4}, {"b", 1}}, {{"t", 4}, {"b", 7}}, {{"t", 5}, {"b", 8}}, {{"t", 4}, {"b", 11}}};
  check(layers, runs);
  check(layers, runs, "x86-64-v3");
}

TEST(Recurrent, Variants) {
  std::vector<Layer> layers;
  for (const char *cell : kCells) {
    std::string name = cell;
    auto add = [&](const std::string &what) -> Layer & {
      layers.push_back({name + " " + what, name, 20});
      return layers.back();
    };
    add("reversed").reverse = true;
    add("without bias").bias = false;
    add("from zeros").states = false;
    add("clipped").attributes = ", clip = 0.4";
  }
  layers.push_back({"gru resetting after", "gru", 20, "t", "b", ", reset_after = true"});
  layers.push_back({"gru resetting after without bias", "gru", 20, "t", "b", ", reset_after = true"});
  layers.back().bias = false;
  layers.push_back({"lstm with peephole", "lstm", 20});
  layers.back().peephole = true;
  layers.push_back({"lstm with coupled gates", "lstm", 20, "t", "b", ", input_forget = true"});
  check(layers, kSizes);
}

TEST(Recurrent, Lengths) {
  std::vector<Layer> layers;
  for (const char *cell : kCells)
    for (bool reverse : {false, true}) {
      layers.push_back({std::string(cell) + (reverse ? " reversed" : ""), cell, 20});
      layers.back().lengths = true;
      layers.back().reverse = reverse;
    }
  check(layers, {{{"t", 4}, {"b", 1}}, {{"t", 5}, {"b", 2}}, {{"t", 9}, {"b", 7}}});
}

TEST(Recurrent, Activations) {
  std::vector<Layer> layers;
  for (const char *f : {"relu", "affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu",
                        "softsign", "softplus"})
    for (const char *cell : kCells) {
      std::string quoted = "\"" + std::string(f) + "\"";
      layers.push_back({std::string(cell) + " " + f, cell, 3});
      layers.back().activations = quoted + ", " + quoted + ", " + quoted;
      layers.back().error = 2e-4; // unbounded functions grow
      layers.back().attributes = ", clip = 1.5";
    }
  check(layers, {{{"t", 3}, {"b", 2}}});
}
