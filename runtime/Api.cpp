//===- Api.cpp - The C ABI ------------------------------------------------===//
//
// Translates between optc.h and the runtime's classes, and checks everything a caller hands in.
//
//===----------------------------------------------------------------------===//

#include "runtime/Model.h"
#include "runtime/ThreadPool.h"
#include "runtime/include/optc.h"
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <span>

using namespace optc;

struct optc_model {
  std::shared_ptr<Model> model;
};
struct optc_session {
  std::shared_ptr<Model> model;
  std::unique_ptr<Session> session;
  std::atomic_flag running; // one run at a time
};

namespace {

std::atomic<unsigned> defaultThreads{0};

unsigned threadsOr(unsigned threads) { return threads ? threads : ThreadPool::availableCores(); }

optc_status statusOf(int32_t code, const std::string &message) {
  optc_status status{};
  status.code = code;
  std::strncpy(status.message, message.c_str(), sizeof status.message - 1);
  return status;
}

/// No exception leaves the library.
template <typename Function> optc_status guarded(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc &) {
    return statusOf(OPTC_RUN_FAILED, "out of memory");
  } catch (const std::exception &e) {
    return statusOf(OPTC_RUN_FAILED, e.what());
  }
}

struct TypeCode {
  DType type;
  uint8_t code, bits; // DLPack's
};
constexpr TypeCode kTypeCodes[] = {
    {DType::f32, 2, 32},      {DType::u8, 1, 8},          {DType::i8, 0, 8},       {DType::u16, 1, 16},
    {DType::i16, 0, 16},      {DType::i32, 0, 32},        {DType::i64, 0, 64},     {DType::boolean, 6, 8},
    {DType::f16, 2, 16},      {DType::f64, 2, 64},        {DType::u32, 1, 32},     {DType::u64, 1, 64},
    {DType::bf16, 4, 16},     {DType::f8e4m3fn, 10, 8},   {DType::f8e4m3fnuz, 11, 8}, {DType::f8e5m2, 12, 8},
    {DType::f8e5m2fnuz, 13, 8},
};

DType typeOf(const optc_tensor &t) {
  for (const TypeCode &c : kTypeCodes)
    if (c.code == t.dtype.code && c.bits == t.dtype.bits && t.dtype.lanes == 1)
      return c.type;
  return DType::none;
}

void setType(optc_tensor &t, DType type) {
  for (const TypeCode &c : kTypeCodes)
    if (c.type == type)
      t.dtype = {c.code, c.bits, 1};
}

bool isDense(const optc_tensor &t) {
  if (!t.strides)
    return true;
  int64_t expected = 1;
  for (int32_t i = t.ndim - 1; i >= 0; --i) {
    if (t.shape[i] != 1 && t.strides[i] != expected)
      return false;
    expected *= t.shape[i];
  }
  return true;
}

bool isOnDevice(const optc_tensor &t) { return t.device.type == OPTC_CUDA || t.device.type == OPTC_CUDA_MANAGED; }

/// Empty message: `value` is a view of the tensor.
std::string viewOf(const optc_tensor &t, Value &value) {
  if (t.ndim < 0 || t.ndim > 64 || (t.ndim > 0 && !t.shape))
    return "its rank or shape is not valid";
  if (t.device.type != OPTC_CPU && t.device.type != OPTC_CUDA_HOST && !isOnDevice(t))
    return "is in memory of device type " + std::to_string(t.device.type) + ", neither the CPU's nor an NVIDIA GPU's";
  if (!isDense(t))
    return "is not dense";
  value = Value(typeOf(t), std::vector<int64_t>(t.shape, t.shape + t.ndim), nullptr);
  int64_t elements = 1;
  for (int64_t d : value.dims)
    if (d < 0 || __builtin_mul_overflow(elements, d, &elements) || elements > (int64_t(1) << 46))
      return "its shape is not valid";
  if (t.data)
    value.data = static_cast<char *>(t.data) + t.byte_offset;
  return "";
}

