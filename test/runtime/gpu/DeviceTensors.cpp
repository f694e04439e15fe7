//===- DeviceTensors.cpp - Inputs and outputs in a GPU's memory -*- C++ -*-===//
//
//   device-tensors FOLDER [ROUNDS GPU]       with net.so, mixed.so and rows.so of device_tensors.py
//
// What a caller of optc.h sees: results in a GPU's memory are those in the host's, bit for bit, wherever each tensor is; nothing is copied
// that need not be; a caller's stream is not waited for; what is wrong with an address is said. For a driver that has several GPUs.
//
//===----------------------------------------------------------------------===//

#include "runtime/include/optc.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace {

#define CHECK(condition)                                                                                     \
  if (!(condition)) {                                                                                        \
    std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                             \
    std::exit(1);                                                                                            \
  }

/// The driver as a caller has it beside the library.
struct Driver {
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  template <typename... Arguments> int call(const char *name, Arguments... arguments) {
    auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name));
    CHECK(function);
    return function(arguments...);
  }
  std::vector<void *> contexts = {nullptr, nullptr};
  void *stream = nullptr;
  Driver() {
    CHECK(library && call("cuInit", 0u) == 0);
    for (int i = 0; i < 2; ++i)
      CHECK(call("cuDevicePrimaryCtxRetain", &contexts[size_t(i)], i) == 0);
    setCurrent(0);
    CHECK(call("cuStreamCreate", &stream, 1u) == 0);
  }
  void setCurrent(int gpu) { CHECK(call("cuCtxSetCurrent", contexts[size_t(gpu)]) == 0); }
  void *current() {
    void *context = nullptr;
    CHECK(call("cuCtxGetCurrent", &context) == 0);
    return context;
  }
  void wait() { CHECK(call("cuStreamSynchronize", stream) == 0); }
};

Driver &driver() {
  static Driver d;
  return d;
}

/// Bytes of a tensor in the host's memory or a GPU's, `offset` bytes after a multiple of 256.
struct Bytes {
  uint64_t address = 0;
  std::vector<char> host;
  char *data = nullptr;
  size_t size;
  int gpu;
  Bytes(size_t size, int gpu, size_t offset = 0) : host(gpu < 0 ? size : 0), data(host.data()), size(size), gpu(gpu) {
    if (gpu < 0)
      return;
    driver().setCurrent(gpu);
    CHECK(driver().call("cuMemAlloc", &address, size + offset + 1) == 0);
    data = reinterpret_cast<char *>(address + offset);
    driver().setCurrent(0);
  }
  ~Bytes() {
    if (address)
      driver().call("cuMemFree", address);
  }
  Bytes(const Bytes &) = delete;
  void set(const void *from) {
    if (gpu < 0)
      std::memcpy(data, from, size);
    else
      CHECK(driver().call("cuMemcpyHtoDAsync", uint64_t(data), from, size, driver().stream) == 0);
  }
  std::vector<char> get() const {
    std::vector<char> bytes(size);
    if (gpu < 0)
      return std::vector<char>(data, data + size);
    CHECK(driver().call("cuMemcpyDtoHAsync", static_cast<void *>(bytes.data()), uint64_t(data), size, driver().stream) == 0);
    driver().wait();
    return bytes;
  }
};

struct Shape {
  optc_dtype type;
  std::vector<int64_t> dims;
  size_t bytes() const { return std::accumulate(dims.begin(), dims.end(), size_t(type == OPTC_I64 ? 8 : 4), [](size_t n, int64_t d) { return n * size_t(d); }); }
};

optc_tensor tensorOf(Bytes &bytes, Shape &shape) {
  optc_tensor t = optc_tensor_of(bytes.data, shape.type, int32_t(shape.dims.size()), shape.dims.data());
  if (bytes.gpu >= 0)
    t.device = {OPTC_CUDA, bytes.gpu};
  return t;
}

struct Model {
  optc_model *model = nullptr;
  explicit Model(const std::string &path) {
    optc_status status = optc_model_open(path.c_str(), &model);
    if (status.code)
      std::fprintf(stderr, "%s\n", status.message);
    CHECK(status.code == OPTC_OK);
  }
  ~Model() { optc_model_close(model); }
};

