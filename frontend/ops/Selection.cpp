//===- Selection.cpp - TopK, NonZero, Unique, NonMaxSuppression ------------===//
//
// Sizes that data decides become new symbols in the result type, named after the output:
//
//   NonZero(x[4])  ⇒  optc.nonzero x : tensor<1x?xi64, [1, "y.1"]>
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

Results topK(Node &n, const DimExpr &k) {
  Value x = n[0];
  int64_t axis = n.axis(n.integer("axis", -1), n.rank(x));
  Dims dims = n.dims(x);
  if (k.isConstant() && dims[axis].isConstant())
    n.expect(*k.constant() >= 0 && *k.constant() <= *dims[axis].constant(),
             "k is " + k.str() + ", the dim has " + dims[axis].str() + " elements");
  dims[axis] = k;
  auto op = n.opAs<TopKOp>({tensorType(dims, elementOf(x)), tensorType(dims, n.i64())}, x, axis,
                           n.flag("largest", true), n.flag("sorted", true));
  return {op.getValues(), op.getIndices()};
}
Results topKByAttribute(Node &n) { return topK(n, n.integer("k")); }
Results topKByInput(Node &n) {
  Dims k = n.elements(n[1]);
  n.expect(k.size() == 1, "k must be one number");
  return topK(n, k[0]);
}

Results nonZero(Node &n) {
  // A scalar counts as a vector of one.
  Value x = n.rank(n[0]) == 0 ? n.reshape(n[0], {1}) : n[0];
  Value y = n.makeAs<NonZeroOp>(tensorType({DimExpr(n.rank(x)), n.freshSize(0, 1)}, n.i64()), x);
  return {n.rank(n[0]) == 0 ? n.slice(y, 0, 0, 0) : y};
}

Results unique(Node &n) {
  Value x = n[0];
  DimExpr count = n.freshSize(0, 0);
  IntegerAttr axis;
  Dims dims{count};
  DimExpr from = numElements(n.dims(x));
  if (n.has("axis")) {
    int64_t a = n.axis(n.integer("axis"), n.rank(x));
    axis = n.b.getI64IntegerAttr(a);
    dims = n.dims(x);
    from = dims[a];
    dims[a] = count;
  }
  Type counts = tensorType({count}, n.i64());
  auto op = n.opAs<UniqueOp>({tensorType(dims, elementOf(x)), counts, tensorType({from}, n.i64()), counts}, x,
                             axis, n.b.getBoolAttr(n.flag("sorted", true)));
  return Results(op->result_begin(), op->result_end());
}

Results nonMaxSuppression(Node &n) {
  auto scalar = [&](size_t i) { return n.optional(i) ? n.reshape(n[i], {}) : Value(); };
  n.expect(n.rank(n[0]) == 3 && n.rank(n[1]) == 3, "boxes and scores must have rank 3");
  Type type = tensorType({n.freshSize(0, 0), DimExpr(3)}, n.i64());
  return {n.makeAs<NmsOp>(type, n[0], n[1], scalar(2), scalar(3), scalar(4), n.flag("center_point_box"))};
}

} // namespace

void optc::registerSelection(Registry &r) {
  r.domain = "";
  r.add("NonMaxSuppression", 10, nonMaxSuppression);
  r.add("NonZero", 9, nonZero);
  r.add("TopK", 1, topKByAttribute);
  r.add("TopK", 10, topKByInput);
  r.add("Unique", 11, unique);
}
