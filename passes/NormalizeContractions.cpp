//===- NormalizeContractions.cpp - Matrix products in one form ------------===//
//
//   contract over any dims        =>  transposes and reshapes around [b,m,k] x [b,k,n] (or [b,n,k])
//   1x1 convolution, nhwc         =>  contract [pixels, c] x [c, o]
//   products of f16 or bf16       =>  cast (contract (cast x : f32), (cast w : f32)), whose sums are f32 as before
//
// Transposes of weights are evaluated at compile time; those of activations that are left are steps.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Contraction.h"
#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_NORMALIZECONTRACTIONS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

SmallVector<int64_t> freeDims(int64_t rank, ArrayRef<int64_t> batch, ArrayRef<int64_t> contract) {
  SmallVector<int64_t> free;
  for (int64_t i = 0; i < rank; ++i)
    if (!llvm::is_contained(batch, i) && !llvm::is_contained(contract, i))
      free.push_back(i);
  return free;
}

/// x with its dims in the order of `groups`, each group merged into one dim. An empty group is left out when
/// `optional`, else it becomes a dim of 1.
Value arrange(PatternRewriter &rewriter, Location loc, Value x, ArrayRef<SmallVector<int64_t>> groups, bool dropFirstIfEmpty) {
  SmallVector<int64_t> permutation;
  Dims dims = dimsOf(x), merged;
  for (auto [i, group] : llvm::enumerate(groups)) {
    permutation.append(group);
    if (i == 0 && group.empty() && dropFirstIfEmpty)
      continue;
    DimExpr product(1);
    for (int64_t d : group)
      product = product * dims[d];
    merged.push_back(product);
  }
  if (!llvm::is_sorted(permutation))
    x = rewriter.create<TransposeOp>(loc, x, permutation);
  auto type = tensorType(merged, elementOf(x));
  return type == x.getType() ? x : rewriter.create<ReshapeOp>(loc, type, x);
}

bool isCanonical(ContractOp op) {
  size_t batch = op.getLhsBatch().size();
  auto rank = [](Value v) { return size_t(tensorOf(v).getRank()); };
  if (batch > 1 || rank(op.getLhs()) != batch + 2 || rank(op.getRhs()) != batch + 2)
    return false;
  if (batch == 1 && (op.getLhsBatch()[0] != 0 || op.getRhsBatch()[0] != 0))
    return false;
  return op.getLhsContract() == ArrayRef<int64_t>{int64_t(batch + 1)} && op.getRhsContract().size() == 1;
}

// contract x, y over any dims => reshape (contract [b,m,k], [b,k,n])
struct CanonicalContract : OpRewritePattern<ContractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ContractOp op, PatternRewriter &rewriter) const override {
    if (isCanonical(op))
      return rewriter.notifyMatchFailure(op, "is canonical");
    Location loc = op.getLoc();
    auto list = [](ArrayRef<int64_t> dims) { return SmallVector<int64_t>(dims); };
    SmallVector<int64_t> lhsBatch = list(op.getLhsBatch()), rhsBatch = list(op.getRhsBatch());
    SmallVector<int64_t> lhsContract = list(op.getLhsContract()), rhsContract = list(op.getRhsContract());
    SmallVector<int64_t> lhsFree = freeDims(tensorOf(op.getLhs()).getRank(), lhsBatch, lhsContract);
    SmallVector<int64_t> rhsFree = freeDims(tensorOf(op.getRhs()).getRank(), rhsBatch, rhsContract);
    bool batched = !lhsBatch.empty();
    // The right operand keeps [b, n, k] where that is how it lies, so that no transpose is needed.
    bool rhsTransposed = !rhsFree.empty() && !rhsContract.empty() && rhsFree.back() < rhsContract.front() && !isWeight(op.getRhs());
    Value lhs = arrange(rewriter, loc, op.getLhs(), {lhsBatch, lhsFree, lhsContract}, !batched);
    Value rhs = rhsTransposed ? arrange(rewriter, loc, op.getRhs(), {rhsBatch, rhsFree, rhsContract}, !batched)
                              : arrange(rewriter, loc, op.getRhs(), {rhsBatch, rhsContract, rhsFree}, !batched);
    int64_t first = batched ? 1 : 0;
    SmallVector<int64_t> batch;
    if (batched)
      batch.push_back(0);
    auto product = rewriter.create<ContractOp>(loc, lhs, rhs, batch, batch, ArrayRef<int64_t>{first + 1},
                                               ArrayRef<int64_t>{rhsTransposed ? first + 1 : first});
    // What was decided of the product holds of it in this form.
    product->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), product);
    return success();
  }
};

// conv with a 1x1 kernel, stride 1, no padding, nhwc => reshape (contract [pixels, c], [c, o])
struct PointwiseConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    Dims w = dimsOf(op.getW()), x = dimsOf(op.getX());
    if (op.getLayout() != "nhwc" || op.getGroups() != 1 || !isPointwise(op))
      return rewriter.notifyMatchFailure(op, "has strides, padding, groups or a kernel larger than 1x1");
    Type element = elementOf(op.getX());
    DimExpr pixels = numElements(ArrayRef<DimExpr>(x).drop_back());
    auto flat = rewriter.create<ReshapeOp>(op.getLoc(), tensorType({pixels, x.back()}, element), op.getX());
    auto matrix = rewriter.create<ReshapeOp>(op.getLoc(), tensorType({w[w.size() - 2], w.back()}, elementOf(op.getW())), op.getW());
    Type result = tensorType({pixels, w.back()}, elementOf(op.getY()));
    auto product = rewriter.create<ContractOp>(op.getLoc(), result, flat, matrix, ArrayRef<int64_t>{}, ArrayRef<int64_t>{},
                                               ArrayRef<int64_t>{1}, ArrayRef<int64_t>{0});
    product->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), product);
    return success();
  }
};

// contract x, w of f16 or bf16 => cast (contract (cast x : f32), (cast w : f32)); conv alike
template <typename OpT> struct WidenProduct : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    Type element = elementOf(op->getResult(0)), f32 = rewriter.getF32Type();
    if (!element.isF16() && !element.isBF16())
      return rewriter.notifyMatchFailure(op, "not of 16 bits");
    IRMapping mapping;
    for (Value x : op->getOperands())
      mapping.map(x, rewriter.create<CastOp>(x.getLoc(), tensorType(dimsOf(x), f32), x));
    Operation *wide = rewriter.clone(*op, mapping);
    wide->getResult(0).setType(cast<RankedTensorType>(tensorType(dimsOf(op->getResult(0)), f32)));
    rewriter.replaceOpWithNewOp<CastOp>(op, op->getResult(0).getType(), wide->getResult(0));
    return success();
  }
};

// transpose that moves dims of 1 only => reshape
struct TransposeOfOnes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    Dims dims = dimsOf(op.getX());
    SmallVector<int64_t> moved;
    for (int64_t p : op.getPermutation())
      if (dims[p] != DimExpr(1))
        moved.push_back(p);
    if (!llvm::is_sorted(moved))
      return rewriter.notifyMatchFailure(op, "changes the order of elements");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

struct NormalizeContractions : optc::impl::NormalizeContractionsBase<NormalizeContractions> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<CanonicalContract, PointwiseConv, WidenProduct<ContractOp>, WidenProduct<ConvOp>, TransposeOfOnes>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
