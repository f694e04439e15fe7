//===- PropagateQuantization.cpp - Data stays in 8 bits -------------------===//
//
// Quantisation in a model stands around each operator, those that only move data included. Dequantisation goes down
// through these and quantisation up, until they meet and cancel or stand beside what computes:
//
//   transpose (dequantize %q, s, z)            =>  dequantize (transpose %q), s, z
//   quantize (transpose %x), s, z              =>  transpose (quantize %x, s, z)
//   quantize (dequantize %q, s, z), s, z       =>  %q
//
// The same with reshape, slice and gather (down only), concat, maximum pooling, nearest resizing and padding by 0. All are exact: the
// scale and zero point are one number for the tensor. Casts from and to f16 and bf16 are moved alike:
//
//   transpose (cast %h : bf16 to f32)          =>  cast (transpose %h)
//   cast (transpose %x) : f32 to bf16          =>  transpose (cast %x)
//   cast (cast %h : bf16 to f32) : bf16        =>  %h
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Weight.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_PROPAGATEQUANTIZATION
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Ops of one tensor that choose among its elements: they commute with a monotone map of the elements.
bool isSelection(Operation *op) {
  if (isMovement(op))
    return true;
  if (auto pool = dyn_cast<PoolOp>(op))
    return pool.getKind() == "max";
  if (auto resize = dyn_cast<ResizeOp>(op))
    return resize->getNumOperands() == 1 && resize.getMode() == "nearest" && resize.getCoordinates() != "tf_crop_and_resize";
  return false;
}

/// Patterns on codes of 8 bits; of e4m3, which kernels only move, where a GPU multiplies it.
template <typename Pattern> struct OnCodes : Pattern {
  template <typename... Arguments> OnCodes(bool float8, Arguments &&...arguments) : Pattern(std::forward<Arguments>(arguments)...), float8(float8) {}
  bool isCodes(Value v) const { return is8Bit(v) || isFloat8(v); }
  bool isFloat8(Value v) const { return float8 && isa<Float8E4M3FNType>(elementOf(v)); }
  bool float8;
};

/// The scalars of a quantize or dequantize op whose scale is one number above 0, and whose zero point is one number.
struct Scalars {
  Value scale, zero;
};
template <typename OpT> std::optional<Scalars> scalarsOf(PatternRewriter &rewriter, OpT op) {
  Scalars s;
  auto isOne = [](Value v) { return llvm::none_of(varyingDims(v), [](bool varies) { return varies; }); };
  if (!isOne(op.getScale()) || (op.getZeroPoint() && !isOne(op.getZeroPoint())))
    return std::nullopt;
  s.scale = uniformElement(rewriter, op.getScale());
  if (op.getZeroPoint())
    s.zero = uniformElement(rewriter, op.getZeroPoint());
  return s;
}

Value dequantized(PatternRewriter &rewriter, Location loc, Value codes, const Scalars &s, Type element) {
  Dims dims = dimsOf(codes);
  return rewriter.create<DequantizeOp>(loc, tensorType(dims, element), codes, repeat(rewriter, loc, s.scale, dims),
                                       s.zero ? repeat(rewriter, loc, s.zero, dims) : Value());
}
Value quantized(PatternRewriter &rewriter, Location loc, Value x, const Scalars &s, QuantizeOp like) {
  Dims dims = dimsOf(x);
  return rewriter.create<QuantizeOp>(loc, tensorType(dims, elementOf(like.getY())), x, repeat(rewriter, loc, s.scale, dims),
                                     s.zero ? repeat(rewriter, loc, s.zero, dims) : Value(), like.getSaturate());
}

// selection (dequantize q) => dequantize (selection q)
struct DequantizeDown : OnCodes<RewritePattern> {
  DequantizeDown(MLIRContext *context, bool float8) : OnCodes(float8, MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    // Rows of a table stay what the table is stored as.
    bool selects = isSelection(op) || (isa<GatherOp>(op) && !isWeight(op->getOperand(0)));
    if (!selects || isWeight(op->getResult(0)))
      return rewriter.notifyMatchFailure(op, "computes, or is a weight");
    auto dequantize = op->getOperand(0).getDefiningOp<DequantizeOp>();
    if (!dequantize || !isCodes(dequantize.getX()) || (isFloat8(dequantize.getX()) && !isMovement(op) && !isa<GatherOp>(op)))
      return rewriter.notifyMatchFailure(op, "not of dequantised bytes");
    auto scalars = scalarsOf(rewriter, dequantize);
    if (!scalars)
      return rewriter.notifyMatchFailure(op, "the scale is not one number");
    Value moved = moveLike(rewriter, op, dequantize.getX());
    rewriter.replaceOp(op, dequantized(rewriter, dequantize.getLoc(), moved, *scalars, elementOf(dequantize.getY())));
    return success();
  }
};

