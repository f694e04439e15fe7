//===- Json.h - JSON that is not trusted ------------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_JSON_H
#define OPTC_TOOLS_COMPILER_JSON_H

#include "tools/tensors/Error.h"
#include "llvm/Support/JSON.h"

namespace optc {

/// Parses `text` of the file at `path`. What nests deeply, which LLVM's parser would follow on the stack, is an error.
Error parseJson(const std::string &path, llvm::StringRef text, llvm::json::Value &value);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_JSON_H
