//===- ProductEpilogue.cpp - What follows a matrix product ----------------===//

#include "codegen/cpu/ProductEpilogue.h"
#include "codegen/cpu/Interleave.h"

using namespace mlir;
using namespace optc;

ProductEpilogue::ProductEpilogue(KernelFunction &f, const ContractionKernel &c, int64_t lanes)
    : emitter(f), f(f), c(c), lanes(lanes), element(elementOf(c.product)) {
  yield = cast<YieldOp>(f.kernel.getBody().front().getTerminator());
  f.convertsBFloat = c.bfloat;
}

bool ProductEpilogue::hasFunctions(KernelOp kernel) {
  return kernel.getBody()
      .walk([](Operation *op) {
        return isa<ExpOp, LogOp, ErfOp, TanhOp, SigmoidOp, SiluOp, GeluOp, SoftplusOp, SinOp, CosOp, PowOp, Log1pOp, Expm1Op>(op)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Functions and quantisation are emitted once in a loop over the rows rather than for each row.
bool ProductEpilogue::isHeavy() { return hasFunctions(f.kernel) || !f.kernel.getBody().getOps<QuantizeOp>().empty(); }

void ProductEpilogue::store(const Values &sums, const ProductTile &tile, Value scratch) {
  if (!isHeavy()) {
    for (int64_t r = 0; r < tile.height; ++r) {
      TensorEmitter::Scope scope(emitter);
      for (int64_t v = 0; v < tile.vectors; ++v)
        vector(sums[r * tile.vectors + v], tile, f.add(tile.row, f.index(r)), v);
    }
    return;
  }
  // The sums go through scratch, which stays in L1, so that the function's code is there once.
  for (auto [i, sum] : llvm::enumerate(sums))
    f.store(sum, f.pointerTo(scratch, f.index(i * lanes), element), element);
  storeRows(scratch, f.index(tile.vectors * lanes), f.index(0), f.index(tile.height), tile);
}

/// So many rows at a time that there are enough chains, then fewer.
void ProductEpilogue::storeRows(Value sums, Value stride, Value begin, Value end, const ProductTile &tile) {
  int64_t most = 1;
  while (2 * most * tile.vectors <= kInterleavedChains)
    most *= 2;
  for (int64_t rows = most; rows > 0; rows /= 2) {
    Value whole = f.add(begin, f.mul(f.divide(f.sub(end, begin), f.index(rows)), f.index(rows)));
    f.loop(begin, whole, f.index(rows), {}, [&](Value first, ValueRange) {
      TensorEmitter::Scope scope(emitter);
      for (int64_t r = 0; r < rows; ++r)
        prefetch(tile, f.add(tile.row, f.add(first, f.index(r))));
      interleave(f, rows * tile.vectors, [&](int64_t i) {
        int64_t v = i % tile.vectors;
        Value r = f.add(first, f.index(i / tile.vectors));
        Value sum = f.load(f.pointerTo(sums, f.add(f.mul(r, stride), f.index(v * lanes)), element), element, lanes);
        vector(sum, tile, f.add(tile.row, r), v);
      });
      return Values{};
    });
    begin = whole;
  }
}

/// A result written over what is added to it: the next block's rows come from beyond L2.
void ProductEpilogue::prefetch(const ProductTile &tile, Value row) {
  constexpr int64_t kCached = 256 * 1024;
  auto rows = c.m.constant(), columns = c.n.constant();
  Type element = elementOf(yield.getValues().front());
  if (!inPlaceOperand(f.kernel, 0) || !rows || !columns || *rows * *columns * (element.getIntOrFloatBitWidth() / 8) < kCached)
    return;
  Value ahead = f.add(f.mul(f.add(row, f.index(c.blockHeights().back())), f.index(*columns)), tile.column);
  f.b.create<LLVM::Prefetch>(f.loc, f.pointerTo(f.output(0), ahead, element), /*rw=*/0, /*hint=*/2, /*cache=*/1);
}

/// Stores a vector of a row of the results.
void ProductEpilogue::vector(Value sum, const ProductTile &tile, Value row, int64_t v) {
  Value column = f.add(tile.column, f.index(v * lanes)), mask;
  if (v >= tile.vectors - tile.checked)
    mask = f.lanesBelow(f.sub(f.size(c.n), column), lanes);
  LaneIndices index;
  if (c.batched)
    index.push_back({tile.batch, 0});
  index.push_back({row, 0});
  index.push_back({column, 1});
  emitter.define(c.product, [sum](const LaneIndices &, int64_t, Value) { return sum; });
  emitter.storeResults(index, lanes, mask);
}
