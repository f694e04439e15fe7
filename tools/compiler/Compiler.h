//===- Compiler.h - From a model to an artefact -----------------*- C++ -*-===//
//
// The whole compile as one function: import, passes, plan, code, package. The command line, the
// Python package and tests call it.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_COMPILER_H
#define OPTC_TOOLS_COMPILER_COMPILER_H

#include "tools/compiler/MergeLora.h"
#include "tools/compiler/Quantize.h"
#include "tools/tensors/Error.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace optc {

enum class Emit { so, mlir, kernels, plan, llvm, assembly, report, cuda, ptx, cubin, layers, layersJson, layersSvg };

struct CompileOptions {
  std::string model;
  std::string output; // empty with a textual emit: standard output
  Emit emit = Emit::so;
  std::vector<std::string> targets = {"native"};
  /// Sizes of inputs, NAME=1x3x224x224: their symbolic dims are fixed everywhere.
  std::vector<std::string> shapes;
  /// Adapters whose products are added to weights, in this order.
  std::vector<LoraAdapter> adapters;
  /// Patterns of inputs that stay inputs although they have an initialiser.
  std::vector<std::string> keepInputs;
  QuantizationOptions quantization;
  /// How weights are stored, by the flag: bf16, fp16, fp8, weights-int8, int4; empty: as the model has them.
  std::string weights;
  /// --bf16 beside another format of weights, for GPUs: products in bf16.
  bool bfloat = false;
  /// Of GPUs: products of f32 are of tf32.
  bool tf32 = false;
  /// Weights of int4 that share a scale; 0: 32.
  int64_t weightBlock = 0;
  /// Every quantisation of the model rounds as it is written.
  bool keepRounding = false;
  /// File that says how kernels are cut (tools/compiler/TuningFile.h); empty: as is estimated. `tune`: what it lacks is measured on this machine first.
  std::string tuning;
  bool tune = false;
  /// File of the NVRTC library; empty: where it is usually found.
  std::string nvrtc;
  /// Code for GPUs is kept in a folder and taken from there; empty: codegen/gpu/CodeCache.h's usual one.
  bool cache = true;
  std::string cacheFolder;
  /// Nodes' names and lines of source in machine code, for profilers.
  bool lineInfo = false;
  /// What is to happen where a step leaves the GPU.
  enum class Fallback { report, allow, error } fallback = Fallback::report;
  /// CUDA C++ in place of machine code, for tests without a GPU.
  bool hostEmulation = false;
  unsigned jobs = 0; // 0: the cores this process may use
  bool verifyPasses = false;
  bool printAfterAll = false;
  bool timing = false;
  /// One line of progress; empty: none.
  std::function<void(const std::string &)> progress;
};

struct CompileResult {
  ExitCode code = ExitCode::ok;
  /// Clang-shaped lines, in order.
  std::vector<std::string> messages;
};

CompileResult compile(const CompileOptions &options);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_COMPILER_H
