//===- SafetensorsFile.cpp - Tensors of adapters --------------------------===//

#include "tools/compiler/SafetensorsFile.h"
#include "tools/compiler/Json.h"
#include "llvm/Support/Endian.h"
#include <cstring>

using namespace optc;
namespace json = llvm::json;

static DType typeOf(llvm::StringRef name) {
  return name == "F32" ? DType::f32 : name == "F16" ? DType::f16 : name == "BF16" ? DType::bf16 : DType::none;
}

/// The integers of an array, none of them negative.
static std::optional<std::vector<int64_t>> sizesIn(const json::Array *array) {
  if (!array)
    return std::nullopt;
  std::vector<int64_t> sizes;
  for (const json::Value &entry : *array) {
    auto size = entry.getAsInteger();
    if (!size || *size < 0)
      return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

Error optc::readSafetensors(const std::string &path, std::vector<NamedValue> &tensors) {
  std::string bytes;
  if (Error error = readFile(path, bytes))
    return error;
  auto refuse = [&](const llvm::Twine &why) { return Error::at(path, why.str()); };
  if (bytes.size() < 8)
    return refuse("is no safetensors file: it has no header");
  uint64_t length = llvm::support::endian::read64le(bytes.data());
  if (length > bytes.size() - 8)
    return refuse("is no safetensors file: its header is longer than the file");
  json::Value header = nullptr;
  if (Error error = parseJson(path, llvm::StringRef(bytes).substr(8, length), header))
    return error;
  const json::Object *top = header.getAsObject();
  if (!top)
    return refuse("is no safetensors file: its header is no object");
  llvm::StringRef data = llvm::StringRef(bytes).drop_front(8 + length);
  for (const auto &[key, entry] : *top) {
    std::string name = key.str();
    if (name == "__metadata__")
      continue;
    const json::Object *o = entry.getAsObject();
    auto dtype = o ? o->getString("dtype") : std::nullopt;
    auto shape = sizesIn(o ? o->getArray("shape") : nullptr), place = sizesIn(o ? o->getArray("data_offsets") : nullptr);
    if (!dtype || !shape || !place || place->size() != 2)
      return refuse("tensor '" + name + "' lacks 'dtype', 'shape' or 'data_offsets'");
    DType type = typeOf(*dtype);
    if (type == DType::none)
      return refuse("tensor '" + name + "' is of " + *dtype + ", expected F32, F16 or BF16");
    int64_t begin = (*place)[0], end = (*place)[1], count = elementCount(*shape);
    if (begin > end || uint64_t(end) > data.size())
      return refuse("tensor '" + name + "' lies outside the file");
    int64_t size = int64_t(sizeOf(type));
    if (count < 0 || (end - begin) % size != 0 || count != (end - begin) / size)
      return refuse("tensor '" + name + "': its shape and its number of bytes do not agree");
    Value value = Value::allocate(type, *shape);
    if (count > 0)
      std::memcpy(value.data, data.data() + begin, size_t(end - begin));
    tensors.push_back({name, std::move(value)});
  }
  // The order of a JSON object says nothing.
  llvm::sort(tensors, [](const NamedValue &a, const NamedValue &b) { return a.name < b.name; });
  return Error::success();
}
