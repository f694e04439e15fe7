//===- Taps.h - Tensors inside a model, made outputs ------------*- C++ -*-===//
//
// What is computed in a branch or loop leaves it as one more result: the elements of all times that it was computed, end
// to end. It has none where the branch is not taken. Each turn of a loop copies what the turns before gave, whose sizes may
// differ: loops of thousands of turns are slow to observe.
//
//   y = if c { v = relu x; yield v } else { yield x }
//     ⇒  y, t = if c { v = relu x; yield v, (reshape v) } else { yield x, [] }
//   y = loop init(x) { (i, a): v = relu a; yield true, v }
//     ⇒  y, t = loop init(x, []) { (i, a, s): v = relu a; yield true, v, (concat s, (reshape v)) }
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TOOLS_COMPILER_TAPS_H
#define OPTC_TOOLS_COMPILER_TAPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>

namespace optc {

struct Tap {
  mlir::Value value;
  std::string name;
};

/// Makes the taps further outputs, in order. Branches and loops with a tap in them are other ops afterwards.
void addOutputs(mlir::func::FuncOp function, llvm::ArrayRef<Tap> taps);

} // namespace optc

#endif // OPTC_TOOLS_COMPILER_TAPS_H
