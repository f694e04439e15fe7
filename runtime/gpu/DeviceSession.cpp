//===- DeviceSession.cpp - What a session has of a GPU --------------------===//

#include "runtime/gpu/DeviceSession.h"
#include "runtime/reference/Blocks.h"
#include "runtime/Instructions.h"
#include <algorithm>
#include <cstring>

using namespace optc;
using namespace optc::gpu;

/// Shapes whose graphs are kept.
static constexpr size_t kMostGraphs = 8;
/// Sizes above this are the saturated result of impossible shapes.
static constexpr int64_t kMostWorkspace = int64_t(1) << 46;

/// Of one tensor, and of all of a run's.
static constexpr uint64_t kMostStaged = uint64_t(4) << 20, kMostStaging = uint64_t(32) << 20;

//===-- Staging -----------------------------------------------------------===//

char *Staging::take(uint64_t bytes) {
  uint64_t begin = (used + 63) / 64 * 64;
  if (bytes > kMostStaged || begin + bytes > kMostStaging)
    return nullptr;
  used = begin + bytes;
  wanted = std::max(wanted, used);
  return used <= memory.bytes() ? memory.data() + begin : nullptr;
}

Status Staging::reset(Device &device) {
  used = 0;
  return wanted > memory.bytes() ? memory.allocate(device, wanted) : Status::success();
}

//===-- DeviceSession -----------------------------------------------------===//

DeviceSession::~DeviceSession() {
  // What is freed is the context's.
  if (isOpen)
    (void)program.use();
}

Status DeviceSession::begin(bool mayStage) {
  stages = mayStage;
  deliveries.clear();
  if (stages && isTop)
    OPTC_TRY(staging.reset(program.device()));
  if (isOpen)
    return Status::success();
  if (isTop) {
    if (!own.handle)
      OPTC_TRY(own.create(program.device()));
    others.borrow(program.device(), callers);
  }
  OPTC_TRY(flags.allocate(program.device(), frame.steps.size() * sizeof(int32_t)));
  OPTC_TRY(stream.fill(flags.address(), 0, frame.steps.size() * sizeof(int32_t)));
  for (const Step &step : frame.steps)
    checksIndices |= step.onDevice && program.launchOf(step.target).checksIndices;
  isOpen = true;
  return Status::success();
}

Status DeviceSession::finish() {
  if (!isOpen)
    return Status::success();
  if (isTop) {
    OPTC_TRY(stream.synchronize());
    for (const Delivery &d : deliveries)
      std::memcpy(d.to, d.from, d.bytes);
    deliveries.clear();
  }
  if (!checksIndices)
    return Status::success();
  std::vector<int32_t> values(frame.steps.size());
  OPTC_TRY(download(values.data(), reinterpret_cast<void *>(flags.address()), values.size() * sizeof(int32_t)));
  auto first = std::find_if(values.begin(), values.end(), [](int32_t v) { return v != 0; });
  if (first == values.end())
    return Status::success();
  OPTC_TRY(stream.fill(flags.address(), 0, values.size() * sizeof(int32_t)));
  return Status::error("step '" + frame.steps[size_t(first - values.begin())].name + "': an index is out of range");
}

Status DeviceSession::reserve(uint64_t bytes) {
  if (bytes <= arenaMemory.bytes() && arenaMemory.address())
    return Status::success();
  // Not both at once; nothing that was launched may still use it.
  OPTC_TRY(stream.synchronize());
  return arenaMemory.allocate(program.device(), bytes);
}

Status DeviceSession::grow(uint32_t storage, uint64_t bytes, DevicePointer &address) {
  if (bytes > blocks[storage].bytes() || !blocks[storage].address()) {
    OPTC_TRY(stream.synchronize());
    OPTC_TRY(blocks[storage].allocate(program.device(), bytes));
  }
  address = blocks[storage].address();
  return Status::success();
}

Status DeviceSession::allocate(uint64_t bytes, std::shared_ptr<void> &memory) {
  auto owner = std::make_shared<Memory>();
  OPTC_TRY(owner->allocate(program.device(), bytes));
  // On whichever thread it is freed.
  memory = std::shared_ptr<void>(reinterpret_cast<void *>(owner->address()), [owner, device = program.sharedDevice()](void *) mutable {
    KeepContext keep(&device->driver());
    (void)device->makeCurrent();
    owner = nullptr;
  });
  return Status::success();
}

