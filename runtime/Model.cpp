//===- Model.cpp - A loaded artefact --------------------------------------===//

#include "runtime/Model.h"
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

using namespace optc;

namespace {

/// The loader knows libraries by name: a model that was compiled again to the same path would be taken for the one
/// that is still loaded. The descriptor's name is unique as long as the descriptor is open, and is the very file that
/// was checked.
std::string loaderName(const std::string &path, int fd) {
  std::string name = "/proc/self/fd/" + std::to_string(fd);
  if (access(name.c_str(), R_OK) == 0)
    return name;
  return path.find('/') == std::string::npos ? "./" + path : path;
}

/// A file mapped read-only while it is checked.
struct MappedFile {
  int fd = -1;
  void *data = MAP_FAILED;
  uint64_t bytes = 0;
  ~MappedFile() {
    if (data != MAP_FAILED)
      munmap(data, bytes);
    if (fd >= 0)
      close(fd);
  }
  bool open(const std::string &path) {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0)
      return false;
    if (S_ISDIR(info.st_mode)) {
      errno = EISDIR;
      return false;
    }
    bytes = uint64_t(info.st_size);
    if (bytes == 0)
      return true;
    data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    return data != MAP_FAILED;
  }
};

} // namespace

std::shared_ptr<Model> Model::open(const std::string &path, std::string &error) {
  MappedFile file;
  if (!file.open(path)) {
    error = path + ": cannot be read: " + std::strerror(errno);
    return nullptr;
  }
  OptcTrailer trailer;
  if (file.bytes < sizeof trailer) {
    error = path + ": is not an optc model: too short";
    return nullptr;
  }
  std::memcpy(&trailer, static_cast<char *>(file.data) + file.bytes - sizeof trailer, sizeof trailer);
  if (trailer.magic != OPTC_TRAILER_MAGIC) {
    error = path + ": is not an optc model, or is truncated";
    return nullptr;
  }
  if (trailer.version != OPTC_ARTEFACT_VERSION) {
    error = path + ": was made for version " + std::to_string(trailer.version) + " of the artefact format, this runtime has " +
            std::to_string(OPTC_ARTEFACT_VERSION);
    return nullptr;
  }
  uint64_t body = file.bytes - sizeof trailer;
  if (trailer.codeBytes > body || trailer.weightOffset > body || trailer.weightBytes > body - trailer.weightOffset ||
      trailer.weightOffset % 4096 != 0) {
    error = path + ": is damaged: its parts do not fit into its length";
    return nullptr;
  }
  if (XXH3_64bits(file.data, trailer.codeBytes) != trailer.codeHash) {
    error = path + ": is damaged: the hash of its code does not match";
    return nullptr;
  }

  std::shared_ptr<Model> model(new Model);
  std::string name = loaderName(path, file.fd);
  model->library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!model->library) {
    const char *reason = dlerror();
    std::string text = reason ? reason : "cannot be loaded";
    if (text.starts_with(name + ": "))
      text.erase(0, name.size() + 2);
    error = path + ": " + text;
    return nullptr;
  }
  model->file = std::exchange(file.fd, -1);
  auto *descriptor = static_cast<const OptcDescriptor *>(dlsym(model->library, "optc_model"));
  if (!descriptor || descriptor->magic != OPTC_DESCRIPTOR_MAGIC || descriptor->version != OPTC_ARTEFACT_VERSION) {
    error = path + ": holds no optc model of this version";
    return nullptr;
  }
  auto plan = parsePlan(descriptor->plan, descriptor->planBytes);
  if (!plan) {
    error = path + ": its plan cannot be read";
    return nullptr;
  }
  model->contents.plan = std::move(*plan);

  uint64_t have = cpuFeatures(), missing = 0;
  const OptcLevel *chosen = nullptr;
  for (uint64_t i = 0; i < descriptor->levelCount && !chosen; ++i) {
    missing = descriptor->levels[i].features & ~have;
    if (!missing)
      chosen = &descriptor->levels[i];
  }
  if (!chosen) {
    error = path + ": needs " + featureNames(missing) + ", which this CPU or system lacks";
    return nullptr;
  }
  model->levelName = chosen->name;
  model->contents.kernels = chosen->kernels;
  model->contents.kernelCount = chosen->count;

  for (const Frame &frame : model->contents.plan.frames)
    for (const Storage &storage : frame.storages)
      if (storage.kind == Storage::Kind::weight && storage.offset > trailer.weightBytes) {
        error = path + ": is damaged: a weight lies outside the file";
        return nullptr;
      }
  if (trailer.weightBytes) {
    model->weightMapBytes = trailer.weightBytes;
    model->weightMap = mmap(nullptr, trailer.weightBytes, PROT_READ, MAP_SHARED, model->file, off_t(trailer.weightOffset));
    if (model->weightMap == MAP_FAILED) {
      model->weightMap = nullptr;
      error = path + ": its weights cannot be mapped: " + std::strerror(errno);
      return nullptr;
    }
    madvise(model->weightMap, model->weightMapBytes, MADV_WILLNEED);
  }
  model->contents.weights = static_cast<const char *>(model->weightMap);
  model->contents.weightBytes = trailer.weightBytes;
  for (const DeviceImage &image : model->contents.plan.images)
    for (const DeviceModule &module : image.modules)
      if (module.offset > descriptor->imageBytes || module.bytes >= descriptor->imageBytes - module.offset) {
        error = path + ": is damaged: code of a GPU lies outside the file";
        return nullptr;
      }
  if (!model->contents.plan.images.empty())
    model->contents.devices = std::make_unique<gpu::DevicePrograms>(model->contents.plan, descriptor->images, model->contents.weights);
  return model;
}

Model::~Model() {
  idle.clear();
  contents.devices = nullptr;
  if (weightMap)
    munmap(weightMap, weightMapBytes);
  if (library)
    dlclose(library);
  if (file >= 0)
    close(file);
}

std::unique_ptr<Session> Model::borrow(unsigned threads, int gpu) {
  {
    std::lock_guard lock(mutex);
    auto it = std::find_if(idle.rbegin(), idle.rend(), [&](const std::unique_ptr<Session> &s) { return s->gpu() == gpu; });
    if (it != idle.rend()) {
      auto session = std::move(*it);
      idle.erase(std::next(it).base());
      session->setThreads(threads);
      return session;
    }
  }
  return std::make_unique<Session>(contents, threads, DeviceChoice{gpu, nullptr});
}

void Model::giveBack(std::unique_ptr<Session> session) {
  std::lock_guard lock(mutex);
  idle.push_back(std::move(session));
}
