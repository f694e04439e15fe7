//===- Package.h - The artefact ---------------------------------*- C++ -*-===//
//
// Objects + plan + weights -> one shared object (runtime/Artefact.h has its layout). The same
// input gives the same bytes whatever the path, the machine and the number of jobs.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_PACKAGE_PACKAGE_H
#define OPTC_CODEGEN_PACKAGE_PACKAGE_H

#include "codegen/plan/PlanBuilder.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace optc {

/// Kernels of one CPU level: relocatable objects that define `optc_kernel_<i>_<suffix>` for each kernel i.
struct CompiledLevel {
  std::string name;     // "x86-64-v3"
  std::string suffix;   // "v3": part of symbol names
  uint64_t features;    // OptcCpuFeature bits
  std::vector<std::string> objects;
};

/// Writes the artefact to `path` (through a temporary name). Error: a message for the user.
llvm::Error writeArtefact(BuiltPlan &built, llvm::ArrayRef<CompiledLevel> levels, llvm::StringRef path);

/// Evaluates the weights into one stream, equal contents once, each 64-byte aligned; sets the offsets of the plan's
/// weight storages. Returns the number of bytes.
llvm::Expected<uint64_t> writeWeights(BuiltPlan &built, llvm::raw_ostream &out, uint64_t &hash);

} // namespace optc

#endif // OPTC_CODEGEN_PACKAGE_PACKAGE_H