uint64_t DeviceSession::bytes() const {
  uint64_t total = arenaMemory.bytes() + workspace.bytes() + counters.bytes();
  for (const Memory &block : blocks)
    total += block.bytes();
  return total;
}

Status DeviceSession::download(void *to, const void *from, uint64_t bytes) {
  OPTC_TRY(stream.download(to, DevicePointer(from), bytes));
  return stream.synchronize();
}

Status DeviceSession::uploadInput(void *to, const void *from, uint64_t bytes) {
  char *staged = stages ? staging.take(bytes) : nullptr;
  if (staged)
    std::memcpy(staged, from, bytes);
  return upload(to, staged ? staged : from, bytes);
}

Status DeviceSession::downloadOutput(void *to, const void *from, uint64_t bytes) {
  char *staged = stages ? staging.take(bytes) : nullptr;
  if (staged)
    deliveries.push_back({to, staged, bytes});
  return stream.download(staged ? staged : to, DevicePointer(from), bytes);
}

Status DeviceSession::measure(const std::function<Status()> &body, double &seconds) {
  if (!stopwatch.isReady())
    OPTC_TRY(stopwatch.create(program.device()));
  OPTC_TRY(stopwatch.start(stream));
  OPTC_TRY(body());
  OPTC_TRY(stopwatch.stop(stream));
  return stopwatch.seconds(stream, seconds);
}

/// Rows are swizzled by 128 bytes.
Status DeviceSession::encode(const BoxMap &map, const Launch &launch, const std::vector<int64_t> &registers, TensorMap &encoded) const {
  const Buffer &buffer = frame.buffers[frame.steps[launch.step].inputs[map.operand]];
  uint64_t width = sizeOf(buffer.type);
  std::vector<uint64_t> sizes, strides;
  for (RegisterId r : map.sizes)
    sizes.push_back(uint64_t(registers[r]));
  for (RegisterId r : map.strides)
    strides.push_back(uint64_t(registers[r]) * width);
  DevicePointer address = DevicePointer(launch.buffers[map.operand]) + uint64_t(registers[map.offset]) * width;
  return encodeTensorMap(program.device().driver(), encoded, tensorMapTypeOf(buffer.type), address, sizes, strides, map.box, Swizzle::bytes128);
}

std::vector<int64_t> DeviceSession::registersOf(const Launch &launch, const DeviceKernel &kernel) const {
  std::vector<int64_t> registers = launch.registers;
  registers.resize(kernel.registers);
  for (const Instruction &i : kernel.program)
    execute(i, registers.data());
  return registers;
}

int64_t DeviceSession::repeatsOf(const Launch &launch) const {
  const DeviceKernel &kernel = program.launchOf(frame.steps[launch.step].target);
  return kernel.repeats == kNone ? 1 : registersOf(launch, kernel)[kernel.repeats];
}

/// Graphs have its address.
Status DeviceSession::reserveWorkspace(int64_t bytes) {
  if (bytes < 0 || bytes > kMostWorkspace)
    return Status::error("it is too large for one launch");
  if (workspace.address() && uint64_t(bytes) <= workspace.bytes())
    return Status::success();
  OPTC_TRY(stream.synchronize());
  recorded.clear();
  return workspace.allocate(program.device(), size_t(std::max<int64_t>(bytes, 1)));
}

/// Each launch leaves them at zero.
Status DeviceSession::reserveCounters(int64_t count) {
  if (count < 0 || count > kMostWorkspace)
    return Status::error("it is too large for one launch");
  uint64_t bytes = uint64_t(std::max<int64_t>(count, 1)) * sizeof(int32_t);
  if (counters.address() && bytes <= counters.bytes())
    return Status::success();
  OPTC_TRY(stream.synchronize());
  recorded.clear();
  OPTC_TRY(counters.allocate(program.device(), bytes));
  return stream.fill(counters.address(), 0, bytes);
}

