//===- Plan.cpp - A plan as bytes and as text -----------------------------===//
//
// The byte form is a walk over the structures in order; one `visit` function a structure serves
// writing and reading, so the two cannot drift apart. Reading checks every count against what
// is left, so a damaged artefact gives an error.
//
//===----------------------------------------------------------------------===//

#include "runtime/Plan.h"
#include <cstring>

using namespace optc;

namespace {

constexpr uint32_t kVersion = 5;

struct Writer {
  std::string bytes;
  static constexpr bool reading = false;
  bool failed = false;
  void raw(const void *p, size_t n) { bytes.append(static_cast<const char *>(p), n); }
  template <typename T> void value(T &v) { raw(&v, sizeof(T)); }
  uint64_t count(uint64_t n) {
    raw(&n, sizeof n);
    return n;
  }
};

struct Reader {
  const char *data;
  size_t left;
  static constexpr bool reading = true;
  bool failed = false;
  void raw(void *p, size_t n) {
    if (failed || n > left) {
      failed = true;
      std::memset(p, 0, n);
      return;
    }
    std::memcpy(p, data, n);
    data += n;
    left -= n;
  }
  template <typename T> void value(T &v) { raw(&v, sizeof(T)); }
  uint64_t count(uint64_t) {
    uint64_t n = 0;
    raw(&n, sizeof n);
    if (n > left) // every element takes at least a byte
      failed = true, n = 0;
    return n;
  }
};

template <typename S, typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
void visit(S &s, T &v) { s.value(v); }

/// A byte that is neither 0 nor 1 must not become a bool.
template <typename S> void visit(S &s, bool &v) {
  uint8_t byte = v;
  s.value(byte);
  v = byte != 0;
}

template <typename S> void visit(S &s, std::string &v) {
  v.resize(s.count(v.size()));
  s.raw(v.data(), v.size());
}

template <typename S, typename T> void visit(S &s, std::vector<T> &v) {
  uint64_t n = s.count(v.size());
  if constexpr (S::reading) // item by item: a count that lies must not take memory
    for (v.clear(); n > 0 && !s.failed; --n)
      visit(s, v.emplace_back());
  else
    for (T &item : v)
      visit(s, item);
}

template <typename S> void visit(S &s, std::pair<RegisterId, RegisterId> &v) { visit(s, v.first), visit(s, v.second); }

template <typename S, typename... T> void visitAll(S &s, T &...fields) { (visit(s, fields), ...); }

template <typename S, size_t I = 0> void readAlternative(S &s, size_t index, Attributes::Item &item) {
  if constexpr (I < std::variant_size_v<Attributes::Item>) {
    if (index != I)
      return readAlternative<S, I + 1>(s, index, item);
    std::variant_alternative_t<I, Attributes::Item> value{};
    visit(s, value);
    item = std::move(value);
  } else {
    s.failed = true;
  }
}

void visit(Writer &s, Attributes &v) {
  s.count(v.all().size());
  for (auto [name, item] : v.all()) {
    std::string key = name;
    uint8_t index = item.index();
    visitAll(s, key, index);
    std::visit([&](auto &value) { visit(s, value); }, item);
  }
}
void visit(Reader &s, Attributes &v) {
  for (uint64_t n = s.count(0); n > 0 && !s.failed; --n) {
    std::string name;
    uint8_t index = 0;
    Attributes::Item item;
    visitAll(s, name, index);
    readAlternative(s, index, item);
    v.set(name, item);
  }
}

template <typename S> void visit(S &s, Instruction &v) {
  visitAll(s, v.op, v.target, v.value, v.args[0], v.args[1], v.args[2], v.args[3]);
}
template <typename S> void visit(S &s, Storage &v) {
  visitAll(s, v.kind, v.index, v.offset, v.bytes, v.firstStep, v.lastStep, v.onDevice);
}
template <typename S> void visit(S &s, Buffer &v) { visitAll(s, v.storage, v.type, v.kind, v.dims); }
template <typename S> void visit(S &s, RegisterList &v) { visitAll(s, v.name, v.registers); }
template <typename S> void visit(S &s, DimDefinition &v) { visitAll(s, v.output, v.axis, v.target); }
template <typename S> void visit(S &s, DimBinding &v) { visitAll(s, v.input, v.axis, v.target, v.check); }
template <typename S> void visit(S &s, Step &v) {
  visitAll(s, v.kind, v.name, v.programBegin, v.programEnd, v.onDevice, v.target, v.inputs, v.outputs, v.registers, v.tiles,
           v.scratch, v.function);
  visit(s, v.attributes);
  visitAll(s, v.registerAttributes, v.definitions, v.carried, v.inPlace, v.flops, v.report);
}
template <typename S> void visit(S &s, Frame &v) {
  visitAll(s, v.registers, v.program, v.entryEnd, v.bindings, v.inherited, v.storages, v.buffers, v.steps, v.inputs,
           v.outputs, v.isStatic, v.arenaBytes, v.deviceArenaBytes);
}
template <typename S> void visit(S &s, Port &v) { visitAll(s, v.name, v.type, v.kind, v.dims, v.symbols); }
template <typename S> void visit(S &s, BoxMap &v) { visitAll(s, v.operand, v.offset, v.sizes, v.strides, v.box); }
template <typename S> void visit(S &s, DeviceKernel &v) {
  visitAll(s, v.symbol, v.module, v.sizes, v.registers, v.program, v.blocks, v.threads, v.sharedBytes, v.residentBlocks, v.checksIndices, v.maps,
           v.workspace, v.counters, v.repeats, v.counted);
}
template <typename S> void visit(S &s, DeviceModule &v) { visitAll(s, v.offset, v.bytes); }
template <typename S> void visit(S &s, DeviceImage &v) { visitAll(s, v.architecture, v.isPtx, v.modules, v.kernels); }
template <typename S> void visit(S &s, Plan &v) { visitAll(s, v.inputs, v.outputs, v.frames, v.images, v.report); }

} // namespace

