//===- Json.h - JSON that is not trusted ------------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_COMPILER_JSON_H
#define OPTC_TOOLS_COMPILER_JSON_H

#include "tools/tensors/Error.h"
#include "llvm/Support/JSON.h"

namespace optc {

/// Parses `text` of the file at `path`. What nests deeply, which LLVM's parser would follow on the stack, is an error.
Error parseJson(const std::string &path, llvm::StringRef text, llvm::json::Value &value);
/// Reads a file whose top is an object with this "format" and "version". `what`: "a calibration file (--save-calib writes one)".
Error readJsonFile(const std::string &path, llvm::StringRef format, int64_t version, llvm::StringRef what, llvm::json::Object &top);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_JSON_H
