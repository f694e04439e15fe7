//===- Compiler.cpp - From a model to an artefact -------------------------===//

#include "tools/compiler/Compiler.h"
#include "codegen/cpu/CompileKernels.h"
#include "codegen/plan/PlanBuilder.h"
#include "frontend/Importer.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "tools/compiler/CompareLayers.h"
#include "tools/compiler/CompileGpu.h"
#include "tools/compiler/NativeModel.h"
#include "tools/compiler/Guard.h"
#include "tools/compiler/RoundWeights.h"
#include "tools/compiler/Tune.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace optc;

namespace {

/// Turns MLIR's diagnostics into messages in the user's words: the location is the ONNX node.
class DiagnosticCollector {
public:
  DiagnosticCollector(MLIRContext &context, CompileResult &result, StringRef model)
      : handler(&context, [this, &result, model = model.str()](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
            return success();
          std::string where;
          SmallVector<std::string> nodes = nodesOf(diagnostic.getLocation());
          if (!nodes.empty())
            where = "node '" + nodes.front() + "': ";
          result.messages.push_back(model + ": error: " + where + diagnostic.str());
          sawError = true;
          sawUnsupported |= StringRef(diagnostic.str()).contains("unsupported");
          return success();
        }) {}
  bool sawError = false, sawUnsupported = false;

private:
  ScopedDiagnosticHandler handler;
};

/// Writes text to the output file, or standard output.
CompileResult writeText(const CompileOptions &options, StringRef text, CompileResult result) {
  if (options.output.empty() || options.output == "-") {
    llvm::outs() << text;
    return result;
  }
  std::error_code error;
  llvm::raw_fd_ostream os(options.output, error);
  if (error) {
    result.code = ExitCode::badModel;
    result.messages.push_back("optc: error: " + options.output + ": cannot be written: " + error.message());
    return result;
  }
  os << text;
  return result;
}

std::string printModule(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module->print(os, OpPrintingFlags().elideLargeElementsAttrs(64).elideLargeResourceString(64));
  return text + "\n";
}

} // namespace

/// Bindings (symbol=size) of the symbols in the inputs' types that `--shape` flags fix.
static llvm::Expected<std::vector<std::string>> bindingsOf(func::FuncOp main, const std::vector<std::string> &shapes) {
  std::map<std::string, int64_t> values;
  struct Computed {
    std::string flag;
    size_t dim;
    DimExpr expression;
    int64_t size;
  };
  std::vector<Computed> computed;
  auto error = [](StringRef flag, const Twine &why) { return llvm::createStringError("--shape=" + Twine(flag) + ": " + why); };
  for (const std::string &flag : shapes) {
    auto refuse = [&](const Twine &why) { return error(flag, why); };
    // Names may hold '='.
    auto [name, text] = StringRef(flag).rsplit('=');
    if (text.contains(".."))
      return refuse("ranges of sizes are not supported");
    SmallVector<StringRef> parts;
    text.split(parts, 'x');
    BlockArgument input;
    std::string names;
    for (BlockArgument argument : main.getArguments()) {
      auto own = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "optc.name");
      if (own && own.getValue() == name)
        input = argument;
      names += (names.empty() ? "" : ", ") + (own ? own.str() : "");
    }
    auto type = input ? dyn_cast<RankedTensorType>(input.getType()) : RankedTensorType();
    if (!type)
      return refuse("no tensor among the inputs has this name; they are " + names);
    Dims dims = dimsOf(type);
    if (dims.size() != parts.size())
      return refuse("the input has rank " + Twine(dims.size()));
    for (auto [d, part] : llvm::enumerate(parts)) {
      int64_t size;
      if (part.getAsInteger(10, size) || size < 0)
        return refuse("'" + part + "' is not a size");
      if (auto symbol = dims[d].asSymbol()) {
        auto [it, inserted] = values.try_emplace(*symbol, size);
        if (!inserted && it->second != size)
          return refuse("'" + Twine(*symbol) + "' cannot be " + Twine(it->second) + " and " + Twine(size));
      } else if (!dims[d].isConstant()) {
        computed.push_back({flag, d, dims[d], size});
      } else if (dims[d] != DimExpr(size)) {
        return refuse("dim " + Twine(d) + " is " + dims[d].str());
      }
    }
  }
  auto valueOf = [&](StringRef symbol) {
    auto it = values.find(symbol.str());
    return it == values.end() ? std::nullopt : std::optional(it->second);
  };
  for (const Computed &c : computed) {
    auto size = c.expression.evaluate(valueOf);
    if (!size)
      return error(c.flag, "dim " + Twine(c.dim) + " is " + c.expression.str() + ", which --shape of another input has to fix");
    if (*size != c.size)
      return error(c.flag, "dim " + Twine(c.dim) + " is " + c.expression.str() + ", " + Twine(*size));
  }
  // Those of other inputs follow.
  for (BlockArgument argument : main.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    for (auto [d, dim] : llvm::enumerate(type ? dimsOf(type) : Dims())) {
      auto size = dim.evaluate(valueOf);
      if (size && (*size < 0 || *size > int64_t(1) << 40)) {
        auto own = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "optc.name");
        return llvm::createStringError("--shape: dim " + Twine(d) + " of input '" + (own ? own.getValue() : "") + "' would be " + dim.str() + " = " + Twine(*size));
      }
    }
  }
  std::vector<std::string> bindings;
  for (auto &[symbol, size] : values)
    bindings.push_back(symbol + "=" + std::to_string(size));
  return bindings;
}

