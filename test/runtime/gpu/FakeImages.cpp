//===- FakeImages.cpp - Kernels of a driver without a GPU -----------------===//

#include "test/runtime/gpu/FakeImages.h"
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <unistd.h>

FakeImages::~FakeImages() {
  if (!folder.empty())
    std::system(("rm -rf " + folder).c_str());
}

static std::string contentsOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string FakeImages::placeOf(const std::string &image) {
  if (!cache.empty()) {
    static const std::string headers =
        contentsOf(OPTC_EMULATION_FOLDER "/emulate.h") + contentsOf(OPTC_EMULATION_FOLDER "/emulate_tile.h") + contentsOf(OPTC_FAKE_LAUNCH) + OPTC_EMULATION;
    std::hash<std::string> hash;
    std::ostringstream name;
    name << cache << "/" << std::hex << hash(headers + image) << hash(image + headers) << ".so";
    return name.str();
  }
  return folder + "/image" + std::to_string(libraries.size()) + ".so";
}

bool FakeImages::load(const std::string &image, Module &module) {
  if (folder.empty()) {
    std::string name = std::filesystem::temp_directory_path() / "optc-fake-XXXXXX"; // mkdtemp's form
    folder = mkdtemp(name.data());
  }
  std::string &library = libraries[image];
  std::regex definition("__global__ void (?:__launch_bounds__\\((\\d+)[^)]*\\)\\s*)?(\\w+)\\(");
  if (library.empty())
    library = placeOf(image);
  if (!std::filesystem::exists(library)) {
    std::string base = folder + "/compiled";
    std::ofstream source(base + ".cpp");
    source << "#include \"" OPTC_FAKE_LAUNCH "\"\n" << image;
    for (std::sregex_iterator it(image.begin(), image.end(), definition), end; it != end; ++it) {
      std::string name = (*it)[2];
      source << "extern \"C\" void launch_" << name << "(void **arguments, int64_t blocks, int threads, int64_t shared) { fake::launchWith("
             << name << ", arguments, blocks, threads, shared); }\n"
             << "extern \"C\" int sizes_" << name << "(size_t *sizes) { return fake::sizesOf(" << name << ", sizes); }\n";
    }
    source << "extern \"C\" void set_schedule(int schedule, int late) { emulated::schedule = emulated::Schedule(schedule); emulated::late = emulated::Late(late); }\n";
    source.close();
    // Beside its place, then moved there: other processes do the same.
    std::string beside = library + "." + std::to_string(getpid());
    if (std::system((OPTC_EMULATION " " + base + ".cpp -o " + beside).c_str()) != 0 || std::rename(beside.c_str(), library.c_str()) != 0)
      return false;
  }
  module.library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module.library)
    return false;
  reinterpret_cast<void (*)(int, int)>(dlsym(module.library, "set_schedule"))(schedule, late);
  for (std::sregex_iterator it(image.begin(), image.end(), definition), end; it != end; ++it) {
    std::string name = (*it)[2];
    Function f{};
    f.launch = reinterpret_cast<decltype(f.launch)>(dlsym(module.library, ("launch_" + name).c_str()));
    size_t sizes[256];
    f.parameters.assign(sizes, sizes + reinterpret_cast<int (*)(size_t *)>(dlsym(module.library, ("sizes_" + name).c_str()))(sizes));
    f.bound = (*it)[1].matched ? unsigned(std::stoul((*it)[1])) : 1024;
    f.shared = 48 << 10;
    module.functions[name] = f;
  }
  return true;
}
