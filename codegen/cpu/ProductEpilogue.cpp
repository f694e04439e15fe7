//===- ProductEpilogue.cpp - What follows a matrix product ----------------===//

#include "codegen/cpu/ProductEpilogue.h"

using namespace mlir;
using namespace optc;

ProductEpilogue::ProductEpilogue(KernelFunction &f, const ContractionKernel &c, int64_t lanes)
    : emitter(f), f(f), c(c), lanes(lanes), element(elementOf(c.product)) {
  yield = cast<YieldOp>(f.kernel.getBody().front().getTerminator());
}

/// Loads, exponentials and the like are emitted once in a loop over the rows rather than for each row.
bool ProductEpilogue::isHeavy() {
  bool heavy = false;
  f.kernel.getBody().walk([&](Operation *op) {
    heavy |= isa<ExpOp, LogOp, ErfOp, TanhOp, SigmoidOp, SiluOp, GeluOp, SoftplusOp, SinOp, CosOp, PowOp, Log1pOp, Expm1Op, QuantizeOp>(op);
  });
  return heavy;
}

void ProductEpilogue::store(const Values &sums, const ProductTile &tile, Value scratch) {
  if (!isHeavy()) {
    for (int64_t r = 0; r < tile.height; ++r) {
      TensorEmitter::Scope scope(emitter);
      row([&](int64_t v) { return sums[r * tile.vectors + v]; }, tile, f.add(tile.row, f.index(r)));
    }
    return;
  }
  // The sums go through scratch, which stays in L1, so that the function's code is there once.
  for (auto [i, sum] : llvm::enumerate(sums))
    f.store(sum, f.pointerTo(scratch, f.index(i * lanes), element), element);
  storeRows(scratch, f.index(tile.vectors * lanes), f.index(0), f.index(tile.height), tile);
}

void ProductEpilogue::storeRows(Value sums, Value stride, Value begin, Value end, const ProductTile &tile) {
  f.loop(begin, end, f.index(1), {}, [&](Value r, ValueRange) {
    TensorEmitter::Scope scope(emitter);
    Value base = f.pointerTo(sums, f.mul(r, stride), element);
    row([&](int64_t v) { return f.load(f.pointerTo(base, f.index(v * lanes), element), element, lanes); }, tile, f.add(tile.row, r));
    return Values{};
  });
}

/// Stores one row of the results, a vector at a time.
void ProductEpilogue::row(llvm::function_ref<Value(int64_t)> sum, const ProductTile &tile, Value row) {
  for (int64_t v = 0; v < tile.vectors; ++v) {
    Value column = f.add(tile.column, f.index(v * lanes)), mask;
    if (v >= tile.vectors - tile.checked) {
      // Lanes below n - column.
      SmallVector<int64_t> steps;
      for (int64_t lane = 0; lane < lanes; ++lane)
        steps.push_back(lane);
      auto type = VectorType::get({lanes}, f.b.getI64Type());
      Value iota = f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(type, ArrayRef<int64_t>(steps)));
      mask = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::slt, iota, f.splat(f.sub(f.size(c.n), column), lanes));
    }
    LaneIndices index;
    if (c.batched)
      index.push_back({tile.batch, 0});
    index.push_back({row, 0});
    index.push_back({column, 1});
    Value value = sum(v);
    emitter.define(c.product, [value](const LaneIndices &, int64_t, Value) { return value; });
    Values results;
    for (Value result : yield.getValues())
      results.push_back(emitter.at(result, index, lanes, mask));
    for (auto [i, result] : llvm::enumerate(yield.getValues())) {
      auto offset = emitter.offsetOf(tensorOf(result), index);
      f.store(results[i], f.pointerTo(f.output(i), offset.base, elementOf(result)), elementOf(result), mask);
    }
  }
}