optc_port portOf(const std::vector<Port> &ports, size_t index) {
  if (index >= ports.size())
    return {};
  const Port &port = ports[index];
  bool tensor = port.kind == Value::Kind::tensor;
  return {port.name.c_str(), optc_dtype(port.type), tensor ? int32_t(port.dims.size()) : -1, port.dims.data()};
}

/// What the runtime allocated for an output; optc_tensor_release frees it.
struct Allocation {
  Value value;
};

} // namespace

optc_tensor optc_tensor_of(void *data, optc_dtype dtype, int32_t ndim, int64_t *shape) {
  optc_tensor t{};
  t.data = data;
  t.device = {1, 0};
  t.ndim = ndim;
  t.shape = shape;
  setType(t, DType(dtype));
  return t;
}

optc_dtype optc_tensor_dtype(const optc_tensor *tensor) { return optc_dtype(typeOf(*tensor)); }

optc_status optc_model_open(const char *path, optc_model **out) {
  if (!path || !out)
    return statusOf(OPTC_BAD_ARGUMENT, "path and model must not be null");
  *out = nullptr;
  return guarded([&] {
    std::string error;
    auto model = Model::open(path, error);
    if (!model)
      return statusOf(error.find(": needs ") != std::string::npos ? OPTC_UNAVAILABLE : OPTC_BAD_ARTEFACT, error);
    *out = new optc_model{std::move(model)};
    return statusOf(OPTC_OK, "");
  });
}

void optc_model_close(optc_model *model) { delete model; }
size_t optc_model_input_count(const optc_model *model) { return model->model->plan().inputs.size(); }
size_t optc_model_output_count(const optc_model *model) { return model->model->plan().outputs.size(); }
optc_port optc_model_input(const optc_model *model, size_t i) { return portOf(model->model->plan().inputs, i); }
optc_port optc_model_output(const optc_model *model, size_t i) { return portOf(model->model->plan().outputs, i); }
const char *optc_model_report(const optc_model *model) { return model->model->plan().report.c_str(); }

optc_status optc_session_create(optc_model *model, const optc_session_options *options, optc_session **out) {
  if (!model || !out)
    return statusOf(OPTC_BAD_ARGUMENT, "model and session must not be null");
  *out = nullptr;
  return guarded([&] {
    optc_session_options with = options ? *options : optc_session_options{};
    if (Status status = model->model->program().openDevice(with.gpu); !status.ok())
      return statusOf(OPTC_UNAVAILABLE, status.message);
    auto session = std::make_unique<optc_session>();
    session->model = model->model;
    session->session = std::make_unique<Session>(model->model->program(), threadsOr(with.threads), DeviceChoice{with.gpu, with.stream});
    *out = session.release();
    return statusOf(OPTC_OK, "");
  });
}

void optc_session_close(optc_session *session) { delete session; }

optc_status optc_session_wait(optc_session *session) {
  if (!session)
    return statusOf(OPTC_BAD_ARGUMENT, "session must not be null");
  if (session->running.test_and_set(std::memory_order_acquire))
    return statusOf(OPTC_BAD_ARGUMENT, "the session is running: a session takes one run at a time");
  optc_status status = guarded([&] {
    Status ended = session->session->wait();
    return statusOf(ended.ok() ? OPTC_OK : OPTC_RUN_FAILED, ended.message);
  });
  session->running.clear(std::memory_order_release);
  return status;
}

