//===- Json.cpp - JSON that is not trusted --------------------------------===//

#include "tools/compiler/Json.h"
#include "tools/tensors/TensorFile.h"

using namespace optc;

static constexpr int kMaxDepth = 64;

static bool nestsDeeply(llvm::StringRef text) {
  bool inString = false;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      inString = c != '"';
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth)
        return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

Error optc::parseJson(const std::string &path, llvm::StringRef text, llvm::json::Value &value) {
  if (nestsDeeply(text))
    return Error::at(path, "is not JSON that can be read: it nests too deeply");
  auto parsed = llvm::json::parse(text);
  if (parsed) {
    value = std::move(*parsed);
    return Error::success();
  }
  std::string why = llvm::toString(parsed.takeError());
  std::replace(why.begin(), why.end(), '\n', ' ');
  return Error::at(path, "is not JSON: " + why);
}

Error optc::readJsonFile(const std::string &path, llvm::StringRef format, int64_t version, llvm::StringRef what, llvm::json::Object &top) {
  std::string text;
  if (Error error = readFile(path, text))
    return error;
  llvm::json::Value parsed = nullptr;
  if (Error error = parseJson(path, text, parsed))
    return error;
  llvm::json::Object *object = parsed.getAsObject();
  if (!object || object->getString("format") != format)
    return Error::at(path, ("is not " + what).str());
  if (object->getInteger("version") != version)
    return Error::at(path, "has another version than " + std::to_string(version));
  top = std::move(*object);
  return Error::success();
}
