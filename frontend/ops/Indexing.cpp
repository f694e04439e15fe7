//===- Indexing.cpp - Gather*, Scatter*, OneHot, Compress ------------------===//
//
//   Gather(shape, 0)  stays an op: symbolicElements reads through it.
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// Indices as i32 or i64.
Value indices(Node &n, Value x) {
  n.expect(isa<IntegerType>(elementOf(x)), "indices must be integers");
  return elementOf(x).isSignlessInteger(32) || elementOf(x) == n.i64() ? x : n.cast(x, n.i64());
}

Results gather(Node &n) {
  return {n.make<GatherOp>(n[0], indices(n, n[1]), n.axis(n.integer("axis", 0), n.rank(n[0])))};
}
Results gatherElements(Node &n) {
  return {n.make<GatherElementsOp>(n[0], indices(n, n[1]), n.axis(n.integer("axis", 0), n.rank(n[0])))};
}
Results gatherND(Node &n) { return {n.make<GatherNDOp>(n[0], indices(n, n[1]), n.integer("batch_dims", 0))}; }

std::string reduction(Node &n) {
  std::string kind = n.text("reduction", "none");
  n.expect(kind == "none" || kind == "add" || kind == "mul" || kind == "min" || kind == "max",
           "unknown reduction '" + kind + "'");
  return kind;
}
Results scatterElements(Node &n) {
  return {n.make<ScatterElementsOp>(n[0], indices(n, n[1]), n[2], n.axis(n.integer("axis", 0), n.rank(n[0])),
                                    reduction(n))};
}
Results scatterND(Node &n) { return {n.make<ScatterNDOp>(n[0], indices(n, n[1]), n[2], reduction(n))}; }

// TensorScatter writes `update` into a cache at write_indices[b] along `axis`, wrapping around when circular:
// a scatter at the indices (start + i) mod length.
Results tensorScatter(Node &n) {
  Value past = n[0], update = n[1], start = n.optional(2);
  Dims cache = n.dims(past), fresh = n.dims(update);
  n.expect(cache.size() == fresh.size() && cache.size() >= 2, "cache and update differ in rank");
  int64_t axis = n.axis(n.integer("axis", -2), cache.size());
  std::string mode = n.text("mode", "linear");
  n.expect(axis > 0 && (mode == "linear" || mode == "circular"),
           "expected an axis other than the batch, and mode linear or circular");
  Value at = n.makeAs<IotaOp>(tensorType(fresh, n.i64()), axis);
  if (start) {
    Dims perBatch(fresh.size(), DimExpr(1));
    perBatch[0] = fresh[0];
    at = n.make<AddOp>(at, n.broadcast(n.reshape(n.cast(start, n.i64()), perBatch), fresh));
  }
  if (mode == "circular") {
    Value length = n.fromDims({cache[axis]}, RankedTensorType::get({}, n.i64()));
    at = n.make<ModOp>(at, n.broadcast(length, fresh), false);
  }
  return {n.make<ScatterElementsOp>(past, at, update, axis, "none")};
}

// indices == iota ? on : off. Negative indices count from the end.
Results oneHot(Node &n) {
  Value at = n.cast(n[0], n.i64()), values = n[2];
  int64_t rank = n.rank(at), axis = n.axis(n.integer("axis", -1), rank + 1);
  n.expect(n.rank(values) == 1 && dimsMayMatch(n.dims(values)[0], DimExpr(2)), "values must be [off, on]");
  Value depth = n[1];
  if (!isa<IntegerType>(elementOf(depth))) {
    if (auto known = n.constantNumbers(depth); known && known->size() == 1)
      depth = n.scalarInteger(n.i64(), int64_t((*known)[0]));
    else
      depth = n.cast(depth, n.i64());
  }
  Dims sizes = n.elements(depth);
  n.expect(sizes.size() == 1, "depth must be one number");
  Dims dims = n.dims(at);
  dims.insert(dims.begin() + axis, sizes[0]);
  Value position = n.makeAs<IotaOp>(tensorType(dims, n.i64()), axis);
  Value wanted = n.broadcast(n.unsqueeze(at, {axis}), dims);
  Value size = n.broadcast(n.fromDims(sizes, RankedTensorType::get({}, n.i64())), dims);
  Value wrapped = n.make<SelectOp>(n.make<CompareOp>(wanted, n.full(wanted, 0), "lt"),
                                   n.make<AddOp>(wanted, size), wanted);
  Value off = n.broadcast(n.reshape(n.slice(values, 0, 0, 1), {}), dims);
  Value on = n.broadcast(n.reshape(n.slice(values, 0, 1, 1), {}), dims);
  return {n.make<SelectOp>(n.make<CompareOp>(position, wrapped, "eq"), on, off)};
}

// gather x at the positions where the condition holds
Results compress(Node &n) {
  Value x = n[0], condition = n[1];
  n.expect(n.rank(condition) == 1, "condition must be a vector");
  int64_t axis = 0;
  if (n.has("axis"))
    axis = n.axis(n.integer("axis"), n.rank(x));
  else
    x = n.reshape(x, {numElements(n.dims(x))});
  DimExpr count = n.freshSize(0, axis);
  Value positions = n.makeAs<NonZeroOp>(tensorType({DimExpr(1), count}, n.i64()), condition);
  return {n.make<GatherOp>(x, n.reshape(positions, {count}), axis)};
}

} // namespace

void optc::registerIndexing(Registry &r) {
  r.domain = "";
  r.add("Compress", 9, compress);
  r.add("Gather", 1, gather);
  r.add("GatherElements", 11, gatherElements);
  r.add("GatherND", 11, gatherND);
  r.add("OneHot", 9, oneHot);
  r.add("Scatter", 9, scatterElements);
  r.add("ScatterElements", 11, scatterElements);
  r.add("ScatterND", 11, scatterND);
  r.add("TensorScatter", 24, tensorScatter);
}