// pad (dequantize q), 0 => dequantize (pad q, zero point)
struct DequantizeDownPad : OnCodes<OpRewritePattern<PadOp>> {
  DequantizeDownPad(MLIRContext *context, bool float8) : OnCodes(float8, context) {}
  LogicalResult matchAndRewrite(PadOp op, PatternRewriter &rewriter) const override {
    auto dequantize = op.getX().getDefiningOp<DequantizeOp>();
    if (!dequantize || !isCodes(dequantize.getX()) || isWeight(op.getY()))
      return rewriter.notifyMatchFailure(op, "not of dequantised bytes");
    auto value = op.getValue() ? splatValue(op.getValue()) : std::optional<double>(0);
    if (op.getMode() == "constant" && (!value || *value != 0))
      return rewriter.notifyMatchFailure(op, "the padding has no code");
    auto scalars = scalarsOf(rewriter, dequantize);
    if (!scalars)
      return rewriter.notifyMatchFailure(op, "the scale is not one number");
    auto padded = rewriter.create<PadOp>(op.getLoc(), tensorType(dimsOf(op.getY()), elementOf(dequantize.getX())), dequantize.getX(),
                                         op.getMode() == "constant" ? scalars->zero : Value(), op.getLow(), op.getMode());
    rewriter.replaceOp(op, dequantized(rewriter, dequantize.getLoc(), padded, *scalars, elementOf(op.getY())));
    return success();
  }
};

// concat (dequantize a, s, z), (dequantize b, s, z) => dequantize (concat a, b), s, z
struct DequantizeDownConcat : OnCodes<OpRewritePattern<ConcatOp>> {
  DequantizeDownConcat(MLIRContext *context, bool float8) : OnCodes(float8, context) {}
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> codes;
    DequantizeOp first;
    for (Value x : op.getXs()) {
      auto dequantize = x.getDefiningOp<DequantizeOp>();
      if (!dequantize || !isCodes(dequantize.getX()))
        return rewriter.notifyMatchFailure(op, "not of dequantised bytes only");
      if (!first)
        first = dequantize;
      if (elementOf(dequantize.getX()) != elementOf(first.getX()) || !sameNumber(dequantize.getScale(), first.getScale()) ||
          !sameNumber(dequantize.getZeroPoint(), first.getZeroPoint()))
        return rewriter.notifyMatchFailure(op, "of different scales");
      codes.push_back(dequantize.getX());
    }
    auto scalars = scalarsOf(rewriter, first);
    if (!scalars)
      return rewriter.notifyMatchFailure(op, "the scale is not one number");
    Value joined = rewriter.create<ConcatOp>(op.getLoc(), tensorType(dimsOf(op.getY()), elementOf(first.getX())), codes, op.getAxis());
    rewriter.replaceOp(op, dequantized(rewriter, first.getLoc(), joined, *scalars, elementOf(op.getY())));
    return success();
  }
};

// quantize (selection x) => selection (quantize x); quantize (concat a, b) => concat (quantize a), (quantize b)
struct QuantizeUp : OnCodes<OpRewritePattern<QuantizeOp>> {
  QuantizeUp(MLIRContext *context, bool float8) : OnCodes(float8, context) {}
  LogicalResult matchAndRewrite(QuantizeOp op, PatternRewriter &rewriter) const override {
    Operation *producer = op.getX().getDefiningOp();
    if (!producer || !producer->hasOneUse() || !isCodes(op.getY()) || isWeight(op.getX()))
      return rewriter.notifyMatchFailure(op, "what is quantised has other uses");
    bool joins = isa<ConcatOp>(producer);
    // A slice would have all of its operand quantised.
    if (!joins && ((isFloat8(op.getY()) ? !isMovement(producer) : !isSelection(producer)) || isa<SliceOp>(producer)))
      return rewriter.notifyMatchFailure(op, "what is quantised is computed");
    auto scalars = scalarsOf(rewriter, op);
    if (!scalars)
      return rewriter.notifyMatchFailure(op, "the scale is not one number");
    if (!joins) {
      Value codes = quantized(rewriter, op.getLoc(), producer->getOperand(0), *scalars, op);
      rewriter.replaceOp(op, moveLike(rewriter, producer, codes));
      return success();
    }
    SmallVector<Value> parts;
    for (Value x : producer->getOperands())
      parts.push_back(quantized(rewriter, op.getLoc(), x, *scalars, op));
    rewriter.replaceOpWithNewOp<ConcatOp>(op, op.getType(), parts, cast<ConcatOp>(producer).getAxis());
    return success();
  }
};

