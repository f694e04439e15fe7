//===- TensorSets.h - Samples of a model's inputs and outputs ---*- C++ -*-===//
//
// What --calib and --golden name: a folder of folders with one set each (tools/tensors/Folder.h says what they hold), a
// folder that is one set itself, or a .npz whose arrays have the samples along a leading axis. With --preprocess also a
// folder of pictures, which may lie in folders below it. Read one at a time.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_TENSORSETS_H
#define OPTC_TOOLS_COMPILER_TENSORSETS_H

#include "tools/compiler/Preprocess.h"
#include "tools/tensors/Folder.h"
#include <optional>

namespace optc {

/// Where sets come from.
struct SampleSource {
  std::string path; // empty: there are none
  std::optional<Preprocess> preprocess = {};
  bool empty() const { return path.empty(); }
};

class TensorSets {
public:
  static Error open(const SampleSource &source, TensorSets &sets);

  /// At least 1.
  size_t size() const { return !pictures.empty() ? pictures.size() : archive.empty() ? folders.size() : size_t(samples); }
  /// Set i, for messages.
  std::string name(size_t i) const;
  /// The name of its folder, its number in the archive, or its picture's path below the folder of all.
  std::string folder(size_t i) const;
  Error inputs(size_t i, const std::vector<Port> &ports, std::vector<Value> &values) const;
  /// Sets `has` where any output is there, by its number or its name.
  Error hasOutputs(size_t i, const std::vector<Port> &ports, bool &has) const;
  Error outputs(size_t i, const std::vector<Port> &ports, std::vector<Value> &values) const { return read(i, "output", ports, values); }

private:
  Error read(size_t i, const std::string &prefix, const std::vector<Port> &ports, std::vector<Value> &values) const;

  std::string path;
  std::vector<std::string> folders, pictures;
  Preprocess preprocess;
  std::vector<NamedValue> archive;
  int64_t samples = 0;
};

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_TENSORSETS_H
