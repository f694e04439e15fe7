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

/// Squares have as many lanes as the widest element allows: all have 4 bytes, or are bool.
static bool fitsSquare(Value v) {
  Type type = registerType(elementOf(v));
  return type.isInteger(1) || (type.getIntOrFloatBitWidth() == 32 && memoryType(elementOf(v)).getIntOrFloatBitWidth() == 32);
}

std::optional<TransposeLoop> optc::readTurned(KernelOp kernel) {
  if (kernel.getNumResults() != 1)
    return std::nullopt;
  TransposeLoop loop;
  loop.dims = dimsOf(kernel.getResult(0));
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      if (loop.op)
        return std::nullopt;
      loop.op = transpose;
    } else if (!isa<ConstantOp, BroadcastOp>(op) && !op.hasTrait<Elementwise>()) {
      return std::nullopt;
    }
  }
  if (!loop.op || dimsOf(loop.op.getY()) != loop.dims)
    return std::nullopt;
  ArrayRef<int64_t> permutation = loop.op.getPermutation();
  loop.rowDim = llvm::find(permutation, int64_t(permutation.size()) - 1) - permutation.begin();
  if (loop.rowDim + 1 == loop.dims.size())
    return std::nullopt;
  return loop;
}

std::optional<TransposeLoop> optc::readTransposeLoop(KernelOp kernel) {
  std::optional<TransposeLoop> turned = readTurned(kernel);
  if (!turned)
    return std::nullopt;
  TransposeLoop loop = *turned;
  bool fits = true, isSmall = true;
  for (Operation &op : kernel.getBody().front().without_terminator())
    for (Value v : op.getResults()) {
      fits &= fitsSquare(v);
      isSmall &= registerType(elementOf(v)).getIntOrFloatBitWidth() <= 32;
    }
  auto columns = loop.dims.back().constant();
  Type element = elementOf(kernel.getResult(0));
  // Interleaved as they are in memory.
  if (columns && *columns > 1 && *columns <= kNarrowColumns && loop.rowDim + 2 == loop.dims.size() && isSmall &&
      registerType(element) == memoryType(element)) {
    loop.narrow = *columns;
    return loop;
  }
  // Rows shorter than a vector have no squares.
  if (!fits || elementOf(loop.op.getX()).isInteger(1) || (columns && *columns < kTransposeRows))
    return std::nullopt;
  return loop;
}
