//===- optc.hpp - Running compiled models from C++ --------------*- C++ -*-===//
//
// A header over optc.h: objects that clean up after themselves, tensors over std::vector and
// std::span, errors as exceptions or as values.
//
//   optc::Model model("mnist.so");
//   std::vector<float> image(28 * 28);
//   std::vector<optc::Output> out = model.run({optc::tensor(image, {1, 1, 28, 28})});
//   for (float score : out[0].values<float>()) ...
//
// Into memory of one's own and without exceptions:
//
//   optc::Session session(model, /*threads=*/2);
//   optc::Tensor inputs[] = {optc::tensor(image, {1, 1, 28, 28})}, outputs[] = {optc::tensor(scores, {1,
//   10})}; if (optc::Status status = session.tryRun(inputs, outputs); !status.ok()) puts(status.message());
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_HPP
#define OPTC_HPP

#include "optc.h"
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace optc {
inline namespace api { // in a static build the runtime's own classes stand beside these

/// Outcome of a call, as a value.
class [[nodiscard]] Status {
public:
  Status() : status{} {}
  Status(const optc_status &status) : status(status) {}
  bool ok() const { return status.code == OPTC_OK; }
  optc_code code() const { return optc_code(status.code); }
  const char *message() const { return status.message; }

private:
  optc_status status;
};

/// The same, thrown.
struct Error : std::runtime_error {
  optc_code code;
  explicit Error(const Status &status) : std::runtime_error(status.message()), code(status.code()) {}
};
inline void check(const Status &status) {
  if (!status.ok())
    throw Error(status);
}

/// The element type of plain C++ types. f16 and the like have none: name the type.
template <typename T> constexpr optc_dtype dtypeOf() {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8);
  if constexpr (std::is_same_v<T, bool>)
    return OPTC_BOOL;
  else if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? OPTC_F32 : OPTC_F64;
  constexpr optc_dtype integers[2][4] = {{OPTC_U8, OPTC_U16, OPTC_U32, OPTC_U64},
                                         {OPTC_I8, OPTC_I16, OPTC_I32, OPTC_I64}};
  return integers[std::is_signed_v<T>][sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3];
}

/// A view: the memory is the caller's and must outlive the run. `gpu` 0 or more: the memory of that GPU.
class Tensor {
public:
  Tensor(void *data, optc_dtype dtype, std::vector<int64_t> shape, int gpu = -1)
      : data(data), dtype(dtype), dims(std::move(shape)), gpu(gpu) {}
  size_t size() const {
    size_t n = 1;
    for (int64_t d : dims)
      n *= size_t(d);
    return n;
  }
  /// For optc_run; valid as long as this Tensor is.
  optc_tensor c() {
    optc_tensor tensor = optc_tensor_of(data, dtype, int32_t(dims.size()), dims.data());
    if (gpu >= 0)
      tensor.device = {OPTC_CUDA, gpu};
    return tensor;
  }

private:
  void *data;
  optc_dtype dtype;
  std::vector<int64_t> dims;
  int gpu;
};

/// A view over a vector or span; throws when its size is not the shape's. A model only reads its inputs.
template <typename T> Tensor tensor(std::span<T> values, std::vector<int64_t> shape) {
  using Element = std::remove_const_t<T>;
  Tensor view(const_cast<Element *>(values.data()), dtypeOf<Element>(), std::move(shape));
  if (view.size() != values.size())
    throw std::invalid_argument("optc::tensor: " + std::to_string(values.size()) + " values for a shape of " +
                                std::to_string(view.size()));
  return view;
}
template <typename Vector> Tensor tensor(Vector &&values, std::vector<int64_t> shape) {
  return tensor(std::span(values), std::move(shape));
}

/// A result in memory of the runtime's.
class Output {
public:
  explicit Output(const optc_tensor &tensor) : tensor(tensor) {}
  Output(Output &&other) noexcept : tensor(other.tensor) { other.tensor = {}; }
  Output &operator=(Output &&other) noexcept {
    std::swap(tensor, other.tensor);
    return *this;
  }
  ~Output() { optc_tensor_release(&tensor); }

  std::span<const int64_t> shape() const { return {tensor.shape, size_t(tensor.ndim)}; }
  optc_dtype dtype() const { return optc_tensor_dtype(&tensor); }
  const void *data() const { return tensor.data; }
  /// Throws when the elements are not Ts.
  template <typename T> std::span<const T> values() const {
    if (dtype() != dtypeOf<T>())
      throw std::invalid_argument("optc::Output: has another element type");
    size_t n = 1;
    for (int64_t d : shape())
      n *= size_t(d);
    return {static_cast<const T *>(tensor.data), n};
  }

private:
  optc_tensor tensor;
};

namespace detail {
inline Status run(optc_model *model, optc_session *session, std::span<Tensor> inputs,
                  std::span<optc_tensor> outputs) {
  std::vector<optc_tensor> in;
  for (Tensor &t : inputs)
    in.push_back(t.c());
  return optc_run(model, session, in.data(), in.size(), outputs.data(), outputs.size());
}
inline Status runInto(optc_model *model, optc_session *session, std::span<Tensor> inputs,
                      std::span<Tensor> outputs) {
  std::vector<optc_tensor> out;
  for (Tensor &t : outputs)
    out.push_back(t.c());
  return run(model, session, inputs, out);
}
inline std::vector<Output> runNew(optc_model *model, optc_session *session, std::span<Tensor> inputs) {
  std::vector<optc_tensor> out(optc_model_output_count(model));
  check(run(model, session, inputs, out));
  return std::vector<Output>(out.begin(), out.end());
}
} // namespace detail

/// Code and weights; may be shared between threads.
class Model {
public:
  explicit Model(const std::string &path) { check(open(path, *this)); }
  Model() = default;
  static Status open(const std::string &path, Model &model) {
    optc_model *opened = nullptr;
    Status status = optc_model_open(path.c_str(), &opened);
    model.handle.reset(opened);
    return status;
  }
  size_t inputCount() const { return optc_model_input_count(c()); }
  size_t outputCount() const { return optc_model_output_count(c()); }
  optc_port input(size_t i) const { return optc_model_input(c(), i); }
  optc_port output(size_t i) const { return optc_model_output(c(), i); }
  /// JSON.
  const char *report() const { return optc_model_report(c()); }
  optc_model *c() const { return handle.get(); }

  std::vector<Output> run(std::vector<Tensor> inputs) { return detail::runNew(c(), nullptr, inputs); }
  Status tryRun(std::span<Tensor> inputs, std::span<Tensor> outputs) {
    return detail::runInto(c(), nullptr, inputs, outputs);
  }

private:
  std::unique_ptr<optc_model, void (*)(optc_model *)> handle{nullptr, optc_model_close};
};

/// Arena and state of one's own: one run at a time. The model must outlive it.
class Session {
public:
  /// `threads` 0: as many as the cores that this process may use.
  explicit Session(Model &model, unsigned threads = 0) : Session(model, optc_session_options{threads, 0, nullptr}) {}
  Session(Model &model, const optc_session_options &options) : model(model.c()) {
    optc_session *created = nullptr;
    check(optc_session_create(model.c(), &options, &created));
    handle.reset(created);
  }
  /// For runs that do not wait: see optc_run.
  Status wait() { return optc_session_wait(handle.get()); }
  std::vector<Output> run(std::vector<Tensor> inputs) { return detail::runNew(model, handle.get(), inputs); }
  Status tryRun(std::span<Tensor> inputs, std::span<Tensor> outputs) {
    return detail::runInto(model, handle.get(), inputs, outputs);
  }

private:
  optc_model *model;
  std::unique_ptr<optc_session, void (*)(optc_session *)> handle{nullptr, optc_session_close};
};

} // namespace api
} // namespace optc

#endif // OPTC_HPP
