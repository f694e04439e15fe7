//===- LoraFile.cpp - An adapter of low rank ------------------------------===//

#include "tools/compiler/LoraFile.h"
#include "runtime/reference/Blocks.h"
#include "tools/compiler/Json.h"
#include "tools/compiler/OnnxAdapterFile.h"
#include "tools/compiler/SafetensorsFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cmath>
#include <cstring>
#include <map>

using namespace optc;
using llvm::StringRef;
namespace json = llvm::json;

namespace {

enum class Part { down, up, alpha };

/// The module and the part that a tensor's name says; nullopt for a name of another kind.
std::optional<std::pair<std::string, Part>> readName(StringRef name) {
  static constexpr std::pair<StringRef, Part> endings[] = {
      {".lora_A.weight", Part::down},      {".lora_A.default.weight", Part::down}, {".lora_A.MatMul.weight", Part::down},
      {".lora_down.weight", Part::down},   {".lora_B.weight", Part::up},           {".lora_B.default.weight", Part::up},
      {".lora_B.MatMul.weight", Part::up}, {".lora_up.weight", Part::up},          {".alpha", Part::alpha}};
  for (auto [ending, part] : endings)
    if (name.consume_back(ending)) {
      name.consume_front("base_model.model.");
      return std::pair(name.str(), part);
    }
  return std::nullopt;
}

/// adapter_config.json.
struct Config {
  json::Value value = nullptr;

  const json::Object *top() const { return value.getAsObject(); }
  bool flag(StringRef key) const { return top() && top()->getBoolean(key).value_or(false); }
  /// lora_alpha, or what alpha_pattern has for the module.
  std::optional<double> alpha(StringRef module) const {
    if (!top())
      return std::nullopt;
    if (const json::Object *pattern = top()->getObject("alpha_pattern"))
      for (const auto &[key, entry] : *pattern)
        if (module == key.str() || module.ends_with("." + key.str()))
          return entry.getAsNumber();
    return top()->getNumber("lora_alpha");
  }
};

Error readConfig(StringRef adapter, Config &config) {
  llvm::SmallString<256> path(adapter);
  llvm::sys::path::remove_filename(path);
  llvm::sys::path::append(path, "adapter_config.json");
  if (!llvm::sys::fs::exists(path))
    return Error::success();
  std::string text, name = path.str().str();
  if (Error error = readFile(name, text))
    return error;
  if (Error error = parseJson(name, text, config.value))
    return error;
  if (!config.top())
    return Error::at(name, "is no adapter's configuration: expected an object");
  if (config.flag("use_dora"))
    return Error::at(name, "use_dora: adapters that scale the whole weight are not supported");
  return Error::success();
}

bool isFinite(const Value &value) {
  std::vector<double> elements(value.size());
  load(value, 0, value.size(), elements.data());
  return llvm::all_of(elements, [](double x) { return std::isfinite(x); });
}

/// A matrix with its rows as columns.
Value transposed(const Value &value) {
  int64_t rows = value.dims[0], columns = value.dims[1];
  Value result = Value::allocate(value.type, {columns, rows});
  size_t size = sizeOf(value.type);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      std::memcpy(result.as<char>() + (c * rows + r) * size, value.as<char>() + (r * columns + c) * size, size);
  return result;
}

} // namespace

Error optc::readAdapter(const LoraAdapter &adapter, AdapterFile &file) {
  file.adapter = adapter;
  file.isOnnx = isOnnxAdapter(adapter.path);
  if (file.isOnnx && adapter.scale)
    return Error::at(adapter.path, "has its scale in its parameters: ONNX Runtime's adapters take no =SCALE");
  if (Error error = file.isOnnx ? readOnnxAdapter(adapter.path, file.tensors) : readSafetensors(adapter.path, file.tensors))
    return error;
  if (file.tensors.empty())
    return Error::at(adapter.path, "has no tensors");
  for (const NamedValue &tensor : file.tensors)
    if (classOf(tensor.value.type) == Class::f64 && !isFinite(tensor.value))
      return Error::at(adapter.path, "tensor '" + tensor.name + "' has values that are not finite");
  return Error::success();
}

Error optc::formPairs(const AdapterFile &file, std::vector<LoraPair> &pairs) {
  const LoraAdapter &adapter = file.adapter;
  auto refuse = [&](const llvm::Twine &why) { return Error::at(adapter.path, why.str()); };
  Config config;
  if (!file.isOnnx)
    if (Error error = readConfig(adapter.path, config))
      return error;
  std::map<std::string, std::map<Part, Value>> modules;
  for (const NamedValue &tensor : file.tensors) {
    auto name = readName(tensor.name);
    bool isFactor = name && (!file.isOnnx || name->second != Part::alpha);
    if (!isFactor && file.isOnnx)
      return refuse("parameter '" + tensor.name + "' is no input or initialiser of the model");
    if (!isFactor)
      return refuse("tensor '" + tensor.name + "' is not of a known kind: expected names that end in .lora_A.weight or .lora_B.weight");
    if (classOf(tensor.value.type) != Class::f64)
      return refuse("tensor '" + tensor.name + "' is of " + nameOf(tensor.value.type) + ", expected floats");
    bool isTransposed = file.isOnnx && tensor.value.rank() == 2;
    if (!modules[name->first].try_emplace(name->second, isTransposed ? transposed(tensor.value) : tensor.value).second)
      return refuse("tensor '" + tensor.name + "': '" + name->first + "' has another of this kind");
  }
  for (auto &[module, parts] : modules) {
    if (!parts.count(Part::down) || !parts.count(Part::up))
      return refuse("'" + module + "' lacks one of lora_A and lora_B");
    LoraPair pair{module, parts[Part::down], parts[Part::up]};
    const auto &a = pair.down.dims, &b = pair.up.dims;
    if (a.size() < 2 || b.size() != a.size() || a[0] != b[1] || a[0] == 0 || !std::all_of(b.begin() + 2, b.end(), [](int64_t d) { return d == 1; }))
      return refuse("'" + module + "': lora_A " + shapeText(a) + " and lora_B " + shapeText(b) + " are no factors of a weight");
    if (adapter.scale) {
      pair.scale = *adapter.scale;
    } else if (!file.isOnnx) {
      std::optional<double> alpha = config.alpha(module);
      if (auto it = parts.find(Part::alpha); it != parts.end()) {
        if (it->second.size() != 1)
          return refuse("'" + module + "': alpha is not one number");
        alpha.emplace();
        load(it->second, 0, 1, &*alpha);
      }
      if (!alpha || !std::isfinite(*alpha)) {
        Error error = refuse("'" + module + "' has no alpha: neither a tensor nor adapter_config.json beside the file says it");
        error.hint = "give alpha / rank as --merge-lora=FILE=SCALE";
        return error;
      }
      pair.scale = *alpha / (config.flag("use_rslora") ? std::sqrt(double(a[0])) : double(a[0]));
    }
    pairs.push_back(std::move(pair));
  }
  return Error::success();
}
