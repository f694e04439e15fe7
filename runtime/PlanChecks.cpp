//===- PlanChecks.cpp - What holds for every plan -------------------------===//
//
// The executor indexes without checking. Plans come from files, so all of it is checked once, on loading.
//
//===----------------------------------------------------------------------===//

#include "runtime/Plan.h"
#include <algorithm>

using namespace optc;

namespace {

template <typename List, typename Predicate> bool all(const List &list, Predicate predicate) {
  for (auto &item : list)
    if (!predicate(item))
      return false;
  return true;
}

bool isWithin(const Instruction &i, uint32_t registers) {
  auto reg = [&](RegisterId r) { return r < registers; };
  return reg(i.target) && i.op <= Instruction::Op::ifeq &&
         (i.op == Instruction::Op::constant ||
          (reg(i.args[0]) && reg(i.args[1]) && (i.op != Instruction::Op::ifeq || (reg(i.args[2]) && reg(i.args[3])))));
}

class FrameChecks {
public:
  FrameChecks(const Plan &plan, const Frame &f) : plan(plan), f(f) {}

  bool ok() const {
    return f.registers <= (1u << 24) && f.entryEnd <= f.program.size() &&
           all(f.program, [&](auto &i) { return isWithin(i, f.registers); }) &&
           all(f.bindings, [&](auto &b) { return b.input < f.inputs.size() && reg(b.target); }) &&
           all(f.inherited, [&](auto &p) { return reg(p.second); }) &&
           all(f.storages, [&](auto &s) { return storage(s); }) &&
           all(f.buffers, [&](auto &b) { return buffer(b); }) &&
           all(f.inputs, [&](BufferId b) { return buf(b); }) && outputs() &&
           all(f.steps, [&](auto &s) { return step(s); }) && order() && arenaIsKnownOnEntry();
  }

private:
  bool reg(RegisterId r) const { return r < f.registers; }
  bool regOrNone(RegisterId r) const { return r == kNone || reg(r); }
  bool buf(BufferId b) const { return b < f.buffers.size(); }
  bool regs(const std::vector<RegisterId> &list) const {
    return all(list, [&](RegisterId r) { return reg(r); });
  }
  bool isObject(BufferId b) const { return f.storages[f.buffers[b].storage].kind == Storage::Kind::object; }
  bool isOnDevice(BufferId b) const { return f.storages[f.buffers[b].storage].onDevice; }

  bool storage(const Storage &s) const {
    bool isPort = s.kind == Storage::Kind::input || s.kind == Storage::Kind::output;
    if (s.onDevice && (plan.images.empty() || s.kind == Storage::Kind::object || (isPort && &f == &plan.frames[0])))
      return false;
    switch (s.kind) {
    case Storage::Kind::input: return s.index < f.inputs.size() && regOrNone(s.bytes);
    case Storage::Kind::output: return s.index < f.outputs.size() && reg(s.bytes);
    case Storage::Kind::weight:
    case Storage::Kind::object: return regOrNone(s.bytes);
    case Storage::Kind::dynamic: return reg(s.bytes);
    case Storage::Kind::arena:
      return f.isStatic ? s.offset <= (s.onDevice ? f.deviceArenaBytes : f.arenaBytes) && regOrNone(s.bytes) : reg(s.bytes);
    }
    return false;
  }

  bool buffer(const Buffer &b) const {
    bool object = b.storage < f.storages.size() && f.storages[b.storage].kind == Storage::Kind::object;
    return b.storage < f.storages.size() && b.kind <= Value::Kind::optional && regs(b.dims) &&
           b.dims.size() <= 64 &&
           (object || (b.kind == Value::Kind::tensor && b.type != DType::string && sizeOf(b.type) > 0));
  }

  /// Each output has a storage of its own, or is an object.
  bool outputs() const {
    for (size_t i = 0; i < f.outputs.size(); ++i) {
      if (!buf(f.outputs[i]))
        return false;
      const Storage &s = f.storages[f.buffers[f.outputs[i]].storage];
      if (s.kind != Storage::Kind::object && (s.kind != Storage::Kind::output || s.index != i))
        return false;
    }
    return true;
  }

  /// The steps' instructions follow each other.
  bool order() const {
    uint32_t at = f.entryEnd;
    for (const Step &s : f.steps) {
      if (s.programBegin != at || s.programEnd < at || s.programEnd > f.program.size())
        return false;
      at = s.programEnd;
    }
    return true;
  }

