//===- FoldLowRank.cpp - Branches of low rank into the weight beside them --===//
//
// An adapter (LoRA, Hu et al., https://arxiv.org/abs/2106.09685) that a model computes beside a layer, with constant factors,
// is part of the layer's weight:
//
//   add (contract x, w), (contract (contract x, a), b)   ⇒   contract x, (add w, (contract a, b))
//
// The layer may lie under biases, residuals and reshapes that keep its columns. Factors between the products are in a and
// b already (FoldScales). The sum is a weight expression: it is evaluated once.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/LowRank.h"
#include "passes/Passes.h"
#include "passes/StoredWeights.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_FOLDLOWRANK
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Ops looked at for the layer of one branch.
constexpr int kMostOps = 32;

bool keepsColumns(Operation *op) {
  auto reshape = dyn_cast_or_null<ReshapeOp>(op);
  if (!reshape)
    return false;
  Dims in = dimsOf(reshape.getX()), out = dimsOf(reshape.getY());
  return !in.empty() && !out.empty() && in.back() == out.back();
}

/// The tensor whose rows `value` has, in their order.
mlir::Value rowsOf(mlir::Value value) {
  while (keepsColumns(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

/// A product of rows with a constant matrix.
ContractOp asLinear(mlir::Value value) {
  auto contract = value.getDefiningOp<ContractOp>();
  if (!contract || !contract.getLhsBatch().empty() || !isa<FloatType>(elementOf(value)) || tensorOf(contract.getRhs()).getRank() != 2)
    return {};
  bool overRows = contract.getLhsContract() == ArrayRef<int64_t>{tensorOf(contract.getLhs()).getRank() - 1};
  return overRows && contract.getRhsContract().size() == 1 && isWeight(contract.getRhs()) ? contract : ContractOp();
}

/// The matrix as [in, out], or as [out, in].
mlir::Value arranged(OpBuilder &b, ContractOp linear, bool inFirst) {
  bool isInFirst = linear.getRhsContract()[0] == 0;
  return isInFirst == inFirst ? linear.getRhs() : b.create<TransposeOp>(linear.getLoc(), linear.getRhs(), ArrayRef<int64_t>{1, 0});
}

/// True where nothing but one product reads what a weight is computed from: a changed weight takes the old one's place.
bool isOwn(mlir::Value weight) {
  Operation *op = weight.getDefiningOp();
  return op && weight.hasOneUse() && llvm::all_of(op->getOperands(), isOwn);
}

/// Finds the product of the rows of `x` that a sum has, on a path of values that nothing else reads; the ops after it, the
/// last one first.
ContractOp findLayer(mlir::Value sum, mlir::Value x, SmallVectorImpl<Operation *> &path, int &budget) {
  Operation *op = sum.getDefiningOp();
  if (!op || !sum.hasOneUse() || --budget < 0)
    return {};
  if (ContractOp linear = asLinear(sum); linear && rowsOf(linear.getLhs()) == x)
    return linear;
  if (!isa<AddOp>(op) && !keepsColumns(op))
    return {};
  path.push_back(op);
  for (mlir::Value operand : op->getOperands())
    if (ContractOp layer = findLayer(operand, x, path, budget))
      return layer;
  path.pop_back();
  return {};
}

struct FoldBranch : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    bool hasBranch = false;
    for (int side : {0, 1}) {
      ContractOp up = oneUse(op->getOperand(side)) ? asLinear(rowsOf(op->getOperand(side))) : ContractOp();
      ContractOp down = up ? asLinear(rowsOf(up.getLhs())) : ContractOp();
      if (!down)
        continue;
      hasBranch = true;
      SmallVector<Operation *> path;
      int budget = kMostOps;
      ContractOp layer = findLayer(op->getOperand(1 - side), rowsOf(down.getLhs()), path, budget);
      if (!layer)
        continue;
      if (isInFewBits(layer.getRhs()))
        return rewriter.notifyMatchFailure(op, "the weight is stored in few bits, which the sum does not fit in");
      if (!isOwn(layer.getRhs()))
        return rewriter.notifyMatchFailure(op, "the weight has other readers: it would be stored twice");
      rewrite(op, op->getOperand(1 - side), path, layer, down, up, rewriter);
      return success();
    }
    return rewriter.notifyMatchFailure(op, hasBranch ? "no product with a constant has the branch's input and is read by the sum alone"
                                                     : "no operand is two products with constants, one after the other, that the sum alone reads");
  }

private:
  /// Down to the product.
  static bool oneUse(mlir::Value value) {
    for (; keepsColumns(value.getDefiningOp()); value = value.getDefiningOp()->getOperand(0))
      if (!value.hasOneUse())
        return false;
    return value.hasOneUse();
  }

  // The layer and what follows it once more, where the branch's factors are known.
  static void rewrite(AddOp op, mlir::Value sum, ArrayRef<Operation *> path, ContractOp layer, ContractOp down, ContractOp up, PatternRewriter &rewriter) {
    bool inFirst = layer.getRhsContract()[0] == 0;
    mlir::Value left = arranged(rewriter, inFirst ? down : up, inFirst), right = arranged(rewriter, inFirst ? up : down, inFirst);
    IRMapping mapping;
    mapping.map(layer.getRhs(), addLowRank(rewriter, layer.getRhs().getLoc(), layer.getRhs(), left, right));
    Operation *last = rewriter.clone(*layer, mapping);
    last->setLoc(rewriter.getFusedLoc({layer.getLoc(), down.getLoc(), up.getLoc(), op.getLoc()}));
    for (Operation *next : llvm::reverse(path))
      last = rewriter.clone(*next, mapping);
    rewriter.replaceOp(op, last->getResults());
    // What is left counts as a reader of the weight otherwise.
    for (Operation *old : path)
      rewriter.eraseOp(old);
    rewriter.eraseOp(layer);
  }
};

struct FoldLowRank : optc::impl::FoldLowRankBase<FoldLowRank> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldBranch>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