/// The passes' options for a model that runs while it is compiled: kernels that this machine lacks instructions for aside.
static PipelineOptions onThisMachine(PipelineOptions options) {
  auto native = parseCpuTarget("native");
  if (!native) {
    llvm::consumeError(native.takeError());
    return options;
  }
  options.gpu = false;
  options.tables &= native->has(OPTC_CPU_AVX512_VBMI);
  options.spreadsMasks &= native->spreadsMasks();
  options.spreadsTwoOfFour &= native->spreadsTwoOfFour();
  return options;
}

/// What a compile learns that a file keeps: ranges, and how kernels are cut, where it measures any.
namespace {
struct Learnt {
  Calibration calibration;
  Tuning tuning;
};
} // namespace

static CompileResult compile(const CompileOptions &options, Learnt &learnt) {
  CompileResult result;
  auto fail = [&](ExitCode code, const std::string &message) {
    result.code = code;
    result.messages.push_back(message);
    return result;
  };
  std::string model = llvm::sys::path::filename(options.model).str();
  auto failWith = [&](const Error &error) {
    std::string where = error.where.empty() ? model : error.where;
    result.messages.push_back(where + ": error: " + error.message);
    if (!error.hint.empty())
      result.messages.push_back(where + ": hint: " + error.hint);
    result.code = error.exitCode;
    return result;
  };
  auto progress = [&](const std::string &phase) {
    if (options.progress)
      options.progress(phase);
  };

  std::vector<CpuTarget> targets;
  std::vector<GpuTarget> gpuTargets;
  for (const std::string &name : options.targets) {
    if (isGpuTargetName(name)) {
      auto target = parseGpuTarget(name);
      if (!target)
        return fail(ExitCode::badModel, "optc: error: " + llvm::toString(target.takeError()));
      gpuTargets.push_back(*target);
      continue;
    }
    auto target = parseCpuTarget(name);
    if (!target)
      return fail(ExitCode::badModel, "optc: error: " + llvm::toString(target.takeError()));
    targets.push_back(*target);
  }
  if (isGpuEmit(options.emit) && gpuTargets.empty())
    return fail(ExitCode::badModel, "optc: error: kernels for a GPU need a target of one (--target=sm_90)");
  if (options.bfloat && gpuTargets.empty())
    return fail(ExitCode::badModel, "optc: error: --bf16 and --" + options.weights + " both say how weights are stored");
  if (!options.tuning.empty() && (gpuTargets.empty() ? targets.size() : options.tune ? gpuTargets.size() : 1) > 1)
    return fail(ExitCode::badModel, std::string("optc: error: --") + (options.tune ? "tune takes one target" : "tuning takes one target of a CPU"));
  if (options.tf32 && gpuTargets.empty())
    return fail(ExitCode::badModel, "optc: error: --tf32 is for GPUs (--target=sm_90): CPUs multiply bf16 (--bf16)");
  if ((options.emit == Emit::llvm || options.emit == Emit::assembly) && targets.empty())
    return fail(ExitCode::badModel, "optc: error: LLVM IR and assembly need the target of a CPU; of a GPU there are cuda and ptx");
  // What the GPU does not run, of artefacts that are written or measured.
  if (targets.empty() && (!isGpuEmit(options.emit) || options.tune))
    targets.push_back(llvm::cantFail(parseCpuTarget("x86-64-v3")));

  MLIRContext context(MLIRContext::Threading::DISABLED);
  DiagnosticCollector diagnostics(context, result, model);

  // A file that is yet to be written has nothing.
  if (!options.tuning.empty() && (!options.tune || llvm::sys::fs::exists(options.tuning)))
    if (Error error = readTuning(options.tuning, learnt.tuning))
      return failWith(error);

  progress("import");
  std::vector<AdapterFile> adapters;
  if (Error error = readAdapters(options.adapters, adapters))
    return failWith(error);
  ImportResult imported = importModel(options.model, context, {givenBy(adapters), options.keepInputs});
  if (!imported.module) {
    result.code = ExitCode::badModel;
    bool onlyUnsupported = !imported.problems.empty();
    for (const Problem &problem : imported.problems) {
      result.messages.push_back(model + ": error: " + problem.message);
      onlyUnsupported &= problem.kind == ProblemKind::unsupported;
    }
    if (onlyUnsupported)
      result.code = ExitCode::unsupported;
    return result;
  }
  ModuleOp module = *imported.module;
  if (Error error = mergeLora(imported, adapters))
    return failWith(error);
  adapters.clear();

  progress("optimise");
  auto run = [&](llvm::function_ref<void(PassManager &)> fill) {
    PassManager passes(&context);
    passes.enableVerifier(options.verifyPasses);
    if (options.printAfterAll)
      passes.enableIRPrinting([](Pass *, Operation *) { return false; }, [](Pass *, Operation *) { return true; },
                              /*printModuleScope=*/true, /*printAfterOnlyOnChange=*/true);
    if (options.timing)
      passes.enableTiming();
    fill(passes);
    // What was called an error is one, whatever the pass made of it.
    if (succeeded(passes.run(module)) && !diagnostics.sawError)
      return true;
    result.code = diagnostics.sawUnsupported ? ExitCode::unsupported : ExitCode::internal;
    return false;
  };
  std::vector<std::string> bindings;
  if (!options.shapes.empty()) {
    auto found = bindingsOf(module.lookupSymbol<func::FuncOp>("main"), options.shapes);
    if (!found)
      return fail(ExitCode::badModel, "optc: error: " + llvm::toString(found.takeError()));
    bindings = std::move(*found);
  }
  if (!run([&](PassManager &passes) {
        if (!options.shapes.empty())
          passes.addPass(createSpecializeShapes({llvm::to_vector(bindings)}));
        buildRecognition(passes, !gpuTargets.empty());
      }))
    return result;
  std::vector<std::string> notes;
  if (size_t count = imported.defaulted.size())
    notes.push_back(std::to_string(count) + (count == 1 ? " input is a constant because it has an initialiser ('" : " inputs are constants because they have initialisers ('") +
                    imported.defaulted.front() + (count == 1 ? "')" : "', ...)") + ": --keep-inputs leaves such inputs as they are");
  // A GPU's tensor cores are faster with fewer bits, whatever the layer.
  std::vector<std::string> levels;
  if (gpuTargets.empty())
    for (const CpuTarget &target : targets)
      levels.push_back(target.costModel());
  PipelineOptions pipeline;
  pipeline.gpu = !gpuTargets.empty();
  pipeline.keepRounding = options.keepRounding;
  if (!options.quantization.int8)
    pipeline.levels = levels;
  else if (Error error = prepareQuantization(module, options.quantization, levels, options.jobs, progress, learnt.calibration, notes))
    return failWith(error);
  pipeline.fma = llvm::all_of(targets, [](const CpuTarget &target) { return target.has(OPTC_CPU_X86_64_V3); });
  pipeline.weights = options.weights == "fp16" ? "f16" : options.weights == "fp8" ? "f8" : options.weights == "weights-int8" ? "int8" : options.weights;
  pipeline.weightBlock = options.weightBlock;
  pipeline.tiles = llvm::all_of(targets, [](const CpuTarget &target) { return target.has(OPTC_CPU_AMX); });
  pipeline.tables = !targets.empty() && gpuTargets.empty() && llvm::all_of(targets, [](const CpuTarget &target) { return target.has(OPTC_CPU_AVX512_VBMI); });
  if (!targets.empty() && gpuTargets.empty()) {
    pipeline.spreadsMasks = llvm::all_of(targets, [](const CpuTarget &target) { return target.spreadsMasks(); });
    pipeline.spreadsTwoOfFour = llvm::all_of(targets, [](const CpuTarget &target) { return target.spreadsTwoOfFour(); });
  }
  if ((options.weights == "bf16" || options.bfloat) && pipeline.gpu) {
    pipeline.bfloat = true;
  } else if (options.weights == "bf16" && !targets.empty()) {
    auto without = llvm::find_if(targets, [](const CpuTarget &target) { return !target.has(OPTC_CPU_AMX) && !target.bfloatDot(); });
    pipeline.bfloat = without == targets.end();
    if (!pipeline.bfloat)
      notes.push_back(without->name + " does not multiply bf16: --bf16 stores weights in it and computes in f32");
  }
  pipeline.tf32 = options.tf32;
  std::optional<WeightRounding> weights;
  if (!options.weights.empty()) {
    if (!options.quantization.int8)
      if (Error error = keepInFloat(module.lookupSymbol<func::FuncOp>("main"), options.quantization.keepFloat))
        return failWith(error);
    weights.emplace(module, WeightFormat{pipeline.weights, pipeline.weightBlock});
    // With --int8 samples choose ranges.
    if (!options.quantization.int8 && !options.quantization.calibration.empty())
      if (Error error = weights->roundByInputs(options.quantization.calibration, options.jobs, progress))
        return failWith(error);
  }
  if (!options.quantization.guard.golden.empty()) {
    GuardedLowering lowering{options.quantization.int8, weights ? &*weights : nullptr, onThisMachine(pipeline)};
    if (Error error = guardAccuracy(module, options.quantization.guard, lowering, options.jobs, progress, notes))
      return failWith(error);
  }
  if (weights)
    weights->apply(module);
  auto sayNotes = [&] {
    for (const std::string &note : std::exchange(notes, {}))
      result.messages.push_back(model + ": note: " + note);
  };
  sayNotes();
  if (options.emit == Emit::layers || options.emit == Emit::layersJson || options.emit == Emit::layersSvg) {
    const QuantizationOptions &quantization = options.quantization;
    std::vector<LayerError> errors;
    if (Error error = compareLayers(module, quantization.guard.golden.empty() ? quantization.calibration : quantization.guard.golden,
                                    options.jobs, progress, errors))
      return failWith(error);
    auto format = options.emit == Emit::layers ? layerTable : options.emit == Emit::layersJson ? layerJson : layerSvg;
    return writeText(options, format(errors), result);
  }
  progress("optimise");
  if (!run([&](PassManager &passes) {
        if (options.quantization.int8)
          passes.addNestedPass<func::FuncOp>(createInsertQuantization({/*dynamic=*/true}));
        buildLowering(passes, pipeline);
      }))
    return result;
  if (!pipeline.levels.empty())
    noteFloatRegions(module, notes);
  if (!options.tuning.empty()) {
    std::vector<TunableKernel> kernels = tunableKernels(module.lookupSymbol<func::FuncOp>("main"), targets, gpuTargets);
    if (options.tune)
      if (Error error = measureTilings(kernels, targets, gpuTargets, options, progress, learnt.tuning))
        return failWith(error);
    size_t known = applyTuning(kernels, learnt.tuning);
    notes.push_back(llvm::formatv("{0} of {1} kernels that may be cut in several ways are as {2} has them", known, kernels.size(), llvm::sys::path::filename(options.tuning)));
  }
  sayNotes();
  if (options.emit == Emit::mlir)
    return writeText(options, printModule(module), result);

  if (isGpuEmit(options.emit)) {
    progress("generate kernels for " + gpuTargets.front().name);
    auto text = emitForGpu(module.lookupSymbol<func::FuncOp>("main"), gpuTargets.front(), options, result);
    return text ? writeText(options, *text, result) : result;
  }

  progress("plan");
  auto main = module.lookupSymbol<func::FuncOp>("main");
  ReportHeader header{OPTC_VERSION, "optc", {}};
  for (const CpuTarget &target : targets) {
    header.targets.push_back(target.name);
    header.command += " --target=" + target.name;
  }
  for (const std::string &shape : options.shapes)
    header.command += " --shape=" + shape;
  for (const LoraAdapter &adapter : options.adapters) {
    header.command += " --merge-lora=" + llvm::sys::path::filename(adapter.path).str();
    if (adapter.scale)
      header.command += llvm::formatv("={0}", *adapter.scale).str();
  }
  for (const std::string &pattern : options.keepInputs)
    header.command += " --keep-inputs=" + pattern;
  header.command += commandOf(options.quantization);
  if (options.keepRounding)
    header.command += " --keep-rounding";
  if (!options.weights.empty())
    header.command += " --" + options.weights;
  if (options.weightBlock)
    header.command += " --int4-block=" + std::to_string(options.weightBlock);
  if (options.bfloat)
    header.command += " --bf16";
  if (options.tf32)
    header.command += " --tf32";
  if (options.lineInfo)
    header.command += " --line-info";
  if (!options.tuning.empty())
    header.command += " --tuning=" + llvm::sys::path::filename(options.tuning).str();
  for (const GpuTarget &target : gpuTargets) {
    header.targets.push_back(target.name);
    header.command += " --target=" + target.name;
  }
  std::optional<DeviceCode> device;
  if (!gpuTargets.empty()) {
    progress("generate kernels for GPUs");
    device = compileForGpus(main, gpuTargets, options, result);
    if (!device)
      return result;
    progress("plan");
  }
  auto built = buildPlan(main, header, device ? &*device : nullptr);
  if (failed(built)) {
    result.code = diagnostics.sawUnsupported ? ExitCode::unsupported : ExitCode::internal;
    return result;
  }
  if (options.emit == Emit::plan)
    return writeText(options, print(built->plan), result);
  if (options.emit == Emit::report)
    return writeText(options, built->plan.report + "\n", result);
  if (options.emit == Emit::kernels) {
    std::string text;
    for (const std::string &kernel : built->kernelTexts)
      text += kernel + "\n";
    return writeText(options, text, result);
  }
  if (options.emit == Emit::llvm || options.emit == Emit::assembly) {
    std::string text;
    for (auto [i, kernel] : llvm::enumerate(built->kernelTexts)) {
      auto one = emitKernelText(kernel, i, targets.front(), options.emit == Emit::llvm ? KernelText::llvm : KernelText::assembly);
      if (!one)
        return fail(ExitCode::internal, "optc: internal error: " + llvm::toString(one.takeError()));
      text += *one;
    }
    return writeText(options, text, result);
  }

  // What is not compiled code, or not the GPU's, is said, not only recorded.
  using Fallback = CompileOptions::Fallback;
  bool isError = options.fallback == Fallback::error && !gpuTargets.empty();
  std::string kind = isError ? ": error: node '" : ": note: node '";
  size_t before = result.messages.size();
  for (const HostKernel &kernel : built->hostKernels)
    result.messages.push_back(model + kind + kernel.node + "' (" + kernel.kind + "): " + kernel.reason + ": it runs on the CPU");
  for (const LibraryCall &call : built->libraryCalls)
    result.messages.push_back(model + kind + call.node + "': " + call.reason() + ": it runs as a library step");
  if (isError && result.messages.size() > before) {
    result.code = ExitCode::policy;
    return result;
  }
  if (options.fallback == Fallback::allow)
    result.messages.resize(before);
  if (Error error = writeCompiled(*built, targets, options.jobs, options.output, progress))
    return failWith(error);
  return result;
}

CompileResult optc::compile(const CompileOptions &options) {
  Learnt learnt;
  CompileResult result = ::compile(options, learnt);
  if (result.code != ExitCode::ok)
    return result;
  // Last: a compile that fails before leaves no file.
  auto keep = [&](Error error) {
    if (!error || result.code != ExitCode::ok)
      return;
    if (!options.output.empty() && options.output != "-")
      llvm::sys::fs::remove(options.output);
    result.messages.push_back(error.where + ": error: " + error.message);
    result.code = error.exitCode;
  };
  if (const std::string &save = options.quantization.save; !save.empty())
    keep(writeCalibration(save, learnt.calibration));
  if (options.tune)
    keep(writeTuning(options.tuning, learnt.tuning));
  return result;
}
