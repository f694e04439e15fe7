//===- OnnxAdapterFile.cpp - ONNX Runtime's adapters ----------------------===//

#include "tools/compiler/OnnxAdapterFile.h"
#include "tools/compiler/OnnxAdapter_generated.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>

using namespace optc;

/// The root's offset and the identifier.
static constexpr size_t kHeaderBytes = 8;

bool optc::isOnnxAdapter(const std::string &path) {
  if (llvm::StringRef(path).ends_with(".onnx_adapter"))
    return true;
  auto header = llvm::MemoryBuffer::getFileSlice(path, kHeaderBytes, 0);
  return header && onnx_adapter::AdapterBufferHasIdentifier((*header)->getBufferStart());
}

/// The type of elements that a constant may have, none for others.
static DType typeOf(int32_t number) {
  bool isPlain = number >= int32_t(DType::f32) && number <= int32_t(DType::f8e5m2fnuz);
  DType type = isPlain ? DType(number) : DType::none;
  return type == DType::string || type == DType::c64 || type == DType::c128 ? DType::none : type;
}

Error optc::readOnnxAdapter(const std::string &path, std::vector<NamedValue> &tensors) {
  std::string bytes;
  if (Error error = readFile(path, bytes))
    return error;
  auto refuse = [&](const llvm::Twine &why) { return Error::at(path, why.str()); };
  if (bytes.size() < kHeaderBytes || !onnx_adapter::AdapterBufferHasIdentifier(bytes.data()))
    return refuse("is no ONNX Runtime adapter: it lacks the identifier");
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
  if (!onnx_adapter::VerifyAdapterBuffer(verifier))
    return refuse("is damaged: a part of it lies outside the file");
  const onnx_adapter::Adapter &adapter = *onnx_adapter::GetAdapter(bytes.data());
  if (adapter.format_version() != 1)
    return refuse("has version " + llvm::Twine(adapter.format_version()) + " of the format, expected 1");
  if (!adapter.parameters())
    return Error::success();
  for (const onnx_adapter::Parameter *parameter : *adapter.parameters()) {
    if (!parameter->name() || parameter->name()->size() == 0)
      return refuse("has a parameter without a name");
    std::string name = parameter->name()->str();
    auto refuseParameter = [&](const llvm::Twine &why) { return refuse("parameter '" + llvm::Twine(name) + "' " + why); };
    DType type = typeOf(parameter->data_type());
    if (type == DType::none)
      return refuseParameter("is of ONNX's type " + llvm::Twine(parameter->data_type()) + ", which is not supported");
    if (!parameter->dims())
      return refuseParameter("lacks its dims");
    // Vectors in a file may lie at any place: their elements are copied.
    std::vector<int64_t> dims(parameter->dims()->size());
    for (auto [i, dim] : llvm::enumerate(dims))
      dim = llvm::support::endian::read64le(parameter->dims()->Data() + 8 * i);
    int64_t count = elementCount(dims), size = parameter->raw_data() ? parameter->raw_data()->size() : 0;
    if (count < 0 || size % int64_t(sizeOf(type)) != 0 || count != size / int64_t(sizeOf(type)))
      return refuseParameter("has dims and a number of bytes that do not agree");
    Value value = Value::allocate(type, dims);
    if (size > 0)
      std::memcpy(value.data, parameter->raw_data()->Data(), size_t(size));
    tensors.push_back({std::move(name), std::move(value)});
  }
  // Their order says nothing: files that ONNX Runtime writes have that of a hash table.
  llvm::sort(tensors, [](const NamedValue &a, const NamedValue &b) { return a.name < b.name; });
  return Error::success();
}
