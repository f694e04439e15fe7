//===- optc-run.cpp - Runs, checks and measures compiled models -----------===//
//
//   optc-run model.so                                    what it is
//   optc-run model.so --inputs DIR --outputs DIR         run it
//   optc-run model.so --inputs DIR --expected DIR        check it
//   optc-run model.so --bench | --profile=FILE           measure it
//   optc-run a.so --vs b.so                              compare two
//
// Exit: 0 ok, 1 bad usage, model or input, 3 a threshold was not met, 70 internal error.
//
//===----------------------------------------------------------------------===//

#include "tools/optc-run/Bench.h"
#include "tools/optc-run/Compare.h"
#include "tools/optc-run/Describe.h"
#include "tools/optc-run/Profile.h"
#include "tools/optc-run/Versus.h"
#include <cstdio>
#include <exception>
#include <new>

using namespace optc;

static Error dispatch(const Options &options) {
  switch (options.mode) {
  case Options::Mode::describe: return describe(options);
  case Options::Mode::report: return printReport(options);
  case Options::Mode::run: return runOnce(options);
  case Options::Mode::bench: return runBench(options);
  case Options::Mode::profile: return runProfile(options);
  case Options::Mode::versus: return runVersus(options);
  }
  return Error::success();
}

static Error runTool(int argc, char **argv) {
  Options options;
  std::string text;
  if (Error error = parseOptions(argc, argv, options, text))
    return error;
  if (!text.empty()) {
    std::fputs(text.c_str(), stdout);
    return Error::success();
  }
  return dispatch(options);
}

int main(int argc, char **argv) {
  Error error;
  try {
    error = runTool(argc, argv);
  } catch (const std::bad_alloc &) {
    error = Error::at("optc-run", "out of memory");
  } catch (const std::exception &e) {
    error = Error::at("optc-run", std::string("internal error: ") + e.what());
    error.exitCode = ExitCode::internal;
  }
  if (std::fflush(stdout) != 0 && !error)
    error = Error::at("optc-run", "standard output cannot be written");
  if (!error)
    return int(ExitCode::ok);
  std::fprintf(stderr, "%s: error: %s\n", error.where.c_str(), error.message.c_str());
  if (!error.hint.empty())
    std::fprintf(stderr, "%s: hint: %s\n", error.where.c_str(), error.hint.c_str());
  return int(error.exitCode);
}
