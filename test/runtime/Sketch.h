//===- Sketch.h - Plans written by hand -------------------------*- C++ -*-===//
//
// What codegen/plan would build, for tests of the runtime alone:
//
//   FrameSketch f;
//   auto n = f.dim(0, 0);                                  // a symbol that input 0 brings
//   auto x = f.input(DType::f32, {n}), y = f.output(DType::f32, {n});
//   f.kernel(0, {x}, {y}, {n}, n);
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_RUNTIME_SKETCH_H
#define OPTC_TEST_RUNTIME_SKETCH_H

#include "runtime/Executor.h"
#include <gtest/gtest.h>

namespace optc::test {

class FrameSketch {
public:
  using Op = Instruction::Op;
  using Registers = std::vector<RegisterId>;
  Frame frame;

  RegisterId fresh() { return frame.registers++; }
  RegisterId constant(int64_t value) {
    Instruction in;
    in.target = fresh();
    in.value = value;
    return emit(in);
  }
  RegisterId op(Op op, RegisterId a, RegisterId b) {
    Instruction in;
    in.op = op;
    in.target = fresh();
    in.args[0] = a;
    in.args[1] = b;
    return emit(in);
  }
  /// A dim of an input, bound on entry.
  RegisterId dim(uint32_t input, uint32_t axis) {
    frame.bindings.push_back({input, axis, fresh(), false});
    return frame.registers - 1;
  }
  /// The dim must equal the register.
  void checkDim(uint32_t input, uint32_t axis, RegisterId r) {
    frame.bindings.push_back({input, axis, r, true});
  }
  RegisterId inherit(RegisterId outer) {
    frame.inherited.push_back({outer, fresh()});
    return frame.registers - 1;
  }
  RegisterId bytes(DType type, const Registers &dims) {
    RegisterId r = constant(int64_t(sizeOf(type)));
    for (RegisterId d : dims)
      r = op(Op::mul, r, d);
    return r;
  }

  BufferId buffer(Storage::Kind kind, DType type, Registers dims, uint32_t index = 0) {
    Storage s;
    s.kind = kind;
    s.index = index;
    if (kind != Storage::Kind::object)
      s.bytes = bytes(type, dims);
    s.lastStep = 1000; // alive all the time unless a test says otherwise
    frame.storages.push_back(s);
    return view(BufferId(frame.storages.size() - 1), type, std::move(dims));
  }
  BufferId view(uint32_t storage, DType type, Registers dims) {
    Buffer b;
    b.storage = storage;
    b.type = type;
    b.dims = std::move(dims);
    frame.buffers.push_back(b);
    return BufferId(frame.buffers.size() - 1);
  }
  BufferId object(Value::Kind kind, DType type = DType::none, Registers dims = {}) {
    BufferId b = buffer(Storage::Kind::object, type, std::move(dims));
    frame.buffers[b].kind = kind;
    return b;
  }
  BufferId input(DType type, Registers dims) {
    return input(buffer(Storage::Kind::input, type, std::move(dims), uint32_t(frame.inputs.size())));
  }
  BufferId input(BufferId b) {
    frame.inputs.push_back(b);
    return b;
  }
  BufferId output(DType type, Registers dims) {
    return output(buffer(Storage::Kind::output, type, std::move(dims), uint32_t(frame.outputs.size())));
  }
  BufferId output(BufferId b) {
    frame.outputs.push_back(b);
    return b;
  }
  BufferId arena(DType type, Registers dims) { return buffer(Storage::Kind::arena, type, std::move(dims)); }
  BufferId dynamic(DType type, Registers dims) {
    return buffer(Storage::Kind::dynamic, type, std::move(dims));
  }

