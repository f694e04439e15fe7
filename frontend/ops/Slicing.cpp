//===- Slicing.cpp - Slice, Pad, ReverseSequence ---------------------------===//
//
// ONNX's rules for starts and ends (negative ones count from the end, all are clamped) become
// dim expressions; constants and dims cancel out:
//
//   Slice(x[seq,8], [1], [INT64_MAX], [0])  ⇒  slice x {starts = [min(1,seq), 0]} : [max(seq-1,0), 8]
//
//===----------------------------------------------------------------------===//

#include "frontend/Branches.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

/// Bounds beyond which a start or end is simply "the end".
constexpr int64_t kFar = int64_t(1) << 40;

DimExpr clamp(const DimExpr &x, const DimExpr &low, const DimExpr &high) {
  return DimExpr::max(DimExpr::min(x, high), low);
}

/// 1 where x < 0, else 0.
DimExpr isNegative(const DimExpr &x) { return DimExpr::min(DimExpr::max(DimExpr(0) - x, 0), 1); }

/// x, or x + size where x is negative.
DimExpr fromEnd(const DimExpr &x, const DimExpr &size) {
  if (x.isNonNegative())
    return x;
  if ((DimExpr(-1) - x).isNonNegative())
    return x + size;
  return x + size * isNegative(x);
}

/// A start or end with huge constants brought into range.
DimExpr bound(const DimExpr &x, const DimExpr &size, const DimExpr &low, const DimExpr &high) {
  if (auto c = x.constant()) {
    if (*c >= kFar || *c == INT32_MAX)
      return high;
    if (*c <= -kFar || *c == INT32_MIN || *c == -INT32_MAX)
      return low;
  }
  return clamp(fromEnd(x, size), low, high);
}

Results slice(Node &n, Dims starts, Dims ends, std::optional<SmallVector<int64_t>> axes, Dims steps) {
  Value x = n[0];
  Dims in = n.dims(x), out = in, first(in.size(), DimExpr(0)), strides(in.size(), DimExpr(1));
  int64_t rank = in.size();
  if (!axes)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.size()));
  n.expect(starts.size() == ends.size() && axes->size() == starts.size() &&
               (steps.empty() || steps.size() == starts.size()),
           "starts, ends, axes and steps differ in length");
  axes = n.axes(*axes, rank);
  for (auto [i, axis] : llvm::enumerate(*axes)) {
    DimExpr step = steps.empty() ? DimExpr(1) : steps[i], d = in[axis];
    // What a step of each sign gives. The index is never outside of x, even where nothing is taken.
    auto forward = [&](const DimExpr &s) -> std::pair<DimExpr, DimExpr> {
      DimExpr from = bound(starts[i], d, 0, d), to = bound(ends[i], d, 0, d);
      return {from, DimExpr::max(DimExpr::ceildiv(to - from, s), 0)};
    };
    auto backward = [&](const DimExpr &s) -> std::pair<DimExpr, DimExpr> {
      DimExpr last = d - DimExpr(1), from = bound(starts[i], d, 0, last), to = bound(ends[i], d, -1, last);
      DimExpr size = DimExpr::max(DimExpr::ceildiv(from - to, DimExpr(0) - s), 0);
      if (!last.isNonNegative()) // nothing to take from an empty dim
        size = DimExpr::min(size, d);
      return {DimExpr::max(from, 0), size};
    };
    if (auto c = step.constant()) {
      n.expect(*c != 0, "a step is 0");
      step = std::clamp<int64_t>(*c, -kFar, kFar);
      std::tie(first[axis], out[axis]) = *c > 0 ? forward(step) : backward(step);
    } else {
      DimExpr negative = isNegative(step);
      auto up = forward(step), down = backward(step);
      first[axis] = DimExpr::ifeq(negative, 1, down.first, up.first);
      out[axis] = DimExpr::ifeq(negative, 1, down.second, up.second);
    }
    strides[axis] = step;
  }
  RankedTensorType type = tensorType(out, elementOf(x));
  auto isTrivial = [](ArrayRef<DimExpr> list, int64_t v) {
    return llvm::all_of(list, [&](const DimExpr &d) { return d == DimExpr(v); });
  };
  if (type == x.getType() && isTrivial(first, 0) && isTrivial(strides, 1))
    return {x};
  return {n.makeAs<SliceOp>(type, x, DimsAttr::get(n.context(), first), DimsAttr::get(n.context(), strides))};
}

