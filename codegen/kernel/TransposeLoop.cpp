//===- TransposeLoop.cpp - Loops over a turned operand --------------------===//

#include "codegen/kernel/TransposeLoop.h"
#include "codegen/kernel/ScalarBody.h"

using namespace mlir;
using namespace optc;

DimExpr TransposeLoop::tiles() const {
  DimExpr n = blocks();
  for (size_t d = 0; d + 1 < dims.size(); ++d)
    if (d != rowDim)
      n = n * dims[d];
  return n;
}

std::optional<TransposeLoop> optc::readTransposeLoop(KernelOp kernel) {
  if (kernel.getNumResults() != 1)
    return std::nullopt;
  TransposeLoop loop;
  Block &body = kernel.getBody().front();
  loop.dims = dimsOf(kernel.getResult(0));
  // Squares have as many lanes as the widest element allows: all have 4 bytes, or are bool.
  auto fits = [](Value v) {
    Type type = registerType(elementOf(v));
    return type.isInteger(1) || (type.getIntOrFloatBitWidth() == 32 && memoryType(elementOf(v)).getIntOrFloatBitWidth() == 32);
  };
  for (Operation &op : body.without_terminator()) {
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      if (loop.op)
        return std::nullopt;
      loop.op = transpose;
    } else if (!isa<ConstantOp, BroadcastOp>(op) && !op.hasTrait<Elementwise>()) {
      return std::nullopt;
    }
    if (!llvm::all_of(op.getResults(), fits))
      return std::nullopt;
  }
  if (!loop.op || dimsOf(loop.op.getY()) != loop.dims || elementOf(loop.op.getX()).isInteger(1))
    return std::nullopt;
  ArrayRef<int64_t> permutation = loop.op.getPermutation();
  loop.rowDim = llvm::find(permutation, int64_t(permutation.size()) - 1) - permutation.begin();
  auto columns = loop.dims.back().constant();
  // Rows shorter than a vector have no squares.
  if (loop.rowDim + 1 == loop.dims.size() || (columns && *columns < kTransposeRows))
    return std::nullopt;
  return loop;
}
