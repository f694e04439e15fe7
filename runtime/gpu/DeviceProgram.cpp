//===- DeviceProgram.cpp - A model's kernels and weights on a GPU ---------===//

#include "runtime/gpu/DeviceProgram.h"
#include "runtime/Instructions.h"
#include "runtime/reference/Blocks.h"

using namespace optc;
using namespace optc::gpu;

namespace {

/// Machine code runs on later chips of the same generation; that of sm_90 is made for it alone (sm_90a). PTX runs on all later ones.
bool runsOn(const DeviceImage &image, int architecture) {
  int own = int(image.architecture);
  if (image.isPtx)
    return own <= architecture;
  return own == 90 ? architecture == 90 : own / 10 == architecture / 10 && own <= architecture;
}

constexpr uint64_t kAlign = 256;
uint64_t aligned(uint64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

} // namespace

DeviceProgram::~DeviceProgram() {
  if (image)
    (void)gpu->makeCurrent();
}

Status DeviceProgram::use() {
  std::call_once(once, [&] { status = load(); });
  return status.ok() ? gpu->makeCurrent() : status;
}

Status DeviceProgram::load() {
  OPTC_TRY(gpu->open(ordinal));
  OPTC_TRY(chooseImage());
  OPTC_TRY(loadKernels());
  return uploadWeights();
}

Status DeviceProgram::chooseImage() {
  std::string known;
  for (const DeviceImage &i : plan.images) {
    // The nearest, machine code before text.
    bool isBetter = !image || (image->isPtx && !i.isPtx) || (image->isPtx == i.isPtx && i.architecture > image->architecture);
    if (runsOn(i, gpu->architecture) && isBetter)
      image = &i;
    known += (known.empty() ? "" : ", ") + std::string(i.isPtx ? "PTX from sm_" : "sm_") + std::to_string(i.architecture);
  }
  if (image)
    return Status::success();
  return Status::error("the model has code for " + known + "; this GPU, " + gpu->name + ", is sm_" + std::to_string(gpu->architecture));
}

Status DeviceProgram::loadKernels() {
  modules = std::vector<Module>(image->modules.size());
  for (size_t i = 0; i < modules.size(); ++i)
    OPTC_TRY(modules[i].load(*gpu, images + image->modules[i].offset));
  for (const DeviceKernel &k : image->kernels) {
    Kernel &kernel = kernels.emplace_back();
    OPTC_TRY(modules[k.module].find(k.symbol, kernel));
    if (k.sharedBytes)
      OPTC_TRY(kernel.allowShared(k.sharedBytes));
  }
  return Status::success();
}

Status DeviceProgram::uploadWeights() {
  std::map<uint64_t, uint64_t> bytes; // by offset
  for (const Frame &frame : plan.frames) {
    std::map<RegisterId, int64_t> constants = constantsOf(frame);
    for (const Storage &s : frame.storages) {
      if (s.kind != Storage::Kind::weight || !s.onDevice)
        continue;
      auto size = constants.find(s.bytes);
      if (size == constants.end())
        return Status::error("damaged plan");
      bytes[s.offset] = std::max(bytes[s.offset], uint64_t(size->second));
    }
  }
  uint64_t total = 0;
  for (auto [offset, size] : bytes)
    total += aligned(size);
  OPTC_TRY(weightMemory.allocate(*gpu, total));
  Stream stream;
  OPTC_TRY(stream.create(*gpu));
  DevicePointer at = weightMemory.address();
  for (auto [offset, size] : bytes) {
    weightPlaces[offset] = at;
    OPTC_TRY(stream.upload(at, weights + offset, size));
    at += aligned(size);
  }
  return stream.synchronize();
}

DeviceProgram &DevicePrograms::on(int ordinal) {
  std::lock_guard lock(mutex);
  std::unique_ptr<DeviceProgram> &program = programs[ordinal];
  if (!program)
    program = std::make_unique<DeviceProgram>(plan, images, weights, ordinal);
  return *program;
}