Results sliceByAttributes(Node &n) {
  auto starts = n.integers("starts"), ends = n.integers("ends"), axes = n.integers("axes");
  return slice(n, Dims(starts.begin(), starts.end()), Dims(ends.begin(), ends.end()),
               n.has("axes") ? std::optional(axes) : std::nullopt, {});
}

Results sliceByInputs(Node &n) {
  auto along = [](Node &n, std::optional<SmallVector<int64_t>> axes) {
    return slice(n, n.elements(n[1]), n.elements(n[2]), axes, n.optional(4) ? n.elements(n[4]) : Dims());
  };
  if (!n.optional(3))
    return along(n, std::nullopt);
  return withAxes(n, n[3], n.rank(n[0]),
                  [&](Node &n, ArrayRef<int64_t> axes) { return along(n, SmallVector<int64_t>(axes)); });
}

Results pad(Node &n, ArrayRef<DimExpr> low, ArrayRef<DimExpr> high, Value value) {
  Value x = n[0];
  Dims in = n.dims(x), out;
  std::string mode = n.text("mode", "constant");
  n.expect(low.size() == in.size() && high.size() == in.size(), "pads must have two entries a dim");
  for (size_t i = 0; i < in.size(); ++i) {
    out.push_back(in[i] + low[i] + high[i]);
    n.expect(!out.back().isConstant() || *out.back().constant() >= 0,
             "dim " + Twine(i) + " is cropped to a negative size");
  }
  if (llvm::all_of(low, [](const DimExpr &d) { return d == DimExpr(0); }) && out == in)
    return {x};
  if (value)
    value = n.reshape(value, {});
  return {n.makeAs<PadOp>(tensorType(out, elementOf(x)), x, mode == "constant" ? value : Value(),
                          DimsAttr::get(n.context(), low), mode)};
}

Results padByAttributes(Node &n) {
  auto pads = n.integers(n.opset < 2 ? "paddings" : "pads");
  Dims dims(pads.begin(), pads.end());
  n.expect(dims.size() % 2 == 0, "pads must have two entries a dim");
  ArrayRef<DimExpr> all = dims;
  return pad(n, all.take_front(dims.size() / 2), all.drop_front(dims.size() / 2),
             n.scalar(elementOf(n[0]), n.number("value", 0)));
}

Results padAlong(Node &n, ArrayRef<int64_t> givenAxes) {
  Dims given = n.elements(n[1]);
  int64_t rank = n.rank(n[0]);
  auto axes = n.axes(givenAxes, rank);
  n.expect(given.size() == 2 * axes.size(), "pads must have two entries an axis");
  Dims low(rank, DimExpr(0)), high(rank, DimExpr(0));
  for (auto [i, axis] : llvm::enumerate(axes)) {
    low[axis] = given[i];
    high[axis] = given[i + axes.size()];
  }
  return pad(n, low, high, n.optional(2));
}
Results padByInputs(Node &n) {
  int64_t rank = n.rank(n[0]);
  if (n.optional(3))
    return withAxes(n, n[3], rank, padAlong);
  return padAlong(n, llvm::to_vector(llvm::seq<int64_t>(0, rank)));
}

Results reverseSequence(Node &n) {
  int64_t rank = n.rank(n[0]);
  return {n.make<ReverseSequenceOp>(n[0], n[1], n.axis(n.integer("time_axis", 0), rank),
                                    n.axis(n.integer("batch_axis", 1), rank))};
}

} // namespace

void optc::registerSlicing(Registry &r) {
  r.domain = "";
  r.add("Pad", 1, padByAttributes);
  r.add("Pad", 11, padByInputs);
  r.add("ReverseSequence", 10, reverseSequence);
  r.add("Slice", 1, sliceByAttributes);
  r.add("Slice", 10, sliceByInputs);
}
