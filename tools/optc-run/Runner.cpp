//===- Runner.cpp - A loaded model, ready to be run again and again -------===//

#include "tools/optc-run/Runner.h"
#include "tools/tensors/Folder.h"
#include "tools/optc-run/Inputs.h"

using namespace optc;

Error Runner::load(const std::string &file) {
  path = file;
  Clock::time_point start = Clock::now();
  std::string problem;
  model = Model::open(path, problem);
  loadTime = millisecondsSince(start);
  if (model)
    return Error::success();
  if (problem.starts_with(path + ": "))
    problem.erase(0, path.size() + 2);
  return Error::at(path, problem);
}

Error Runner::openDevice() {
  Status status = model->program().openDevice();
  if (status.ok())
    return Error::success();
  Error error = Error::at(path, status.message);
  error.exitCode = ExitCode::toolchain;
  return error;
}

Error Runner::firstRun() {
  if (Error error = openDevice())
    return error;
  pointers.clear();
  for (const Value &value : inputValues)
    pointers.push_back(&value);
  results.assign(model->plan().outputs.size(), Value());
  memory.clear();
  if (Status status = running->run(pointers, results); !status.ok())
    return Error::at(path, status.message);
  // From now on tensors go where the first run put them. Strings, sequences and optionals stay the runtime's.
  for (Value &value : results) {
    memory.push_back(nullptr);
    if (value.kind == Value::Kind::tensor && value.type != DType::string)
      memory.back() = std::move(value.storage);
  }
  return Error::success();
}

Error Runner::prepare(const Options &options, std::string &warning) {
  Clock::time_point start = Clock::now();
  running = std::make_unique<Session>(model->program(), options.threads);
  loadTime += millisecondsSince(start);
  if (!options.inputs.empty()) {
    if (Error error = readFolder(options.inputs, "input", model->plan().inputs, inputValues))
      return error;
    return firstRun();
  }
  for (int64_t bound : {100, 2, 1}) {
    inputValues.clear();
    if (Error error = randomInputs(options, model->plan().inputs, bound, inputValues))
      return error;
    Error error = firstRun();
    if (!error && bound < 100)
      warning = "integer inputs are below " + std::to_string(bound) + ": larger ones are out of range";
    if (!error || bound == 1 || error.message.find("out of range") == std::string::npos)
      return error;
  }
  return Error::success();
}

Error Runner::prepareAs(const Runner &other, unsigned threads) {
  running = std::make_unique<Session>(model->program(), threads);
  inputValues = other.inputValues;
  return firstRun();
}

Error Runner::run() {
  for (size_t i = 0; i < results.size(); ++i)
    if (!memory[i])
      results[i] = Value();
  Status status = running->run(pointers, results);
  return status.ok() ? Error::success() : Error::at(path, status.message);
}
