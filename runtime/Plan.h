//===- Plan.h - What an artefact does, as data ------------------*- C++ -*-===//
//
// The compiler builds a Plan (codegen/plan), serialises it into the artefact, and the runtime
// parses it back and walks it. A frame is a list of steps over buffers; If and Loop hold
// sub-frames. Sizes are registers: 64-bit integers that a small program computes from the
// dims of the inputs and from values that steps produce.
//
//   step 3: kernel "conv1+relu"  reads b0 w1 w2  writes b3  tiles r7
//
// Storages lie in host memory or on a GPU (`onDevice`); steps that run there read and write what is there, and copy steps are between
// the two, or within one where a value is an output more than once. Branches and loops take and give what is on either side; conditions and what a loop gathers are in host memory.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_PLAN_H
#define OPTC_RUNTIME_PLAN_H

#include "runtime/reference/Reference.h"
#include <optional>

namespace optc {

using RegisterId = uint32_t;
using BufferId = uint32_t;
constexpr uint32_t kNone = UINT32_MAX;

/// One instruction of the shape program: r[target] = op(r[a], r[b], ...); `constant` takes `value`.
struct Instruction {
  enum class Op : uint8_t { constant, add, mul, floordiv, mod, min, max, bcast, ifeq };
  Op op = Op::constant;
  RegisterId target = 0;
  int64_t value = 0;
  RegisterId args[4] = {0, 0, 0, 0};
};

/// Memory that buffers share. Views (reshape) are several buffers over one storage.
struct Storage {
  enum class Kind : uint8_t {
    input,   // index: the frame's input
    output,  // index: the frame's output
    weight,  // offset into the artefact's weights
    arena,   // planned: at `offset` when the frame is static, else packed for each set of sizes
    dynamic, // allocated when the step runs: its size depends on values
    object,  // strings, sequences, optionals
  };
  Kind kind = Kind::arena;
  uint32_t index = 0;
  uint64_t offset = 0;
  /// Register that holds the size in bytes.
  RegisterId bytes = kNone;
  /// Steps between which the contents matter (arena only).
  uint32_t firstStep = 0, lastStep = 0;
  /// In the GPU's memory; the model's own inputs and outputs are not.
  bool onDevice = false;
};

struct Buffer {
  uint32_t storage = 0;
  DType type = DType::none;
  /// kind of value: tensors have dims, objects have none.
  Value::Kind kind = Value::Kind::tensor;
  std::vector<RegisterId> dims;
};

/// An attribute of a library step whose integers come from registers.
struct RegisterList {
  std::string name;
  std::vector<RegisterId> registers;
};

/// Sets a register from a dim of a result once the step has run (data-dependent sizes).
struct DimDefinition {
  uint32_t output = 0;
  uint32_t axis = 0;
  RegisterId target = 0;
};

struct Step {
  enum class Kind : uint8_t { kernel, library, bind, branch, loop, copy };
  Kind kind = Kind::kernel;
  /// For people: the ONNX nodes' names joined, as reports show them.
  std::string name;
  /// Instructions [programBegin, programEnd) run before the step.
  uint32_t programBegin = 0, programEnd = 0;
  /// kernel: it runs on the GPU.
  bool onDevice = false;
  /// kernel: index into the artefact's kernels, or those of its images; branch: the then frame (else is +1); loop: the body.
  uint32_t target = 0;
  std::vector<BufferId> inputs; // kNone: absent
  std::vector<BufferId> outputs;
  /// kernel: sizes it needs; bind: registers set from the elements of inputs[0].
  std::vector<RegisterId> registers;
  /// kernel: number of tiles, and bytes of scratch a worker.
  RegisterId tiles = kNone;
  RegisterId scratch = kNone;
  /// library: reference function and its attributes.
  std::string function;
  Attributes attributes;
  std::vector<RegisterList> registerAttributes;
  std::vector<DimDefinition> definitions;
  /// loop: which of inputs[0], inputs[1] (trip count, condition) are present is by kNone; the next
  /// `carried` are initial values, the rest captured. branch: inputs[0] is the condition, the rest captured.
  uint32_t carried = 0;
  /// kernel: outputs[inPlaceOutput] uses the storage of an input.
  bool inPlace = false;
  /// For profiles: registers that hold the work (kNone: unknown).
  RegisterId flops = kNone;
  /// Position of the step in the report's list.
  uint32_t report = 0;
};

/// A symbol that a frame's input brings: dim `axis` of input `input`. `check`: the dim must equal the register
/// (which is bound elsewhere), otherwise it binds it.
struct DimBinding {
  uint32_t input = 0;
  uint32_t axis = 0;
  RegisterId target = 0;
  bool check = false;
};

struct Frame {
  uint32_t registers = 0;
  std::vector<Instruction> program;
  /// Instructions [0, entryEnd) run on entry, after the inputs' dims are bound.
  uint32_t entryEnd = 0;
  std::vector<DimBinding> bindings;
  /// Registers inherited from the enclosing frame: (outer, inner).
  std::vector<std::pair<RegisterId, RegisterId>> inherited;
  std::vector<Storage> storages;
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<BufferId> inputs, outputs;
  /// True: every arena storage has its offset, and the arena is `arenaBytes`.
  bool isStatic = false;
  uint64_t arenaBytes = 0, deviceArenaBytes = 0;
};

/// How boxes of a kernel's operand are copied by a tensor map (gpu::encodeTensorMap): sizes and strides of the dims in elements,
/// innermost first.
struct BoxMap {
  uint32_t operand = 0;
  RegisterId offset = 0;
  std::vector<RegisterId> sizes, strides;
  std::vector<uint32_t> box;
};

/// A kernel of a GPU. Its registers are the step's, in the step's order, and those that its program computes of them.
struct DeviceKernel {
  std::string symbol;
  uint32_t module = 0; // of the image's
  uint32_t sizes = 0, registers = 0;
  std::vector<Instruction> program;
  RegisterId blocks = 0;
  uint32_t threads = 0, sharedBytes = 0;
  /// Blocks that each multiprocessor of the device has at most, which take turns where there is more to do; 0: as many as there are.
  uint32_t residentBlocks = 0;
  /// A parameter is a pointer to an int32 that becomes 1 where an index is out of range.
  bool checksIndices = false;
  std::vector<BoxMap> maps;
  /// Bytes of the device's memory that its launches share: a parameter; kNone: it needs none.
  RegisterId workspace = kNone;
  /// So many int32 of the device's memory that are zero before each launch, and that it leaves so: a parameter; kNone: it needs none.
  RegisterId counters = kNone;
  /// It is launched so many times, one after the other, and told which launch it is; kNone: once, and it is not told.
  RegisterId repeats = kNone;
  /// So many of the launches come before the size of a result (Step::definitions) is known, which they write: a parameter is a pointer to an
  /// int64. kNone: all sizes are known before.
  RegisterId counted = kNone;
};

/// What a driver loads at a time: `bytes` at `offset` of the artefact's images.
struct DeviceModule {
  uint64_t offset = 0, bytes = 0;
};

/// Code for one kind of GPU. All images have the same kernels.
struct DeviceImage {
  uint32_t architecture = 0; // 90 of sm_90
  /// Text that drivers translate for this kind and later ones; else machine code.
  bool isPtx = false;
  std::vector<DeviceModule> modules;
  std::vector<DeviceKernel> kernels;
};

/// A graph input or output as users see it.
struct Port {
  std::string name;
  DType type = DType::none;
  Value::Kind kind = Value::Kind::tensor;
  /// -1: dynamic; `symbols` then has its expression.
  std::vector<int64_t> dims;
  std::vector<std::string> symbols;
};

struct Plan {
  std::vector<Port> inputs, outputs;
  /// frames[0] is the model.
  std::vector<Frame> frames;
  std::vector<DeviceImage> images;
  std::string report; // JSON
};

std::string serialize(const Plan &plan);
/// True when every index is in range and the frames fit each other, so that the executor need not check.
bool isConsistent(const Plan &plan);
/// nullopt when the bytes are not a consistent plan of this version.
std::optional<Plan> parsePlan(const void *data, size_t bytes);
/// The readable form (`--emit=plan`).
std::string print(const Plan &plan);

/// Places storages so that those alive at the same time do not overlap: greedy by size, largest
/// first, each at the lowest free offset. `sizes[i]` in bytes; returns the arena's size. All offsets are multiples
/// of 64.
struct Lifetime {
  uint64_t bytes;
  uint32_t first, last;
};
uint64_t packArena(const std::vector<Lifetime> &lifetimes, std::vector<uint64_t> &offsets);

} // namespace optc

#endif // OPTC_RUNTIME_PLAN_H
