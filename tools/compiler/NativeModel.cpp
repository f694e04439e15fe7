//===- NativeModel.cpp - A module compiled and loaded on the spot ---------===//

#include "tools/compiler/NativeModel.h"
#include "codegen/cpu/CompileKernels.h"
#include "codegen/package/Package.h"
#include "runtime/ThreadPool.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace optc;

Error optc::internalError(const std::string &what) {
  Error result = Error::at("optc", "internal error: " + what);
  result.exitCode = ExitCode::internal;
  return result;
}

Error optc::writeCompiled(BuiltPlan &built, ArrayRef<CpuTarget> targets, unsigned jobs, StringRef path,
                          llvm::function_ref<void(const std::string &)> progress) {
  std::vector<CompiledLevel> levels;
  for (const CpuTarget &target : targets) {
    progress("compile " + std::to_string(built.kernelTexts.size()) + " kernels for " + target.name);
    auto level = compileKernels(built.kernelTexts, built.kernelNames, target, jobs);
    if (!level)
      return internalError(llvm::toString(level.takeError()));
    // Best first: the loader takes the first that the CPU can run.
    auto at = llvm::upper_bound(levels, level->features, [](uint64_t features, const CompiledLevel &other) {
      return llvm::popcount(features) > llvm::popcount(other.features);
    });
    levels.insert(at, {target.name, target.suffix, level->features, std::move(level->objects)});
  }
  progress("package");
  if (llvm::Error error = writeArtefact(built, levels, path))
    return Error::at("optc", llvm::toString(std::move(error)));
  return Error::success();
}

Error NativeModel::build(ModuleOp module, unsigned jobs, std::unique_ptr<Pass> first, const PipelineOptions &pipeline) {
  OwningOpRef<ModuleOp> copy = module.clone();
  PassManager passes(module.getContext());
  passes.enableVerifier(false);
  if (first)
    passes.addNestedPass<func::FuncOp>(std::move(first));
  buildLowering(passes, pipeline);
  if (failed(passes.run(*copy)))
    return internalError("the passes failed on a model to be run while compiling");
  auto built = buildPlan(copy->lookupSymbol<func::FuncOp>("main"));
  if (failed(built))
    return internalError("no plan for a model to be run while compiling");
  auto target = parseCpuTarget("native");
  if (!target)
    return internalError(llvm::toString(target.takeError()));
  return build(*built, {*target}, jobs);
}

Error NativeModel::build(BuiltPlan &built, ArrayRef<CpuTarget> targets, unsigned jobs) {
  SmallString<128> path;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("optc", "so", path))
    return Error::at("optc", "a temporary file cannot be made: " + error.message());
  file = std::make_unique<llvm::FileRemover>(path);
  if (Error error = writeCompiled(built, targets, jobs, path, [](const std::string &) {}))
    return error;
  return load(path.str().str());
}

Error NativeModel::load(const std::string &path) {
  std::string problem;
  model = Model::open(path, problem);
  if (!model)
    return Error::at(path, problem);
  session = std::make_unique<Session>(model->program(), ThreadPool::availableCores());
  results.assign(plan().outputs.size(), HostValue());
  return Error::success();
}

Error NativeModel::run(ArrayRef<HostValue> inputs) {
  std::vector<const HostValue *> pointers;
  for (const HostValue &input : inputs)
    pointers.push_back(&input);
  for (HostValue &result : results)
    if (result.kind != HostValue::Kind::tensor || result.type == DType::string)
      result = HostValue();
  Status status = session->run(pointers, results);
  return status.ok() ? Error::success() : Error::at("", status.message);
}