  /// No size in the arena depends on what a step defines.
  bool arenaIsKnownOnEntry() const {
    std::vector<bool> late(f.registers);
    for (size_t i = f.entryEnd; i < f.program.size(); ++i)
      late[f.program[i].target] = true;
    for (const Step &s : f.steps) {
      for (const DimDefinition &d : s.definitions)
        late[d.target] = true;
      if (s.kind == Step::Kind::bind)
        for (RegisterId r : s.registers)
          late[r] = true;
    }
    return all(f.storages, [&](const Storage &s) {
      return s.kind != Storage::Kind::arena || s.bytes == kNone || !late[s.bytes];
    });
  }

  bool step(const Step &s) const {
    bool absentAllowed = s.kind == Step::Kind::kernel || s.kind == Step::Kind::library;
    for (size_t i = 0; i < s.inputs.size(); ++i)
      if (!buf(s.inputs[i]) &&
          !(s.inputs[i] == kNone && (absentAllowed || (s.kind == Step::Kind::loop && i < 2))))
        return false;
    if (!all(s.outputs, [&](BufferId b) { return buf(b); }) || !regs(s.registers) || !regOrNone(s.tiles) ||
        !regOrNone(s.scratch) || !regOrNone(s.flops))
      return false;
    if (!all(s.registerAttributes, [&](const RegisterList &l) { return regs(l.registers); }) ||
        !all(s.definitions,
             [&](const DimDefinition &d) { return d.output < s.outputs.size() && reg(d.target); }))
      return false;
    // What runs on the GPU sees what is there, and nothing else does but copies.
    if (s.onDevice && s.kind != Step::Kind::kernel)
      return false;
    if (s.kind != Step::Kind::copy && s.kind != Step::Kind::branch && s.kind != Step::Kind::loop)
      for (auto *list : {&s.inputs, &s.outputs})
        if (!all(*list, [&](BufferId b) { return b == kNone || f.storages[f.buffers[b].storage].onDevice == s.onDevice; }))
          return false;
    switch (s.kind) {
    case Step::Kind::kernel: return s.onDevice ? isLaunch(s) : s.tiles != kNone;
    case Step::Kind::copy: {
      if (s.inputs.size() != 1 || s.outputs.size() != 1 || isObject(s.inputs[0]) || isObject(s.outputs[0]))
        return false;
      const Buffer &from = f.buffers[s.inputs[0]], &to = f.buffers[s.outputs[0]];
      return from.type == to.type && from.dims == to.dims;
    }
    case Step::Kind::library: return true;
    case Step::Kind::bind: return s.inputs.size() == 1 && !isObject(s.inputs[0]) && s.outputs.empty();
    case Step::Kind::branch: {
      if (s.inputs.empty() || isObject(s.inputs[0]) || isOnDevice(s.inputs[0]))
        return false;
      std::vector<BufferId> given(s.inputs.begin() + 1, s.inputs.end());
      return subFrame(s.target, given, s.outputs, 0, 0) &&
             subFrame(uint64_t(s.target) + 1, given, s.outputs, 0, 0);
    }
    case Step::Kind::loop: {
      if (s.inputs.size() < 2 + size_t(s.carried) || s.outputs.size() < s.carried)
        return false;
      for (size_t i = 0; i < 2; ++i)
        if (s.inputs[i] != kNone && (isObject(s.inputs[i]) || isOnDevice(s.inputs[i])))
          return false;
      // What iterations add to is gathered in host memory.
      if (std::any_of(s.outputs.begin() + s.carried, s.outputs.end(), [&](BufferId b) { return isOnDevice(b); }))
        return false;
      std::vector<BufferId> given(s.inputs.begin() + 2, s.inputs.end());
      // Before these come the body's own: the iteration's number in, the condition out.
      return subFrame(s.target, given, s.outputs, 1, 1) && carriedFit(s);
    }
    }
    return false;
  }

  /// The step has the sizes that the kernel takes and the one that it defines, and the operands that its maps name.
  bool isLaunch(const Step &s) const {
    return !plan.images.empty() && all(plan.images, [&](const DeviceImage &image) {
      return s.target < image.kernels.size() && image.kernels[s.target].sizes == s.registers.size() &&
             s.definitions.size() == (image.kernels[s.target].counted == kNone ? 0 : 1) &&
             all(image.kernels[s.target].maps, [&](const BoxMap &m) { return m.operand < s.inputs.size() && s.inputs[m.operand] != kNone; });
    });
  }

  /// A frame that a step runs takes and gives what the step has.
  bool subFrame(uint64_t index, const std::vector<BufferId> &given, const std::vector<BufferId> &taken,
                size_t ownInputs, size_t ownOutputs) const {
    if (index == 0 || index >= plan.frames.size())
      return false;
    const Frame &body = plan.frames[index];
    if (body.inputs.size() != ownInputs + given.size() || body.outputs.size() != ownOutputs + taken.size())
      return false;
    if (!all(body.inherited, [&](auto &p) { return reg(p.first); }))
      return false;
    for (size_t i = 0; i < given.size(); ++i)
      if (!fits(f, given[i], body, body.inputs[ownInputs + i]))
        return false;
    for (size_t i = 0; i < taken.size(); ++i)
      if (!sameType(f, taken[i], body, body.outputs[ownOutputs + i]))
        return false;
    return true;
  }

