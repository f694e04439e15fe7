//===- Folder.cpp - A model's inputs or outputs in a folder ---------------===//

#include "tools/tensors/Folder.h"
#include <algorithm>
#include <filesystem>

using namespace optc;
namespace fs = std::filesystem;

namespace {

/// A port's name as a file's: no folders.
std::string fileName(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

std::string numbered(const std::string &prefix, size_t i) { return prefix + "_" + std::to_string(i); }

Error readMembers(const std::string &path, const std::string &prefix, const std::vector<Port> &ports,
                  std::vector<Value> &values) {
  std::vector<NamedValue> members;
  if (Error error = readArchive(path, members))
    return error;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Value *member = findMember(members, prefix, i, ports[i]);
    if (!member)
      return Error::at(path, "has no member '" + ports[i].name + "' or '" + numbered(prefix, i) + "'");
    if (ports[i].kind != Value::Kind::tensor)
      return Error::at(path, "a .npz holds tensors, '" + ports[i].name + "' is a sequence or optional",
                       "use .pb files");
    values.push_back(*member);
  }
  return Error::success();
}

std::vector<std::string> archivesIn(const std::string &folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".npz")
      paths.push_back(it->path().string());
  return paths;
}

} // namespace

const Value *optc::findMember(const std::vector<NamedValue> &members, const std::string &prefix, size_t i, const Port &port) {
  for (const std::string &name : {port.name, numbered(prefix, i)})
    for (const NamedValue &member : members)
      if (member.name == name)
        return &member.value;
  return nullptr;
}

Error optc::readFolder(const std::string &folder, const std::string &prefix, const std::vector<Port> &ports,
                       std::vector<Value> &values) {
  std::error_code ignored;
  if (fs::is_regular_file(folder, ignored) && folder.ends_with(".npz"))
    return readMembers(folder, prefix, ports, values);
  if (!fs::is_directory(folder, ignored))
    return Error::at(folder, "is not a folder");
  auto at = [&](const std::string &name) { return (fs::path(folder) / name).string(); };
  std::vector<std::string> archives = archivesIn(folder);
  for (size_t i = 0; i < ports.size(); ++i) {
    std::string number = numbered(prefix, i), named = fileName(ports[i].name);
    std::string path;
    for (const std::string &name : {number + ".pb", number + ".npy", named + ".npy"})
      if (path.empty() && fs::exists(at(name), ignored))
        path = at(name);
    if (path.empty() && i == 0 && archives.size() == 1)
      return readMembers(archives[0], prefix, ports, values);
    if (path.empty())
      return Error::at(folder, "has no file for " + prefix + " '" + ports[i].name + "'",
                       "looked for " + number + ".pb, " + number + ".npy, " + named + ".npy" +
                           (archives.size() > 1 ? "; of several .npz none was chosen" : ""));
    Value value;
    if (Error error = readValue(path, ports[i].kind, value))
      return error;
    values.push_back(std::move(value));
  }
  std::string extra = numbered(prefix, ports.size());
  for (const char *ending : {".pb", ".npy"})
    if (fs::exists(at(extra + ending), ignored))
      return Error::at(at(extra + ending),
                       "the model has only " + std::to_string(ports.size()) + " " + prefix + "s");
  return Error::success();
}

Error optc::holdsAny(const std::string &folder, const std::string &prefix, const std::vector<Port> &ports, bool &holds) {
  std::vector<std::string> archives = archivesIn(folder);
  std::vector<NamedValue> members;
  if (archives.size() == 1)
    if (Error error = readArchive(archives[0], members))
      return error;
  auto has = [&](const std::string &name) {
    std::error_code ignored;
    return fs::exists(fs::path(folder) / name, ignored);
  };
  for (size_t i = 0; i < ports.size(); ++i) {
    std::string number = numbered(prefix, i);
    holds |= has(number + ".pb") || has(number + ".npy") || has(fileName(ports[i].name) + ".npy") || findMember(members, prefix, i, ports[i]);
  }
  return Error::success();
}

Error optc::writeOutputs(const std::string &folder, const std::string &format, const std::vector<Port> &ports,
                         const std::vector<Value> &values) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return Error::at(folder, "cannot be made: " + error.message());
  auto at = [&](const std::string &name) { return (fs::path(folder) / name).string(); };
  if (format == "npz") {
    std::vector<NamedValue> members;
    for (size_t i = 0; i < values.size(); ++i)
      members.push_back({ports[i].name, values[i]});
    return writeArchive(at("outputs.npz"), members);
  }
  for (size_t i = 0; i < values.size(); ++i)
    if (Error failed = writeValue(at("output_" + std::to_string(i) + "." + format), ports[i].name, values[i]))
      return failed;
  return Error::success();
}
