//===- ContribAttention.cpp - Quantised attention of com.microsoft ---------===//
//
//   QAttention(x, w, bias, ...)  ⇒  p = add (contract (dequantize x), (dequantize w)), bias;  attention of p's thirds
//
// Source: the operator pages of ONNX Runtime, docs/ContribOperators.md (QAttention, Attention).
//
//===----------------------------------------------------------------------===//

#include "frontend/Products.h"
#include "frontend/Quantize.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// What is added to the scores [B, H, S, T], of type `element`: 0, or `filter` where the mask leaves a key out. The mask is the number of keys of
/// each sequence [B], their ends and starts [2 * B], or 0 where there is none: [B, T] or [B, S, T].
Value maskOf(Node &n, Value mask, const DimExpr &batch, const DimExpr &queries, const DimExpr &keys, Type element, double filter) {
  auto added = [&](Value isKept) {
    Value none = n.scalar(element, 0), value = n.scalar(element, filter);
    return n.make<SelectOp>(isKept, n.broadcast(none, n.dims(isKept)), n.broadcast(value, n.dims(isKept)));
  };
  int64_t rank = n.rank(mask);
  Dims dims = n.dims(mask);
  n.expect(isa<IntegerType>(elementOf(mask)), "the mask must be of integers");
  if (rank == 2 || rank == 3) {
    n.expect(dimsMayMatch(dims[0], batch) && dimsMayMatch(dims.back(), keys) && (rank == 2 || dimsMayMatch(dims[1], queries)),
             "the mask must be [batch, keys] or [batch, queries, keys]");
    Value isKept = n.make<CompareOp>(mask, n.full(mask, 0), "gt");
    return added(n.unsqueeze(isKept, rank == 2 ? ArrayRef<int64_t>{1, 2} : ArrayRef<int64_t>{1}));
  }
  bool hasStarts = rank == 1 && dims[0] == batch * DimExpr(2) && dims[0] != batch;
  if (rank != 1 || (!hasStarts && !dimsMayMatch(dims[0], batch)))
    n.unsupported("unsupported: a mask that is neither [batch], [2 * batch], [batch, keys] nor [batch, queries, keys]");
  Dims all{batch, 1, 1, keys};
  Value key = n.broadcast(n.makeAs<IotaOp>(tensorType({1, 1, 1, keys}, elementOf(mask)), 3), all);
  auto limit = [&](const DimExpr &first) { return n.broadcast(n.reshape(n.slice(mask, 0, first, batch), {batch, 1, 1, 1}), all); };
  Value isKept = n.make<CompareOp>(key, limit(0), "lt");
  if (hasStarts)
    isKept = n.make<AndOp>(isKept, n.make<CompareOp>(key, limit(batch), "ge"));
  return added(isKept);
}

Results qAttention(Node &n) {
  Value x = n[0], w = n[1], past = n.optional(8), mask = n.optional(5);
  int64_t heads = n.integer("num_heads");
  if (n.flag("do_rotary") || n.flag("past_present_share_buffer"))
    n.unsupported("unsupported: rotary embeddings and buffers that past and present share");
  n.expect(n.rank(x) == 3 && n.rank(w) == 2, "expected an input of rank 3 and weights of rank 2");
  n.expect(heads > 0, "attribute 'num_heads' must be positive");
  Type element = elementOf(n[3]);
  Dims dims = n.dims(x);
  auto size = DimExpr::divideExactly(n.dims(w)[1], 3 * heads);
  auto known = size ? size->constant() : std::nullopt;
  n.expect(known && *known > 0, "the weights' columns are not 3 * num_heads times a head's size");
  DimExpr batch = dims[0], queries = dims[1], keys = queries, width = DimExpr(heads * *known);
  Value product = matMul(n, dequantize(n, x, n[3], n.optional(6), element), dequantize(n, w, n[4], n.optional(7), element, 1));
  product = addBias(n, product, n[2]);
  Value parts[3];
  for (int64_t i = 0; i < 3; ++i) {
    Value part = n.reshape(n.slice(product, 2, width * DimExpr(i), width), {batch, queries, heads, *known});
    parts[i] = n.transpose(part, {0, 2, 1, 3});
  }
  if (past) {
    n.expect(n.rank(past) == 5 && elementOf(past) == element, "past must be [2, batch, heads, keys, size], of the scales' type");
    for (int64_t i = 0; i < 2; ++i)
      parts[1 + i] = n.concat({n.squeeze(n.slice(past, 0, i, 1), {0}), parts[1 + i]}, 2);
    keys = n.dims(parts[1])[2];
  }
  Value added = mask ? maskOf(n, mask, batch, queries, keys, element, n.number("mask_filter_value", -10000)) : Value();
  double scale = n.number("scale", 0);
  if (scale == 0)
    scale = 1 / std::sqrt(double(*known));
  Value y = n.make<AttentionOp>(parts[0], parts[1], parts[2], added, llvm::APFloat(scale), llvm::APFloat(0.0), n.flag("unidirectional"));
  y = n.reshape(n.transpose(y, {0, 2, 1, 3}), {batch, queries, width});
  if (!n.wants(1))
    return {y, Value()};
  return {y, n.concat({n.unsqueeze(parts[1], {0}), n.unsqueeze(parts[2], {0})}, 0)};
}

} // namespace

void optc::registerContribAttention(Registry &r) {
  r.domain = "com.microsoft";
  r.add("QAttention", 1, qAttention);
}
