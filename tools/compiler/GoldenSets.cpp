//===- GoldenSets.cpp - How far a model is from its golden outputs --------===//

#include "tools/compiler/GoldenSets.h"
#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace optc;

/// A copy with memory of its own.
static HostValue copyOf(const HostValue &value) {
  if (value.kind != HostValue::Kind::tensor || value.type == DType::string)
    return value;
  HostValue copy = HostValue::allocate(value.type, value.dims);
  std::copy_n(value.as<char>(), value.bytes(), copy.as<char>());
  return copy;
}

Error GoldenSets::open(const SampleSource &source, NativeModel &f32) {
  if (Error error = TensorSets::open(source, sets))
    return error;
  expected.resize(sets.size());
  for (size_t i = 0; i < sets.size(); ++i) {
    bool given = false;
    if (Error error = sets.hasOutputs(i, f32.plan().outputs, given))
      return error;
    if (given) {
      if (Error error = sets.outputs(i, f32.plan().outputs, expected[i]))
        return error;
      continue;
    }
    if (Error error = run(f32, i, {}))
      return error;
    for (const HostValue &output : f32.outputs())
      expected[i].push_back(copyOf(output));
  }
  return Error::success();
}

Error GoldenSets::run(NativeModel &model, size_t set, ArrayRef<HostValue> further) const {
  std::vector<Port> ports = model.plan().inputs;
  ports.resize(ports.size() - further.size());
  std::vector<HostValue> inputs;
  if (Error error = sets.inputs(set, ports, inputs))
    return error;
  inputs.insert(inputs.end(), further.begin(), further.end());
  if (Error error = model.run(inputs))
    return Error::at(sets.name(set), error.message);
  return Error::success();
}

Error GoldenSets::compare(NativeModel &model, size_t set, std::vector<OutputError> &sums) const {
  const std::vector<Port> &ports = model.plan().outputs;
  for (size_t o = 0; o < ports.size(); ++o) {
    OutputError one = compareValues(ports[o].name, model.outputs()[o], expected[set][o], 0, 0);
    if (!one.problem.empty())
      return Error::at(sets.name(set), "output '" + ports[o].name + "' " + one.problem);
    sums[o].add(one);
  }
  return Error::success();
}

/// What is measured of outputs other than texts.
static std::vector<OutputError> numbersOf(const std::vector<Port> &ports, const std::vector<OutputError> &sums) {
  std::vector<OutputError> numbers;
  for (auto [port, sum] : llvm::zip(ports, sums))
    if (port.type != DType::string) {
      numbers.push_back(sum);
      numbers.back().name = port.name;
    }
  return numbers;
}

Error GoldenSets::measure(NativeModel &model, ArrayRef<HostValue> further, size_t most, Deviation &deviation) const {
  const std::vector<Port> &ports = model.plan().outputs;
  std::vector<OutputError> sums(ports.size());
  size_t count = std::min(most, sets.size());
  for (size_t n = 0; n < count; ++n) {
    size_t i = n * sets.size() / count;
    if (Error error = run(model, i, further))
      return error;
    if (Error error = compare(model, i, sums))
      return error;
  }
  deviation = {};
  for (size_t o = 0; o < ports.size(); ++o) {
    bool isText = ports[o].type == DType::string;
    double error = isText ? double(sums[o].outside) / double(std::max<int64_t>(sums[o].count, 1)) : sums[o].relativeNorm();
    // A result that is not a number is as far as can be.
    if (std::isnan(error))
      error = INFINITY;
    if (o == 0 || error > deviation.error)
      deviation.error = error, deviation.output = ports[o].name;
  }
  deviation.outputs = numbersOf(ports, sums);
  return Error::success();
}

Error GoldenSets::save(NativeModel &model, ArrayRef<HostValue> further, const std::string &folder, std::vector<OutputError> &outputs) const {
  const std::vector<Port> &ports = model.plan().outputs;
  std::vector<OutputError> sums(ports.size());
  bool isComparable = true;
  for (size_t i = 0; i < sets.size(); ++i) {
    if (Error error = run(model, i, further))
      return error;
    isComparable = isComparable && !compare(model, i, sums);
    std::string of = folder + "/" + sets.folder(i);
    if (Error error = writeOutputs(of, "npy", ports, {model.outputs().begin(), model.outputs().end()}))
      return error;
  }
  outputs = isComparable ? numbersOf(ports, sums) : std::vector<OutputError>();
  return Error::success();
}
