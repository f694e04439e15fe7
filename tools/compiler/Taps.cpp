//===- Taps.cpp - Tensors inside a model, made outputs --------------------===//

#include "tools/compiler/Taps.h"

using namespace mlir;

void optc::addOutputs(func::FuncOp function, ArrayRef<Tap> taps) {
  Operation *terminator = function.getBody().front().getTerminator();
  Builder b(function.getContext());
  for (const Tap &tap : taps) {
    auto name = b.getDictionaryAttr(b.getNamedAttr("optc.name", b.getStringAttr("tap:" + tap.name)));
    function.insertResult(function.getNumResults(), tap.value.getType(), name);
    terminator->insertOperands(terminator->getNumOperands(), tap.value);
  }
}
