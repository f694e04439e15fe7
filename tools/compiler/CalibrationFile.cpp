//===- CalibrationFile.cpp - Observed ranges as JSON ----------------------===//

#include "tools/compiler/CalibrationFile.h"
#include "tools/compiler/Json.h"
#include "tools/tensors/TensorFile.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cmath>

using namespace optc;
namespace json = llvm::json;

static constexpr llvm::StringLiteral kFormat = "optc-calibration";
static constexpr int64_t kVersion = 1;

Error optc::writeCalibration(const std::string &path, const Calibration &calibration) {
  std::string text;
  llvm::raw_string_ostream os(text);
  json::OStream out(os, /*IndentSize=*/2);
  out.object([&] {
    out.attribute("format", kFormat);
    out.attribute("version", kVersion);
    out.attribute("method", calibration.method);
    out.attribute("samples", calibration.samples);
    out.attributeArray("tensors", [&] {
      for (const Calibration::Tensor &t : calibration.tensors)
        out.object([&] {
          out.attribute("name", json::fixUTF8(t.name));
          out.attribute("low", t.range ? json::Value(t.range->low) : json::Value(nullptr));
          out.attribute("high", t.range ? json::Value(t.range->high) : json::Value(nullptr));
        });
    });
    if (!calibration.corrections.empty())
      out.attributeArray("corrections", [&] {
        for (const Calibration::Correction &c : calibration.corrections)
          out.object([&] {
            out.attribute("name", json::fixUTF8(c.name));
            out.attributeArray("channels", [&] {
              for (float x : c.channels)
                out.value(double(x));
            });
          });
      });
  });
  return writeFile(path, os.str() + "\n");
}

Error optc::readCalibration(const std::string &path, Calibration &calibration) {
  std::string text;
  if (Error error = readFile(path, text))
    return error;
  auto refuse = [&](const llvm::Twine &why) { return Error::at(path, why.str()); };
  json::Value parsed = nullptr;
  if (Error error = parseJson(path, text, parsed))
    return error;
  const json::Object *top = parsed.getAsObject();
  if (!top || top->getString("format") != kFormat)
    return refuse("is not a calibration file (--save-calib writes one)");
  if (top->getInteger("version") != kVersion)
    return refuse("has another version than " + llvm::Twine(kVersion));
  auto method = top->getString("method");
  auto samples = top->getInteger("samples");
  const json::Array *tensors = top->getArray("tensors");
  if (!method || !samples || !tensors)
    return refuse("lacks 'method', 'samples' or 'tensors'");
  calibration = {method->str(), *samples, {}, {}};
  for (const json::Value &entry : *tensors) {
    const json::Object *o = entry.getAsObject();
    auto name = o ? o->getString("name") : std::nullopt;
    if (name && o->getNull("low") && o->getNull("high")) {
      calibration.tensors.push_back({name->str(), std::nullopt});
      continue;
    }
    auto low = o ? o->getNumber("low") : std::nullopt, high = o ? o->getNumber("high") : std::nullopt;
    if (!name || !low || !high)
      return refuse("entry " + llvm::Twine(calibration.tensors.size()) + " of 'tensors' lacks 'name', 'low' or 'high'");
    if (!(*low <= *high) || !std::isfinite(float(*low)) || !std::isfinite(float(*high)))
      return refuse("tensor '" + *name + "': low and high are no range");
    calibration.tensors.push_back({name->str(), Observer::Bounds{*low, *high}});
  }
  if (const json::Array *corrections = top->getArray("corrections"))
    for (const json::Value &entry : *corrections) {
      const json::Object *o = entry.getAsObject();
      auto name = o ? o->getString("name") : std::nullopt;
      const json::Array *channels = o ? o->getArray("channels") : nullptr;
      if (!name || !channels)
        return refuse("entry " + llvm::Twine(calibration.corrections.size()) + " of 'corrections' lacks 'name' or 'channels'");
      Calibration::Correction correction{name->str(), {}};
      for (const json::Value &channel : *channels) {
        auto number = channel.getAsNumber();
        if (!number || !std::isfinite(float(*number)))
          return refuse("correction '" + *name + "': a channel is no number");
        correction.channels.push_back(float(*number));
      }
      calibration.corrections.push_back(std::move(correction));
    }
  return Error::success();
}
