//===- ConstantMask.cpp - What a constant mask hides ----------------------===//

#include "passes/ConstantMask.h"
#include "ir/eval/Evaluate.h"

using namespace mlir;
using namespace optc;

MaskKind optc::kindOfMask(mlir::Value mask, const DimExpr &queries, const DimExpr &keys) {
  // Its exponential is 0 beside that of any score.
  constexpr float kHidden = -1e30f;
  constexpr int64_t kMaxElements = 1 << 22;
  if (!isWeight(mask) || !elementOf(mask).isF32() || tensorOf(mask).getNumElements() > kMaxElements)
    return MaskKind::other;
  llvm::DenseMap<mlir::Value, HostValue> cache;
  auto known = evaluateWeight(mask, cache);
  if (failed(known))
    return MaskKind::other;
  ArrayRef<float> elements(known->as<float>(), size_t(known->size()));
  if (llvm::all_of(elements, [](float x) { return x == 0; }))
    return MaskKind::none;
  auto s = queries.constant(), t = keys.constant();
  Dims dims = dimsOf(mask);
  size_t rank = dims.size();
  // A query without keys would see all of them alike.
  if (rank < 2 || !s || !t || *t < *s || dims[rank - 2] != queries || dims[rank - 1] != keys)
    return MaskKind::other;
  for (auto [i, x] : llvm::enumerate(elements)) {
    int64_t query = int64_t(i) / *t % *s, key = int64_t(i) % *t;
    if (key <= query + *t - *s ? x != 0 : !(x <= kHidden))
      return MaskKind::other;
  }
  return MaskKind::causal;
}
