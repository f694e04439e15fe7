//===- Smooth.cpp - Ranges of channels, evened out ------------------------===//

#include "tools/compiler/Smooth.h"
#include "ir/eval/Evaluate.h"
#include "passes/ChannelScale.h"
#include "passes/Passes.h"
#include "tools/compiler/Observe.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace optc;

template <typename Visit> static void forEachSmoothed(func::FuncOp function, Visit visit) {
  auto names = nameTensors(function);
  forEachOp(function, [&](Operation *op) {
    if (auto normalize = dyn_cast<NormalizeOp>(op); normalize && !layersToSmooth(normalize).empty())
      visit(normalize, llvm::json::fixUTF8(names[normalize.getY()]));
  });
}

Error optc::measureChannels(ModuleOp module, const SampleSource &source, unsigned jobs, const Progress &progress,
                            Calibration &calibration) {
  TensorSets sets;
  if (Error error = TensorSets::open(source, sets))
    return error;
  OwningOpRef<ModuleOp> copy = module.clone();
  SmallVector<Tap> taps;
  forEachSmoothed(copy->lookupSymbol<func::FuncOp>("main"), [&](NormalizeOp op, const std::string &name) {
    OpBuilder b(op->getContext());
    b.setInsertionPointAfter(op);
    auto type = tensorOf(op.getY());
    mlir::Value magnitude = b.create<AbsOp>(op.getLoc(), type, op.getY());
    auto rows = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank() - 1));
    auto channels = tensorType({dimOf(type, type.getRank() - 1)}, type.getElementType());
    taps.push_back({b.create<ReduceOp>(op.getLoc(), channels, magnitude, rows, "max"), name});
  });
  if (taps.empty())
    return Error::success();
  std::vector<std::vector<float>> largest;
  for (const Tap &tap : taps)
    largest.emplace_back(tensorOf(tap.value).getNumElements(), 0.0f);
  Error failed = observe(*copy, taps, sets, jobs, progress, "observe channels", 1, [&](int, size_t set, size_t t, const HostValue &value) {
    for (int64_t e = 0; e < value.size(); ++e) {
      float &most = largest[t][size_t(e) % largest[t].size()], x = value.as<float>()[e];
      if (!std::isfinite(x) && x > 0) // of no rows it is -inf
        return Error::at(sets.name(set), "tensor '" + taps[t].name + "' becomes infinite",
                         "the sets have to be inputs that the model is made for");
      most = std::max(most, x);
    }
    return Error::success();
  });
  if (failed)
    return failed;
  for (size_t t = 0; t < taps.size(); ++t)
    calibration.channelMax.push_back({taps[t].name, std::move(largest[t])});
  return Error::success();
}

Error optc::applySmoothing(ModuleOp module, const Calibration &calibration, const std::string &source) {
  ChannelsByName largest(calibration.channelMax);
  forEachSmoothed(module.lookupSymbol<func::FuncOp>("main"), [&](NormalizeOp op, const std::string &name) {
    if (auto *values = largest.take(name, dimOf(op.getY().getType(), op.getAxis()).constant()))
      op->setAttr(kChannelMax, DenseF32ArrayAttr::get(module.getContext(), *values));
  });
  if (std::string misfit = largest.misfit(); !misfit.empty())
    return refuseCalibration(source, "the channels of '" + misfit + "' fit no normalisation of the model");
  PassManager passes(module.getContext());
  if (calibration.equalized)
    passes.addNestedPass<func::FuncOp>(createEqualizeLayers());
  if (calibration.smoothAlpha)
    passes.addNestedPass<func::FuncOp>(createSmoothQuant({*calibration.smoothAlpha}));
  if (succeeded(passes.run(module)))
    return Error::success();
  Error error = Error::at("optc", "internal error: the passes of --equalize and --smooth-quant failed");
  error.exitCode = ExitCode::internal;
  return error;
}
