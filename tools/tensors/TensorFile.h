//===- TensorFile.h - Values in files ---------------------------*- C++ -*-===//
//
// Reads and writes the three formats that inputs and outputs come in:
//   .pb   a serialised TensorProto, SequenceProto or OptionalProto (ONNX's test data)
//   .npy  numpy's array format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//   .npz  a zip archive of them, stored or deflated
// Files are not trusted: every size is checked against what is there before it is used.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_TENSORS_TENSORFILE_H
#define OPTC_TOOLS_TENSORS_TENSORFILE_H

#include "runtime/reference/Value.h"
#include "tools/tensors/Error.h"
#include <string_view>

namespace optc {

struct NamedValue {
  std::string name;
  Value value;
};

/// Reads a .pb or .npy file. `kind` says which message a .pb holds; a .npy holds a tensor.
Error readValue(const std::string &path, Value::Kind kind, Value &value);
/// Writes a .pb or .npy file, by its ending. `name` goes into the message.
Error writeValue(const std::string &path, const std::string &name, const Value &value);
/// Reads all arrays of a .npz; the names are those of its members without ".npy".
Error readArchive(const std::string &path, std::vector<NamedValue> &values);
Error writeArchive(const std::string &path, const std::vector<NamedValue> &values);

// The formats by themselves. Empty: success; otherwise what is wrong, in one line.
std::string parseProto(std::string_view bytes, Value::Kind kind, Value &value);
std::string formatProto(const std::string &name, const Value &value, std::string &bytes);
std::string parseNpy(std::string_view bytes, Value &value);
std::string formatNpy(const Value &value, std::string &bytes);
std::string parseNpz(std::string_view bytes, std::vector<NamedValue> &values);
std::string formatNpz(const std::vector<NamedValue> &values, std::string &bytes);

/// Number of elements; nullopt-like -1 when a dim is negative or the product is not a size that memory has.
int64_t elementCount(const std::vector<int64_t> &dims);

Error readFile(const std::string &path, std::string &bytes);
Error writeFile(const std::string &path, std::string_view bytes);

} // namespace optc

#endif // OPTC_TOOLS_TENSORS_TENSORFILE_H