struct Session {
  optc_session *session = nullptr;
  Session(Model &m, int gpu, void *stream) {
    optc_session_options options = {1, gpu, stream};
    CHECK(optc_session_create(m.model, &options, &session).code == OPTC_OK);
  }
  ~Session() { optc_session_close(session); }
};

using Contents = std::vector<std::vector<char>>;

/// One run, tensor i where `gpus[i]` says (-1: the host), inputs first.
optc_status run(Model &m, optc_session *session, const Contents &values, std::vector<Shape> in, std::vector<Shape> out, const std::vector<int> &gpus,
                size_t offset, Contents &results) {
  std::vector<std::unique_ptr<Bytes>> memory;
  std::vector<optc_tensor> inputs, outputs;
  for (size_t i = 0; i < in.size() + out.size(); ++i) {
    Shape &shape = i < in.size() ? in[i] : out[i - in.size()];
    Bytes &bytes = *memory.emplace_back(std::make_unique<Bytes>(shape.bytes(), gpus[i], gpus[i] < 0 ? 0 : offset));
    if (i < in.size())
      bytes.set(values[i].data());
    (i < in.size() ? inputs : outputs).push_back(tensorOf(bytes, shape));
  }
  driver().wait();
  driver().setCurrent(0);
  optc_status status = optc_run(m.model, session, inputs.data(), inputs.size(), outputs.data(), outputs.size());
  CHECK(driver().current() == driver().contexts[0]); // the caller's, still
  if (status.code == OPTC_OK && session)
    status = optc_session_wait(session);
  results.clear();
  for (size_t i = in.size(); i < memory.size(); ++i)
    results.push_back(memory[i]->get());
  return status;
}

std::vector<char> randomFloats(size_t count, unsigned seed) {
  std::vector<float> values(count);
  for (float &v : values)
    v = float(int((seed = seed * 1664525u + 1013904223u) >> 16) % 2001 - 1000) / 1000;
  const char *bytes = reinterpret_cast<const char *>(values.data());
  return std::vector<char>(bytes, bytes + count * 4);
}
std::vector<char> integers(std::vector<int64_t> values) {
  const char *bytes = reinterpret_cast<const char *>(values.data());
  return std::vector<char>(bytes, bytes + values.size() * 8);
}

/// Every way in which tensors may be spread over host and GPU, in one session, in turns.
void spread(const std::string &path, const std::vector<int64_t> &sizes, const std::function<void(int64_t, Contents &, std::vector<Shape> &, std::vector<Shape> &)> &describe) {
  Model m(path);
  for (void *stream : {static_cast<void *>(nullptr), driver().stream, reinterpret_cast<void *>(1)})
    for (int gpu : {0, 1}) {
      if (gpu == 1 && stream)
        continue; // it is GPU 0's
      Session s(m, gpu, stream);
      for (int64_t n : sizes) {
        Contents values, expected, got;
        std::vector<Shape> in, out;
        describe(n, values, in, out);
        size_t count = in.size() + out.size();
        CHECK(run(m, nullptr, values, in, out, std::vector<int>(count, -1), 0, expected).code == OPTC_OK);
        for (size_t mask = 0; mask < size_t(1) << count; ++mask)
          for (size_t offset : {size_t(0), size_t(8)}) {
            std::vector<int> gpus;
            for (size_t i = 0; i < count; ++i)
              gpus.push_back(mask >> i & 1 ? gpu : -1);
            optc_status status = run(m, s.session, values, in, out, gpus, offset, got);
            if (status.code)
              std::fprintf(stderr, "%s\n", status.message);
            CHECK(status.code == OPTC_OK && got == expected);
          }
      }
    }
  std::printf("%s ok\n", path.substr(path.rfind('/') + 1).c_str());
}

