//===- main.cpp - The optc command line -----------------------------------===//
//
// Flags in, CompileOptions out; the work is in tools/compiler.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Target.h"
#include "codegen/gpu/Target.h"
#include "tools/compiler/Compiler.h"
#include <cxxopts.hpp>
#include <iostream>
#include <map>
#include <unistd.h>

using namespace optc;

static int usageError(const std::string &message) {
  std::cerr << "optc: error: " << message << "\noptc: hint: optc --help lists the flags\n";
  return int(ExitCode::badModel);
}

static bool isSwitch(const cxxopts::OptionValue &flag) {
  try {
    flag.as<bool>();
    return true;
  } catch (const std::bad_cast &) {
    return false;
  }
}

/// What is wrong with the values of the flags whatever they are for: an unset variable of a script is not the default.
static std::string checkValues(const cxxopts::ParseResult &flags) {
  for (const cxxopts::KeyValue &given : flags.arguments()) {
    if (given.value().empty())
      return "--" + given.key() + " has no value";
    if (isSwitch(flags[given.key()]) && given.value() != "true")
      return "--" + given.key() + " takes no value";
  }
  return "";
}

/// The flags of --int8 and of `weights`, the flag that says how weights are stored, if there is one; what is wrong with them, or
/// an empty text.
static std::string readQuantization(const cxxopts::ParseResult &flags, const std::string &weights, QuantizationOptions &options) {
  options.int8 = flags.count("int8");
  for (const char *flag : {"calib-method", "bias-correction", "equalize", "smooth-quant", "save-calib", "load-calib"})
    if (flags.count(flag) && !options.int8)
      return std::string("--") + flag + " has an effect with --int8 only";
  for (const char *flag : {"keep-float", "golden", "max-error", "metric", "max-drop", "preprocess"})
    if (flags.count(flag) && !options.int8 && weights.empty())
      return std::string("--") + flag + " has an effect with --int8 or fewer bits for weights only";
  if (flags.count("calib") && !options.int8 && weights != "int4" && weights != "weights-int8")
    return "--calib has an effect with --int8, --int4 and --weights-int8 only";
  auto text = [&](const char *flag) { return flags.count(flag) ? flags[flag].as<std::string>() : ""; };
  options.calibration.path = text("calib");
  options.save = text("save-calib");
  options.load = text("load-calib");
  if (!options.load.empty() && !options.calibration.empty())
    return "--calib and --load-calib both give the ranges: one is enough";
  if (options.calibration.empty() && (!options.save.empty() || flags.count("calib-method")))
    return "--save-calib and --calib-method have an effect with --calib only";
  for (const char *flag : {"bias-correction", "equalize", "smooth-quant"})
    if (flags.count(flag) && options.calibration.empty())
      return std::string("--") + flag + " has an effect with --calib only";
  options.correctBias = flags.count("bias-correction");
  options.equalize = flags.count("equalize");
  if (flags.count("smooth-quant")) {
    auto alpha = parseLimit(text("smooth-quant"));
    if (!alpha || *alpha > 1)
      return "--smooth-quant=" + text("smooth-quant") + " is not between 0 and 1";
    options.smoothAlpha = *alpha;
  }
  auto method = parseCalibrationMethod(flags["calib-method"].as<std::string>());
  if (!method)
    return "--calib-method=" + flags["calib-method"].as<std::string>() + " is none of minmax, percentile, entropy, mse";
  options.method = *method;
  options.guard.golden.path = text("golden");
  options.guard.metric = text("metric");
  bool hasError = flags.count("max-error"), hasMetric = flags.count("metric");
  if (hasError && hasMetric)
    return "--max-error and --metric both say what decides: one is enough";
  if (flags.count("max-drop") != flags.count("metric"))
    return "--metric and --max-drop have an effect together only";
  if (options.guard.golden.empty() == (hasError || hasMetric))
    return hasMetric ? "--metric has an effect with --golden only" : "--golden and --max-error have an effect together only";
  for (auto [flag, limit] : {std::pair("max-error", &options.guard.maxError), std::pair("max-drop", &options.guard.maxDrop)})
    if (flags.count(flag)) {
      auto value = parseLimit(text(flag));
      if (!value)
        return std::string("--") + flag + "=" + text(flag) + " is not a share such as 0.5% or 0.005";
      *limit = *value;
    }
  if (flags.count("preprocess")) {
    Preprocess preprocess;
    if (options.calibration.empty() && options.guard.golden.empty())
      return "--preprocess has an effect with --calib or --golden only";
    if (std::string problem = parsePreprocess(text("preprocess"), preprocess); !problem.empty())
      return "--preprocess: " + problem;
    options.calibration.preprocess = options.guard.golden.preprocess = preprocess;
  }
  if (flags.count("keep-float"))
    options.keepFloat = flags["keep-float"].as<std::vector<std::string>>();
  return "";
}

