//===- RunBundle.cpp - Kernels on a GPU against the evaluator -------------===//
//
//   gpu-run BUNDLE [FILTER]
//   gpu-run --device                     says which GPU there is: "sm_90 NVIDIA H100 ..."
//
// Runs every kernel of a bundle (Bundle.h) whose text contains FILTER on the first GPU, compares its results
// with what is expected, looks at the bytes behind them, and measures the large ones: medians and 99th
// percentiles of graphs of several launches, by the device's clock. Exit status: 0 all agree, 1 some do not,
// 77 nothing can be run (no driver, no GPU, a GPU of another architecture).
//
//===----------------------------------------------------------------------===//

#include "runtime/gpu/Device.h"
#include "test/codegen/gpu/Bundle.h"
#include "test/codegen/gpu/KernelValues.h"
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

using namespace optc;
using namespace optc::gpu;

#define OPTC_TRY(step)                                                                                       \
  if (Status optcStatus = (step); !optcStatus.ok())                                                          \
  return optcStatus

namespace {

constexpr int kSkipped = 77;

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Runner {
public:
  Runner(std::string folder, Device &device) : folder(std::move(folder)), device(device) {}
  Status prepare();
  Status run(const BundleCase &c);
  int failures = 0;

private:
  Status measure(const std::function<Status()> &launch, double &median, double &late);
  Status check(const BundleCase &c, std::string &wrong);
  Status load(const BundleCase &c, Kernel &kernel);
  Status encode(const BundleMap &map, const BundleCase &c, TensorMap &encoded);

  std::string folder;
  Device &device;
  Stream stream;
  Stopwatch stopwatch;
  std::string expected;
  std::map<std::string, Module> modules;

  // Of the case that is run.
  std::vector<Memory> memory; // of operands, then of results
  std::vector<DevicePointer> addresses;
};

Status Runner::prepare() {
  expected = readFile(folder + "/expected");
  OPTC_TRY(stream.create(device));
  OPTC_TRY(stopwatch.create(device));
  constexpr size_t kBytes = size_t(1) << 29;
  Memory from, to;
  OPTC_TRY(from.allocate(device, kBytes));
  OPTC_TRY(to.allocate(device, kBytes));
  OPTC_TRY(stream.fill(from.address(), 1, kBytes));
  double median = 0, late = 0;
  OPTC_TRY(measure([&] { return stream.copy(to.address(), from.address(), kBytes); }, median, late));
  std::printf("%s: sm_%d, %d multiprocessors, %.0f GB/s nominal, the driver's copy moves %.0f GB/s\n",
              device.name.c_str(), device.architecture, device.multiprocessors, device.bandwidth * 1e-9,
              2 * kBytes / median * 1e-9);
  return Status::success();
}

/// Seconds of one launch.
Status Runner::measure(const std::function<Status()> &launch, double &median, double &late) {
  constexpr int kWarmup = 2, kSamples = 25;
  constexpr double kGraphSeconds = 1e-3;
  double once = 0;
  for (int i = 0; i < 3; ++i) {
    OPTC_TRY(stopwatch.start(stream));
    OPTC_TRY(launch());
    OPTC_TRY(stopwatch.stop(stream));
    OPTC_TRY(stopwatch.seconds(stream, once));
  }
  int launches = std::clamp(int(kGraphSeconds / std::max(once, 1e-7)), 1, 50);
  Graph graph;
  OPTC_TRY(graph.record(stream, [&] {
    for (int i = 0; i < launches; ++i)
      OPTC_TRY(launch());
    return Status::success();
  }));
  std::vector<double> times;
  for (int i = 0; i < kWarmup + kSamples; ++i) {
    double time = 0;
    OPTC_TRY(stopwatch.start(stream));
    OPTC_TRY(graph.launch(stream));
    OPTC_TRY(stopwatch.stop(stream));
    OPTC_TRY(stopwatch.seconds(stream, time));
    if (i >= kWarmup)
      times.push_back(time / launches);
  }
  std::sort(times.begin(), times.end());
  median = times[times.size() / 2];
  late = times[times.size() * 99 / 100];
  return Status::success();
}

Status Runner::load(const BundleCase &c, Kernel &kernel) {
  auto [it, isNew] = modules.try_emplace(c.cubin);
  if (isNew) {
    std::string image = readFile(folder + "/" + c.cubin);
    OPTC_TRY(it->second.load(device, image.data()));
  }
  OPTC_TRY(it->second.find(c.symbol, kernel));
  return c.sharedBytes ? kernel.allowShared(unsigned(c.sharedBytes)) : Status::success();
}

/// Rows are swizzled by 128 bytes.
Status Runner::encode(const BundleMap &map, const BundleCase &c, TensorMap &encoded) {
  DType type = c.operands[size_t(map.operand)].type;
  std::vector<uint64_t> sizes(map.sizes.begin(), map.sizes.end()), strides;
  std::vector<uint32_t> box(map.box.begin(), map.box.end());
  for (int64_t stride : map.strides)
    strides.push_back(uint64_t(stride) * sizeOf(type));
  DevicePointer address = addresses[size_t(map.operand)] + uint64_t(map.offset) * sizeOf(type);
  return encodeTensorMap(device.driver(), encoded, tensorMapTypeOf(type), address, sizes, strides, box, Swizzle::bytes128);
}

Status Runner::check(const BundleCase &c, std::string &wrong) {
  for (size_t i = 0; i < c.results.size(); ++i) {
    const BundleResult &y = c.results[i];
    Value got = Value::allocate(y.type, y.dims);
    size_t own = c.operands.size() + i;
    OPTC_TRY(stream.download(got.data, addresses[own], got.bytes()));
    unsigned char guard[kGuardBytes] = {};
    if (y.operand < 0)
      OPTC_TRY(stream.download(guard, addresses[own] + got.bytes(), kGuardBytes));
    OPTC_TRY(stream.synchronize());
    if (y.operand < 0 &&
        !std::all_of(guard, guard + kGuardBytes, [](unsigned char b) { return b == kGuardValue; }))
      wrong += " written beyond the end of result " + std::to_string(i) + ";";
    std::vector<int64_t> positions = y.positions();
    std::vector<int64_t> dims = positions.empty() ? y.dims : std::vector<int64_t>{int64_t(positions.size())};
    Value part(y.type, dims, const_cast<char *>(expected.data()) + y.offset);
    if (size_t(y.offset) + part.bytes() > expected.size())
      return Status::error("the bundle's values are not whole");
    std::string difference = compareValues(got, part, y.tolerance, positions);
    if (!difference.empty())
      wrong += " result " + std::to_string(i) + ": " + difference + ";";
  }
  return Status::success();
}

Status Runner::run(const BundleCase &c) {
  Kernel kernel;
  OPTC_TRY(load(c, kernel));
  memory.clear();
  addresses.clear();
  auto place = [&](size_t bytes) {
    Memory &m = memory.emplace_back();
    OPTC_TRY(m.allocate(device, bytes + kGuardBytes));
    addresses.push_back(m.address());
    return stream.fill(m.address(), kGuardValue, bytes + kGuardBytes);
  };
  double bytes = 0;
  for (const BundleOperand &x : c.operands) {
    Value value = Value::allocate(x.type, x.dims);
    fillRandom(value, x.seed, x.fill);
    OPTC_TRY(place(value.bytes()));
    OPTC_TRY(stream.upload(addresses.back(), value.data, value.bytes()));
    OPTC_TRY(stream.synchronize());
    bytes += double(value.bytes());
  }
  for (const BundleResult &y : c.results) {
    Value shape(y.type, y.dims, nullptr);
    bytes += double(shape.bytes());
    if (y.operand >= 0)
      addresses.push_back(addresses[size_t(y.operand)]);
    else
      OPTC_TRY(place(shape.bytes()));
  }
  Memory error;
  OPTC_TRY(error.allocate(device, 4));
  OPTC_TRY(stream.fill(error.address(), 0, 4));

  std::vector<uint64_t> values(addresses.begin(), addresses.end());
  values.insert(values.end(), c.sizes.begin(), c.sizes.end());
  if (c.checksIndices)
    values.push_back(error.address());
  Memory workspace, counters, count;
  int32_t number = 0;
  if (c.workspace >= 0) {
    OPTC_TRY(workspace.allocate(device, size_t(std::max<int64_t>(c.workspace, 1))));
    values.push_back(workspace.address());
  }
  if (c.counters >= 0) {
    size_t all = size_t(std::max<int64_t>(c.counters, 1)) * sizeof(int32_t);
    OPTC_TRY(counters.allocate(device, all));
    OPTC_TRY(stream.fill(counters.address(), 0, all));
    values.push_back(counters.address());
  }
  if (c.counted >= 0) {
    OPTC_TRY(count.allocate(device, sizeof(int64_t)));
    values.push_back(count.address());
  }
  std::vector<void *> arguments;
  for (uint64_t &v : values)
    arguments.push_back(&v);
  if (c.repeats >= 0)
    arguments.push_back(&number);
  std::vector<TensorMap> maps(c.maps.size());
  for (size_t i = 0; i < maps.size(); ++i) {
    OPTC_TRY(encode(c.maps[i], c, maps[i]));
    arguments.push_back(&maps[i]);
  }
  int64_t most = c.residentBlocks ? c.residentBlocks * device.multiprocessors : c.blocks;
  LaunchShape shape = {unsigned(std::min(c.blocks, most)), unsigned(c.threads), unsigned(c.sharedBytes)};
  auto launch = [&] {
    for (number = 0; c.blocks > 0 && number < std::max<int64_t>(c.repeats, c.repeats < 0); ++number)
      OPTC_TRY(kernel.launch(stream, shape, arguments));
    return Status::success();
  };
  OPTC_TRY(launch());
  std::string wrong;
  OPTC_TRY(check(c, wrong));
  int32_t badIndex = 0;
  OPTC_TRY(stream.download(&badIndex, error.address(), 4));
  OPTC_TRY(stream.synchronize());
  if (badIndex)
    wrong += " an index is reported;";
  if (!wrong.empty()) {
    ++failures;
    std::printf("FAILED %s %s:%s\n", c.cubin.c_str(), c.what.c_str(), wrong.c_str());
  }
  if (!c.timed)
    return Status::success();
  double median = 0, late = 0;
  OPTC_TRY(measure(launch, median, late));
  std::printf("%9.1f us (p99 %9.1f)", median * 1e6, late * 1e6);
  if (c.flops > 0)
    std::printf(" %7.1f TFLOP/s", c.flops / median * 1e-12);
  else
    std::printf(" %7.0f GB/s, %3.0f %% of nominal", bytes / median * 1e-9,
                100 * bytes / median / device.bandwidth);
  std::printf(", %d registers, %d bytes local: %s\n", kernel.registers(), kernel.localBytes(),
              c.what.c_str());
  return Status::success();
}

int fail(int code, const std::string &message) {
  std::fprintf(stderr, "gpu-run: %s\n", message.c_str());
  return code;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 2)
    return fail(1, "give the folder of a bundle");
  const bool asksDevice = std::strcmp(argv[1], "--device") == 0;
  Bundle bundle;
  if (!asksDevice)
    if (Status status = Bundle::read(argv[1], bundle); !status.ok())
      return fail(1, status.message);
  std::string why;
  if (!Driver::get(why))
    return fail(kSkipped, "skipped: " + why);
  Device device;
  if (Status status = device.open(0); !status.ok())
    return fail(1, status.message);
  if (asksDevice) {
    std::printf("sm_%d %s\n", device.architecture, device.name.c_str());
    return 0;
  }
  if ("sm_" + std::to_string(device.architecture) != bundle.target)
    return fail(kSkipped, "skipped: the kernels are for " + bundle.target + ", the GPU is an sm_" +
                              std::to_string(device.architecture));
  Runner runner(argv[1], device);
  if (Status status = runner.prepare(); !status.ok())
    return fail(1, status.message);
  int ran = 0;
  for (const BundleCase &c : bundle.cases) {
    if (argc > 2 && c.what.find(argv[2]) == std::string::npos)
      continue;
    if (Status status = runner.run(c); !status.ok())
      return fail(1, c.symbol + " of " + c.cubin + " (" + c.what + "): " + status.message);
    ++ran;
  }
  std::printf("%d launches, %d of them wrong\n", ran, runner.failures);
  return runner.failures ? 1 : 0;
}