static optc_status runModel(Model &model, optc_session *session, std::span<const optc_tensor> inputs,
                            std::span<optc_tensor> outputs) {
  const Plan &plan = model.plan();
  if (inputs.size() != plan.inputs.size() || outputs.size() != plan.outputs.size())
    return statusOf(OPTC_BAD_ARGUMENT, "the model has " + std::to_string(plan.inputs.size()) + " inputs and " +
                                           std::to_string(plan.outputs.size()) + " outputs");
  std::vector<Value> in(inputs.size()), out(outputs.size());
  std::vector<const Value *> pointers;
  OnDevice where;
  // The session's; without one, that of the first tensor that a GPU has.
  std::optional<int> gpu;
  if (session)
    gpu = session->session->gpu();
  auto locate = [&](const optc_tensor &t, std::vector<bool> &list) -> std::string {
    list.push_back(isOnDevice(t));
    if (!isOnDevice(t))
      return "";
    if (!gpu)
      gpu = t.device.id;
    return *gpu == t.device.id ? "" : "is on GPU " + std::to_string(t.device.id) + ", the run on GPU " + std::to_string(*gpu);
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (std::string problem = viewOf(inputs[i], in[i]); !problem.empty())
      return statusOf(OPTC_BAD_ARGUMENT, "input '" + plan.inputs[i].name + "': " + problem);
    if (std::string problem = locate(inputs[i], where.inputs); !problem.empty())
      return statusOf(OPTC_BAD_ARGUMENT, "input '" + plan.inputs[i].name + "': " + problem);
    pointers.push_back(&in[i]);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::string at = "output '" + plan.outputs[i].name + "': ";
    if (plan.outputs[i].kind != Value::Kind::tensor || plan.outputs[i].type == DType::string)
      return statusOf(OPTC_BAD_ARGUMENT, at + "is not a tensor of numbers");
    if (std::string problem = locate(outputs[i], where.outputs); !problem.empty())
      return statusOf(OPTC_BAD_ARGUMENT, at + problem);
    if (!outputs[i].data)
      continue;
    if (std::string problem = viewOf(outputs[i], out[i]); !problem.empty())
      return statusOf(OPTC_BAD_ARGUMENT, at + problem);
  }
  if (Status status = model.program().openDevice(gpu.value_or(0)); !status.ok())
    return statusOf(OPTC_UNAVAILABLE, status.message);
  std::unique_ptr<Session> borrowed;
  Session *runner = session ? session->session.get() : nullptr;
  if (!runner) {
    borrowed = model.borrow(threadsOr(defaultThreads.load()), gpu.value_or(0));
    runner = borrowed.get();
  }
  Status status = runner->run(pointers, out, where);
  if (borrowed)
    model.giveBack(std::move(borrowed));
  if (!status.ok()) {
    bool callers = status.message.starts_with("input '") || status.message.starts_with("output '");
    return statusOf(callers ? OPTC_BAD_ARGUMENT : OPTC_RUN_FAILED, status.message);
  }
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!outputs[i].data) {
      // The address of the owner stands behind the shape's last entry, for optc_tensor_release.
      auto *allocation = new Allocation{std::move(out[i])};
      std::vector<int64_t> &dims = allocation->value.dims;
      int32_t rank = int32_t(dims.size());
      dims.push_back(int64_t(reinterpret_cast<uintptr_t>(allocation)));
      auto device = outputs[i].device;
      outputs[i] = optc_tensor_of(allocation->value.data, optc_dtype(allocation->value.type), rank, dims.data());
      if (where.outputs[i])
        outputs[i].device = device;
    }
  return statusOf(OPTC_OK, "");
}

optc_status optc_run(optc_model *model, optc_session *session, const optc_tensor *inputs, size_t inputCount,
                     optc_tensor *outputs, size_t outputCount) {
  if (!model || (inputCount && !inputs) || (outputCount && !outputs))
    return statusOf(OPTC_BAD_ARGUMENT, "model, inputs and outputs must not be null");
  if (session && session->model != model->model)
    return statusOf(OPTC_BAD_ARGUMENT, "the session is another model's");
  if (session && session->running.test_and_set(std::memory_order_acquire))
    return statusOf(OPTC_BAD_ARGUMENT, "the session is running: a session takes one run at a time");
  optc_status status = guarded([&] {
    return runModel(*model->model, session, std::span(inputs, inputCount), std::span(outputs, outputCount));
  });
  if (session)
    session->running.clear(std::memory_order_release);
  return status;
}

void optc_tensor_release(optc_tensor *tensor) {
  if (!tensor || !tensor->shape)
    return;
  delete reinterpret_cast<Allocation *>(uintptr_t(tensor->shape[tensor->ndim]));
  *tensor = optc_tensor{};
}

void optc_set_threads(unsigned threads) { defaultThreads.store(threads); }
const char *optc_version(void) { return OPTC_VERSION; }
