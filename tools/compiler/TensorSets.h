//===- TensorSets.h - Samples of a model's inputs and outputs ---*- C++ -*-===//
//
// What --calib and --golden name: a folder of folders with one set each (tools/tensors/Folder.h says what they hold), a
// folder that is one set itself, or a .npz whose arrays have the samples along a leading axis. Read one at a time.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_TENSORSETS_H
#define OPTC_TOOLS_COMPILER_TENSORSETS_H

#include "tools/tensors/Folder.h"

namespace optc {

class TensorSets {
public:
  static Error open(const std::string &path, TensorSets &sets);

  /// At least 1.
  size_t size() const { return archive.empty() ? folders.size() : size_t(samples); }
  /// Set i, for messages.
  std::string name(size_t i) const;
  /// The name of its folder, or its number in the archive.
  std::string folder(size_t i) const;
  Error inputs(size_t i, const std::vector<Port> &ports, std::vector<Value> &values) const { return read(i, "input", ports, values); }
  bool hasOutputs(size_t i) const;
  Error outputs(size_t i, const std::vector<Port> &ports, std::vector<Value> &values) const { return read(i, "output", ports, values); }

private:
  Error read(size_t i, const std::string &prefix, const std::vector<Port> &ports, std::vector<Value> &values) const;

  std::string path;
  std::vector<std::string> folders;
  std::vector<NamedValue> archive;
  int64_t samples = 0;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_TENSORSETS_H
