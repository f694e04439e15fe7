//===- Metric.cpp - A model's worth, by a user's command ------------------===//

#include "tools/compiler/Metric.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/StringSaver.h"
#include <cmath>

using namespace optc;
using llvm::StringRef;

static constexpr llvm::StringLiteral kOutputs = "{outputs}";

static Error refuse(const std::string &why, const std::string &hint = "") { return Error::at("optc", "--metric: " + why, hint); }

Error Metric::parse(const std::string &command, Metric &metric) {
  llvm::BumpPtrAllocator memory;
  llvm::StringSaver saver(memory);
  llvm::SmallVector<const char *> words;
  llvm::cl::TokenizeGNUCommandLine(command, saver, words);
  metric.words.assign(words.begin(), words.end());
  if (llvm::none_of(metric.words, [](StringRef word) { return word.contains(kOutputs); }))
    return refuse("the command does not name {outputs}", "--metric=\"python score.py {outputs}\"");
  auto program = llvm::sys::findProgramByName(metric.words.front());
  if (!program)
    return refuse("'" + metric.words.front() + "': " + program.getError().message());
  metric.program = *program;
  return Error::success();
}

Error Metric::measure(const GoldenSets &sets, NativeModel &model, llvm::ArrayRef<HostValue> further, double &value,
                      std::vector<OutputError> &apart) const {
  llvm::SmallString<128> folder;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory("optc-metric", folder))
    return refuse("a temporary folder cannot be made: " + error.message());
  auto clean = llvm::make_scope_exit([&] { llvm::sys::fs::remove_directories(folder); });
  std::string outputs = (folder + "/outputs").str();
  if (Error error = sets.save(model, further, outputs, apart))
    return error;
  return run(outputs, (folder + "/printed").str(), value);
}

Error Metric::run(const std::string &outputs, const std::string &printed, double &value) const {
  std::vector<std::string> replaced = words;
  for (std::string &word : replaced)
    for (size_t at = 0; (at = word.find(kOutputs.data(), at)) != std::string::npos; at += outputs.size())
      word.replace(at, kOutputs.size(), outputs);
  std::vector<StringRef> arguments(replaced.begin(), replaced.end());
  std::string problem;
  // Nothing to read; what it says on standard error is for the user.
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(printed), std::nullopt};
  int status = llvm::sys::ExecuteAndWait(program, arguments, /*Env=*/std::nullopt, redirects, /*SecondsToWait=*/0,
                                         /*MemoryLimit=*/0, &problem);
  if (status != 0)
    return refuse("'" + words.front() + "' failed: " + (status > 0 ? "status " + std::to_string(status) : problem));
  std::string text;
  if (Error error = readFile(printed, text))
    return error;
  StringRef last = StringRef(text).rtrim().rsplit('\n').second;
  if (!StringRef(text).rtrim().contains('\n'))
    last = StringRef(text);
  if (last.trim().getAsDouble(value) || !std::isfinite(value))
    return refuse("the last line that '" + words.front() + "' printed is no number");
  return Error::success();
}
