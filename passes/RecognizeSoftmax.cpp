//===- RecognizeSoftmax.cpp - Softmax spelled out -------------------------===//
//
//   e = exp(x - max x);  e / sum e         ⇒ softmax x
//   log (softmax x)                        ⇒ softmax x {log}
//   s = x - max x;  s - log (sum (exp s))  ⇒ softmax x {log}
//
//===----------------------------------------------------------------------===//

#include "passes/Match.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_RECOGNIZESOFTMAX
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// `value` is the reduction of `x` along one axis, repeated along it: the axis.
std::optional<int64_t> repeatedReduction(Value value, StringRef kind, Value x) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return std::nullopt;
  auto reduce = throughUnitDims(broadcast.getX()).getDefiningOp<ReduceOp>();
  if (!reduce || reduce.getKind() != kind || reduce.getX() != x || reduce.getAxes().size() != 1)
    return std::nullopt;
  if (!rowValue(value, dimsOf(x), reduce.getAxes()))
    return std::nullopt;
  return reduce.getAxes().front();
}

/// x - max x: x, and the axis.
std::optional<std::pair<Value, int64_t>> shifted(Value value) {
  auto sub = value.getDefiningOp<SubOp>();
  if (!sub)
    return std::nullopt;
  auto axis = repeatedReduction(sub.getRhs(), "max", sub.getLhs());
  if (!axis)
    return std::nullopt;
  return std::make_pair(sub.getLhs(), *axis);
}

struct FormSoftmax : OpRewritePattern<DivOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DivOp op, PatternRewriter &rewriter) const override {
    auto exp = op.getLhs().getDefiningOp<ExpOp>();
    if (!exp)
      return rewriter.notifyMatchFailure(op, "the dividend is not an exponential");
    auto inner = shifted(exp.getX());
    if (!inner)
      return rewriter.notifyMatchFailure(op, "the exponent is not shifted by its maximum");
    auto axis = repeatedReduction(op.getRhs(), "sum", exp.getY());
    if (!axis || *axis != inner->second)
      return rewriter.notifyMatchFailure(op, "the divisor is not the sum along the axis of the maximum");
    rewriter.replaceOpWithNewOp<SoftmaxOp>(op, op.getType(), inner->first, *axis);
    return success();
  }
};

struct FormLogSoftmax : OpRewritePattern<LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LogOp op, PatternRewriter &rewriter) const override {
    auto softmax = op.getX().getDefiningOp<SoftmaxOp>();
    if (!softmax || softmax.getLog())
      return rewriter.notifyMatchFailure(op, "not the logarithm of a softmax");
    rewriter.replaceOpWithNewOp<SoftmaxOp>(op, op.getType(), softmax.getX(), softmax.getAxis(), /*log=*/true);
    return success();
  }
};

struct FormLogSoftmaxOfSum : OpRewritePattern<SubOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SubOp op, PatternRewriter &rewriter) const override {
    auto inner = shifted(op.getLhs());
    auto broadcast = op.getRhs().getDefiningOp<BroadcastOp>();
    auto log = broadcast ? throughUnitDims(broadcast.getX()).getDefiningOp<LogOp>() : LogOp();
    auto reduce = log ? throughUnitDims(log.getX()).getDefiningOp<ReduceOp>() : ReduceOp();
    auto exp = reduce ? reduce.getX().getDefiningOp<ExpOp>() : ExpOp();
    if (!inner || !exp || exp.getX() != op.getLhs() || reduce.getKind() != "sum")
      return rewriter.notifyMatchFailure(op, "not s - log (sum (exp s)) with s = x - max x");
    if (reduce.getAxes() != ArrayRef<int64_t>(inner->second) || !rowValue(op.getRhs(), dimsOf(op.getLhs()), reduce.getAxes()))
      return rewriter.notifyMatchFailure(op, "the sum and the maximum are along different axes");
    rewriter.replaceOpWithNewOp<SoftmaxOp>(op, op.getType(), inner->first, inner->second, /*log=*/true);
    return success();
  }
};

struct RecognizeSoftmax : optc::impl::RecognizeSoftmaxBase<RecognizeSoftmax> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormSoftmax, FormLogSoftmax, FormLogSoftmaxOfSum>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
