//===- TensorSets.cpp - Samples of a model's inputs and outputs -----------===//

#include "tools/compiler/TensorSets.h"
#include <algorithm>
#include <filesystem>

using namespace optc;
namespace fs = std::filesystem;

/// Below `path`, in the order of their names; none where tensors are, too.
static std::vector<std::string> picturesIn(const std::string &path) {
  std::vector<std::string> pictures;
  std::error_code error;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    if (name.ends_with(".npy") || name.ends_with(".npz") || name.ends_with(".pb"))
      return {};
    if (isImageName(name))
      pictures.push_back(it->path().string());
  }
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

Error TensorSets::open(const SampleSource &source, TensorSets &sets) {
  const std::string &path = source.path;
  sets.path = path;
  std::error_code error;
  if (fs::is_directory(path, error))
    sets.pictures = picturesIn(path);
  if (!sets.pictures.empty()) {
    if (!source.preprocess)
      return Error::at(path, "holds pictures", "--preprocess says how they become inputs");
    sets.preprocess = *source.preprocess;
    return Error::success();
  }
  std::vector<std::string> archives;
  bool hasFiles = false;
  if (fs::is_regular_file(path, error) && path.ends_with(".npz")) {
    archives.push_back(path);
  } else if (!fs::is_directory(path, error)) {
    return Error::at(path, "is neither a folder nor a .npz");
  }
  for (fs::directory_iterator it(path, error), end; archives.empty() && !error && it != end; it.increment(error))
    if (it->is_directory())
      sets.folders.push_back(it->path().string());
    else if (it->path().extension() == ".npy" || it->path().extension() == ".pb")
      hasFiles = true;
  if (sets.folders.empty() && archives.empty())
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
      if (it->path().extension() == ".npz")
        archives.push_back(it->path().string());
  // No order comes from the file system.
  std::sort(sets.folders.begin(), sets.folders.end());
  if (sets.folders.empty() && hasFiles)
    sets.folders.push_back(path);
  if (!sets.folders.empty())
    return Error::success();
  if (archives.size() != 1)
    return Error::at(path, archives.empty() ? "holds no sets of tensors" : "holds several .npz", "a folder of folders with input_0.pb or .npy, ..., or one .npz");
  sets.path = archives.front();
  if (Error failed = readArchive(archives.front(), sets.archive))
    return failed;
  for (const NamedValue &member : sets.archive) {
    if (member.value.dims.empty())
      return Error::at(sets.path, "'" + member.name + "' has no leading axis of samples");
    if (&member != &sets.archive.front() && member.value.dims[0] != sets.samples)
      return Error::at(sets.path, "'" + member.name + "' has " + std::to_string(member.value.dims[0]) + " samples, '" +
                                      sets.archive.front().name + "' " + std::to_string(sets.samples));
    sets.samples = member.value.dims[0];
  }
  return sets.samples > 0 ? Error::success() : Error::at(sets.path, "holds no samples");
}

std::string TensorSets::name(size_t i) const {
  return !pictures.empty() ? pictures[i] : archive.empty() ? folders[i] : path + ", sample " + std::to_string(i);
}

std::string TensorSets::folder(size_t i) const {
  if (!pictures.empty())
    return fs::path(pictures[i]).lexically_relative(path).string();
  return archive.empty() ? fs::weakly_canonical(folders[i]).filename().string() : std::to_string(i);
}

Error TensorSets::inputs(size_t i, const std::vector<Port> &ports, std::vector<Value> &values) const {
  if (pictures.empty())
    return read(i, "input", ports, values);
  if (ports.size() != 1)
    return Error::at(path, "pictures are for models with one input, this one has " + std::to_string(ports.size()));
  Image image;
  if (Error error = readImage(pictures[i], image))
    return error;
  values.assign(1, Value());
  Error error = toInput(image, preprocess, ports[0], values[0]);
  if (error)
    error.where = pictures[i];
  return error;
}

Error TensorSets::hasOutputs(size_t i, const std::vector<Port> &ports, bool &has) const {
  has = false;
  if (!pictures.empty())
    return Error::success();
  if (archive.empty())
    return holdsAny(folders[i], "output", ports, has);
  for (size_t p = 0; p < ports.size(); ++p)
    has |= findMember(archive, "output", p, ports[p]) != nullptr;
  return Error::success();
}

Error TensorSets::read(size_t i, const std::string &prefix, const std::vector<Port> &ports, std::vector<Value> &values) const {
  values.clear();
  if (archive.empty())
    return readFolder(folders[i], prefix, ports, values);
  for (size_t p = 0; p < ports.size(); ++p) {
    const Value *all = findMember(archive, prefix, p, ports[p]);
    if (!all)
      return Error::at(path, "has no member '" + ports[p].name + "' or '" + prefix + "_" + std::to_string(p) + "'");
    Value sample = *all;
    size_t bytes = sample.bytes() / size_t(samples);
    sample.data = sample.as<char>() + i * bytes;
    // The axis of samples stands before the model's dims, or takes the place of a batch of one.
    if (sample.dims.size() > ports[p].dims.size())
      sample.dims.erase(sample.dims.begin());
    else
      sample.dims[0] = 1;
    values.push_back(std::move(sample));
  }
  return Error::success();
}
