//===- FakeNvrtc.cpp - NVRTC without the CUDA toolkit -----------*- C++ -*-===//
//
// A library as codegen/gpu/Nvrtc.cpp loads it, whose code says of which source and options it is. For tests of what is compiled when.
//
//   OPTC_FAKE_NVRTC="version=13.1,log=FILE"
//
// log: a line each time that something is compiled.
//
//===----------------------------------------------------------------------===//

#include "test/codegen/gpu/FakeSettings.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <sstream>
#include <string>
#include <unistd.h>

namespace {

struct Settings {
  int major = 13, minor = 0;
  std::string log;

  Settings() {
    readFakeSettings("OPTC_FAKE_NVRTC", [this](const std::string &name, const std::string &value) {
      if (name == "log")
        log = value;
      else if (name == "version")
        std::sscanf(value.c_str(), "%d.%d", &major, &minor);
    });
  }
};
const Settings settings;

struct Program {
  std::string source, code;
};

} // namespace

extern "C" {

int nvrtcVersion(int *major, int *minor) {
  *major = settings.major, *minor = settings.minor;
  return 0;
}
int nvrtcGetNumSupportedArchs(int *count) {
  *count = 2;
  return 0;
}
int nvrtcGetSupportedArchs(int *archs) {
  archs[0] = 80, archs[1] = 90;
  return 0;
}
const char *nvrtcGetErrorString(int) { return "an error"; }

int nvrtcCreateProgram(Program **program, const char *source, const char *, int, const char *const *, const char *const *) {
  *program = new Program{source, ""};
  return 0;
}
int nvrtcDestroyProgram(Program **program) {
  delete *program;
  return 0;
}
int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
  program->code = "code of " + std::to_string(std::hash<std::string>()(program->source));
  for (int i = 0; i < count; ++i)
    program->code += std::string(" ") + options[i];
  program->code.append(4000, '.');
  if (!settings.log.empty()) {
    int file = open(settings.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    std::string line = program->code.substr(0, program->code.find('.')) + "\n";
    if (write(file, line.data(), line.size()) < 0)
      return 1;
    close(file);
  }
  return 0;
}
int nvrtcGetProgramLogSize(Program *, size_t *size) {
  *size = 1;
  return 0;
}
int nvrtcGetProgramLog(Program *, char *log) {
  *log = 0;
  return 0;
}
int nvrtcGetPTXSize(Program *program, size_t *size) {
  *size = program->code.size() + 1;
  return 0;
}
int nvrtcGetPTX(Program *program, char *code) {
  std::memcpy(code, program->code.c_str(), program->code.size() + 1);
  return 0;
}
int nvrtcGetCUBINSize(Program *program, size_t *size) {
  *size = program->code.size();
  return 0;
}
int nvrtcGetCUBIN(Program *program, char *code) {
  std::memcpy(code, program->code.data(), program->code.size());
  return 0;
}
}
