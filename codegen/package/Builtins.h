//===- Builtins.h - What LLVM may call, carried along -----------*- C++ -*-===//
#ifndef OPTC_CODEGEN_PACKAGE_BUILTINS_H
#define OPTC_CODEGEN_PACKAGE_BUILTINS_H

#include "llvm/Support/Error.h"

namespace optc {
/// An object with hidden memcpy, memmove and memset: instruction selection may call them, and an artefact has no
/// library to find them in.
llvm::Expected<std::string> emitBuiltins();
} // namespace optc

#endif // OPTC_CODEGEN_PACKAGE_BUILTINS_H
