//===- Calibrate.cpp - Ranges of a model's tensors out of samples ---------===//

#include "tools/compiler/Calibrate.h"
#include "ir/eval/Evaluate.h"
#include "passes/QuantizedTensors.h"
#include "tools/compiler/Observe.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace optc;

namespace {

/// All that any choice of layers would quantise, in order.
SmallVector<Tap> tapsOf(func::FuncOp function) {
  QuantizedTensors tensors(function, [](const QuantizableLayer &) { return true; });
  auto names = nameTensors(function);
  SmallVector<Tap> taps;
  for (mlir::Value value : tensors.tensors())
    taps.push_back({value, llvm::json::fixUTF8(names[value])});
  return taps;
}

} // namespace

Error optc::calibrate(ModuleOp module, const SampleSource &source, CalibrationMethod method, unsigned jobs,
                      const Progress &progress, Calibration &calibration) {
  TensorSets sets;
  if (Error error = TensorSets::open(source, sets))
    return error;
  OwningOpRef<ModuleOp> tapped = module.clone();
  auto function = tapped->lookupSymbol<func::FuncOp>("main");
  SmallVector<Tap> taps = tapsOf(function);
  calibration.method = nameOf(method);
  calibration.samples = int64_t(sets.size());
  if (taps.empty())
    return Error::success();
  std::vector<Observer> observers(taps.size(), Observer(method));
  Error failed = observe(*tapped, taps, sets, jobs, progress, "calibrate", Observer::needsHistogram(method) ? 2 : 1,
                         [&](int pass, size_t set, size_t t, const HostValue &value) {
                           if (pass == 1)
                             observers[t].observeAgain(value.as<float>(), value.size());
                           else if (!observers[t].observe(value.as<float>(), value.size()))
                             return Error::at(sets.name(set), "tensor '" + taps[t].name + "' becomes infinite or not a number",
                                              "the sets have to be inputs that the model is made for");
                           return Error::success();
                         });
  if (failed)
    return failed;
  for (size_t t = 0; t < taps.size(); ++t)
    calibration.tensors.push_back(
        {taps[t].name, observers[t].hasSeen() ? std::optional(observers[t].range()) : std::nullopt});
  return Error::success();
}

Error optc::applyCalibration(ModuleOp module, const Calibration &calibration, const std::string &source) {
  llvm::StringMap<std::optional<Observer::Bounds>> ranges;
  for (const Calibration::Tensor &t : calibration.tensors)
    ranges[t.name] = t.range;
  for (const Tap &tap : tapsOf(module.lookupSymbol<func::FuncOp>("main"))) {
    auto it = ranges.find(tap.name);
    if (it == ranges.end())
      return refuseCalibration(source, "has no range of the model's tensor '" + tap.name + "'");
    if (it->second)
      setRange(tap.value, {it->second->low, it->second->high});
    ranges.erase(it);
  }
  for (const Calibration::Tensor &t : calibration.tensors)
    if (ranges.contains(t.name))
      return refuseCalibration(source, "tensor '" + t.name + "' is none that the model quantises");
  return Error::success();
}

Error optc::refuseCalibration(const std::string &source, const std::string &why) {
  return Error::at(source, why, "the file is of another model, of other flags or another version of optc: calibrate again");
}

ChannelsByName::ChannelsByName(const std::vector<Calibration::Channels> &list) : list(list) {
  for (const Calibration::Channels &channels : list)
    left[channels.name] = &channels.values;
}

const std::vector<float> *ChannelsByName::take(const std::string &name, std::optional<int64_t> channels) {
  auto it = left.find(name);
  if (it == left.end())
    return nullptr;
  const std::vector<float> *values = it->second;
  if (channels != int64_t(values->size()))
    wrongSize = name;
  left.erase(it);
  return values;
}

std::string ChannelsByName::misfit() const {
  if (!wrongSize.empty())
    return wrongSize;
  for (const Calibration::Channels &channels : list)
    if (left.contains(channels.name))
      return channels.name;
  return "";
}
