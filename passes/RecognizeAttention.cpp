//===- RecognizeAttention.cpp - Attention spelled out ---------------------===//
//
//   s = contract q, k;  p = softmax (s * c + mask);  y = contract p, v   ⇒   attention q, k, v, mask {scale = c}
//
// The factor may be anywhere: on the product, a division, or split between q and k. k may come as [.., D, T], as
// MatMul wants it; it is turned back, which cancels the exporter's transpose. One batch dim or two.
//
// A mask of zeros is none; one that is constant and hides the keys after each query is `causal`.
//
// A row whose scores are all -inf, for which softmax gives NaN, gives 0.
//
//===----------------------------------------------------------------------===//

#include "passes/ConstantMask.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_RECOGNIZEATTENTION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Fewer queries than this gain nothing: the kernel has a query in each lane.
constexpr int64_t kMinQueries = 8;

/// The product over leading batch dims, rows of the left operand times something of the right.
bool isBatched(ContractOp op, int64_t batchDims, int64_t lhsContract) {
  auto leading = llvm::to_vector(llvm::seq<int64_t>(0, batchDims));
  return op && op.getLhsBatch() == ArrayRef<int64_t>(leading) && op.getRhsBatch() == ArrayRef<int64_t>(leading) &&
         op.getLhsContract() == ArrayRef<int64_t>(lhsContract) && op.getRhsContract().size() == 1 &&
         tensorOf(op.getLhs()).getRank() == batchDims + 2 && tensorOf(op.getRhs()).getRank() == batchDims + 2;
}

/// x * coefficient, where the coefficient is constant.
Value withoutFactor(Value value, double &scale) {
  Product product = productOf(value);
  if (product.factors.size() != 1)
    return value;
  scale *= product.coefficient;
  return product.factors.front();
}

struct FormAttention : OpRewritePattern<ContractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ContractOp op, PatternRewriter &rewriter) const override {
    auto softmax = op.getLhs().getDefiningOp<SoftmaxOp>();
    if (!softmax || softmax.getLog() || !softmax->hasOneUse() || !elementOf(op.getY()).isF32())
      return rewriter.notifyMatchFailure(op, "the left operand is not a softmax used once");
    int64_t rank = tensorOf(op.getLhs()).getRank(), batchDims = rank - 2;
    if ((batchDims != 1 && batchDims != 2) || int64_t(softmax.getAxis()) != rank - 1 || !isBatched(op, batchDims, rank - 1))
      return rewriter.notifyMatchFailure(op, "not a batched product over the softmax's axis");

    double scale = 1;
    Value mask;
    ContractOp scores = findScores(softmax.getX(), mask, scale);
    if (!scores || !isBatched(scores, batchDims, rank - 1))
      return rewriter.notifyMatchFailure(op, "the softmax is not of a batched product");
    Value q = withoutFactor(scores.getLhs(), scale), k = withoutFactor(scores.getRhs(), scale), v = op.getRhs();
    bool valuesTurned = op.getRhsContract()[0] == rank - 1;
    if (auto queries = dimsOf(q)[rank - 2].constant(); queries && *queries < kMinQueries)
      return rewriter.notifyMatchFailure(op, "too few queries to fill vectors");

    Location loc = rewriter.getFusedLoc({op.getLoc(), softmax.getLoc(), scores.getLoc()});
    auto turn = [&](Value x) {
      auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
      std::swap(permutation[rank - 1], permutation[rank - 2]);
      return Value(rewriter.create<TransposeOp>(loc, x, permutation));
    };
    auto ranked = [&](Value x) {
      Dims dims = dimsOf(x);
      if (dims.size() == 4)
        return x;
      dims.insert(dims.begin(), 4 - dims.size(), DimExpr(1));
      return Value(rewriter.create<ReshapeOp>(loc, tensorType(dims, elementOf(x)), x));
    };
    if (scores.getRhsContract()[0] == rank - 2)
      k = turn(k);
    if (valuesTurned)
      v = turn(v);
    if (auto broadcast = mask ? mask.getDefiningOp<BroadcastOp>() : BroadcastOp())
      mask = broadcast.getX();
    MaskKind kind = mask ? kindOfMask(mask, dimsOf(q)[rank - 2], dimsOf(k)[rank - 2]) : MaskKind::none;
    mask = kind == MaskKind::other ? ranked(mask) : Value();
    Value y = rewriter.create<AttentionOp>(loc, ranked(q), ranked(k), ranked(v), mask, APFloat(scale), APFloat(0.0), kind == MaskKind::causal);
    if (y.getType() != op.getType())
      y = rewriter.create<ReshapeOp>(loc, op.getType(), y);
    rewriter.replaceOp(op, y);
    return success();
  }

private:
  /// Reads `scores * c + mask` (or without either).
  static ContractOp findScores(Value value, Value &mask, double &scale) {
    if (auto add = value.getDefiningOp<AddOp>()) {
      for (int side : {0, 1}) {
        double factor = 1;
        auto scores = withoutFactor(add->getOperand(side), factor).getDefiningOp<ContractOp>();
        if (!scores || !add->hasOneUse())
          continue;
        mask = add->getOperand(1 - side);
        scale *= factor;
        return scores;
      }
      return {};
    }
    return withoutFactor(value, scale).getDefiningOp<ContractOp>();
  }
};

struct RecognizeAttention : optc::impl::RecognizeAttentionBase<RecognizeAttention> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormAttention>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
