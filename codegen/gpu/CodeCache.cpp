//===- CodeCache.cpp - Compiled code that is kept -------------------------===//

#include "codegen/gpu/CodeCache.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CachePruning.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace optc;

/// Before an entry's contents: the format, and a hash of the key and the contents.
static std::string headOf(StringRef key, StringRef contents) { return "optc code 1\n" + CodeCache::keyOf({key.str(), contents.str()}) + "\n"; }

std::string CodeCache::usualFolder() {
  if (const char *given = std::getenv("OPTC_CACHE"); given && *given)
    return given;
  SmallString<128> path;
  // Empty is as good as unset, and paths that are not absolute are to be ignored (XDG Base Directory Specification).
  if (const char *base = std::getenv("XDG_CACHE_HOME"); base && sys::path::is_absolute(base))
    path = base;
  else if (sys::path::home_directory(path))
    sys::path::append(path, ".cache");
  else
    return "";
  sys::path::append(path, "optc");
  return path.str().str();
}

std::string CodeCache::keyOf(ArrayRef<std::string> parts) {
  SHA256 hash;
  for (const std::string &part : parts) {
    hash.update(std::to_string(part.size()) + ":");
    hash.update(part);
  }
  return toHex(hash.final(), /*LowerCase=*/true);
}

/// By a name that pruneCache takes for its own.
std::string CodeCache::pathOf(StringRef key) const { return (folder + "/llvmcache-" + key).str(); }

std::optional<std::string> CodeCache::find(StringRef key) const {
  if (folder.empty())
    return std::nullopt;
  // Reading is use, also where the file system does not count it.
  auto file = sys::fs::openNativeFileForRead(pathOf(key), sys::fs::OF_UpdateAtime);
  if (!file) {
    consumeError(file.takeError());
    return std::nullopt;
  }
  auto buffer = MemoryBuffer::getOpenFile(*file, pathOf(key), /*FileSize=*/-1, /*RequiresNullTerminator=*/false);
  sys::fs::closeFile(*file);
  if (!buffer)
    return std::nullopt;
  StringRef contents = (*buffer)->getBuffer().drop_front(std::min((*buffer)->getBufferSize(), headOf(key, "").size()));
  if (!(*buffer)->getBuffer().starts_with(headOf(key, contents)))
    return std::nullopt;
  return contents.str();
}

void CodeCache::add(StringRef key, StringRef contents) {
  if (folder.empty() || sys::fs::create_directories(folder))
    return;
  auto file = sys::fs::TempFile::create(pathOf(key) + "-%%%%%%%%");
  if (!file) {
    consumeError(file.takeError());
    return;
  }
  raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << headOf(key, contents) << contents;
  os.flush();
  bool isWhole = !os.has_error();
  os.clear_error();
  consumeError(isWhole ? file->keep(pathOf(key)) : file->discard());
  hasAdded = true;
}

CodeCache::~CodeCache() {
  if (!hasAdded)
    return;
  CachePruningPolicy policy;
  policy.Interval = std::chrono::seconds(0);
  policy.Expiration = std::chrono::seconds(0);
  policy.MaxSizePercentageOfAvailableSpace = 0;
  policy.MaxSizeBytes = mostBytes;
  pruneCache(folder, policy);
}
