//===- Target.h - CPU targets -----------------------------------*- C++ -*-===//
//
// What a level of an artefact is compiled for: the LLVM CPU, the vector width that generators use,
// and the features that the loader must find.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_TARGET_H
#define OPTC_CODEGEN_CPU_TARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>
#include <vector>

namespace llvm {
class Module;
}

namespace optc {

struct CpuTarget {
  std::string name;   // the level and what the CPU has beyond it: "x86-64-v4+avx512vnni+amx"
  std::string cpu;    // LLVM's name of the level
  std::string suffix; // part of symbol names
  uint64_t features = 0; // OptcCpuFeature bits
  /// Bytes of a vector register: 16, 32 or 64.
  unsigned vectorBytes = 16;
  unsigned vectorRegisters = 16;
  /// Elements of `bytes` bytes in a register.
  unsigned lanes(unsigned bytes) const { return vectorBytes / bytes; }
  bool has(uint64_t feature) const { return (features & feature) == feature; }
  /// The OptcCpuFeature with which it multiplies and sums bytes in vectors of its width; 0: it has none.
  uint64_t byteDot() const;
  /// The same of pairs of bf16, where that is faster than products of f32: on CPUs with AMX, vdpbf16ps has 0.7 times the speed.
  uint64_t bfloatDot() const;
  /// Spreads 8-bit codes without zeros in vectors and multiplies them as fast as they come from memory: by masks, and 2 of 4.
  bool spreadsMasks() const;
  bool spreadsTwoOfFour() const;
  /// Its name among the models of costs (codegen/kernel/CostModel.h).
  std::string costModel() const;
};

/// The target of a name of --target: "native", LLVM's name of a CPU, or a level with extensions. An error says what there is.
llvm::Expected<CpuTarget> parseCpuTarget(llvm::StringRef name);
/// LLVM's names of the features beyond a level among OptcCpuFeature bits: "+avx512vnni,+amx-int8,+amx-tile".
std::string llvmFeatures(uint64_t features);
/// x86-64 without extensions: for code that only holds data.
const CpuTarget &baselineTarget();
std::vector<std::string> listCpuTargets();

/// Optimises nothing; runs LLVM's code generator. The bytes of a relocatable ELF object.
llvm::Expected<std::string> emitObject(llvm::Module &module, const CpuTarget &target);
/// The same as assembly text.
llvm::Expected<std::string> emitAssembly(llvm::Module &module, const CpuTarget &target);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_TARGET_H
