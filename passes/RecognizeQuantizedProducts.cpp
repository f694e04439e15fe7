//===- RecognizeQuantizedProducts.cpp - Integer products with their scales ===//
//
// Dynamically quantised models multiply integers (MatMulInteger) and scale the sums by a product of their own. As a product of
// dequantised values it is what every other quantised product is:
//
//   %q = quantize %x, sx, zx
//   mul (cast (contract (sub (cast %q : i32), zx), (cast %w : i32)) : f32), (mul sx, sw[n])
//     =>  contract (dequantize %q, sx, zx), (dequantize %w, sw[n])
//
// LowerQdq makes the same integers and the same product of scales of it, where it does not stay in f32.
//
//===----------------------------------------------------------------------===//

#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace optc {
#define GEN_PASS_DEF_RECOGNIZEQUANTIZEDPRODUCTS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Codes of 8 bits, widened, less a zero point.
struct Centred {
  Value codes, zero; // zero: as codes, with few dims; null: 0
};
std::optional<Centred> centredOf(Value value) {
  Centred c;
  if (auto sub = value.getDefiningOp<SubOp>()) {
    auto widened = unrepeated(sub.getRhs()).getDefiningOp<CastOp>();
    if (!widened)
      return std::nullopt;
    c.zero = unrepeated(widened.getX());
    value = sub.getLhs();
  }
  auto widened = value.getDefiningOp<CastOp>();
  if (!widened || !elementOf(value).isSignlessInteger(32) || !is8Bit(widened.getX()))
    return std::nullopt;
  c.codes = widened.getX();
  if (c.zero && elementOf(c.zero) != elementOf(c.codes))
    return std::nullopt;
  return c;
}

struct FormQuantizedProduct : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MulOp op, PatternRewriter &rewriter) const override {
    for (int i : {0, 1}) {
      auto real = op->getOperand(i).getDefiningOp<CastOp>();
      auto contract = real && real->hasOneUse() ? real.getX().getDefiningOp<ContractOp>() : ContractOp();
      if (contract && contract->hasOneUse() && elementOf(op.getY()).isF32() && elementOf(contract.getY()).isSignlessInteger(32))
        return rewrite(op, contract, op->getOperand(1 - i), rewriter);
    }
    return rewriter.notifyMatchFailure(op, "no scaled product of integers");
  }

private:
  static LogicalResult rewrite(MulOp op, ContractOp contract, Value scale, PatternRewriter &rewriter) {
    auto lhs = centredOf(contract.getLhs()), rhs = centredOf(contract.getRhs());
    auto quantize = lhs ? lhs->codes.getDefiningOp<QuantizeOp>() : QuantizeOp();
    if (!quantize || !rhs || !isWeight(rhs->codes))
      return rewriter.notifyMatchFailure(op, "not of quantised values and constant weights");
    Value zero = quantize.getZeroPoint() ? unrepeated(quantize.getZeroPoint()) : Value();
    if (zero != lhs->zero)
      return rewriter.notifyMatchFailure(op, "the zero point is another one");
    auto factor = otherFactor(scale, unrepeated(quantize.getScale()));
    // A column of the result is the last dim of the weights' free ones.
    int64_t column = tensorOf(op.getY()).getRank() - 1, free = freeDim(contract);
    if (!factor || free < 0)
      return rewriter.notifyMatchFailure(op, "the scale is not that of the operands");
    Location loc = op.getLoc();
    rewriter.setInsertionPoint(op);
    Value columns = vectorAlong(rewriter, repeat(rewriter, loc, *factor, dimsOf(op.getY())), column);
    if (!columns)
      return rewriter.notifyMatchFailure(op, "the scale varies along other dims than the columns");
    Value x = rewriter.create<DequantizeOp>(loc, tensorType(dimsOf(lhs->codes), rewriter.getF32Type()), lhs->codes, quantize.getScale(),
                                            quantize.getZeroPoint());
    Dims dims = dimsOf(rhs->codes), alongColumn(dims.size(), DimExpr(1));
    alongColumn[free] = dims[free];
    Value spread = rewriter.create<ReshapeOp>(loc, tensorType(alongColumn, rewriter.getF32Type()), columns);
    Value w = rewriter.create<DequantizeOp>(loc, tensorType(dims, rewriter.getF32Type()), rhs->codes, repeat(rewriter, loc, spread, dims),
                                            rhs->zero ? repeat(rewriter, loc, rhs->zero, dims) : Value());
    rewriter.replaceOpWithNewOp<ContractOp>(op, op.getType(), x, w, contract.getLhsBatch(), contract.getRhsBatch(), contract.getLhsContract(),
                                            contract.getRhsContract());
    return success();
  }

  /// What `scale` multiplies `x` by; nullopt when it does not.
  static std::optional<Value> otherFactor(Value scale, Value x) {
    auto mul = unrepeated(scale).getDefiningOp<MulOp>();
    for (int i : {0, 1})
      if (mul && unrepeated(mul->getOperand(i)) == x)
        return mul->getOperand(1 - i);
    return std::nullopt;
  }

  /// The one dim of the rhs that is neither contracted nor of the batch; -1 when there are others.
  static int64_t freeDim(ContractOp contract) {
    int64_t found = -1;
    for (int64_t d = 0; d < tensorOf(contract.getRhs()).getRank(); ++d)
      if (!llvm::is_contained(contract.getRhsContract(), d) && !llvm::is_contained(contract.getRhsBatch(), d)) {
        if (found >= 0)
          return -1;
        found = d;
      }
    return found;
  }
};

struct RecognizeQuantizedProducts : optc::impl::RecognizeQuantizedProductsBase<RecognizeQuantizedProducts> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FormQuantizedProduct>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
