//===- Link.cpp - Objects become a shared object with weights appended ----===//

#include "codegen/package/Package.h"
#include "codegen/package/Builtins.h"
#include "codegen/package/Descriptor.h"
#include "runtime/Artefact.h"
#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/xxhash.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mlir;
using namespace optc;

namespace {

/// A temporary folder, removed with all in it.
struct TemporaryFolder {
  llvm::SmallString<128> path;
  TemporaryFolder() { (void)llvm::sys::fs::createUniqueDirectory("optc", path); }
  ~TemporaryFolder() { (void)llvm::sys::fs::remove_directories(path); }
  std::string file(const llvm::Twine &name) const {
    llvm::SmallString<128> p = path;
    llvm::sys::path::append(p, name);
    return std::string(p);
  }
};

llvm::Error writeFile(const std::string &path, llvm::StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (!error) {
    os << bytes;
    os.close();
    error = os.error();
    os.clear_error();
  }
  return error ? llvm::createStringError(error, path + ": " + error.message()) : llvm::Error::success();
}

llvm::Error linkShared(const std::vector<std::string> &objects, const std::string &output) {
  // LLD keeps global state: one link at a time.
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  std::vector<const char *> args{"ld.lld", "-shared", "--no-undefined", "-z", "now", "-z", "noexecstack", "--build-id=none",
                                 "--threads=1", "--gc-sections", "--hash-style=gnu", "--strip-all", "-o", output.c_str()};
  for (const std::string &object : objects)
    args.push_back(object.c_str());
  std::string messages;
  llvm::raw_string_ostream os(messages);
  lld::Result result = lld::lldMain(args, os, os, {{lld::Gnu, &lld::elf::link}});
  lld::CommonLinkerContext::destroy();
  if (result.retCode != 0)
    return llvm::createStringError("linking failed: " + messages);
  return llvm::Error::success();
}

llvm::Error appendFile(llvm::raw_ostream &out, const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError(buffer.getError(), path + ": " + buffer.getError().message());
  out << (*buffer)->getBuffer();
  return llvm::Error::success();
}

} // namespace

llvm::Error optc::writeArtefact(BuiltPlan &built, llvm::ArrayRef<CompiledLevel> levels, llvm::StringRef path) {
  TemporaryFolder folder;
  std::string weights = folder.file("weights");
  OptcTrailer trailer{};
  {
    std::error_code error;
    llvm::raw_fd_ostream os(weights, error);
    if (error)
      return llvm::createStringError(error, weights + ": " + error.message());
    auto bytes = writeWeights(built, os, trailer.weightHash);
    if (!bytes)
      return bytes.takeError();
    trailer.weightBytes = *bytes;
  }

  std::vector<std::string> objects;
  auto addObject = [&](llvm::StringRef bytes) {
    objects.push_back(folder.file(std::to_string(objects.size()) + ".o"));
    return writeFile(objects.back(), bytes);
  };
  auto descriptor = emitDescriptor(serialize(built.plan), built.imageBytes, built.kernelTexts.size(), levels);
  if (!descriptor)
    return descriptor.takeError();
  if (llvm::Error error = addObject(*descriptor))
    return error;
  auto builtins = emitBuiltins();
  if (!builtins)
    return builtins.takeError();
  if (llvm::Error error = addObject(*builtins))
    return error;
  for (const CompiledLevel &level : levels)
    for (const std::string &object : level.objects)
      if (llvm::Error error = addObject(object))
        return error;
  std::string code = folder.file("code.so");
  if (llvm::Error error = linkShared(objects, code))
    return error;

  // [code][padding to a page][weights][trailer], under a temporary name beside the target.
  auto buffer = llvm::MemoryBuffer::getFile(code, false, false);
  if (!buffer)
    return llvm::createStringError(buffer.getError(), "linking failed");
  std::string image = (*buffer)->getBuffer().str();
  image.resize((image.size() + 4095) / 4096 * 4096);
  trailer.codeBytes = trailer.weightOffset = image.size();
  trailer.codeHash = llvm::xxh3_64bits(image);
  trailer.version = OPTC_ARTEFACT_VERSION;
  trailer.magic = OPTC_TRAILER_MAGIC;
  llvm::SmallString<128> temporary;
  int fd;
  if (std::error_code error = llvm::sys::fs::createUniqueFile(path + ".%%%%%%.tmp", fd, temporary))
    return llvm::createStringError(error, path + ": cannot be written: " + error.message());
  llvm::raw_fd_ostream out(fd, /*shouldClose=*/true);
  out << image;
  llvm::Error failed = appendFile(out, weights);
  out.write(reinterpret_cast<const char *>(&trailer), sizeof trailer);
  out.close();
  std::error_code error = out.error();
  out.clear_error();
  if (!failed && !error)
    (void)llvm::sys::fs::setPermissions(temporary, llvm::sys::fs::perms(0755 & ~llvm::sys::fs::getUmask()));
  if (!failed && !error)
    error = llvm::sys::fs::rename(temporary, path);
  if (failed || error) {
    (void)llvm::sys::fs::remove(temporary);
    if (failed)
      return failed;
    return llvm::createStringError(error, path + ": cannot be written: " + error.message());
  }
  return llvm::Error::success();
}
