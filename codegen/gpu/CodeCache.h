//===- CodeCache.h - Compiled code that is kept -----------------*- C++ -*-===//
//
// A folder of what has been compiled, by what it was compiled from. Several compilers may use it at a time: an entry is written beside
// its place and then moved there. What cannot be read, or is not what was written, counts as absent; a folder that cannot be written is
// no error. The entries that have not been used for longest go when there is too much.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_GPU_CODECACHE_H
#define OPTC_CODEGEN_GPU_CODECACHE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <atomic>
#include <optional>
#include <string>

namespace optc {

class CodeCache {
public:
  static constexpr uint64_t kMostBytes = uint64_t(512) << 20;
  /// An empty folder: nothing is kept.
  explicit CodeCache(std::string folder, uint64_t mostBytes = kMostBytes) : folder(std::move(folder)), mostBytes(mostBytes) {}
  CodeCache(const CodeCache &) = delete;
  /// Drops what is too much, if something has been added.
  ~CodeCache();

  /// $OPTC_CACHE, else $XDG_CACHE_HOME/optc, else ~/.cache/optc.
  static std::string usualFolder();

  /// A hash of all that the code depends on: source, options, version.
  static std::string keyOf(llvm::ArrayRef<std::string> parts);
  /// From any thread.
  std::optional<std::string> find(llvm::StringRef key) const;
  void add(llvm::StringRef key, llvm::StringRef contents);

private:
  std::string pathOf(llvm::StringRef key) const;

  const std::string folder;
  const uint64_t mostBytes;
  std::atomic<bool> hasAdded = false;
};

} // namespace optc

#endif // OPTC_CODEGEN_GPU_CODECACHE_H
