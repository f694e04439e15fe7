//===- Interleave.cpp - Chains of ops that take turns ---------------------===//

#include "codegen/cpu/Interleave.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace optc;

/// Operands, and what an op's regions use from outside.
static SmallVector<Value> usedValues(Operation *op) {
  SmallVector<Value> values(op->getOperands());
  llvm::SetVector<Value> above;
  getUsedValuesDefinedAbove(op->getRegions(), above);
  values.append(above.begin(), above.end());
  return values;
}

void optc::interleave(KernelEmitter &f, int64_t count, llvm::function_ref<void(int64_t)> piece) {
  Block *block = f.b.getInsertionBlock();
  auto end = f.b.getInsertionPoint();
  auto lastOp = [&] { return end == block->begin() ? nullptr : &*std::prev(end); };
  SmallVector<SmallVector<Operation *>> pieces;
  llvm::DenseSet<Operation *> pending;
  for (int64_t i = 0; i < count; ++i) {
    Operation *last = lastOp();
    piece(i);
    assert(f.b.getInsertionBlock() == block && "a piece is straight code");
    auto &ops = pieces.emplace_back();
    for (auto it = last ? std::next(last->getIterator()) : block->begin(); it != end; ++it)
      ops.push_back(&*it);
    pending.insert(ops.begin(), ops.end());
  }
  SmallVector<size_t> next(count, 0);
  while (!pending.empty())
    for (auto [ops, at] : llvm::zip(pieces, next)) {
      if (at == ops.size())
        continue;
      Operation *op = ops[at];
      if (llvm::any_of(usedValues(op), [&](Value v) { return v.getDefiningOp() && pending.contains(v.getDefiningOp()); }))
        continue;
      op->moveBefore(block, end);
      pending.erase(op);
      ++at;
    }
}
