//===- Initializers.cpp - Which inputs are constants ----------------------===//

#include "frontend/Initializers.h"
#include "runtime/reference/Blocks.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/GlobPattern.h"
#include <onnx/onnx_pb.h>

using namespace optc;
using llvm::StringRef;
using llvm::Twine;

namespace {

bool isFloat(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::f64; }

/// The tensor's elements as those of another type of floats.
std::string converted(const GivenTensor &tensor, DType type) {
  Value from(DType(tensor.type), tensor.dims, const_cast<char *>(tensor.bytes.data()));
  std::vector<double> elements(from.size());
  std::string bytes(elements.size() * sizeOf(type), 0);
  load(from, 0, from.size(), elements.data());
  Value to(type, tensor.dims, bytes.data());
  store(to, 0, to.size(), elements.data());
  return bytes;
}

/// What the model says of a name that a tensor is given for.
struct Declared {
  const onnx::TypeProto *input = nullptr;
  onnx::TensorProto *initializer = nullptr;

  DType type() const { return DType(input ? input->tensor_type().elem_type() : initializer->data_type()); }
  /// As in messages: [8, lora_r].
  std::string dims() const {
    std::vector<std::string> texts;
    if (!input)
      for (int64_t d : initializer->dims())
        texts.push_back(std::to_string(d));
    else
      for (const auto &d : input->tensor_type().shape().dim())
        texts.push_back(d.has_dim_value() ? std::to_string(d.dim_value()) : d.dim_param().empty() ? "?" : d.dim_param());
    return "[" + llvm::join(texts, ", ") + "]";
  }
  bool takes(const std::vector<int64_t> &given) const {
    if (!input)
      return llvm::equal(initializer->dims(), given);
    if (!input->tensor_type().has_shape())
      return true;
    const auto &shape = input->tensor_type().shape().dim();
    return llvm::equal(shape, given, [](const auto &d, int64_t size) { return !d.has_dim_value() || d.dim_value() == size; });
  }
};

class Chooser {
public:
  Chooser(onnx::ModelProto &model, const ImportOptions &options, ImportResult &result)
      : graph(*model.mutable_graph()), options(options), result(result), mayDefault(model.ir_version() >= 4) {
    for (auto &tensor : *graph.mutable_initializer())
      declared[tensor.name()].initializer = &tensor;
    for (const auto &input : graph.input())
      declared[input.name()].input = &input.type();
  }

  void run() {
    for (const GivenTensor &tensor : options.given)
      if (auto it = declared.find(tensor.name); it == declared.end())
        result.unknown.insert(tensor.name);
      else
        give(tensor, it->second);
    keep();
  }

private:
  void problem(const Twine &text) { result.problems.push_back({ProblemKind::badModel, text.str()}); }

  void give(const GivenTensor &tensor, Declared &place) {
    auto refuse = [&](const Twine &why) {
      problem((place.input ? "input '" : "initializer '") + Twine(tensor.name) + "': " + tensor.from + " " + why);
    };
    if (!taken.insert(tensor.name).second)
      return refuse("gives it once more");
    if (place.input && !place.input->has_tensor_type())
      return refuse("gives a tensor, which the input is not");
    if (!place.takes(tensor.dims))
      return refuse("gives it as " + shapeText(tensor.dims) + ", expected " + place.dims());
    DType from = DType(tensor.type), type = place.type();
    if (from != type && (!isFloat(from) || !isFloat(type)))
      return refuse(Twine("gives it as ") + nameOf(from) + ", expected " + nameOf(type));
    onnx::TensorProto &proto = place.initializer ? *place.initializer : *graph.add_initializer();
    proto.Clear();
    proto.set_name(tensor.name);
    proto.set_data_type(int32_t(type));
    for (int64_t d : tensor.dims)
      proto.add_dims(d);
    proto.set_raw_data(from == type ? tensor.bytes.str() : converted(tensor, type));
  }

  void keep() {
    std::vector<llvm::GlobPattern> patterns;
    for (const std::string &text : options.keepInputs)
      if (auto pattern = llvm::GlobPattern::create(text))
        patterns.push_back(std::move(*pattern));
      else
        return problem("--keep-inputs=" + Twine(text) + ": " + llvm::toString(pattern.takeError()));
    std::vector<bool> used(patterns.size());
    llvm::StringSet<> kept;
    auto decide = [&](StringRef name) {
      auto it = declared.find(name);
      if (it == declared.end() || !it->second.input || taken.contains(name))
        return;
      for (auto [i, pattern] : llvm::enumerate(patterns))
        if (pattern.match(name)) {
          used[i] = true;
          kept.insert(name);
        }
      if (mayDefault && !kept.contains(name))
        result.defaulted.push_back(name.str());
    };
    for (const auto &tensor : graph.initializer())
      decide(tensor.name());
    for (const auto &tensor : graph.sparse_initializer())
      decide(tensor.values().name());
    for (auto [text, isUsed] : llvm::zip(options.keepInputs, used))
      if (!isUsed)
        problem("--keep-inputs=" + Twine(text) + ": no input of such a name has an initialiser");
    auto drop = [](auto &tensors, auto isKept) { tensors.erase(std::remove_if(tensors.begin(), tensors.end(), isKept), tensors.end()); };
    drop(*graph.mutable_initializer(), [&](const auto &tensor) { return kept.contains(tensor.name()); });
    drop(*graph.mutable_sparse_initializer(), [&](const auto &tensor) { return kept.contains(tensor.values().name()); });
  }

  onnx::GraphProto &graph;
  const ImportOptions &options;
  ImportResult &result;
  /// Version 4 of the format made inputs of initialisers a choice.
  bool mayDefault;
  llvm::StringMap<Declared> declared;
  llvm::StringSet<> taken;
};

} // namespace

void optc::chooseInitializers(onnx::ModelProto &model, const ImportOptions &options, ImportResult &result) {
  Chooser(model, options, result).run();
}
