//===- FakeSettings.h - What stand-ins for libraries are told ---*- C++ -*-===//
#pragma once
#include <cstdlib>
#include <sstream>
#include <string>

/// set(name, value) for each NAME=VALUE of a list in the environment: "version=13.1,log=FILE".
template <typename Set> void readFakeSettings(const char *variable, Set set) {
  const char *text = std::getenv(variable);
  std::istringstream items(text ? text : "");
  for (std::string item; std::getline(items, item, ',');) {
    size_t at = item.find('=');
    set(item.substr(0, at), at == std::string::npos ? "" : item.substr(at + 1));
  }
}
