//===- Observe.cpp - Taps over samples ------------------------------------===//

#include "tools/compiler/Observe.h"
#include "tools/compiler/NativeModel.h"

using namespace mlir;
using namespace optc;

Error optc::observe(ModuleOp module, ArrayRef<Tap> taps, const TensorSets &sets, unsigned jobs, const Progress &progress,
                    const std::string &what, int passes,
                    llvm::function_ref<Error(int, size_t, size_t, const HostValue &)> visit) {
  auto function = module.lookupSymbol<func::FuncOp>("main");
  size_t first = function.getNumResults();
  addOutputs(function, taps);
  progress("compile with " + std::to_string(taps.size()) + " observed tensors");
  NativeModel model;
  if (Error error = model.build(module, jobs))
    return error;
  for (int pass = 0; pass < passes; ++pass)
    for (size_t i = 0; i < sets.size(); ++i) {
      progress(what + " " + std::to_string(pass * sets.size() + i + 1) + "/" + std::to_string(passes * sets.size()));
      std::vector<HostValue> inputs;
      if (Error error = sets.inputs(i, model.plan().inputs, inputs))
        return error;
      if (Error error = model.run(inputs))
        return Error::at(sets.name(i), error.message);
      for (size_t t = 0; t < taps.size(); ++t)
        if (Error error = visit(pass, i, t, model.outputs()[first + t]))
          return error;
    }
  return Error::success();
}