Status DeviceSession::launch(const Launch &launch, Part part, Stream &on) {
  const Step &step = frame.steps[launch.step];
  const DeviceKernel &kernel = program.launchOf(step.target);
  std::vector<int64_t> registers = registersOf(launch, kernel);
  int64_t blocks = registers[kernel.blocks];
  if (kernel.residentBlocks)
    blocks = std::min(blocks, int64_t(kernel.residentBlocks) * program.device().multiprocessors);
  if (blocks <= 0) // nothing to compute
    return Status::success();
  if (blocks > INT32_MAX)
    return Status::error("it is too large for one launch");
  if (kernel.workspace != kNone)
    OPTC_TRY(reserveWorkspace(registers[kernel.workspace]));
  if (kernel.counters != kNone)
    OPTC_TRY(reserveCounters(registers[kernel.counters]));
  int64_t counted = kernel.counted == kNone ? 0 : registers[kernel.counted];
  int64_t begin = part == Part::counting ? 0 : counted;
  int64_t end = part == Part::counting ? counted : kernel.repeats == kNone ? 1 : registers[kernel.repeats];
  // Operands, results, sizes, the word for indices, the workspace, the counters, the size that is counted, the number of the launch, maps.
  DevicePointer flag = flags.address() + launch.step * sizeof(int32_t), memory = workspace.address(), zeros = counters.address(), count = counter.address();
  int32_t number = 0;
  std::vector<TensorMap> maps(kernel.maps.size());
  std::vector<void *> arguments;
  for (void *const &buffer : launch.buffers)
    arguments.push_back(const_cast<void **>(&buffer));
  for (uint32_t i = 0; i < kernel.sizes; ++i)
    arguments.push_back(&registers[i]);
  if (kernel.checksIndices)
    arguments.push_back(&flag);
  if (kernel.workspace != kNone)
    arguments.push_back(&memory);
  if (kernel.counters != kNone)
    arguments.push_back(&zeros);
  if (kernel.counted != kNone)
    arguments.push_back(&count);
  if (kernel.repeats != kNone)
    arguments.push_back(&number);
  for (size_t i = 0; i < maps.size(); ++i) {
    OPTC_TRY(encode(kernel.maps[i], launch, registers, maps[i]));
    arguments.push_back(&maps[i]);
  }
  for (int64_t i = begin; i < end; ++i) {
    number = int32_t(i);
    OPTC_TRY(program.kernel(step.target).launch(on, {unsigned(blocks), kernel.threads, kernel.sharedBytes}, arguments));
  }
  return Status::success();
}

Status DeviceSession::launchCounting(const Launch &counting, int64_t &count) {
  if (!counter.address())
    OPTC_TRY(counter.allocate(program.device(), sizeof(int64_t)));
  // No block: nothing is found.
  OPTC_TRY(stream.fill(counter.address(), 0, sizeof(int64_t)));
  OPTC_TRY(launch(counting, Part::counting, stream));
  OPTC_TRY(download(&count, reinterpret_cast<void *>(counter.address()), sizeof(int64_t)));
  return count < 0 ? Status::error("a result would have a negative size: " + std::to_string(count)) : Status::success();
}

Status DeviceSession::launchCounted(const Launch &counted) { return launch(counted, Part::rest, stream); }

Status DeviceSession::launchAll(size_t first, std::vector<Launch> launches) {
  auto launchEach = [&](Stream &on) {
    for (const Launch &one : launches)
      if (Status status = launch(one, Part::rest, on); !status.ok())
        return Status::error("step '" + frame.steps[one.step].name + "': " + status.message);
    return Status::success();
  };
  if (launches.size() < 2 && repeatsOf(launches.front()) < 2)
    return launchEach(stream);
  std::vector<Recorded> &known = recorded[first];
  auto same = std::find_if(known.begin(), known.end(), [&](const Recorded &r) { return r.launches == launches; });
  if (same == known.end()) {
    OPTC_TRY(launchEach(stream));
    std::vector<Recorded> &list = recorded[first]; // memory that grew has forgotten all
    if (list.size() >= kMostGraphs)
      list.erase(list.begin());
    list.push_back({std::move(launches), nullptr});
    return Status::success();
  }
  if (!same->graph) {
    auto graph = std::make_unique<Graph>();
    OPTC_TRY(graph->record(recorder, [&] { return launchEach(recorder); }));
    same->graph = std::move(graph);
  }
  return same->graph->launch(stream);
}