// quantize (dequantize q, s, z), s, z => q: (q - z) * s / s is within an ulp of a whole number
struct CancelQuantization : OnCodes<OpRewritePattern<QuantizeOp>> {
  CancelQuantization(MLIRContext *context, bool float8) : OnCodes(float8, context) {}
  LogicalResult matchAndRewrite(QuantizeOp op, PatternRewriter &rewriter) const override {
    auto dequantize = op.getX().getDefiningOp<DequantizeOp>();
    if (!dequantize || !isCodes(op.getY()) || dequantize.getX().getType() != op.getType() || !sameNumber(dequantize.getScale(), op.getScale()) ||
        !sameNumber(dequantize.getZeroPoint(), op.getZeroPoint()))
      return rewriter.notifyMatchFailure(op, "not the inverse of what comes before");
    rewriter.replaceOp(op, dequantize.getX());
    return success();
  }
};

//===----------------------------------------------------------------------===//
// f16 and bf16
//===----------------------------------------------------------------------===//

bool isHalf(Type element) { return element.isF16() || element.isBF16(); }
Value castTo(PatternRewriter &rewriter, Location loc, Value x, Type element) {
  return rewriter.create<CastOp>(loc, tensorType(dimsOf(x), element), x);
}

// selection (cast h) => cast (selection h)
struct WidenDown : RewritePattern {
  WidenDown(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isSelection(op) || isWeight(op->getResult(0)))
      return rewriter.notifyMatchFailure(op, "computes, or is a weight");
    Value half = halfUnder(op->getOperand(0));
    if (!half)
      return rewriter.notifyMatchFailure(op, "not of 16 bits");
    rewriter.replaceOp(op, castTo(rewriter, op->getLoc(), moveLike(rewriter, op, half), rewriter.getF32Type()));
    return success();
  }
};

// concat (cast a), (cast b) => cast (concat a, b)
struct WidenDownConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> halves;
    for (Value x : op.getXs()) {
      Value half = halfUnder(x);
      if (!half || (!halves.empty() && elementOf(half) != elementOf(halves.front())))
        return rewriter.notifyMatchFailure(op, "not of one type of 16 bits");
      halves.push_back(half);
    }
    Value joined = rewriter.create<ConcatOp>(op.getLoc(), tensorType(dimsOf(op.getY()), elementOf(halves.front())), halves, op.getAxis());
    rewriter.replaceOp(op, castTo(rewriter, op.getLoc(), joined, rewriter.getF32Type()));
    return success();
  }
};

// cast (selection x) => selection (cast x); cast (concat a, b) => concat (cast a), (cast b); cast (cast h) : type of h => h
struct RoundUp : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    Type element = elementOf(op.getY());
    if (!isHalf(element) || !elementOf(op.getX()).isF32())
      return rewriter.notifyMatchFailure(op, "not to 16 bits");
    if (Value half = halfUnder(op.getX()); half && elementOf(half) == element) {
      rewriter.replaceOp(op, half);
      return success();
    }
    Operation *producer = op.getX().getDefiningOp();
    if (!producer || !producer->hasOneUse() || isWeight(op.getX()))
      return rewriter.notifyMatchFailure(op, "what is rounded has other uses");
    if (isSelection(producer) && !isa<SliceOp>(producer)) {
      rewriter.replaceOp(op, moveLike(rewriter, producer, castTo(rewriter, op.getLoc(), producer->getOperand(0), element)));
      return success();
    }
    auto concat = dyn_cast<ConcatOp>(producer);
    if (!concat)
      return rewriter.notifyMatchFailure(op, "what is rounded is computed");
    SmallVector<Value> parts;
    for (Value x : concat.getXs())
      parts.push_back(castTo(rewriter, op.getLoc(), x, element));
    rewriter.replaceOpWithNewOp<ConcatOp>(op, op.getType(), parts, concat.getAxis());
    return success();
  }
};

struct PropagateQuantization : optc::impl::PropagateQuantizationBase<PropagateQuantization> {
  using PropagateQuantizationBase::PropagateQuantizationBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DequantizeDown, DequantizeDownPad, DequantizeDownConcat, QuantizeUp, CancelQuantization>(&getContext(), float8);
    patterns.add<WidenDown, WidenDownConcat, RoundUp>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
