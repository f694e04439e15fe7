//===- Error.h - What stops a command of optc-run ---------------*- C++ -*-===//
//
// An error has a place (a file, an artefact, or the tool itself), one line of text, perhaps a hint
// and the exit code. False: success.
//
//   model.so: error: input 'x': has type f64, expected f32
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_RUN_ERROR_H
#define OPTC_TOOLS_RUN_ERROR_H

#include <string>

namespace optc {

/// The exit codes that all tools of optc share.
enum ExitCode : int { kOk = 0, kBadInput = 1, kPolicyNotMet = 3, kInternal = 70 };

struct [[nodiscard]] Error {
  std::string where;
  std::string message;
  std::string hint;
  int exitCode = kBadInput;

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

#endif // OPTC_TOOLS_RUN_ERROR_H
