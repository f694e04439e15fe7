//===- FoldScales.cpp - Constant factors into weights ---------------------===//
//
// A batch normalisation after a convolution arrives as a factor and an offset a channel; the factor goes into the
// weights:
//
//   mul (conv x, w), s          ⇒  conv x, (mul w, s)          s: one element an output channel
//   mul (contract x, w), s      ⇒  contract x, (mul w, s)      s: one element a column of w
//   mul (add y, b), s           ⇒  add (mul y, s), (mul b, s)  on the way there
//
// The product of the weights is a weight expression: it is evaluated once, in double precision.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/ChannelScale.h"
#include "passes/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_FOLDSCALES
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// The weight under the broadcast `value` when it varies along dim `axis` of it at most: as [size] or a scalar.
Value alongDim(PatternRewriter &rewriter, Value value, int64_t axis) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast || !isWeight(broadcast.getX()))
    return {};
  Dims own = dimsOf(broadcast.getX());
  int64_t missing = tensorOf(value).getRank() - int64_t(own.size());
  for (int64_t d = 0; d < int64_t(own.size()); ++d)
    if (own[d] != DimExpr(1) && d + missing != axis)
      return {};
  return rewriter.create<ReshapeOp>(value.getLoc(), tensorType({numElements(own)}, elementOf(value)), broadcast.getX());
}

struct FoldScale : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    if (!isa<FloatType>(elementOf(op.getY())) || isWeight(op.getY()))
      return rewriter.notifyMatchFailure(op, "not a product of an activation of floats");
    for (int side : {0, 1}) {
      Operation *producer = op->getOperand(side).getDefiningOp();
      if (!producer || !producer->hasOneUse())
        continue;
      Value factor = op->getOperand(1 - side);
      if (auto conv = dyn_cast<ConvOp>(producer))
        return intoConv(op, conv, factor, rewriter);
      if (auto contract = dyn_cast<ContractOp>(producer))
        return intoContract(op, contract, factor, rewriter);
      if (auto add = dyn_cast<AddOp>(producer))
        return throughAdd(op, add, factor, rewriter);
    }
    return rewriter.notifyMatchFailure(op, "no factor is a convolution or a matrix product used once");
  }

private:
  static LogicalResult intoConv(MulOp op, ConvOp conv, Value factor, PatternRewriter &rewriter) {
    bool last = conv.getLayout() == "nhwc";
    int64_t rank = tensorOf(conv.getY()).getRank();
    Value channel = isWeight(conv.getW()) ? alongDim(rewriter, factor, last ? rank - 1 : 1) : Value();
    if (!channel)
      return rewriter.notifyMatchFailure(op, "the weights or the factor are not constant, or it varies within a channel");
    Value w = scaleAlong(rewriter, conv.getW(), channel, last ? rank - 1 : 0);
    return replace(op, conv, 1, w, rewriter);
  }

  static LogicalResult intoContract(MulOp op, ContractOp contract, Value factor, PatternRewriter &rewriter) {
    // The last dim of the result is the last free dim of the right operand.
    Value w = contract.getRhs();
    int64_t axis = tensorOf(w).getRank() - 1;
    while (axis >= 0 && (llvm::is_contained(contract.getRhsBatch(), axis) || llvm::is_contained(contract.getRhsContract(), axis)))
      --axis;
    int64_t rank = tensorOf(contract.getY()).getRank();
    if (axis < 0 || rank == 0 || !isWeight(w))
      return rewriter.notifyMatchFailure(op, "the right operand is not constant or has no dim of its own");
    Value column = alongDim(rewriter, factor, rank - 1);
    if (!column)
      return rewriter.notifyMatchFailure(op, "the factor is not constant, or varies within a column");
    return replace(op, contract, 1, scaleAlong(rewriter, w, column, axis), rewriter);
  }

  /// Only where the factor then reaches a convolution or product.
  static LogicalResult throughAdd(MulOp op, AddOp add, Value factor, PatternRewriter &rewriter) {
    auto under = [](Value v) {
      auto broadcast = v.getDefiningOp<BroadcastOp>();
      return broadcast && isWeight(broadcast.getX()) ? broadcast : BroadcastOp();
    };
    BroadcastOp scale = under(factor);
    for (int side : {0, 1}) {
      Operation *root = add->getOperand(side).getDefiningOp();
      BroadcastOp offset = under(add->getOperand(1 - side));
      if (!scale || !offset || !root || !root->hasOneUse() || !isa<ConvOp, ContractOp>(root) || !isWeight(root->getOperand(1)))
        continue;
      auto small = broadcastDims(dimsOf(scale.getX()), dimsOf(offset.getX()));
      if (failed(small))
        continue;
      auto type = tensorType(*small, elementOf(op.getY()));
      Location loc = op.getLoc();
      auto repeat = [&](Value v) { return v.getType() == type ? v : Value(rewriter.create<BroadcastOp>(loc, type, v)); };
      Value moved = rewriter.create<MulOp>(loc, type, repeat(offset.getX()), repeat(scale.getX()));
      Value product = rewriter.create<MulOp>(loc, op.getType(), add->getOperand(side), factor);
      rewriter.replaceOpWithNewOp<AddOp>(op, op.getType(), product, rewriter.create<BroadcastOp>(loc, op.getType(), moved));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "not a constant offset of a convolution or matrix product");
  }

  /// The producer with another weight takes the product's place.
  static LogicalResult replace(MulOp op, Operation *producer, unsigned operand, Value w, PatternRewriter &rewriter) {
    IRMapping mapping;
    mapping.map(producer->getOperand(operand), w);
    Operation *twin = rewriter.clone(*producer, mapping);
    twin->setLoc(rewriter.getFusedLoc({producer->getLoc(), op.getLoc()}));
    rewriter.replaceOp(op, twin->getResults());
    return success();
  }
};

struct FoldScales : optc::impl::FoldScalesBase<FoldScales> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldScale>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
