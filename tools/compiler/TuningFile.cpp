//===- TuningFile.cpp - How kernels are cut, as it was measured -----------===//

#include "tools/compiler/TuningFile.h"
#include "tools/compiler/Json.h"
#include "tools/tensors/TensorFile.h"
#include "llvm/Support/JSON.h"

using namespace optc;
namespace json = llvm::json;

static constexpr llvm::StringLiteral kFormat = "optc-tuning";
static constexpr int64_t kVersion = 1;

Error optc::writeTuning(const std::string &path, const Tuning &tuning) {
  std::string text;
  llvm::raw_string_ostream os(text);
  json::OStream out(os, /*IndentSize=*/2);
  auto writeTiling = [&](llvm::StringRef key, const Tiling &tiling) {
    out.attributeArray(key, [&] {
      for (int64_t n : tiling)
        out.value(n);
    });
  };
  out.object([&] {
    out.attribute("format", kFormat);
    out.attribute("version", kVersion);
    out.attributeArray("kernels", [&] {
      for (const auto &[place, kernel] : tuning.kernels)
        out.object([&] {
          out.attribute("target", place.first);
          out.attribute("kernel", place.second);
          out.attribute("what", json::fixUTF8(kernel.what));
          writeTiling("tiling", kernel.tiling);
          out.attribute("nanoseconds", kernel.nanoseconds);
          writeTiling("estimated", kernel.estimated);
          out.attribute("estimated_nanoseconds", kernel.estimatedNanoseconds);
        });
    });
  });
  return writeFile(path, os.str() + "\n");
}

static bool readTiling(const json::Object &entry, llvm::StringRef key, Tiling &tiling) {
  const json::Array *numbers = entry.getArray(key);
  if (!numbers || numbers->empty() || numbers->size() > 8)
    return false;
  for (const json::Value &number : *numbers) {
    auto n = number.getAsInteger();
    if (!n || *n < 0)
      return false;
    tiling.push_back(*n);
  }
  return true;
}

Error optc::readTuning(const std::string &path, Tuning &tuning) {
  auto refuse = [&](const llvm::Twine &why) { return Error::at(path, why.str()); };
  json::Object top;
  if (Error error = readJsonFile(path, kFormat, kVersion, "a tuning file (--tune writes one)", top))
    return error;
  const json::Array *entries = top.getArray("kernels");
  if (!entries)
    return refuse("lacks 'kernels'");
  for (size_t i = 0; i < entries->size(); ++i) {
    const json::Object *o = (*entries)[i].getAsObject();
    auto target = o ? o->getString("target") : std::nullopt, hash = o ? o->getString("kernel") : std::nullopt, what = o ? o->getString("what") : std::nullopt;
    auto time = o ? o->getInteger("nanoseconds") : std::nullopt, estimated = o ? o->getInteger("estimated_nanoseconds") : std::nullopt;
    Tuning::Kernel kernel;
    if (!target || !hash || !what || !time || !estimated || !readTiling(*o, "tiling", kernel.tiling) || !readTiling(*o, "estimated", kernel.estimated))
      return refuse("entry " + llvm::Twine(i) + " of 'kernels' is none that --tune writes");
    kernel.what = what->str();
    kernel.nanoseconds = *time;
    kernel.estimatedNanoseconds = *estimated;
    if (!tuning.kernels.try_emplace({target->str(), hash->str()}, std::move(kernel)).second)
      return refuse("kernel " + *hash + " of " + *target + " has two entries");
  }
  return Error::success();
}
