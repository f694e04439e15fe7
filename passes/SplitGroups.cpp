//===- SplitGroups.cpp - Grouped convolutions as dense ones ---------------===//
//
// Groups read channels of their own. Channels-last, each is a dense convolution of a slice, which has kernels for floats and for
// bytes; equal ones share their code:
//
//   y = conv x, w {groups = 2}  =>  y = concat (conv (slice x), (slice w)), (conv (slice x), (slice w))
//
// Depthwise convolutions have kernels of their own. Groups of few products, or very many groups, stay what they are: the
// slices would cost more than they bring.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/CostModel.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_SPLITGROUPS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// [begin, begin + count) of the last dim.
Value lastDim(OpBuilder &b, Location loc, Value x, int64_t begin, int64_t count) {
  Dims dims = dimsOf(x);
  SmallVector<int64_t> starts(dims.size(), 0), strides(dims.size(), 1);
  starts.back() = begin;
  dims.back() = count;
  return b.create<SliceOp>(loc, tensorType(dims, elementOf(x)), x, DimsAttr::get(b.getContext(), ArrayRef<int64_t>(starts)),
                           DimsAttr::get(b.getContext(), ArrayRef<int64_t>(strides)));
}

struct SplitConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    if (op.getLayout() != "nhwc" || !elementOf(op.getX()).isF32() || !isWeight(op.getW()))
      return rewriter.notifyMatchFailure(op, "no constant filter in f32");
    if (!groupsGain(op))
      return rewriter.notifyMatchFailure(op, "no groups, one channel a group, few products, or many groups");
    Dims w = dimsOf(op.getW()), y = dimsOf(op.getY());
    int64_t groups = op.getGroups(), channels = *w[w.size() - 2].constant(), out = *w.back().constant() / groups;
    Location loc = op.getLoc();
    SmallVector<Value> parts;
    y.back() = out;
    for (int64_t g = 0; g < groups; ++g) {
      auto part = rewriter.create<ConvOp>(loc, tensorType(y, elementOf(op.getY())), lastDim(rewriter, loc, op.getX(), g * channels, channels),
                                          lastDim(rewriter, loc, op.getW(), g * out, out), op.getStrides(), op.getDilations(), op.getPadsLow(),
                                          op.getPadsHigh(), 1, "nhwc");
      // What was decided of the convolution holds of its parts.
      part->setDiscardableAttrs(op->getDiscardableAttrDictionary());
      parts.push_back(part);
    }
    rewriter.replaceOpWithNewOp<ConcatOp>(op, op.getType(), parts, int64_t(y.size()) - 1);
    return success();
  }
};

struct SplitGroups : optc::impl::SplitGroupsBase<SplitGroups> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SplitConv>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