  /// Steps run what was emitted since the step before; the first step's is the frame's entry.
  Step &step(Step::Kind kind, std::vector<BufferId> inputs, std::vector<BufferId> outputs) {
    seal();
    Step s;
    s.kind = kind;
    s.name = "step" + std::to_string(frame.steps.size());
    s.inputs = std::move(inputs);
    s.outputs = std::move(outputs);
    s.programBegin = frame.steps.empty() ? frame.entryEnd : frame.steps.back().programEnd;
    s.programEnd = uint32_t(frame.program.size());
    frame.steps.push_back(std::move(s));
    return frame.steps.back();
  }
  Step &kernel(uint32_t target, std::vector<BufferId> inputs, std::vector<BufferId> outputs,
               Registers registers, RegisterId tiles) {
    Step &s = step(Step::Kind::kernel, std::move(inputs), std::move(outputs));
    s.target = target;
    s.registers = std::move(registers);
    s.tiles = tiles;
    return s;
  }
  Step &library(std::string function, std::vector<BufferId> inputs, std::vector<BufferId> outputs) {
    Step &s = step(Step::Kind::library, std::move(inputs), std::move(outputs));
    s.function = std::move(function);
    return s;
  }
  Frame take() {
    seal();
    return std::move(frame);
  }

private:
  RegisterId emit(const Instruction &in) {
    frame.program.push_back(in);
    return in.target;
  }
  void seal() {
    if (frame.steps.empty())
      frame.entryEnd = uint32_t(frame.program.size());
  }
};

/// Ports that fit the model's frame: all dims dynamic, or as `dims` says.
inline void addPorts(Plan &plan, const std::vector<BufferId> &buffers, const char *prefix,
                     std::vector<Port> &ports) {
  for (BufferId id : buffers) {
    const Buffer &b = plan.frames[0].buffers[id];
    Port p;
    p.name = prefix + std::to_string(ports.size());
    p.type = b.type;
    p.kind = b.kind;
    p.dims.assign(b.dims.size(), -1);
    for (RegisterId r : b.dims)
      p.symbols.push_back("s" + std::to_string(r));
    ports.push_back(std::move(p));
  }
}

/// A program that runs without an artefact. Checks its plan and sends it through its byte form.
struct Sketch {
  Program program;

  Sketch(std::vector<Frame> frames, const std::vector<OptcKernel> &kernelTable = {}, std::string weights = "")
      : kernels(kernelTable), weights(std::move(weights)) {
    Plan plan;
    plan.frames = std::move(frames);
    addPorts(plan, plan.frames[0].inputs, "x", plan.inputs);
    addPorts(plan, plan.frames[0].outputs, "y", plan.outputs);
    plan.report = "{}";
    EXPECT_TRUE(isConsistent(plan));
    std::string bytes = serialize(plan);
    auto parsed = parsePlan(bytes.data(), bytes.size());
    EXPECT_TRUE(parsed.has_value());
    program.plan = parsed ? std::move(*parsed) : std::move(plan);
    program.kernels = kernels.data();
    program.kernelCount = kernels.size();
    program.weights = this->weights.data();
    program.weightBytes = this->weights.size();
  }
  Sketch(FrameSketch &frame, const std::vector<OptcKernel> &kernelTable = {}, std::string weights = "")
      : Sketch(std::vector<Frame>{frame.take()}, kernelTable, std::move(weights)) {}

private:
  std::vector<OptcKernel> kernels;
  std::string weights;
};

template <typename T> Value valueOf(DType type, std::vector<int64_t> dims, const std::vector<T> &elements) {
  Value v = Value::allocate(type, std::move(dims));
  EXPECT_EQ(v.size(), int64_t(elements.size()));
  EXPECT_EQ(sizeOf(type), sizeof(T));
  std::copy(elements.begin(), elements.end(), v.as<T>());
  return v;
}
inline Value floats(std::vector<float> elements) {
  return valueOf(DType::f32, {int64_t(elements.size())}, elements);
}
template <typename T> std::vector<T> elementsOf(const Value &v) {
  return std::vector<T>(v.as<T>(), v.as<T>() + v.size());
}

/// One run; the results, or none and a message.
struct Ran {
  Status status;
  std::vector<Value> outputs;
  Ran(Session &session, const std::vector<Value> &inputs, size_t outputCount = 1) : outputs(outputCount) {
    std::vector<const Value *> pointers;
    for (const Value &v : inputs)
      pointers.push_back(&v);
    status = session.run(pointers, outputs);
  }
};

} // namespace optc::test

#endif // OPTC_TEST_RUNTIME_SKETCH_H
