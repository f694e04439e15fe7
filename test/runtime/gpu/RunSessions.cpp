//===- RunSessions.cpp - One session, many runs -----------------*- C++ -*-===//
//
//   run-sessions MODEL.so REFERENCE.so TOLERANCE [SYMBOL=SIZE,SIZE...]
//
// Runs both on the same random inputs, several times for each of the sizes and back again, in one session of MODEL: what an earlier run left,
// in memory or in a recorded graph, must not show. Compares the outputs; status 1 where one is further off than the tolerance,
// relative to the largest expected element.
//
//===----------------------------------------------------------------------===//

#include "runtime/Model.h"
#include "test/codegen/gpu/KernelValues.h"
#include "tools/tensors/InputDims.h"
#include "tools/tensors/OutputError.h"
#include <cstdio>
#include <map>
#include <sstream>

using namespace optc;

static std::vector<int64_t> numbersOf(const std::string &text) {
  std::vector<int64_t> numbers;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');)
    numbers.push_back(std::stoll(item));
  return numbers;
}

static double largest(const Value &value) {
  double found = 0;
  std::vector<double> elements(size_t(value.size()));
  load(value, 0, value.size(), elements.data());
  for (double x : elements)
    found = std::max(found, std::abs(x));
  return found;
}

int main(int argc, char **argv) {
  if (argc < 4)
    return 2;
  std::shared_ptr<Model> models[2];
  std::unique_ptr<Session> sessions[2];
  for (int i = 0; i < 2; ++i) {
    std::string problem;
    models[i] = Model::open(argv[1 + i], problem);
    if (!models[i])
      return std::fprintf(stderr, "%s\n", problem.c_str()), 1;
    sessions[i] = std::make_unique<Session>(models[i]->program(), 1);
  }
  double tolerance = std::stod(argv[3]);
  std::map<std::string, std::vector<int64_t>> sizes;
  for (int i = 4; i < argc; ++i) {
    std::string text = argv[i];
    sizes[text.substr(0, text.find('='))] = numbersOf(text.substr(text.find('=') + 1));
  }
  size_t variants = 1;
  for (auto &[symbol, list] : sizes)
    variants = std::max(variants, list.size());
  uint64_t seed = 1;
  double worst = 0;
  const Plan &plan = models[0]->plan();
  // Each size three times in a row, then all once more, one after the other.
  std::vector<size_t> order;
  for (size_t v = 0; v < variants; ++v)
    order.insert(order.end(), 4, v);
  for (size_t v = 0; v < variants; ++v)
    order.push_back(v);
  for (size_t v : order) {
    std::vector<Value> inputs;
    std::vector<const Value *> pointers;
    std::map<std::string, int64_t> now;
    for (auto &[symbol, list] : sizes)
      now[symbol] = list[v % list.size()];
    std::vector<std::vector<int64_t>> dims = inputDims(plan, now, -1);
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      const Port &port = plan.inputs[i];
      for (size_t d = 0; d < dims[i].size(); ++d)
        if (dims[i][d] < 0)
          return std::fprintf(stderr, "no size of '%s'\n", port.symbols[d].c_str()), 2;
      inputs.push_back(Value::allocate(port.type, dims[i]));
      fillRandom(inputs.back(), seed++, Fill::finite);
    }
    for (const Value &input : inputs)
      pointers.push_back(&input);
    std::vector<Value> outputs[2];
    for (int i = 0; i < 2; ++i) {
      outputs[i].resize(plan.outputs.size());
      if (Status status = sessions[i]->run(pointers, outputs[i]); !status.ok())
        return std::fprintf(stderr, "%s: %s\n", argv[1 + i], status.message.c_str()), 1;
    }
    for (size_t o = 0; o < plan.outputs.size(); ++o) {
      double atol = tolerance * std::max(largest(outputs[1][o]), 1e-6);
      OutputError error = compareValues(plan.outputs[o].name, outputs[0][o], outputs[1][o], 0, atol);
      worst = std::max(worst, error.maxAbsolute / std::max(largest(outputs[1][o]), 1e-6));
      if (!error.within())
        return std::fprintf(stderr, "output '%s': %s %lld of %lld outside, %g\n", plan.outputs[o].name.c_str(), error.problem.c_str(),
                            (long long)error.outside, (long long)error.count, error.maxAbsolute),
               1;
    }
  }
  std::printf("%zu runs agree, off by %.2g at most\n", order.size(), worst);
  return 0;
}
