//===- Descriptor.h - The symbol that an artefact exports -------*- C++ -*-===//
#ifndef OPTC_CODEGEN_PACKAGE_DESCRIPTOR_H
#define OPTC_CODEGEN_PACKAGE_DESCRIPTOR_H

#include "codegen/package/Package.h"

namespace optc {
/// An object that defines `optc_model` (OptcDescriptor): the plan's bytes, code of GPUs, and each level's table of kernels.
llvm::Expected<std::string> emitDescriptor(llvm::StringRef plan, llvm::StringRef images, size_t kernels, llvm::ArrayRef<CompiledLevel> levels);
} // namespace optc

#endif // OPTC_CODEGEN_PACKAGE_DESCRIPTOR_H
