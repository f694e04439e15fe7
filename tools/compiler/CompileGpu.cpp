//===- CompileGpu.cpp - The GPU's part of a compile -----------------------===//

#include "tools/compiler/CompileGpu.h"
#include "codegen/gpu/CudaSource.h"
#include "codegen/gpu/Nvrtc.h"
#include "codegen/plan/PlanBuilder.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace optc;

bool optc::isGpuEmit(Emit emit) { return emit == Emit::cuda || emit == Emit::ptx || emit == Emit::cubin; }

std::optional<std::string> optc::emitForGpu(func::FuncOp model, const GpuTarget &target,
                                            const CompileOptions &options, CompileResult &result) {
  auto fail = [&](ExitCode code, const std::string &message) {
    result.code = code;
    result.messages.push_back(message);
    return std::nullopt;
  };
  // Locations also name inputs and weights.
  llvm::StringSet<> nodes;
  if (auto names = model->getAttrOfType<ArrayAttr>("optc.nodes"))
    for (StringRef name : names.getAsValueRange<StringAttr>())
      nodes.insert(name);
  GpuTarget printed = target;
  printed.isPortable = options.emit == Emit::ptx;
  CudaSource source = emitCuda(model, printed, [&](Operation *op) {
    SmallVector<std::string> names = nodesOf(op->getLoc());
    llvm::erase_if(names, [&](const std::string &name) { return !nodes.empty() && !nodes.contains(name); });
    return names;
  });
  for (const std::string &problem : source.problems)
    fail(ExitCode::unsupported, llvm::sys::path::filename(options.model).str() + ": error: " + problem);
  if (!source.problems.empty())
    return std::nullopt;
  if (options.emit == Emit::cuda)
    return source.text;

  auto nvrtc = Nvrtc::open(options.nvrtc);
  if (!nvrtc) {
    fail(ExitCode::toolchain, "optc: error: NVRTC cannot be loaded: " + llvm::toString(nvrtc.takeError()));
    return fail(ExitCode::toolchain,
                "optc: hint: install the CUDA toolkit, or the Python package nvidia-cuda-nvrtc and give "
                "--nvrtc=.../libnvrtc.so.13");
  }
  if (!(*nvrtc)->supports(target))
    return fail(ExitCode::toolchain,
                "optc: error: this NVRTC does not know " + target.name + ": a newer one is needed");
  auto compiled = (*nvrtc)->compile(source.text, target,
                                    options.emit == Emit::ptx ? Nvrtc::Output::ptx : Nvrtc::Output::cubin);
  if (!compiled)
    return fail(ExitCode::internal, "optc: internal error: NVRTC: " + llvm::toString(compiled.takeError()));
  return *compiled;
}