  bool carriedFit(const Step &s) const {
    const Frame &body = plan.frames[s.target];
    for (size_t i = 0; i < s.carried; ++i)
      if (!fits(body, body.outputs[1 + i], body, body.inputs[1 + i]))
        return false;
    return isHostTensor(body, body.inputs[0]) && isHostTensor(body, body.outputs[0]);
  }
  static const Storage *storageOf(const Frame &frame, BufferId b) {
    return b < frame.buffers.size() && frame.buffers[b].storage < frame.storages.size() ? &frame.storages[frame.buffers[b].storage] : nullptr;
  }
  static bool isHostTensor(const Frame &body, BufferId b) {
    const Storage *s = storageOf(body, b);
    return s && s->kind != Storage::Kind::object && !s->onDevice;
  }

  static bool sameType(const Frame &a, BufferId x, const Frame &b, BufferId y) {
    const Storage *s = storageOf(a, x), *t = storageOf(b, y);
    return s && t && s->onDevice == t->onDevice && a.buffers[x].kind == b.buffers[y].kind && a.buffers[x].type == b.buffers[y].type;
  }
  static bool fits(const Frame &a, BufferId x, const Frame &b, BufferId y) {
    return sameType(a, x, b, y) && a.buffers[x].dims.size() == b.buffers[y].dims.size();
  }

  const Plan &plan;
  const Frame &f;
};

/// No frame runs itself, at any depth.
bool isAcyclic(const Plan &plan, uint32_t frame, std::vector<uint8_t> &state) {
  if (state[frame])
    return state[frame] == 2;
  state[frame] = 1;
  for (const Step &s : plan.frames[frame].steps) {
    if (s.kind != Step::Kind::branch && s.kind != Step::Kind::loop)
      continue;
    for (uint32_t i = 0; i < (s.kind == Step::Kind::branch ? 2u : 1u); ++i)
      if (!isAcyclic(plan, s.target + i, state))
        return false;
  }
  state[frame] = 2;
  return true;
}

bool isLaunchable(const DeviceKernel &k) {
  auto reg = [&](RegisterId r) { return r < k.registers; };
  auto regOrNone = [&](RegisterId r) { return r == kNone || reg(r); };
  return regOrNone(k.workspace) && regOrNone(k.counters) && regOrNone(k.repeats) && (k.counted == kNone || (reg(k.counted) && k.repeats != kNone)) && k.sizes <= k.registers && k.registers <= (1u << 16) && reg(k.blocks) && k.threads >= 1 && k.threads <= 1024 && k.sharedBytes <= (1u << 20) && k.residentBlocks <= 64 &&
         all(k.program, [&](const Instruction &i) { return isWithin(i, k.registers); }) &&
         all(k.maps, [&](const BoxMap &m) {
           return reg(m.offset) && all(m.sizes, reg) && all(m.strides, reg) && m.sizes.size() >= 1 && m.sizes.size() <= 5 &&
                  m.box.size() == m.sizes.size() && m.strides.size() + 1 == m.sizes.size();
         });
}

bool portsFit(const std::vector<Port> &ports, const Frame &top, const std::vector<BufferId> &buffers) {
  if (ports.size() != buffers.size())
    return false;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Port &p = ports[i];
    const Buffer &b = top.buffers[buffers[i]];
    if (p.symbols.size() != p.dims.size() || p.kind != b.kind ||
        (p.kind == Value::Kind::tensor && p.type != b.type) || p.dims.size() != b.dims.size())
      return false;
  }
  return true;
}

} // namespace

bool optc::isConsistent(const Plan &plan) {
  if (plan.frames.empty() || plan.frames.size() > (1u << 20))
    return false;
  for (const Frame &frame : plan.frames)
    if (!FrameChecks(plan, frame).ok())
      return false;
  for (const DeviceImage &image : plan.images) {
    auto isLoaded = [&](const DeviceKernel &kernel) { return kernel.module < image.modules.size(); };
    if (image.kernels.size() != plan.images.front().kernels.size() || !all(image.kernels, isLaunchable) || !all(image.kernels, isLoaded))
      return false;
  }
  std::vector<uint8_t> state(plan.frames.size());
  const Frame &top = plan.frames[0];
  return top.inherited.empty() && isAcyclic(plan, 0, state) && portsFit(plan.inputs, top, top.inputs) &&
         portsFit(plan.outputs, top, top.outputs);
}