std::string optc::serialize(const Plan &plan) {
  Writer writer;
  uint32_t version = kVersion;
  visit(writer, version);
  visit(writer, const_cast<Plan &>(plan)); // a writer only reads
  return std::move(writer.bytes);
}

std::optional<Plan> optc::parsePlan(const void *data, size_t bytes) {
  Reader reader{static_cast<const char *>(data), bytes};
  uint32_t version = 0;
  visit(reader, version);
  if (version != kVersion)
    return std::nullopt;
  Plan plan;
  visit(reader, plan);
  if (reader.failed || reader.left != 0 || !isConsistent(plan))
    return std::nullopt;
  return plan;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

namespace {
template <typename T, typename F> std::string join(const std::vector<T> &items, const char *separator, F text) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i)
    out += (i ? separator : "") + text(items[i]);
  return out;
}
std::string registerText(RegisterId r) { return r == kNone ? "-" : "r" + std::to_string(r); }
std::string bufferText(BufferId b) { return b == kNone ? "-" : "b" + std::to_string(b); }

std::string instructionText(const Instruction &i) {
  static const char *names[] = {"constant", "add", "mul", "floordiv", "mod", "min", "max", "bcast", "ifeq"};
  std::string text = registerText(i.target) + " = ";
  if (i.op == Instruction::Op::constant)
    return text + std::to_string(i.value);
  text += names[int(i.op)];
  for (int a = 0; a < (i.op == Instruction::Op::ifeq ? 4 : 2); ++a)
    text += (a ? ", " : " ") + registerText(i.args[a]);
  return text;
}

