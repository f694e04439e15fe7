//===- RecognizeAttention.cpp - Attention spelled out ---------------------===//
//
//   s = contract q, k;  p = softmax (s * c + mask);  y = contract p, v   ⇒   attention q, k, v, mask {scale = c}
//
// The factor may be anywhere: on the product, a division, or split between q and k. k may come as [.., D, T], as
// MatMul wants it; it is turned back, which cancels the exporter's transpose. One batch dim or two.
//
// A mask of zeros is none; one that is constant and hides the keys after each query is `causal`.
//
// Keys and values that are repeated for several heads are those heads' group; where each head has one query, these are the queries of their group, which
// read keys once:
//
//   attention q [B, H, 1, D], k [B, G, T, D], ...   ⇒   reshape (attention (reshape q to [B, G, H / G, D]), k, ...)
//
// For a GPU attention is formed in 16-bit floats, too, whatever its softmax is computed in.
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

/// Fewer queries than this gain nothing: a CPU's kernel has a query in each lane, a GPU's is of 16-bit floats.
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

/// What the other float type of an attention's softmax is cast from; of two floats.
Value throughCast(Value x, bool gpu) {
  auto cast = gpu ? x.getDefiningOp<CastOp>() : CastOp();
  return cast && isa<FloatType>(elementOf(x)) && isa<FloatType>(elementOf(cast.getX())) ? cast.getX() : x;
}

/// [B, G, T, D] where x [B, H, T, D] is it with each of its matrices H / G times; null where it is something else.
Value groupsOf(Value x) {
  auto merged = x.getDefiningOp<ReshapeOp>();
  auto repeated = merged ? merged.getX().getDefiningOp<BroadcastOp>() : BroadcastOp();
  if (!repeated || tensorOf(x).getRank() != 4 || tensorOf(repeated.getY()).getRank() != 5 || tensorOf(repeated.getX()).getRank() != 5)
    return {};
  Dims all = dimsOf(x), wide = dimsOf(repeated.getY()), narrow = dimsOf(repeated.getX());
  bool fits = narrow[2] == DimExpr(1) && wide[1].constant() && wide[2].constant() && all == Dims{wide[0], wide[1] * wide[2], wide[3], wide[4]} &&
              narrow == Dims{wide[0], wide[1], 1, wide[3], wide[4]};
  return fits ? repeated.getX() : Value();
}

Value reshaped(OpBuilder &b, Location loc, Value x, const Dims &dims) {
  Type type = tensorType(dims, elementOf(x));
  return x.getType() == type ? x : Value(b.create<ReshapeOp>(loc, type, x));
}