void describeNet(int64_t n, Contents &values, std::vector<Shape> &in, std::vector<Shape> &out) {
  values = {randomFloats(size_t(n) * 48, unsigned(n))};
  in = {{OPTC_F32, {n, 48}}};
  out = {{OPTC_F32, {n, 33}}, {OPTC_F32, {n, 33}}, {OPTC_F32, {n, 33}}};
}

void describeMixed(int64_t n, Contents &values, std::vector<Shape> &in, std::vector<Shape> &out) {
  values = {randomFloats(size_t(n) * 48, unsigned(n)), integers({48, n}), randomFloats(1, 5)};
  in = {{OPTC_F32, {n, 48}}, {OPTC_I64, {2}}, {OPTC_F32, {1, 1, 1, 1}}};
  out = {{OPTC_F32, {48, n}}, {OPTC_F32, {1, 1, 1, 1}}, {OPTC_F32, {1, 1, n, 48}}, {OPTC_F32, {n, 48}}};
}

/// What is asynchronous: with a caller's stream and all in the GPU's memory, nothing has happened when the call returns.
void doesNotWait(const std::string &folder) {
  Model m(folder + "/net.so");
  Session s(m, 0, driver().stream);
  Contents values, expected;
  std::vector<Shape> in, out;
  describeNet(5, values, in, out);
  CHECK(run(m, nullptr, values, in, out, {-1, -1, -1, -1}, 0, expected).code == OPTC_OK);
  // From the second run on a graph, which has the addresses.
  Bytes x(in[0].bytes(), 0), y(out[0].bytes(), 0), z(out[1].bytes(), 0), again(out[2].bytes(), 0);
  std::vector<char> untouched(out[0].bytes(), 7);
  for (int round = 0; round < 4; ++round) {
    y.set(untouched.data());
    driver().wait();
    x.set(values[0].data()); // in the stream, not waited for
    optc_tensor input = tensorOf(x, in[0]), outputs[3] = {tensorOf(y, out[0]), tensorOf(z, out[1]), tensorOf(again, out[2])};
    CHECK(optc_run(m.model, s.session, &input, 1, outputs, 3).code == OPTC_OK);
    CHECK(std::memcmp(y.data, untouched.data(), untouched.size()) == 0); // this driver's memory can be looked at
    CHECK(y.get() == expected[0] && z.get() == expected[1] && again.get() == expected[2]);
  }
  CHECK(optc_session_wait(s.session).code == OPTC_OK);
  // An index out of range is known once it was waited for, and forgotten then.
  Model rows(folder + "/rows.so");
  Session stream(rows, 0, driver().stream);
  Shape two{OPTC_I64, {2}}, result{OPTC_F32, {2, 33}};
  Bytes i(16, 0), found(result.bytes(), 0);
  optc_tensor index = tensorOf(i, two), row = tensorOf(found, result);
  for (int64_t last : {50, 49, 50}) {
    std::vector<char> indices = integers({1, last});
    i.set(indices.data());
    CHECK(optc_run(rows.model, stream.session, &index, 1, &row, 1).code == OPTC_OK);
    optc_status status = optc_session_wait(stream.session);
    CHECK(status.code == (last == 50 ? OPTC_RUN_FAILED : OPTC_OK));
    CHECK(last != 50 || std::strstr(status.message, "an index is out of range"));
  }
  std::printf("streams ok\n");
}

/// The runtime's memory for results, which outlives the model and is freed on whichever thread and context.
void allocatesOutputs(const std::string &folder) {
  auto m = std::make_unique<Model>(folder + "/net.so");
  Contents values, expected;
  std::vector<Shape> in, out;
  describeNet(7, values, in, out);
  CHECK(run(*m, nullptr, values, in, out, {-1, -1, -1, -1}, 0, expected).code == OPTC_OK);
  Bytes x(in[0].bytes(), -1);
  x.set(values[0].data());
  optc_tensor input = tensorOf(x, in[0]), outputs[3] = {};
  outputs[0].device = outputs[2].device = {OPTC_CUDA, 1};
  CHECK(optc_run(m->model, nullptr, &input, 1, outputs, 3).code == OPTC_OK);
  m = nullptr;
  for (int i : {0, 1, 2}) {
    CHECK(outputs[i].device.type == (i == 1 ? OPTC_CPU : OPTC_CUDA) && outputs[i].device.id == (i == 1 ? 0 : 1));
    CHECK(outputs[i].ndim == 2 && outputs[i].shape[0] == 7 && outputs[i].shape[1] == 33);
    CHECK(std::memcmp(outputs[i].data, expected[size_t(i)].data(), expected[size_t(i)].size()) == 0);
    CHECK(driver().call("cuCtxSetCurrent", static_cast<void *>(nullptr)) == 0);
    optc_tensor_release(&outputs[i]);
    CHECK(!driver().current());
  }
  driver().setCurrent(0);
  std::printf("outputs ok\n");
}

