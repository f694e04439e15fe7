//===- Error.h - What stops a tool -----------------------------*- C++ -*-===//
//
// An error has a place (a file, an artefact, or the tool itself), one line of text, perhaps a hint
// and the exit code. False: success.
//
//   model.so: error: input 'x': has type f64, expected f32
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_TENSORS_ERROR_H
#define OPTC_TOOLS_TENSORS_ERROR_H

#include <string>

namespace optc {

/// The exit status of every tool (docs/cli.md).
enum class ExitCode { ok = 0, badModel = 1, unsupported = 2, policy = 3, toolchain = 4, internal = 70 };

struct [[nodiscard]] Error {
  std::string where;
  std::string message;
  std::string hint;
  ExitCode exitCode = ExitCode::badModel;

  explicit operator bool() const { return !message.empty(); }
  static Error success() { return {}; }
  static Error at(std::string where, std::string message, std::string hint = "") {
    return {std::move(where), std::move(message), std::move(hint)};
  }
  /// The command line is wrong.
  static Error usage(std::string message, std::string hint = "") {
    return {"optc-run", std::move(message), std::move(hint)};
  }
};

} // namespace optc

#endif // OPTC_TOOLS_TENSORS_ERROR_H