std::string frameText(const Frame &f) {
  static const char *kinds[] = {"input", "output", "weight", "arena", "dynamic", "object"};
  static const char *stepKinds[] = {"kernel", "library", "bind", "branch", "loop", "copy"};
  std::string out;
  for (const DimBinding &b : f.bindings)
    out += "  " + registerText(b.target) + (b.check ? " == " : " = ") + "dim " + std::to_string(b.axis) + " of input " +
           std::to_string(b.input) + "\n";
  auto program = [&](uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; ++i)
      out += "    " + instructionText(f.program[i]) + "\n";
  };
  program(0, f.entryEnd);
  for (size_t i = 0; i < f.buffers.size(); ++i) {
    const Buffer &b = f.buffers[i];
    const Storage &s = f.storages[b.storage];
    out += "  b" + std::to_string(i) + ": " + nameOf(b.type) + "[" + join(b.dims, ", ", registerText) + "] in " +
           (s.onDevice ? "device " : "") + kinds[int(s.kind)] + " s" + std::to_string(b.storage);
    if (s.kind == Storage::Kind::weight || (s.kind == Storage::Kind::arena && f.isStatic))
      out += " at " + std::to_string(s.offset);
    out += "\n";
  }
  for (const Step &s : f.steps) {
    program(s.programBegin, s.programEnd);
    out += std::string("  ") + (s.onDevice ? "device " : "") + stepKinds[int(s.kind)];
    if (s.kind == Step::Kind::library)
      out += " " + s.function;
    else if (s.kind != Step::Kind::bind && s.kind != Step::Kind::copy)
      out += " #" + std::to_string(s.target);
    out += " \"" + s.name + "\" (" + join(s.inputs, ", ", bufferText) + ") -> (" + join(s.outputs, ", ", bufferText) + ")";
    if (!s.registers.empty())
      out += " registers [" + join(s.registers, ", ", registerText) + "]";
    if (s.tiles != kNone)
      out += " tiles " + registerText(s.tiles);
    if (s.inPlace)
      out += " in place";
    out += "\n";
  }
  return out;
}
} // namespace

std::string optc::print(const Plan &plan) {
  std::string out;
  auto port = [](const Port &p) {
    std::string text = p.name + ": " + nameOf(p.type) + "[";
    for (size_t i = 0; i < p.dims.size(); ++i)
      text += (i ? ", " : "") + (p.dims[i] < 0 ? p.symbols[i] : std::to_string(p.dims[i]));
    return text + "]";
  };
  out += "inputs " + join(plan.inputs, ", ", port) + "\noutputs " + join(plan.outputs, ", ", port) + "\n";
  for (size_t i = 0; i < plan.frames.size(); ++i) {
    out += "frame " + std::to_string(i);
    if (plan.frames[i].isStatic)
      out += " arena " + std::to_string(plan.frames[i].arenaBytes);
    if (plan.frames[i].deviceArenaBytes)
      out += " device arena " + std::to_string(plan.frames[i].deviceArenaBytes);
    out += "\n" + frameText(plan.frames[i]);
  }
  for (const DeviceImage &image : plan.images) {
    out += "image " + std::string(image.isPtx ? "ptx" : "cubin") + " for sm_" + std::to_string(image.architecture) + "\n";
    for (const DeviceKernel &k : image.kernels) {
      for (const Instruction &i : k.program)
        out += "    " + instructionText(i) + "\n";
      out += "  " + k.symbol + " of r0 to r" + std::to_string(k.sizes) + ": blocks " + registerText(k.blocks) + (k.residentBlocks ? " at most" : "") + ", threads " +
             std::to_string(k.threads) + ", shared " + std::to_string(k.sharedBytes);
      const std::pair<const char *, RegisterId> more[] = {{", workspace ", k.workspace}, {", counters ", k.counters}, {", repeats ", k.repeats}, {", counted ", k.counted}};
      for (auto [what, r] : more)
        out += r == kNone ? "" : what + registerText(r);
      out += "\n";
    }
  }
  return out;
}
