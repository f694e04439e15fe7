//===- RecurrentTypesTest.cpp - Layers over time in every type ------------===//
//
// States are at most 1 in size and come from functions of at most slope 1; the error of a product of H + I terms
// (ContractionsTest.cpp) is carried from step to step, damped by the gates: 1e-5 over 9 steps.
//
//===----------------------------------------------------------------------===//

#include "Differential.h"

using namespace optc::test;

namespace {

using Shape = std::vector<std::string>;
std::string text(int64_t v) { return std::to_string(v); }

Case caseOf(const std::string &cell, bool all, bool reverse, const std::string &element, bool weights) {
  const int64_t gates = cell == "lstm" ? 4 : cell == "gru" ? 3 : 1, inputs = 5, hidden = 17;
  auto type = [&](const Shape &shape) { return typeText(shape, element); };
  std::string in = text(inputs), units = text(hidden), wide = text(gates * hidden), state = type({"b", units});
  std::vector<Argument> arguments{{type({"t", "b", in}), Fill::moderate}, {type({wide, in}), Fill::moderate, 0, weights}, {type({wide, units}), Fill::moderate, 0, weights}};
  if (all) {
    arguments.push_back({type({text(2 * gates * hidden)}), Fill::moderate, 0, weights}); // bias
    arguments.push_back({typeText({"b"}, "i32"), Fill::count, 1});                       // lengths
    arguments.push_back({state, Fill::moderate});                                        // h0
  }
  if (all && gates == 4) {
    arguments.push_back({state, Fill::moderate});                                     // c0
    arguments.push_back({type({text(3 * hidden)}), Fill::moderate, 0, weights}); // peephole
  }
  std::string operands, list, functions = gates == 4 ? "\"sigmoid\", \"tanh\", \"tanh\"" : gates == 3 ? "\"sigmoid\", \"tanh\"" : "\"tanh\"";
  std::vector<std::string> types;
  for (size_t i = 0; i < 8; ++i) {
    bool given = i < arguments.size();
    list += std::string(i ? ", " : "") + (given ? "1" : "0");
    if (given)
      operands += (i ? ", %" : "%") + text(int64_t(i));
  }
  // The generic form names absent operands.
  Case c = opCase(cell + (all ? " all " : " ") + (reverse ? "reverse " : "") + element + (weights ? "" : " values"),
                  "recurrent(" + operands + ") {cell = \"" + cell + "\", reverse = " + (reverse ? "true" : "false") + ", activations = [" + functions +
                      "], alpha = array<f64>, beta = array<f64>, operandSegmentSizes = array<i32: " + list + ">}",
                  arguments, {type({"t", "b", units}), state, state}, {1, 1e-5}, "kernels are for f32");
  c.body.replace(c.body.find("optc.recurrent"), 14, "\"optc.recurrent\"");
  return c;
}

} // namespace

TEST(RecurrentTypes, cells) {
  Batch batch;
  for (const char *cell : {"lstm", "gru", "rnn"})
    for (bool all : {false, true})
      for (bool reverse : {false, true}) {
        for (const std::string &element : words(kFloats))
          batch.add(caseOf(cell, all, reverse, element, true));
        batch.add(caseOf(cell, all, reverse, "f32", false));
      }
  batch.check({{{"t", 1}, {"b", 1}}, {{"t", 9}, {"b", 3}}, {{"t", 4}, {"b", 17}}});
}
