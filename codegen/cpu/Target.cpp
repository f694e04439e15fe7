//===- Target.cpp - CPU targets and LLVM's code generator -----------------===//

#include "codegen/cpu/Target.h"
#include "runtime/Artefact.h"
#include "llvm/ADT/StringExtras.h"
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

namespace {
/// What a CPU may have beyond a level.
struct Extension {
  uint64_t bit;
  const char *name;
  SmallVector<const char *> llvm;
  bool v4; // of AVX-512's registers, else of AVX's
};
} // namespace

static ArrayRef<Extension> extensions() {
  static const Extension all[] = {{OPTC_CPU_AVX_VNNI, "avxvnni", {"avxvnni"}, false},
                                  {OPTC_CPU_AVX512_VNNI, "avx512vnni", {"avx512vnni"}, true},
                                  {OPTC_CPU_AVX512_VBMI, "avx512vbmi", {"avx512vbmi"}, true},
                                  {OPTC_CPU_AVX512_VBMI2, "avx512vbmi2", {"avx512vbmi2"}, true},
                                  {OPTC_CPU_AVX512_BF16, "avx512bf16", {"avx512bf16"}, true},
                                  {OPTC_CPU_AVX512_FP16, "avx512fp16", {"avx512fp16"}, true},
                                  {OPTC_CPU_AMX, "amx", {"amx-tile", "amx-int8", "amx-bf16"}, true}};
  return all;
}

uint64_t CpuTarget::byteDot() const {
  uint64_t feature = vectorBytes == 64 ? OPTC_CPU_AVX512_VNNI : OPTC_CPU_AVX_VNNI;
  return has(feature) ? feature : 0;
}

uint64_t CpuTarget::bfloatDot() const {
  return vectorBytes == 64 && !(features & OPTC_CPU_AMX) ? features & OPTC_CPU_AVX512_BF16 : 0;
}

bool CpuTarget::spreadsMasks() const { return vectorBytes == 64 && has(OPTC_CPU_AVX512_VBMI2) && byteDot(); }
bool CpuTarget::spreadsTwoOfFour() const { return vectorBytes >= 32 && byteDot(); }

std::string CpuTarget::costModel() const {
  if (has(OPTC_CPU_AMX))
    return "amx";
  std::string vectors = vectorBytes == 64 ? "avx512" : vectorBytes == 32 ? "avx2" : "sse";
  return byteDot() ? vectors + "-vnni" : vectors;
}

std::string optc::llvmFeatures(uint64_t features) {
  std::string text;
  for (const Extension &e : extensions())
    if (features & e.bit)
      for (const char *name : e.llvm)
        text += (text.empty() ? "+" : ",+") + std::string(name);
  return text;
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
  StringRef whole = name;
  SmallVector<StringRef> wanted;
  std::tie(name, whole) = whole.split('+');
  whole.split(wanted, '+', -1, /*KeepEmpty=*/false);
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
  for (StringRef extra : wanted) {
    const Extension *known = find_if(extensions(), [&](const Extension &e) { return extra == e.name; });
    if (known == extensions().end())
      return createStringError("unknown extension '" + extra + "' of a target; there are " +
                               join(map_range(extensions(), [](const Extension &e) { return StringRef(e.name); }), ", "));
    for (const char *f : known->llvm)
      has[f] = true;
  }
  auto all = [&](ArrayRef<const char *> names) {
    return all_of(names, [&](const char *n) { return has.lookup(n); });
  };
  // LLVM's lists leave out what another feature implies.
  if (all(ArrayRef<const char *>{"sse4.2", "popcnt"}))
    target.features |= OPTC_CPU_X86_64_V2;
  if (all(ArrayRef<const char *>{"avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe"}))
    target.features |= OPTC_CPU_X86_64_V3;
  bool v3 = target.features & OPTC_CPU_X86_64_V3;
  if (v3 && all(ArrayRef<const char *>{"avx512dq", "avx512cd", "avx512bw", "avx512vl"}))
    target.features |= OPTC_CPU_X86_64_V4;
  bool v4 = target.features & OPTC_CPU_X86_64_V4;
  // LLVM generates code for the level of the x86-64 psABI; what lies beyond it is used by the generators that ask for it,
  // and only then asked of the CPU.
  target.cpu = v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : target.features ? "x86-64-v2" : "x86-64";
  target.vectorBytes = v4 ? 64 : v3 ? 32 : 16;
  target.vectorRegisters = v4 ? 32 : 16;
  target.suffix = v4 ? "v4" : v3 ? "v3" : target.features ? "v2" : "v1";
  target.name = target.cpu;
  for (const Extension &e : extensions())
    if ((e.v4 ? v4 : v3) && all(e.llvm)) {
      target.features |= e.bit;
      target.name += std::string("+") + e.name;
      target.suffix += std::string("_") + e.name;
    }
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
