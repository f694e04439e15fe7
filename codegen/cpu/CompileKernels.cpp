//===- CompileKernels.cpp - Kernels to objects, in parallel ---------------===//

#include "codegen/cpu/CompileKernels.h"
#include "codegen/cpu/Generator.h"
#include "codegen/cpu/LowerKernel.h"
#include "ir/Dialect.h"
#include "runtime/Artefact.h"
#include "mlir/Parser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <mutex>
#include <thread>

using namespace mlir;
using namespace optc;

namespace {

/// What one worker keeps between kernels.
struct Worker {
  MLIRContext context{kernelDialects(), MLIRContext::Threading::DISABLED};
  std::string messages;
  Worker() {
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([this](Diagnostic &d) {
      messages += (messages.empty() ? "" : "; ") + d.str();
      return success();
    });
  }
};

llvm::Error failure(const Worker &worker, StringRef what) {
  return llvm::createStringError(what + (worker.messages.empty() ? "" : ": " + worker.messages));
}

/// Parses the kernel and emits its function into a new module.
llvm::Expected<OwningOpRef<ModuleOp>> generate(Worker &worker, const std::string &text, const std::string &symbol,
                                               const CpuTarget &target) {
  worker.messages.clear();
  OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(text, ParserConfig(&worker.context));
  if (!parsed)
    return failure(worker, "a kernel cannot be read back");
  KernelOp kernel;
  parsed->walk([&](KernelOp op) { kernel = op; });
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&worker.context));
  if (failed(generateKernel(kernel, *module, symbol, target)))
    return failure(worker, "no code for a kernel of kind '" + kernel.getKind().str() + "'");
  return module;
}

llvm::Expected<std::unique_ptr<llvm::Module>> lower(Worker &worker, const std::string &text, const std::string &symbol,
                                                    const CpuTarget &target, llvm::LLVMContext &llvmContext, uint64_t &used) {
  auto module = generate(worker, text, symbol, target);
  if (!module)
    return module.takeError();
  used = usedFeatures(**module);
  auto lowered = lowerKernel(**module, target, llvmContext);
  if (!lowered)
    return failure(worker, "a kernel cannot be lowered");
  return lowered;
}

} // namespace

static std::string symbolOf(size_t index, const CpuTarget &target) {
  return "optc_kernel_" + std::to_string(index) + "_" + target.suffix;
}

llvm::Expected<CompiledKernels> optc::compileKernels(const std::vector<std::string> &texts, const std::vector<std::string> &names,
                                                     const CpuTarget &target, unsigned jobs) {
  if (jobs == 0)
    jobs = std::max(1u, std::thread::hardware_concurrency());
  jobs = std::min<size_t>(jobs, texts.size());
  std::vector<std::string> objects(texts.size()), errors(texts.size());
  std::atomic<size_t> next{0};
  // The level's own bits are always needed.
  std::atomic<uint64_t> features{target.features & (OPTC_CPU_X86_64_V2 | OPTC_CPU_X86_64_V3 | OPTC_CPU_X86_64_V4)};
  auto work = [&] {
    Worker worker;
    for (size_t i = next++; i < texts.size(); i = next++) {
      llvm::LLVMContext llvmContext;
      uint64_t used = 0;
      auto module = lower(worker, texts[i], symbolOf(i, target), target, llvmContext, used);
      features |= used;
      llvm::Expected<std::string> object = module ? emitObject(**module, target) : module.takeError();
      if (object)
        objects[i] = std::move(*object);
      else
        errors[i] = llvm::toString(object.takeError());
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < jobs; ++i)
    threads.emplace_back(work);
  if (jobs > 0)
    work();
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < errors.size(); ++i)
    if (!errors[i].empty())
      return llvm::createStringError("kernel '" + names[i] + "': " + errors[i]);
  return CompiledKernels{std::move(objects), features};
}

llvm::Expected<std::string> optc::emitKernelText(const std::string &text, size_t index, const CpuTarget &target,
                                                 KernelText kind) {
  Worker worker;
  llvm::LLVMContext llvmContext;
  std::string out;
  llvm::raw_string_ostream os(out);
  if (kind == KernelText::mlir) {
    auto module = generate(worker, text, symbolOf(index, target), target);
    if (!module)
      return module.takeError();
    (*module)->print(os);
    return out;
  }
  uint64_t used = 0;
  auto module = lower(worker, text, symbolOf(index, target), target, llvmContext, used);
  if (!module)
    return module.takeError();
  if (kind == KernelText::assembly)
    return emitAssembly(**module, target);
  (*module)->print(os, nullptr);
  return out;
}