int main(int argc, char **argv) {
  cxxopts::Options options("optc", "Compiles an ONNX model into one shared object that runs it.");
  options.positional_help("model.onnx").show_positional_help();
  options.add_options()
    ("model", "the model (.onnx, .onnxtxt)", cxxopts::value<std::string>())
    ("o,output", "file to write", cxxopts::value<std::string>())
    ("emit", "so, mlir, kernels, plan, llvm, asm, report; of a GPU target: cuda, ptx, cubin", cxxopts::value<std::string>()->default_value("so"))
    ("target", "CPU or list of CPUs: native, x86-64-v3, ...; or a GPU: sm_90, ...", cxxopts::value<std::vector<std::string>>()->default_value("native"))
    ("shape", "sizes of an input, NAME=1x3x224x224", cxxopts::value<std::vector<std::string>>())
    ("merge-lora", "adapter (.safetensors, .onnx_adapter) added to the weights, FILE or FILE=SCALE", cxxopts::value<std::vector<std::string>>())
    ("keep-inputs", "inputs that stay inputs although they have an initialiser, by patterns of names", cxxopts::value<std::vector<std::string>>()->implicit_value("*"))
    ("bf16", "convolutions and products in bf16 where the CPU has it, else weights in bf16")
    ("tf32", "products of fp32 in tf32 on a GPU's tensor cores")
    ("fp16", "weights in fp16, arithmetic in fp32")
    ("fp8", "weights in fp8 (e4m3), arithmetic in fp32")
    ("weights-int8", "weights in 8 bits, arithmetic in fp32")
    ("int4", "weights in 4 bits, arithmetic in fp32")
    ("int4-block", "weights of --int4 that share a scale", cxxopts::value<int64_t>()->default_value("32"))
    ("list-targets", "print the targets")
    ("int8", "convolutions and matrix products in 8 bits")
    ("calib", "sets of inputs that ranges or weights are chosen by: a folder of folders or of pictures, or a .npz", cxxopts::value<std::string>())
    ("preprocess", "how pictures of --calib and --golden become inputs: resize=256,crop=224,mean=...,std=...", cxxopts::value<std::string>())
    ("calib-method", "minmax, percentile, entropy or mse", cxxopts::value<std::string>()->default_value("mse"))
    ("bias-correction", "take out of the biases what 8 bits move each channel by, over the calibration data")
    ("equalize", "like ranges of the channels between convolutions, by their weights")
    ("smooth-quant", "like ranges of the channels of normalisations, by the calibration data: 0.5", cxxopts::value<std::string>()->implicit_value("0.5"))
    ("keep-float", "nodes that stay in floats", cxxopts::value<std::vector<std::string>>())
    ("keep-rounding", "round every quantisation of the model as it is written")
    ("save-calib", "file to keep the ranges in", cxxopts::value<std::string>())
    ("load-calib", "file with ranges that --save-calib wrote", cxxopts::value<std::string>())
    ("golden", "sets of inputs, perhaps outputs, that the model is measured on", cxxopts::value<std::string>())
    ("max-error", "how far it may be from them: 0.5%", cxxopts::value<std::string>())
    ("metric", "command that gives the worth of {outputs}, a folder with those of each golden set", cxxopts::value<std::string>())
    ("max-drop", "how far the metric may be below that of f32: 0.01", cxxopts::value<std::string>())
    ("compare-layers", "print each node's error in 8 bits, worst first: text, json, svg", cxxopts::value<std::string>()->implicit_value("text"))
    ("tune", "measure on this machine how kernels are cut best, keep it in a file, and cut them so", cxxopts::value<std::string>())
    ("tuning", "cut kernels as a file of --tune has them", cxxopts::value<std::string>())
    ("nvrtc", "NVRTC's library, for what runs on GPUs", cxxopts::value<std::string>()->default_value(""))
    ("cache-dir", "folder that keeps code for GPUs from compile to compile", cxxopts::value<std::string>())
    ("no-cache", "code for GPUs is neither kept nor taken from where it is kept")
    ("line-info", "names of nodes and lines of source in code for GPUs, for profilers")
    ("fallback", "steps that a GPU has no code for: report, allow, error", cxxopts::value<std::string>()->default_value("report"))
    ("emit-host-emulation", "with a GPU's target: an artefact for tests on a machine without one")
    ("jobs", "kernels compiled at a time (0: one a core)", cxxopts::value<unsigned>()->default_value("0"))
    ("verify-passes", "verify the IR after every pass")
    ("print-after-all", "print the IR after every pass that changes it")
    ("timing", "print the time of every pass")
    ("q,quiet", "no progress")
    ("version", "print the version")
    ("h,help", "print this");
  options.parse_positional({"model"});
  try {
    cxxopts::ParseResult flags = options.parse(argc, argv);
    if (flags.count("help")) {
      std::cout << options.help() << "\n";
      return 0;
    }
    if (flags.count("version")) {
      std::cout << "optc " OPTC_VERSION "\n";
      return 0;
    }
    if (flags.count("list-targets")) {
      for (const auto &names : {listCpuTargets(), listGpuTargets()})
        for (const std::string &name : names)
          std::cout << name << "\n";
      return 0;
    }
    if (!flags.unmatched().empty())
      return usageError("unexpected argument '" + flags.unmatched().front() + "'");
    if (!flags.count("model"))
      return usageError("no model given");
    if (std::string problem = checkValues(flags); !problem.empty())
      return usageError(problem);
    CompileOptions compile;
    compile.model = flags["model"].as<std::string>();
    compile.keepRounding = flags.count("keep-rounding");
    compile.targets = flags["target"].as<std::vector<std::string>>();
    if (flags.count("shape"))
      compile.shapes = flags["shape"].as<std::vector<std::string>>();
    if (flags.count("merge-lora"))
      for (const std::string &flag : flags["merge-lora"].as<std::vector<std::string>>())
        compile.adapters.push_back(parseLoraFlag(flag));
    if (flags.count("keep-inputs"))
      compile.keepInputs = flags["keep-inputs"].as<std::vector<std::string>>();
    for (const char *flag : {"bf16", "fp16", "fp8", "weights-int8", "int4"})
      if (flags.count(flag)) {
        // On a GPU bf16 is what products of other weights compute in.
        compile.bfloat = compile.weights == "bf16" && llvm::StringRef(flag) != "fp16";
        if (!compile.weights.empty() && !compile.bfloat)
          return usageError("--" + compile.weights + " and --" + flag + " both say how weights are stored");
        compile.weights = flag;
      }
    compile.tf32 = flags.count("tf32");
    if (compile.tf32 && flags.count("bf16"))
      return usageError("--tf32 and --bf16 both say what products compute in");
    if (std::string problem = readQuantization(flags, compile.weights, compile.quantization); !problem.empty())
      return usageError(problem);
    if (flags.count("int4-block")) {
      compile.weightBlock = flags["int4-block"].as<int64_t>();
      if (compile.weights != "int4")
        return usageError("--int4-block has an effect with --int4 only");
      if (compile.weightBlock < 16 || compile.weightBlock > 65536 || compile.weightBlock % 8 != 0)
        return usageError("--int4-block=" + std::to_string(compile.weightBlock) + ": expected a multiple of 8 from 16 to 65536");
    }
    if (flags.count("tune") && flags.count("tuning"))
      return usageError("--tune and --tuning both name the file: one is enough");
    compile.tune = flags.count("tune");
    if (compile.tune || flags.count("tuning"))
      compile.tuning = flags[compile.tune ? "tune" : "tuning"].as<std::string>();
    for (const char *flag : {"tune", "tuning"})
      if (flags.count(flag) && (flags.count("compare-layers") || flags["emit"].as<std::string>() == "ptx"))
        return usageError(std::string("--") + flag + " has no effect with " + (flags.count("compare-layers") ? "--compare-layers" : "--emit=ptx, which is for other chips"));
    compile.nvrtc = flags["nvrtc"].as<std::string>();
    compile.jobs = flags["jobs"].as<unsigned>();
    compile.verifyPasses = flags.count("verify-passes");
    compile.printAfterAll = flags.count("print-after-all");
    compile.timing = flags.count("timing");
    static const std::map<std::string, Emit> emits = {{"so", Emit::so},     {"mlir", Emit::mlir}, {"kernels", Emit::kernels},
                                                      {"plan", Emit::plan}, {"llvm", Emit::llvm}, {"asm", Emit::assembly},
                                                      {"report", Emit::report}, {"cuda", Emit::cuda}, {"ptx", Emit::ptx},
                                                      {"cubin", Emit::cubin}};
    auto emit = emits.find(flags["emit"].as<std::string>());
    if (emit == emits.end())
      return usageError("--emit=" + flags["emit"].as<std::string>() + " is none of so, mlir, kernels, plan, llvm, asm, report, cuda, ptx, cubin");
    compile.emit = emit->second;
    if (flags.count("compare-layers")) {
      const QuantizationOptions &quantization = compile.quantization;
      if (flags.count("emit"))
        return usageError("--compare-layers and --emit both say what to print: one is enough");
      if (!quantization.int8 || (quantization.calibration.empty() && quantization.guard.golden.empty()))
        return usageError("--compare-layers takes --int8 and samples, of --golden or --calib");
      std::string form = flags["compare-layers"].as<std::string>();
      if (form != "text" && form != "json" && form != "svg")
        return usageError("--compare-layers=" + form + " is none of text, json, svg");
      compile.emit = form == "text" ? Emit::layers : form == "json" ? Emit::layersJson : Emit::layersSvg;
    }
    if (flags.count("output"))
      compile.output = flags["output"].as<std::string>();
    else if (compile.emit == Emit::so)
      return usageError("no output given (-o model.so)");
    else if (compile.emit == Emit::cubin)
      return usageError("no output given (-o kernels.cubin)");
    bool hasGpu = llvm::any_of(compile.targets, [](const std::string &name) { return isGpuTargetName(name); });
    for (const char *flag : {"nvrtc", "cache-dir", "no-cache", "line-info", "fallback", "emit-host-emulation"})
      if (flags.count(flag) && !hasGpu)
        return usageError(std::string("--") + flag + " has an effect with the target of a GPU only");
    for (const char *flag : {"nvrtc", "cache-dir", "no-cache", "line-info"})
      if (flags.count(flag) && compile.emit == Emit::cuda)
        return usageError(std::string("--") + flag + " has an effect with what NVRTC compiles only: artefacts, --emit=ptx and --emit=cubin");
    if (flags.count("cache-dir") && flags.count("no-cache"))
      return usageError("--cache-dir and --no-cache: one is enough");
    compile.cache = !flags.count("no-cache");
    if (flags.count("cache-dir"))
      compile.cacheFolder = flags["cache-dir"].as<std::string>();
    compile.hostEmulation = flags.count("emit-host-emulation");
    compile.lineInfo = flags.count("line-info");
    static const std::map<std::string, CompileOptions::Fallback> fallbacks = {
        {"report", CompileOptions::Fallback::report}, {"allow", CompileOptions::Fallback::allow}, {"error", CompileOptions::Fallback::error}};
    auto fallback = fallbacks.find(flags["fallback"].as<std::string>());
    if (fallback == fallbacks.end())
      return usageError("--fallback=" + flags["fallback"].as<std::string>() + " is none of report, allow, error");
    compile.fallback = fallback->second;
    bool terminal = isatty(2) && !flags.count("quiet");
    if (terminal)
      compile.progress = [](const std::string &phase) { std::cerr << "\r\033[Koptc: " << phase << std::flush; };
    CompileResult result = optc::compile(compile);
    if (terminal)
      std::cerr << "\r\033[K";
    for (const std::string &message : result.messages)
      std::cerr << message << "\n";
    return int(result.code);
  } catch (const cxxopts::exceptions::exception &error) {
    return usageError(error.what());
  }
}
