//===- Executor.cpp - Sessions --------------------------------------------===//
//
// Checks what a run is given against the model's ports; the frames do the rest (FrameState.h).
//
//===----------------------------------------------------------------------===//

#include "runtime/FrameState.h"

using namespace optc;

Session::Session(const Program &program, unsigned threads)
    : program(program), threads(threads), top(std::make_unique<FrameState>(*this, 0)) {}
Session::~Session() = default;

void Session::profile(bool on) {
  profiling = on;
  stepTimes.assign(program.plan.frames[0].steps.size(), {});
}

uint64_t Session::arenaBytes() const { return top->arenaBytes(); }

Status Session::run(std::span<const Value *const> inputs, std::span<Value> outputs) {
  const Plan &plan = program.plan;
  if (inputs.size() != plan.inputs.size() || outputs.size() != plan.outputs.size())
    return Status::error("the model has " + std::to_string(plan.inputs.size()) + " inputs and " +
                         std::to_string(plan.outputs.size()) + " outputs, got " + std::to_string(inputs.size()) +
                         " and " + std::to_string(outputs.size()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port &port = plan.inputs[i];
    const Value &v = *inputs[i];
    std::string where = "input '" + port.name + "': ";
    if (v.kind != port.kind)
      return Status::error(where + "is of another kind (tensor, sequence or optional)");
    if (port.kind != Value::Kind::tensor)
      continue;
    if (v.type != port.type)
      return Status::error(where + "has type " + nameOf(v.type) + ", expected " + nameOf(port.type));
    if (v.dims.size() != port.dims.size())
      return Status::error(where + "has rank " + std::to_string(v.dims.size()) + ", expected " +
                           std::to_string(port.dims.size()));
    for (size_t d = 0; d < v.dims.size(); ++d)
      if (v.dims[d] < 0 || (port.dims[d] >= 0 && v.dims[d] != port.dims[d]))
        return Status::error(where + "dim " + std::to_string(d) + " is " + std::to_string(v.dims[d]) + ", expected " +
                             (port.dims[d] >= 0 ? std::to_string(port.dims[d]) : "0 or more"));
    if (!v.data && v.bytes())
      return Status::error(where + "has no memory");
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Port &port = plan.outputs[i];
    if (outputs[i].data && (port.kind != Value::Kind::tensor || port.type != outputs[i].type))
      return Status::error("output '" + port.name + "': has memory for type " + nameOf(outputs[i].type) +
                           ", the result is " +
                           (port.kind == Value::Kind::tensor ? nameOf(port.type) : "a sequence or optional"));
  }
  return top->run(inputs, outputs, nullptr);
}
