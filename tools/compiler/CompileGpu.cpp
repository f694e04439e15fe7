//===- CompileGpu.cpp - The GPU's part of a compile -----------------------===//

#include "tools/compiler/CompileGpu.h"
#include "codegen/gpu/CompileUnits.h"
#include "codegen/gpu/CudaSource.h"
#include "codegen/plan/PlanBuilder.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace optc;

bool optc::isGpuEmit(Emit emit) { return emit == Emit::cuda || emit == Emit::ptx || emit == Emit::cubin; }

namespace {

/// The ONNX nodes of an op: locations also name inputs and weights.
class NodeNames {
public:
  explicit NodeNames(func::FuncOp model) {
    if (auto names = model->getAttrOfType<ArrayAttr>("optc.nodes"))
      for (StringRef name : names.getAsValueRange<StringAttr>())
        nodes.insert(name);
  }
  SmallVector<std::string> of(Operation *op) const {
    SmallVector<std::string> names = nodesOf(op->getLoc());
    llvm::erase_if(names, [&](const std::string &name) { return !nodes.empty() && !nodes.contains(name); });
    return names;
  }

private:
  llvm::StringSet<> nodes;
};

std::nullopt_t fail(CompileResult &result, ExitCode code, const std::string &message) {
  result.code = code;
  result.messages.push_back(message);
  return std::nullopt;
}

/// NVRTC, if it knows the targets; else null and messages.
std::unique_ptr<Nvrtc> openNvrtc(const CompileOptions &options, ArrayRef<GpuTarget> targets, CompileResult &result) {
  auto nvrtc = Nvrtc::open(options.nvrtc);
  if (!nvrtc) {
    fail(result, ExitCode::toolchain, "optc: error: NVRTC cannot be loaded: " + llvm::toString(nvrtc.takeError()));
    fail(result, ExitCode::toolchain,
         "optc: hint: install the CUDA toolkit, or the Python package nvidia-cuda-nvrtc and give --nvrtc=.../libnvrtc.so.13");
    return nullptr;
  }
  for (const GpuTarget &target : targets)
    if (!(*nvrtc)->supports(target)) {
      fail(result, ExitCode::toolchain, "optc: error: this NVRTC does not know " + target.name + ": a newer one is needed");
      return nullptr;
    }
  return std::move(*nvrtc);
}

std::string cacheFolder(const CompileOptions &options) {
  if (!options.cache)
    return "";
  return options.cacheFolder.empty() ? CodeCache::usualFolder() : options.cacheFolder;
}

} // namespace

std::optional<std::string> optc::emitForGpu(func::FuncOp model, const GpuTarget &target,
                                            const CompileOptions &options, CompileResult &result) {
  NodeNames names(model);
  GpuTarget printed = target;
  printed.isPortable = options.emit == Emit::ptx;
  printed.hasLineInfo = options.lineInfo;
  CudaSource source = emitCuda(model, printed, [&](Operation *op) { return names.of(op); });
  for (const std::string &problem : source.problems)
    fail(result, ExitCode::unsupported, llvm::sys::path::filename(options.model).str() + ": error: " + problem);
  if (!source.problems.empty())
    return std::nullopt;
  if (options.emit == Emit::cuda)
    return source.text;
  auto nvrtc = openNvrtc(options, target, result);
  if (!nvrtc)
    return std::nullopt;
  CodeCache cache(cacheFolder(options));
  auto compiled = compileUnits(*nvrtc, DeviceUnit{source.text, printed}, cache, options.jobs);
  if (!compiled)
    return fail(result, ExitCode::internal, "optc: internal error: NVRTC: " + llvm::toString(compiled.takeError()));
  return compiled->front();
}

std::optional<DeviceCode> optc::compileForGpus(func::FuncOp model, ArrayRef<GpuTarget> targets, const CompileOptions &options, CompileResult &result) {
  NodeNames names(model);
  auto namesOf = [&](Operation *op) { return names.of(op); };
  std::unique_ptr<Nvrtc> nvrtc;
  SmallVector<GpuTarget> images(targets);
  // What is written has code; a plan and a report say what has.
  if (!options.hostEmulation && options.emit == Emit::so) {
    nvrtc = openNvrtc(options, targets, result);
    if (!nvrtc)
      return std::nullopt;
  }
  if (!options.hostEmulation) {
    // Later chips translate text of the oldest target.
    GpuTarget oldest = *std::min_element(targets.begin(), targets.end(), [](const GpuTarget &a, const GpuTarget &b) { return a.architecture() < b.architecture(); });
    oldest.isPortable = true;
    images.push_back(oldest);
  }
  for (GpuTarget &image : images)
    image.hasLineInfo = options.lineInfo;
  // A kernel by itself: what one model has compiled is there for the next. The emulation compiles some at a time, as each unit costs a second.
  const size_t kernelsPerUnit = options.hostEmulation ? 16 : 1;
  CodeCache cache(nvrtc ? cacheFolder(options) : "");
  auto code = generateDeviceCode(model, images, namesOf, kernelsPerUnit, [&](ArrayRef<DeviceUnit> units) -> llvm::Expected<std::vector<std::string>> {
    if (nvrtc)
      return compileUnits(*nvrtc, units, cache, options.jobs);
    std::vector<std::string> texts;
    for (const DeviceUnit &unit : units)
      texts.push_back(unit.source);
    return texts;
  });
  if (!code)
    return fail(result, ExitCode::internal, "optc: internal error: NVRTC: " + llvm::toString(code.takeError()));
  if (nvrtc) {
    code->compiler = "NVRTC " + nvrtc->version();
    for (const DeviceImage &image : code->images)
      code->options.push_back(llvm::join(nvrtcOptions({"sm_" + std::to_string(image.architecture), image.isPtx, options.lineInfo}), " "));
  }
  return std::move(*code);
}
