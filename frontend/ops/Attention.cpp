//===- Attention.cpp - Attention of the ONNX opset 23 ----------------------===//
//
// The forms that exporters emit become `optc.attention`; those with windows, padding or a look
// inside are expanded by ONNX's function body.
//
//   Attention(q[B,S,H*D], k, v) {q_num_heads = H}  ⇒  attention over [B,H,S,D], then back to [B,S,H*E]
//
//===----------------------------------------------------------------------===//

#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// [B, S, H*D] -> [B, H, S, D]; rank 4 stays.
Value heads(Node &n, Value x, StringRef attribute) {
  if (n.rank(x) == 4)
    return x;
  n.expect(n.rank(x) == 3, "Q, K and V must have rank 3 or 4");
  int64_t count = n.integer(attribute);
  Dims d = n.dims(x);
  n.expect(count > 0, "attribute '" + attribute + "' must be positive");
  auto size = DimExpr::divideExactly(d[2], count);
  n.expect(size.has_value(), "the hidden size is not divisible by '" + attribute + "'");
  return n.transpose(n.reshape(x, {d[0], d[1], count, *size}), {0, 2, 1, 3});
}

Results attention(Node &n) {
  Value mask = n.optional(3);
  double softcap = n.number("softcap", 0);
  if (n.optional(6) || n.wants(3) || n.integer("left_window_size", -1) >= 0 ||
      n.integer("right_window_size", -1) >= 0 ||
      (mask && (softcap != 0 || (elementOf(mask) != elementOf(n[0]) && elementOf(mask) != n.boolean()))))
    n.expandInstead();
  Value q = heads(n, n[0], "q_num_heads"), k = heads(n, n[1], "kv_num_heads"),
        v = heads(n, n[2], "kv_num_heads");
  n.expect(n.rank(q) == 4 && n.rank(k) == 4 && n.rank(v) == 4, "Q, K and V differ in rank");
  Value pastKey = n.optional(4), pastValue = n.optional(5);
  if (pastKey && pastValue) {
    k = n.concat({pastKey, k}, 2);
    v = n.concat({pastValue, v}, 2);
  }
  Dims dims = n.dims(q), keys = n.dims(k);
  bool causal = n.flag("is_causal");
  auto size = dims[3].constant();
  // optc.attention aligns the causal frontier with the last key; without a past ONNX does with the first.
  if (!size || *size == 0 || (causal && !pastKey && dims[2] != keys[2]))
    n.expandInstead();
  double scale = n.number("scale", 0);
  if (scale == 0)
    scale = 1 / std::sqrt(double(*size));
  if (mask) {
    if (n.rank(mask) > 4 || n.rank(mask) < 1 || !dimsMayMatch(n.dims(mask).back(), keys[2]))
      n.expandInstead();
    Dims own(4 - n.rank(mask), DimExpr(1));
    own.append(n.dims(mask));
    mask = n.reshape(mask, own);
    if (elementOf(mask) == n.boolean()) {
      Value zero = n.broadcast(n.scalar(elementOf(q), 0), own),
            never = n.broadcast(n.scalar(elementOf(q), -INFINITY), own);
      mask = n.make<SelectOp>(mask, zero, never);
    }
  }
  Value y = n.make<AttentionOp>(q, k, v, mask, llvm::APFloat(scale), llvm::APFloat(softcap), causal);
  if (n.rank(n[0]) == 3) {
    Dims d = n.dims(y);
    y = n.reshape(n.transpose(y, {0, 2, 1, 3}), {d[0], d[2], d[1] * d[3]});
  }
  return {y, k, v};
}

} // namespace

void optc::registerAttention(Registry &r) {
  r.domain = "";
  r.add("Attention", 23, attention);
}