struct FormAttention : OpRewritePattern<ContractOp> {
  FormAttention(MLIRContext *context, bool gpu) : OpRewritePattern(context), gpu(gpu) {}
  const bool gpu;
  LogicalResult matchAndRewrite(ContractOp op, PatternRewriter &rewriter) const override {
    Value weights = op.getLhs();
    auto softmax = throughCast(weights, gpu).getDefiningOp<SoftmaxOp>();
    Type element = elementOf(op.getY());
    bool isHalf = gpu && (element.isF16() || element.isBF16());
    if (!softmax || softmax.getLog() || !softmax->hasOneUse() || !weights.hasOneUse() || !(element.isF32() || isHalf))
      return rewriter.notifyMatchFailure(op, "the left operand is not a softmax used once");
    int64_t rank = tensorOf(op.getLhs()).getRank(), batchDims = rank - 2;
    if ((batchDims != 1 && batchDims != 2) || int64_t(softmax.getAxis()) != rank - 1 || !isBatched(op, batchDims, rank - 1))
      return rewriter.notifyMatchFailure(op, "not a batched product over the softmax's axis");

    double scale = 1;
    Value mask;
    ContractOp scores = findScores(throughCast(softmax.getX(), gpu), mask, scale);
    if (!scores || elementOf(scores.getY()) != element || !isBatched(scores, batchDims, rank - 1))
      return rewriter.notifyMatchFailure(op, "the softmax is not of a batched product");
    Value q = withoutFactor(scores.getLhs(), scale), k = withoutFactor(scores.getRhs(), scale), v = op.getRhs();
    bool valuesTurned = op.getRhsContract()[0] == rank - 1;
    bool keysTurned = scores.getRhsContract()[0] == rank - 2;
    if (Value straight = keysTurned ? turnedFrom(k) : Value()) {
      k = straight;
      keysTurned = false;
    }
    Value groups = keysTurned ? Value() : groupsOf(k), valueGroups = valuesTurned ? Value() : groupsOf(v);
    bool isGrouped = groups && valueGroups && dimsOf(groups)[1] == dimsOf(valueGroups)[1];
    if (auto queries = dimsOf(q)[rank - 2].constant(); queries && *queries < kMinQueries && !isGrouped && !isHalf)
      return rewriter.notifyMatchFailure(op, "too few queries to fill vectors");

    Location loc = rewriter.getFusedLoc({op.getLoc(), softmax.getLoc(), scores.getLoc()});
    auto turn = [&](Value x) {
      auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
      std::swap(permutation[rank - 1], permutation[rank - 2]);
      return Value(rewriter.create<TransposeOp>(loc, x, permutation));
    };
    auto ranked = [&](Value x) {
      Dims dims(4 - tensorOf(x).getRank(), DimExpr(1));
      dims.append(dimsOf(x));
      return reshaped(rewriter, loc, x, dims);
    };
    if (keysTurned)
      k = turn(k);
    if (valuesTurned)
      v = turn(v);
    if (auto broadcast = mask ? mask.getDefiningOp<BroadcastOp>() : BroadcastOp())
      mask = broadcast.getX();
    MaskKind kind = mask ? kindOfMask(mask, dimsOf(q)[rank - 2], dimsOf(k)[rank - 2]) : MaskKind::none;
    mask = kind == MaskKind::other ? ranked(mask) : Value();
    if (isGrouped) {
      auto ungrouped = [&](Value x) {
        Dims d = dimsOf(x);
        return reshaped(rewriter, loc, x, {d[0], d[1], d[3], d[4]});
      };
      k = ungrouped(groups), v = ungrouped(valueGroups);
    }
    Value y = rewriter.create<AttentionOp>(loc, ranked(q), ranked(k), ranked(v), mask, APFloat(scale), APFloat(0.0), kind == MaskKind::causal);
    rewriter.replaceOp(op, reshaped(rewriter, loc, y, dimsOf(op.getY())));
    return success();
  }

private:
  /// What has the last two dims of x exchanged; null where x is something else.
  static Value turnedFrom(Value x) {
    auto transpose = x.getDefiningOp<TransposeOp>();
    if (!transpose)
      return {};
    auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, tensorOf(x).getRank()));
    std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
    return transpose.getPermutation() == ArrayRef<int64_t>(permutation) ? transpose.getX() : Value();
  }
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

/// Heads of one query each are the queries of their group.
struct JoinHeads : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    Dims q = dimsOf(op.getQ()), k = dimsOf(op.getK()), y = dimsOf(op.getY());
    auto heads = q[1].constant(), groups = k[1].constant();
    if (q[2] != DimExpr(1) || !heads || !groups || *groups < 1 || *groups >= *heads || *heads % *groups)
      return failure();
    DimExpr each = *heads / *groups;
    Value mask = op.getMask();
    if (mask) {
      Dims m = dimsOf(mask);
      if (m[1] != DimExpr(1) && m[1] != q[1])
        return failure();
      if (m[1] == q[1])
        mask = reshaped(rewriter, op.getLoc(), mask, {m[0], k[1], each, m[3]});
    }
    Value queries = reshaped(rewriter, op.getLoc(), op.getQ(), {q[0], k[1], each, q[3]});
    // One query sees all keys.
    auto joined = rewriter.create<AttentionOp>(op.getLoc(), queries, op.getK(), op.getV(), mask, op.getScale(), op.getSoftcap(), false);
    joined->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, reshaped(rewriter, op.getLoc(), joined.getY(), y));
    return success();
  }
};

struct RecognizeAttention : optc::impl::RecognizeAttentionBase<RecognizeAttention> {
  using RecognizeAttentionBase::RecognizeAttentionBase;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormAttention>(&getContext(), gpu);
    patterns.add<JoinHeads>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
