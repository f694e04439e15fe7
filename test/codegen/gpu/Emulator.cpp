//===- Emulator.cpp - Kernels as code of the host -------------------------===//

#include "test/codegen/gpu/Emulator.h"
#include "test/codegen/gpu/KernelValues.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cstring>
#include <dlfcn.h>

using namespace optc;

Emulator::Emulator(const std::string &text, const std::vector<Kernel> &kernels) {
  (void)llvm::sys::fs::createUniqueDirectory("optc-emulation", folder);
  std::string file = (folder + "/kernels.cpp").str(), output = (folder + "/kernels.so").str();
  std::error_code error;
  llvm::raw_fd_ostream os(file, error);
  os << text;
  for (const Kernel &kernel : kernels)
    os << "extern \"C\" void run_" << kernel.symbol << "(const uint64_t *slots, int64_t blocks) { launch("
       << kernel.symbol << ", slots, blocks, " << kernel.threads << ", " << kernel.sharedBytes << "); }\n";
  os << "extern \"C\" void set_schedule(int schedule, int late) {\n"
        "  emulated::schedule = emulated::Schedule(schedule);\n  emulated::late = emulated::Late(late);\n}\n";
  os.close();
  llvm::SmallVector<llvm::StringRef> command;
  llvm::StringRef(OPTC_EMULATION).split(command, ' ');
  command.append({file, "-o", output});
  if (llvm::sys::ExecuteAndWait(command.front(), command) != 0)
    return;
  library = dlopen(output.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    llvm::errs() << dlerror() << "\n";
}

Emulator::~Emulator() {
  if (library)
    dlclose(library);
  (void)llvm::sys::fs::remove_directories(folder);
}

void Emulator::setSchedule(int schedule, int late) {
  reinterpret_cast<void (*)(int, int)>(dlsym(library, "set_schedule"))(schedule, late);
}

void Emulator::run(const std::string &symbol, const std::vector<uint64_t> &slots, int64_t blocks) {
  auto *kernel =
      reinterpret_cast<void (*)(const uint64_t *, int64_t)>(dlsym(library, ("run_" + symbol).c_str()));
  if (!kernel)
    llvm::report_fatal_error(llvm::Twine("there is no kernel ") + symbol);
  kernel(slots.data(), blocks);
}

void *EmulatedMemory::place(size_t bytes) {
  size_t whole = (bytes + kGuardBytes + 255) / 256 * 256;
  memory.emplace_back(static_cast<unsigned char *>(std::aligned_alloc(256, whole)), std::free);
  std::memset(memory.back().get(), kGuardValue, whole);
  return memory.back().get();
}

void *EmulatedMemory::placeMap(const BundleMap &map, const void *operand, size_t elementBytes) {
  auto *words = static_cast<uint64_t *>(place(128));
  words[0] = reinterpret_cast<uint64_t>(operand) + uint64_t(map.offset) * elementBytes;
  words[1] = elementBytes;
  for (size_t d = 0; d < 4; ++d) {
    bool exists = d < map.sizes.size();
    words[2 + d] = exists ? uint64_t(map.sizes[d]) : 1;
    words[6 + d] = exists ? uint64_t(map.box[d]) : 1;
    words[10 + d] = d == 0 ? elementBytes : exists ? uint64_t(map.strides[d - 1]) * elementBytes : 0;
  }
  return words;
}

bool EmulatedMemory::guardIsWhole(const Value &result) {
  const unsigned char *guard = static_cast<unsigned char *>(result.data) + result.bytes();
  return std::all_of(guard, guard + kGuardBytes, [](unsigned char c) { return c == kGuardValue; });
}