void refuses(const std::string &folder) {
  Model m(folder + "/net.so");
  Session s(m, 0, nullptr);
  std::vector<Shape> in, out;
  Contents values;
  describeNet(3, values, in, out);
  Bytes host(in[0].bytes(), -1), x(in[0].bytes(), 0), other(in[0].bytes(), 1), y(out[0].bytes(), 0);
  host.set(values[0].data());
  x.set(values[0].data());
  auto message = [&](optc_tensor input, optc_tensor output) {
    optc_tensor outputs[3] = {output};
    optc_status status = optc_run(m.model, s.session, &input, 1, outputs, 3);
    CHECK(status.code == OPTC_BAD_ARGUMENT);
    return std::string(status.message);
  };
  optc_tensor good = tensorOf(x, in[0]), result = tensorOf(y, out[0]), bad = tensorOf(host, in[0]);
  bad.device = {OPTC_CUDA, 0};
  CHECK(message(bad, result) == "input 'x': its memory is not a GPU's");
  bad = tensorOf(other, in[0]);
  CHECK(message(bad, result) == "input 'x': is on GPU 1, the run on GPU 0");
  bad.device.id = 0;
  CHECK(message(bad, result) == "input 'x': its memory is GPU 1's, the session runs on GPU 0");
  bad = tensorOf(host, in[0]);
  bad.device = {OPTC_CUDA, 0};
  CHECK(message(good, bad).starts_with("output 'y': "));
  Shape wrong{OPTC_F32, {3, 32}};
  CHECK(message(good, tensorOf(y, wrong)) == "output 'y': the memory given is for shape [3, 32], the result has 396 bytes");
  optc_session *none = nullptr;
  optc_session_options third = {1, 2, nullptr};
  optc_status status = optc_session_create(m.model, &third, &none);
  CHECK(status.code == OPTC_UNAVAILABLE && std::string(status.message) == "there is no GPU 2: this process may use 2, from 0 on");
  std::printf("refusals ok\n");
}

/// For counting the driver's calls: a session whose tensors are all in one place, run so often.
void runOften(const std::string &folder, int rounds, int gpu) {
  Model m(folder + "/net.so");
  Session s(m, 0, driver().stream);
  Contents values;
  std::vector<Shape> in, out;
  describeNet(5, values, in, out);
  Bytes x(in[0].bytes(), gpu), y(out[0].bytes(), gpu), z(out[1].bytes(), gpu), again(out[2].bytes(), gpu);
  x.set(values[0].data());
  optc_tensor input = tensorOf(x, in[0]), outputs[3] = {tensorOf(y, out[0]), tensorOf(z, out[1]), tensorOf(again, out[2])};
  for (int i = 0; i < rounds; ++i)
    CHECK(optc_run(m.model, s.session, &input, 1, outputs, 3).code == OPTC_OK);
  CHECK(optc_session_wait(s.session).code == OPTC_OK);
}

} // namespace

int main(int argc, char **argv) {
  CHECK(argc == 2 || argc == 4);
  std::string folder = argv[1];
  if (argc == 4)
    return runOften(folder, std::atoi(argv[2]), std::atoi(argv[3])), 0;
  spread(folder + "/net.so", {5, 1, 64}, describeNet);
  spread(folder + "/mixed.so", {4}, describeMixed);
  doesNotWait(folder);
  allocatesOutputs(folder);
  refuses(folder);
}
