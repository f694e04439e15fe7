//===- Locations.h - The ONNX nodes behind an op ----------------*- C++ -*-===//
#ifndef OPTC_IR_LOCATIONS_H
#define OPTC_IR_LOCATIONS_H

#include "mlir/IR/Location.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace optc {

/// Names of the ONNX nodes that a location stands for, in order, without repetition.
llvm::SmallVector<std::string> nodesOf(mlir::Location location);

} // namespace optc

#endif // OPTC_IR_LOCATIONS_H
