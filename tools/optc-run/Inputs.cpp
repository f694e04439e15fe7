//===- Inputs.cpp - Random inputs -----------------------------------------===//

#include "tools/optc-run/Inputs.h"
#include "tools/tensors/InputDims.h"
#include "tools/tensors/RandomTensor.h"
#include "tools/tensors/TensorFile.h"

using namespace optc;

namespace {

std::string joined(const std::vector<Port> &ports) {
  std::string text;
  for (const Port &port : ports)
    text += (text.empty() ? "" : ", ") + port.name;
  return text;
}

/// The dims that a shape on the command line gives, and the symbols they settle.
Error settle(const Port &port, const std::vector<int64_t> &dims, std::map<std::string, int64_t> &symbols) {
  auto fail = [&](const std::string &what) {
    return Error::usage("--shape: input '" + port.name + "' " + what);
  };
  if (dims.size() != port.dims.size())
    return fail("has rank " + std::to_string(port.dims.size()) + ", not " + std::to_string(dims.size()));
  for (size_t d = 0; d < dims.size(); ++d) {
    if (port.dims[d] >= 0 && port.dims[d] != dims[d])
      return fail("has " + std::to_string(port.dims[d]) + " in dim " + std::to_string(d) + ", not " +
                  std::to_string(dims[d]));
    if (port.dims[d] < 0)
      symbols[port.symbols[d]] = dims[d];
  }
  return Error::success();
}

} // namespace

Error optc::randomInputs(const Options &options, const Plan &plan, int64_t bound, std::vector<Value> &values) {
  const std::vector<Port> &ports = plan.inputs;
  std::map<std::string, int64_t> symbols;
  for (auto &[name, dims] : options.shapes) {
    const Port *port = nullptr;
    for (const Port &p : ports)
      if (p.name == name)
        port = &p;
    if (!port)
      return Error::usage("--shape: the model has no input '" + name + "'", "its inputs: " + joined(ports));
    if (Error error = settle(*port, dims, symbols))
      return error;
  }
  Random random{options.seed};
  std::vector<std::vector<int64_t>> all = inputDims(plan, symbols, 1);
  for (const Port &port : ports) {
    if (port.kind != Value::Kind::tensor || port.type == DType::c64 || port.type == DType::c128)
      return Error::at(options.model,
                       "input '" + port.name + "' cannot be made up: it is not a tensor of real numbers",
                       "give --inputs");
    auto given = options.shapes.find(port.name);
    const std::vector<int64_t> &dims = given != options.shapes.end() ? given->second : all[size_t(&port - ports.data())];
    for (size_t d = 0; d < dims.size(); ++d)
      if (dims[d] < 0)
        return Error::usage("--shape: dim " + std::to_string(d) + " of input '" + port.name + "' would be " + port.symbols[d] + " = " + std::to_string(dims[d]));
    if (elementCount(dims) < 0)
      return Error::usage("--shape: input '" + port.name + "' would not fit into memory");
    Value value = Value::allocate(port.type, dims);
    if (value.bytes() && !value.data)
      return Error::at(options.model, "out of memory for input '" + port.name + "'");
    if (port.type == DType::string)
      for (int64_t i = 0; i < value.size(); ++i)
        value.as<std::string>()[i] = "text " + std::to_string(random.next() % uint64_t(bound));
    else
      fillRandom(value, bound, random);
    values.push_back(std::move(value));
  }
  return Error::success();
}
