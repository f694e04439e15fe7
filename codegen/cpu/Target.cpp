//===- Target.cpp - CPU targets and LLVM's code generator -----------------===//

#include "codegen/cpu/Target.h"
#include "runtime/Artefact.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace optc;
using namespace llvm;

static constexpr const char *kTriple = "x86_64-unknown-linux-gnu";

static void initialize() {
  static const bool once = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser(); // the builtins are inline assembly
    return true;
  }();
  (void)once;
}

const CpuTarget &optc::baselineTarget() {
  static const CpuTarget target{"x86-64", "x86-64", "base", 0, 16, 16};
  return target;
}

std::vector<std::string> optc::listCpuTargets() {
  SmallVector<StringRef> names;
  X86::fillValidCPUArchList(names, /*Only64Bit=*/true);
  std::vector<std::string> all{"native"};
  for (StringRef n : names)
    all.push_back(n.str());
  return all;
}

Expected<CpuTarget> optc::parseCpuTarget(StringRef name) {
  initialize();
  CpuTarget target;
  target.name = name.str();
  target.cpu = name == "native" ? sys::getHostCPUName().str() : name.str();
  SmallVector<StringRef> valid;
  X86::fillValidCPUArchList(valid, true);
  if (!is_contained(valid, target.cpu))
    return createStringError("unknown target '" + name + "' (--list-targets shows them all)");
  StringMap<bool> has;
  if (name == "native") {
    // A virtual machine may hide features that its CPU model has.
    for (auto &f : sys::getHostCPUFeatures())
      has[f.getKey()] = f.getValue();
  } else {
    SmallVector<StringRef> features;
    X86::getFeaturesForCPU(target.cpu, features);
    for (StringRef f : features)
      has[f] = true;
  }
  auto all = [&](std::initializer_list<const char *> names) {
    return all_of(names, [&](const char *n) { return has.lookup(n); });
  };
  // LLVM's lists leave out what another feature implies.
  if (all({"sse4.2", "popcnt"}))
    target.features |= OPTC_CPU_X86_64_V2;
  if (all({"avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe"}))
    target.features |= OPTC_CPU_X86_64_V3;
  bool v3 = target.features & OPTC_CPU_X86_64_V3;
  if (v3 && all({"avx512dq", "avx512cd", "avx512bw", "avx512vl"}))
    target.features |= OPTC_CPU_X86_64_V4;
  bool v4 = target.features & OPTC_CPU_X86_64_V4;
  // Kernels are generated for the level of the x86-64 psABI; what lies beyond it is not used yet, so it is not
  // asked for either.
  target.cpu = v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : target.features ? "x86-64-v2" : "x86-64";
  target.vectorBytes = v4 ? 64 : v3 ? 32 : 16;
  target.vectorRegisters = v4 ? 32 : 16;
  target.suffix = v4 ? "v4" : v3 ? "v3" : target.features ? "v2" : "v1";
  target.name = target.cpu;
  return target;
}

static Expected<std::string> emit(Module &module, const CpuTarget &target, CodeGenFileType type) {
  initialize();
  std::string error;
  const Target *backend = TargetRegistry::lookupTarget(kTriple, error);
  if (!backend)
    return createStringError(error);
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Standard;
  options.FunctionSections = options.DataSections = true;
  std::unique_ptr<TargetMachine> machine(backend->createTargetMachine(kTriple, target.cpu, "", options, Reloc::PIC_, std::nullopt,
                                                                      CodeGenOptLevel::Default));
  module.setTargetTriple(kTriple);
  module.setDataLayout(machine->createDataLayout());
  SmallVector<char, 0> bytes;
  raw_svector_ostream os(bytes);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, os, nullptr, type))
    return createStringError("LLVM cannot emit this file type");
  passes.run(module);
  return std::string(bytes.begin(), bytes.end());
}

Expected<std::string> optc::emitObject(Module &module, const CpuTarget &target) {
  return emit(module, target, CodeGenFileType::ObjectFile);
}
Expected<std::string> optc::emitAssembly(Module &module, const CpuTarget &target) {
  return emit(module, target, CodeGenFileType::AssemblyFile);
}
