//===- TensorFile.cpp - Files as bytes, formats by their ending -----------===//

#include "tools/tensors/TensorFile.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace optc;

namespace {
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0)
      close(fd);
  }
};
} // namespace

Error optc::readFile(const std::string &path, std::string &bytes) {
  Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat info;
  if (file.fd < 0 || fstat(file.fd, &info) != 0)
    return Error::at(path, std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    return Error::at(path, "is not a file");
  bytes.resize(size_t(info.st_size));
  for (size_t done = 0; done < bytes.size();) {
    ssize_t n = read(file.fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return Error::at(path, std::strerror(errno));
    if (n == 0) { // it shrank meanwhile
      bytes.resize(done);
      break;
    }
    done += size_t(n);
  }
  return Error::success();
}

Error optc::writeFile(const std::string &path, std::string_view bytes) {
  Descriptor file{open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
  if (file.fd < 0)
    return Error::at(path, "cannot be written: " + std::string(std::strerror(errno)));
  for (size_t done = 0; done < bytes.size();) {
    ssize_t n = write(file.fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return Error::at(path, "cannot be written: " + std::string(std::strerror(errno)));
    done += size_t(n);
  }
  return Error::success();
}

int64_t optc::elementCount(const std::vector<int64_t> &dims) {
  // The bound leaves room for the largest element.
  constexpr int64_t kMost = int64_t(1) << 46;
  bool empty = false;
  int64_t count = 1;
  for (int64_t d : dims) {
    if (d < 0)
      return -1;
    empty |= d == 0;
  }
  if (empty)
    return 0;
  for (int64_t d : dims)
    if (__builtin_mul_overflow(count, d, &count) || count > kMost)
      return -1;
  return count;
}

static Error located(const std::string &path, std::string problem) {
  return problem.empty() ? Error::success() : Error::at(path, std::move(problem));
}

Error optc::readValue(const std::string &path, Value::Kind kind, Value &value) {
  std::string bytes;
  if (Error error = readFile(path, bytes))
    return error;
  if (path.ends_with(".pb"))
    return located(path, parseProto(bytes, kind, value));
  if (!path.ends_with(".npy"))
    return Error::at(path, "is neither .pb nor .npy");
  if (kind != Value::Kind::tensor)
    return Error::at(path, "a .npy holds a tensor, the model takes a sequence or optional", "use a .pb file");
  return located(path, parseNpy(bytes, value));
}

Error optc::writeValue(const std::string &path, const std::string &name, const Value &value) {
  std::string bytes;
  std::string problem = path.ends_with(".npy") ? formatNpy(value, bytes) : formatProto(name, value, bytes);
  return problem.empty() ? writeFile(path, bytes) : Error::at(path, problem);
}

Error optc::readArchive(const std::string &path, std::vector<NamedValue> &values) {
  std::string bytes;
  if (Error error = readFile(path, bytes))
    return error;
  return located(path, parseNpz(bytes, values));
}

Error optc::writeArchive(const std::string &path, const std::vector<NamedValue> &values) {
  std::string bytes;
  std::string problem = formatNpz(values, bytes);
  return problem.empty() ? writeFile(path, bytes) : Error::at(path, problem);
}
