//===- CompileUnits.h - Kernels to modules, in parallel ---------*- C++ -*-===//
#ifndef OPTC_CODEGEN_GPU_COMPILEUNITS_H
#define OPTC_CODEGEN_GPU_COMPILEUNITS_H

#include "codegen/gpu/CodeCache.h"
#include "codegen/gpu/GenerateDeviceCode.h"
#include "codegen/gpu/Nvrtc.h"

namespace optc {

/// Of each unit a module, from the cache where it is there. The bytes do not depend on the number of threads (0: one a core) and on
/// what the cache has. The error is that of the first unit that has one.
llvm::Expected<std::vector<std::string>> compileUnits(const Nvrtc &nvrtc, llvm::ArrayRef<DeviceUnit> units, CodeCache &cache, unsigned jobs);

} // namespace optc

#endif // OPTC_CODEGEN_GPU_COMPILEUNITS_H
