//===- Runner.cpp - A loaded model, ready to be run again and again -------===//

#include "tools/optc-run/Runner.h"
#include "runtime/reference/Blocks.h"
#include "tools/optc-run/Inputs.h"
#include "tools/tensors/Folder.h"

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

Error Runner::openDevice(const Options &options) {
  if (!model->program().devices && (options.gpu || options.inGpuMemory))
    return Error::usage(options.gpu ? "--gpu has no effect here" : "--in-gpu-memory has no effect here", path + " does not run on a GPU");
  Status status = model->program().openDevice(options.gpu.value_or(0));
  if (status.ok())
    return Error::success();
  Error error = Error::at(path, status.message);
  error.exitCode = ExitCode::toolchain;
  return error;
}

Error Runner::firstRun(const Options &options) {
  if (Error error = openDevice(options))
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
  return options.inGpuMemory ? moveToDevice(options) : Error::success();
}

Error Runner::moveToDevice(const Options &options) {
  gpu::DeviceProgram &program = model->program().devices->on(options.gpu.value_or(0));
  gpu::Stream stream;
  auto move = [&](Value &value, bool withContents) {
    gpu::Memory &memory = deviceMemory.emplace_back();
    OPTC_TRY(memory.allocate(program.device(), value.bytes()));
    if (withContents && value.bytes())
      OPTC_TRY(stream.upload(memory.address(), value.data, value.bytes()));
    value = Value(value.type, value.dims, reinterpret_cast<void *>(memory.address()));
    return Status::success();
  };
  auto moveAll = [&] {
    OPTC_TRY(program.use());
    OPTC_TRY(stream.create(program.device()));
    deviceInputs = inputValues;
    for (size_t i = 0; i < deviceInputs.size(); ++i) {
      where.inputs.push_back(deviceInputs[i].kind == Value::Kind::tensor && deviceInputs[i].type != DType::string);
      if (where.inputs[i])
        OPTC_TRY(move(deviceInputs[i], true));
      pointers[i] = &deviceInputs[i];
    }
    for (size_t i = 0; i < results.size(); ++i) {
      where.outputs.push_back(memory[i] != nullptr);
      if (where.outputs[i])
        OPTC_TRY(move(results[i], false));
    }
    return stream.synchronize();
  };
  Status status = moveAll();
  return status.ok() ? Error::success() : Error::at(path, status.message);
}

Error Runner::prepare(const Options &options, std::string &warning) {
  Clock::time_point start = Clock::now();
  running = std::make_unique<Session>(model->program(), options.threads, DeviceChoice{options.gpu.value_or(0), nullptr});
  loadTime += millisecondsSince(start);
  if (!options.inputs.empty()) {
    if (Error error = readFolder(options.inputs, "input", model->plan().inputs, inputValues))
      return error;
    return firstRun(options);
  }
  for (int64_t bound : {100, 2, 1}) {
    inputValues.clear();
    if (Error error = randomInputs(options, model->plan(), bound, inputValues))
      return error;
    Error error = firstRun(options);
    if (!error && bound < 100)
      warning = "integer inputs are below " + std::to_string(bound) + ": larger ones are out of range";
    if (!error || bound == 1 || error.message.find("out of range") == std::string::npos)
      return error;
  }
  return Error::success();
}

Error Runner::prepareAs(const Runner &other, const Options &options) {
  running = std::make_unique<Session>(model->program(), options.threads, DeviceChoice{options.gpu.value_or(0), nullptr});
  inputValues = other.inputValues;
  return firstRun(options);
}

Error Runner::run() {
  for (size_t i = 0; i < results.size(); ++i)
    if (!memory[i])
      results[i] = Value();
  Status status = running->run(pointers, results, where);
  return status.ok() ? Error::success() : Error::at(path, status.message);
}
