//===- Nvrtc.cpp - NVIDIA's run-time compiler -----------------------------===//

#include "codegen/gpu/Nvrtc.h"
#include "llvm/ADT/STLExtras.h"
#include <dlfcn.h>

using namespace optc;

/// The functions of nvrtc.h that are used; a result other than 0 is an error.
struct Nvrtc::Api {
  using Program = void *;
  void *library = nullptr;
  int (*create)(Program *, const char *source, const char *name, int headers, const char *const *,
                const char *const *);
  int (*compile)(Program, int options, const char *const *);
  int (*destroy)(Program *);
  int (*logSize)(Program, size_t *);
  int (*log)(Program, char *);
  int (*ptxSize)(Program, size_t *);
  int (*ptx)(Program, char *);
  int (*cubinSize)(Program, size_t *);
  int (*cubin)(Program, char *);
  int (*numArchs)(int *);
  int (*archs)(int *);
  int (*version)(int *major, int *minor);
  const char *(*errorString)(int);

  template <typename Function> bool find(Function &function, const char *name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
  }
};

Nvrtc::~Nvrtc() = default; // the library stays: unloading it is not supported

llvm::Expected<std::unique_ptr<Nvrtc>> Nvrtc::open(const std::string &path) {
  std::vector<std::string> candidates = {path};
  if (path.empty())
    candidates = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so"};
  std::string firstError;
  for (const std::string &candidate : candidates) {
    void *library = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      if (firstError.empty())
        firstError = dlerror();
      continue;
    }
    std::unique_ptr<Nvrtc> nvrtc(new Nvrtc);
    nvrtc->api = std::make_unique<Api>();
    Api &a = *nvrtc->api;
    a.library = library;
    if (a.find(a.create, "nvrtcCreateProgram") && a.find(a.compile, "nvrtcCompileProgram") &&
        a.find(a.destroy, "nvrtcDestroyProgram") && a.find(a.logSize, "nvrtcGetProgramLogSize") &&
        a.find(a.log, "nvrtcGetProgramLog") && a.find(a.ptxSize, "nvrtcGetPTXSize") &&
        a.find(a.ptx, "nvrtcGetPTX") && a.find(a.cubinSize, "nvrtcGetCUBINSize") &&
        a.find(a.cubin, "nvrtcGetCUBIN") && a.find(a.numArchs, "nvrtcGetNumSupportedArchs") &&
        a.find(a.archs, "nvrtcGetSupportedArchs") &&
        a.find(a.version, "nvrtcVersion") && a.find(a.errorString, "nvrtcGetErrorString"))
      return nvrtc;
    firstError = candidate + " is not NVRTC 12 or newer";
  }
  return llvm::createStringError(firstError);
}

bool Nvrtc::supports(const GpuTarget &target) const {
  int count = 0;
  if (api->numArchs(&count) || count <= 0)
    return false;
  std::vector<int> known(count);
  return api->archs(known.data()) == 0 && llvm::is_contained(known, target.architecture());
}

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  api->version(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

std::vector<std::string> optc::nvrtcOptions(const GpuTarget &target) {
  std::vector<std::string> options = {target.isPortable ? target.ptxOption() : target.binaryOption(), "--std=c++17"};
  if (target.hasLineInfo)
    options.push_back("--generate-line-info");
  return options;
}

llvm::Expected<std::string> Nvrtc::compile(const std::string &source, const GpuTarget &target) const {
  Api::Program program = nullptr;
  if (int error = api->create(&program, source.c_str(), "kernels.cu", 0, nullptr, nullptr))
    return llvm::createStringError(api->errorString(error));
  std::vector<std::string> options = nvrtcOptions(target);
  std::vector<const char *> texts;
  for (const std::string &option : options)
    texts.push_back(option.c_str());
  int error = api->compile(program, int(texts.size()), texts.data());
  size_t size = 0;
  std::string text, log;
  if (api->logSize(program, &size) == 0 && size > 1) {
    log.resize(size);
    api->log(program, log.data());
  }
  // A warpgroup's products that wait for each other give right results, far too slowly: C7510 and its like.
  bool isSerialized = llvm::StringRef(log).contains("C75");
  if (error || isSerialized) {
    text =
        (error ? std::string(api->errorString(error)) : "products of warpgroups are serialized") + "\n" + log;
  } else if ((target.isPortable ? api->ptxSize : api->cubinSize)(program, &size) == 0) {
    text.resize(size);
    (target.isPortable ? api->ptx : api->cubin)(program, text.data());
    // PTX is counted with its terminator.
    if (target.isPortable && !text.empty() && text.back() == '\0')
      text.pop_back();
  }
  api->destroy(&program);
  if (error || isSerialized)
    return llvm::createStringError(text);
  return text;
}
