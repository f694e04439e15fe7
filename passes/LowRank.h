//===- LowRank.h - Products of low rank in weights --------------*- C++ -*-===//
//
// What merging adapters and FoldLowRank share.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_PASSES_LOWRANK_H
#define OPTC_PASSES_LOWRANK_H

#include "ir/Dialect.h"
#include "mlir/IR/Builders.h"

namespace optc {

/// weight + left * right, computed in f32: left [m, rank] and right [rank, n] of any floats, the weight with m * n elements in
/// their order. Where all are weights, so is the sum.
mlir::Value addLowRank(mlir::OpBuilder &b, mlir::Location loc, mlir::Value weight, mlir::Value left, mlir::Value right);

} // namespace optc

#endif // OPTC_PASSES_LOWRANK_H
