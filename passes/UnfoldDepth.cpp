//===- UnfoldDepth.cpp - Convolutions over three dims as over two ---------===//
//
// For GPUs, whose products of images are over two dims: what a pixel sees along the first dim becomes channels,
//
//   y = conv x, w      [n, d, h, w, c] * [3, kh, kw, c, o]
//   =>  s = concat (slice x), (slice x), (slice x)           [n, d', h, w, 3*c], one for each tap
//       y = reshape (conv (reshape s), w')                   [n*d', h, w, 3*c] * [kh, kw, 3*c, o]
//
// The image is written once for each tap; the products, which cost more, are those of every other convolution.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Contraction.h"
#include "passes/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_UNFOLDDEPTH
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

struct UnfoldConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    Dims x = dimsOf(op.getX()), w = dimsOf(op.getW()), y = dimsOf(op.getY());
    if (op.getLayout() != "nhwc" || x.size() != 5 || op.getGroups() != 1 || isPointwise(op))
      return rewriter.notifyMatchFailure(op, "not of three dims, or groups or single pixels");
    auto taps = w[0].constant();
    if (!taps || !x.back().constant())
      return rewriter.notifyMatchFailure(op, "the taps or channels are not known");
    Location loc = op.getLoc();
    DimExpr channels = x.back() * w[0];
    Value filter = rewriter.create<TransposeOp>(loc, op.getW(), ArrayRef<int64_t>{1, 2, 0, 3, 4});
    filter = rewriter.create<ReshapeOp>(loc, tensorType({w[1], w[2], channels, w[4]}, elementOf(filter)), filter);
    Value image = unfolded(rewriter, op, *taps, y[1]);
    image = rewriter.create<ReshapeOp>(loc, tensorType({x[0] * y[1], x[2], x[3], channels}, elementOf(image)), image);
    Type result = tensorType({x[0] * y[1], y[2], y[3], y[4]}, elementOf(op.getY()));
    auto plane = rewriter.create<ConvOp>(loc, result, image, filter, op.getStrides().drop_front(), op.getDilations().drop_front(), op.getPadsLow().drop_front(),
                                         op.getPadsHigh().drop_front(), 1, "nhwc");
    // What was decided of the convolution holds of this one.
    plane->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), plane);
    return success();
  }

  /// [n, depth, h, w, taps * c]
  static Value unfolded(OpBuilder &b, ConvOp op, int64_t taps, const DimExpr &depth) {
    Location loc = op.getLoc();
    Value image = op.getX();
    Dims dims = dimsOf(image);
    int64_t low = op.getPadsLow().front(), high = op.getPadsHigh().front();
    if (low || high) {
      dims[1] = dims[1] + DimExpr(low + high);
      image = b.create<PadOp>(loc, tensorType(dims, elementOf(image)), image, Value(), DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, low, 0, 0, 0}), "constant");
    }
    dims[1] = depth;
    SmallVector<Value> slices;
    for (int64_t tap = 0; tap < taps; ++tap)
      slices.push_back(b.create<SliceOp>(loc, tensorType(dims, elementOf(image)), image,
                                         DimsAttr::get(b.getContext(), ArrayRef<int64_t>{0, tap * op.getDilations().front(), 0, 0, 0}),
                                         DimsAttr::get(b.getContext(), ArrayRef<int64_t>{1, op.getStrides().front(), 1, 1, 1})));
    if (taps == 1)
      return slices.front();
    dims.back() = dims.back() * DimExpr(taps);
    return b.create<ConcatOp>(loc, tensorType(dims, elementOf(image)), slices, 4);
  }
};

struct UnfoldDepth : optc::impl::UnfoldDepthBase<UnfoldDepth> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<UnfoldConv>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
