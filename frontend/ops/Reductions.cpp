//===- Reductions.cpp - Reduce*, ArgMax, CumSum ----------------------------===//
//
// `axes` came as an attribute at first, as an input later; noop_with_empty_axes only exists in
// the later form. keepdims is a reshape after the reduction:
//
//   ReduceL2(x)  ⇒  reshape (sqrt (reduce sum (x * x)))
//
//===----------------------------------------------------------------------===//

#include "frontend/Branches.h"
#include "frontend/Registry.h"

using namespace mlir;
using namespace optc;

namespace {

enum class Axes { attribute, input };

/// Calls `import` with the axes to reduce; nullopt when the node is to leave its input's shape as it is.
Results withReducedAxes(Node &n, Axes form,
                        llvm::function_ref<Results(Node &, std::optional<SmallVector<int64_t>>)> import) {
  int64_t rank = n.rank(n[0]);
  auto given = [&](Node &n, ArrayRef<int64_t> axes) {
    if (!axes.empty())
      return import(n, n.axes(axes, rank));
    if (form == Axes::input && n.flag("noop_with_empty_axes"))
      return import(n, std::nullopt);
    return import(n, llvm::to_vector(llvm::seq<int64_t>(0, rank)));
  };
  if (form == Axes::attribute)
    return given(n, n.integers("axes"));
  return n.optional(1) ? withAxes(n, n[1], rank, given) : given(n, {});
}

Value keepDims(Node &n, Value x, Value reduced, ArrayRef<int64_t> axes) {
  if (!n.flag("keepdims", true))
    return reduced;
  Dims dims = n.dims(x);
  for (int64_t a : axes)
    dims[a] = 1;
  return n.reshape(reduced, dims);
}

using Step = Value (*)(Node &, Value);
Value same(Node &, Value x) { return x; }
Value square(Node &n, Value x) { return n.make<MulOp>(x, x); }
Value absolute(Node &n, Value x) { return n.make<AbsOp>(x); }
Value logarithm(Node &n, Value x) { return n.make<LogOp>(x); }
Value root(Node &n, Value x) {
  // L2 of integers: computed in f64, rounded towards zero.
  if (isa<FloatType>(elementOf(x)))
    return n.make<SqrtOp>(x);
  return n.cast(n.make<SqrtOp>(n.cast(x, n.b.getF64Type())), elementOf(x));
}

/// before, the reduction, after.
Results reduceOver(Node &n, std::optional<SmallVector<int64_t>> axes, StringRef kind, Step before,
                   Step after) {
  Value x = before(n, n[0]);
  if (!axes)
    return {after(n, x)};
  bool isBool = elementOf(x).isInteger(1);
  if (isBool) // max of bools is or, min is and
    x = n.cast(x, n.b.getIntegerType(8, false));
  Value y = n.make<ReduceOp>(x, *axes, kind);
  if (isBool)
    y = n.cast(y, n.boolean());
  return {keepDims(n, n[0], after(n, y), *axes)};
}
template <Axes form> Results reduce(Node &n, StringRef kind, Step before = same, Step after = same) {
  return withReducedAxes(n, form,
                         [&](Node &n, auto axes) { return reduceOver(n, axes, kind, before, after); });
}

template <Axes f> Results sum(Node &n) { return reduce<f>(n, "sum"); }
template <Axes f> Results mean(Node &n) { return reduce<f>(n, "mean"); }
template <Axes f> Results prod(Node &n) { return reduce<f>(n, "prod"); }
template <Axes f> Results max(Node &n) { return reduce<f>(n, "max"); }
template <Axes f> Results min(Node &n) { return reduce<f>(n, "min"); }
template <Axes f> Results l1(Node &n) { return reduce<f>(n, "sum", absolute); }
template <Axes f> Results l2(Node &n) { return reduce<f>(n, "sum", square, root); }
template <Axes f> Results sumSquare(Node &n) { return reduce<f>(n, "sum", square); }
template <Axes f> Results logSum(Node &n) { return reduce<f>(n, "sum", same, logarithm); }

// log(sum(exp(x))), shifted by a finite maximum so that it does not overflow
Results logSumExpOver(Node &n, std::optional<SmallVector<int64_t>> axes) {
  Value x = n[0];
  if (!axes)
    return {x};
  Type element = elementOf(x);
  if (!isa<FloatType>(element))
    x = n.cast(x, n.b.getF64Type());
  Dims kept = n.dims(x);
  for (int64_t a : *axes)
    kept[a] = 1;
  Value top = n.make<ReduceOp>(x, *axes, "max");
  Value infinite = n.make<IsInfOp>(top, true, true);
  top = n.make<SelectOp>(infinite, n.full(top, 0), top);
  Value shifted = n.make<SubOp>(x, n.broadcast(n.reshape(top, kept), n.dims(x)));
  Value total = n.make<ReduceOp>(n.make<ExpOp>(shifted), *axes, "sum");
  Value y = n.cast(n.make<AddOp>(n.make<LogOp>(total), top), element);
  return {keepDims(n, n[0], y, *axes)};
}

template <Axes f> Results logSumExp(Node &n) { return withReducedAxes(n, f, logSumExpOver); }

Results argReduce(Node &n, StringRef kind) {
  int64_t axis = n.axis(n.integer("axis", 0), n.rank(n[0]));
  Value y = n.make<ArgReduceOp>(n[0], axis, kind, n.flag("select_last_index"));
  return {keepDims(n, n[0], y, {axis})};
}
Results argMax(Node &n) { return argReduce(n, "max"); }
Results argMin(Node &n) { return argReduce(n, "min"); }

Results cumulative(Node &n, StringRef kind) {
  n.expect(numElements(n.dims(n[1])) == DimExpr(1), "axis must be one number");
  int64_t rank = n.rank(n[0]);
  return withAxes(n, n[1], rank, [&](Node &n, ArrayRef<int64_t> axis) -> Results {
    return {n.make<CumulativeOp>(n[0], n.axis(axis[0], rank), kind, n.flag("exclusive"), n.flag("reverse"))};
  });
}
Results cumSum(Node &n) { return cumulative(n, "sum"); }
Results cumProd(Node &n) { return cumulative(n, "prod"); }

} // namespace

#define REDUCTION(name, function, inputSince)                                                                \
  r.add(name, 1, function<Axes::attribute>);                                                                 \
  r.add(name, inputSince, function<Axes::input>)

void optc::registerReductions(Registry &r) {
  r.domain = "";
  r.add("ArgMax", 1, argMax);
  r.add("ArgMin", 1, argMin);
  r.add("CumProd", 26, cumProd);
  r.add("CumSum", 11, cumSum);
  REDUCTION("ReduceL1", l1, 18);
  REDUCTION("ReduceL2", l2, 18);
  REDUCTION("ReduceLogSum", logSum, 18);
  REDUCTION("ReduceLogSumExp", logSumExp, 18);
  REDUCTION("ReduceMax", max, 18);
  REDUCTION("ReduceMean", mean, 18);
  REDUCTION("ReduceMin", min, 18);
  REDUCTION("ReduceProd", prod, 18);
  REDUCTION("ReduceSum", sum, 13);
  REDUCTION("ReduceSumSquare", sumSquare, 18);
}
