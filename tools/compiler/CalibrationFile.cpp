//===- CalibrationFile.cpp - Observed ranges as JSON ----------------------===//

#include "tools/compiler/CalibrationFile.h"
#include "tools/compiler/Json.h"
#include "tools/tensors/TensorFile.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <cmath>

using namespace optc;
namespace json = llvm::json;

static constexpr llvm::StringLiteral kFormat = "optc-calibration";
static constexpr int64_t kVersion = 1;

static void writeChannels(json::OStream &out, llvm::StringRef key, const std::vector<Calibration::Channels> &all) {
  out.attributeArray(key, [&] {
    for (const Calibration::Channels &channels : all)
      out.object([&] {
        out.attribute("name", json::fixUTF8(channels.name));
        out.attributeArray("channels", [&] {
          for (float x : channels.values)
            out.value(double(x));
        });
      });
  });
}

/// What is wrong, or an empty text.
static std::string readChannels(const json::Object &top, llvm::StringRef key, std::vector<Calibration::Channels> &all) {
  const json::Array *entries = top.getArray(key);
  if (!entries)
    return top.get(key) ? ("'" + key + "' is no list").str() : "";
  for (const json::Value &entry : *entries) {
    const json::Object *o = entry.getAsObject();
    auto name = o ? o->getString("name") : std::nullopt;
    const json::Array *values = o ? o->getArray("channels") : nullptr;
    if (!name || !values)
      return ("entry " + llvm::Twine(all.size()) + " of '" + key + "' lacks 'name' or 'channels'").str();
    Calibration::Channels channels{name->str(), {}};
    for (const json::Value &value : *values) {
      auto number = value.getAsNumber();
      if (!number || !std::isfinite(float(*number)))
        return ("'" + key + "' of '" + *name + "': a channel is no number").str();
      channels.values.push_back(float(*number));
    }
    all.push_back(std::move(channels));
  }
  return "";
}

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
      writeChannels(out, "corrections", calibration.corrections);
    if (calibration.equalized)
      out.attribute("equalized", true);
    if (calibration.smoothAlpha) {
      out.attribute("smooth_alpha", *calibration.smoothAlpha);
      writeChannels(out, "channel_max", calibration.channelMax);
    }
  });
  return writeFile(path, os.str() + "\n");
}

Error optc::readCalibration(const std::string &path, Calibration &calibration) {
  auto refuse = [&](const llvm::Twine &why) { return Error::at(path, why.str()); };
  json::Object top;
  if (Error error = readJsonFile(path, kFormat, kVersion, "a calibration file (--save-calib writes one)", top))
    return error;
  auto method = top.getString("method");
  auto samples = top.getInteger("samples");
  const json::Array *tensors = top.getArray("tensors");
  if (!method || !samples || !tensors)
    return refuse("lacks 'method', 'samples' or 'tensors'");
  if (!parseCalibrationMethod(method->str()) || *samples < 1)
    return refuse("'method' or 'samples' is none that --save-calib writes");
  calibration = {};
  calibration.method = method->str();
  calibration.samples = *samples;
  llvm::StringSet<> names;
  for (const json::Value &entry : *tensors) {
    const json::Object *o = entry.getAsObject();
    auto name = o ? o->getString("name") : std::nullopt;
    if (name && !names.insert(*name).second)
      return refuse("tensor '" + *name + "' has two entries");
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
  calibration.equalized = top.getBoolean("equalized").value_or(false);
  calibration.smoothAlpha = top.getNumber("smooth_alpha");
  if (calibration.smoothAlpha && !(*calibration.smoothAlpha >= 0 && *calibration.smoothAlpha <= 1))
    return refuse("'smooth_alpha' is not between 0 and 1");
  if (calibration.smoothAlpha.has_value() != (top.get("channel_max") != nullptr))
    return refuse("'smooth_alpha' and 'channel_max' go together");
  std::string problem = readChannels(top, "corrections", calibration.corrections);
  if (problem.empty())
    problem = readChannels(top, "channel_max", calibration.channelMax);
  return problem.empty() ? Error::success() : refuse(problem);
}
