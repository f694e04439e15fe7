//===- Executor.cpp - Sessions --------------------------------------------===//
//
// Checks what a run is given against the model's ports; the frames do the rest (FrameState.h).
//
//===----------------------------------------------------------------------===//

#include "runtime/FrameState.h"

using namespace optc;

/// Null where there is none, or no step runs on a GPU.
static const gpu::Driver *driverOf(const Program &program) {
  std::string why;
  return program.devices ? gpu::Driver::get(why) : nullptr;
}

Status Program::openDevice(int ordinal) const {
  gpu::KeepContext keep(driverOf(*this));
  return devices ? devices->on(ordinal).use() : Status::success();
}

Session::Session(const Program &program, unsigned threads, DeviceChoice choice)
    : program(program), choice(choice), device(program.devices ? &program.devices->on(choice.ordinal) : nullptr), threads(threads),
      top(std::make_unique<FrameState>(*this, 0)) {}

Session::~Session() {
  gpu::KeepContext keep(driverOf(program));
  top = nullptr;
}

void Session::profile(bool on) {
  profiling = on;
  stepTimes.assign(program.plan.frames[0].steps.size(), {});
}

uint64_t Session::arenaBytes() const { return top->arenaBytes(); }

Status Session::checkInputs(std::span<const Value *const> inputs, const OnDevice &where) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port &port = program.plan.inputs[i];
    const Value &v = *inputs[i];
    std::string at = "input '" + port.name + "': ";
    if (v.kind != port.kind)
      return Status::error(at + "is of another kind (tensor, sequence or optional)");
    if (port.kind != Value::Kind::tensor)
      continue;
    if (v.type != port.type)
      return Status::error(at + "has type " + nameOf(v.type) + ", expected " + nameOf(port.type));
    if (v.dims.size() != port.dims.size())
      return Status::error(at + "has rank " + std::to_string(v.dims.size()) + ", expected " + std::to_string(port.dims.size()));
    for (size_t d = 0; d < v.dims.size(); ++d)
      if (v.dims[d] < 0 || (port.dims[d] >= 0 && v.dims[d] != port.dims[d]))
        return Status::error(at + "dim " + std::to_string(d) + " is " + std::to_string(v.dims[d]) + ", expected " +
                             (port.dims[d] >= 0 ? std::to_string(port.dims[d]) : "0 or more"));
    if (!v.data && v.bytes())
      return Status::error(at + "has no memory");
    if (OnDevice::has(where.inputs, i) && !device)
      return Status::error(at + "is in a GPU's memory, the model runs on none");
    if (OnDevice::has(where.inputs, i) && v.bytes())
      if (Status status = device->device().checkAddress(gpu::DevicePointer(v.data)); !status.ok())
        return Status::error(at + status.message);
  }
  return Status::success();
}

Status Session::checkOutputs(std::span<const Value> outputs, const OnDevice &where) const {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Port &port = program.plan.outputs[i];
    const Value &v = outputs[i];
    std::string at = "output '" + port.name + "': ";
    bool isTensor = port.kind == Value::Kind::tensor, onDevice = OnDevice::has(where.outputs, i);
    if (v.data && (!isTensor || port.type != v.type))
      return Status::error(at + "has memory for type " + nameOf(v.type) + ", the result is " + (isTensor ? nameOf(port.type) : "a sequence or optional"));
    if (onDevice && !device)
      return Status::error(at + "is to be in a GPU's memory, the model runs on none");
    if (onDevice && (!isTensor || port.type == DType::string))
      return Status::error(at + "cannot be in a GPU's memory");
    if (onDevice && v.data && !v.storage && v.bytes())
      if (Status status = device->device().checkAddress(gpu::DevicePointer(v.data)); !status.ok())
        return Status::error(at + status.message);
  }
  return Status::success();
}

Status Session::run(std::span<const Value *const> inputs, std::span<Value> outputs, const OnDevice &where) {
  const Plan &plan = program.plan;
  if (inputs.size() != plan.inputs.size() || outputs.size() != plan.outputs.size())
    return Status::error("the model has " + std::to_string(plan.inputs.size()) + " inputs and " +
                         std::to_string(plan.outputs.size()) + " outputs, got " + std::to_string(inputs.size()) +
                         " and " + std::to_string(outputs.size()));
  gpu::KeepContext keep(driverOf(program));
  if (device)
    OPTC_TRY(device->use());
  OPTC_TRY(checkInputs(inputs, where));
  OPTC_TRY(checkOutputs(outputs, where));
  return top->run(inputs, outputs, nullptr, where);
}

Status Session::wait() {
  gpu::KeepContext keep(driverOf(program));
  if (device) // the default stream is that of the context
    OPTC_TRY(device->use());
  return top->finishDevice();
}
