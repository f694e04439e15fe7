//===- OlderLevels.cpp - Instructions that x86-64-v1 and -v2 lack ---------===//
//
// LLVM would call libm and compiler-rt for them, of which a kernel has neither:
//
//   x * y + z    (FMA3, v3)    ->  a product and a sum: two roundings
//   round, floor (SSE4.1, v2)  ->  adding and taking away 2^23 (2^52)
//   f16 <-> f32  (F16C, v3)    ->  integer arithmetic on the bits
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/FloatBuilder.h"
#include "codegen/cpu/Math.h"
#include "runtime/Artefact.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace optc;
using P = arith::CmpFPredicate;
using I = arith::CmpIPredicate;

namespace {

template <typename OpT> struct SplitFma : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    auto operands = op->getOperands();
    Value product = rewriter.create<arith::MulFOp>(op.getLoc(), operands[0], operands[1]);
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, operands[2]);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Rounding to an integer
//===----------------------------------------------------------------------===//

/// |x| to the nearest integer; from 2^23 (2^52) on every number is one.
Value roundMagnitude(const FloatBuilder &f, Value a) {
  Value step = f.constant(getElementTypeOrSelf(f.type).isF64() ? 0x1p52 : 0x1p23);
  return f.select(f.less(a, step), f.sub(f.add(a, step), step), a);
}
Value buildRoundEven(const FloatBuilder &f, Value x) { return f.copySign(roundMagnitude(f, f.abs(x)), x); }
Value buildTrunc(const FloatBuilder &f, Value x) {
  Value a = f.abs(x), y = roundMagnitude(f, a);
  return f.copySign(f.sub(y, f.select(P::OGT, y, a, f.constant(1), f.constant(0))), x);
}
Value buildFloor(const FloatBuilder &f, Value x) {
  Value y = buildRoundEven(f, x);
  return f.copySign(f.sub(y, f.select(P::OGT, y, x, f.constant(1), f.constant(0))), x);
}
Value buildCeil(const FloatBuilder &f, Value x) {
  Value y = buildRoundEven(f, x);
  return f.copySign(f.add(y, f.select(P::OLT, y, x, f.constant(1), f.constant(0))), x);
}

template <typename OpT, auto build> struct ExpandRounding : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    FloatBuilder f{rewriter, op.getLoc(), op.getType()};
    rewriter.replaceOp(op, build(f, op.getOperand()));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Half precision
//===----------------------------------------------------------------------===//

/// The bits at f32's place times 2^112 have f32's exponent, subnormal numbers included.
struct ExpandExtend : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn().getType()).isF16() || !getElementTypeOrSelf(op.getType()).isF32())
      return failure();
    FloatBuilder f{rewriter, op.getLoc(), op.getType()};
    Value half = f.make<arith::ExtUIOp>(f.integerType(32), f.bits(op.getIn()));
    Value magnitude = f.shl(f.iand(half, f.integer(0x7fff)), f.integer(13)), sign = f.shl(f.iand(half, f.integer(0x8000)), f.integer(16));
    Value scaled = f.bits(f.mul(f.fromBits(magnitude), f.constant(0x1p112)));
    Value special = f.icompare(I::uge, magnitude, f.integer(0x7c00 << 13));
    Value bits = f.select(special, f.ior(magnitude, f.integer(0x7f800000)), scaled);
    rewriter.replaceOp(op, f.fromBits(f.ior(bits, sign)));
    return success();
  }
};

/// To nearest even: a subnormal result by adding a number whose last place is f16's smallest step, others on the bits.
struct ExpandTruncate : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    Type type = op.getIn().getType();
    if (!getElementTypeOrSelf(type).isF32() || !getElementTypeOrSelf(op.getType()).isF16())
      return failure();
    FloatBuilder f{rewriter, op.getLoc(), type};
    Value all = f.bits(op.getIn()), magnitude = f.iand(all, f.integer(0x7fffffff));
    Value sign = f.shr(f.isub(all, magnitude), f.integer(16));
    Value small = f.isub(f.bits(f.add(f.fromBits(magnitude), f.constant(0.5))), f.integer(0x3f000000));
    Value odd = f.iand(f.shr(magnitude, f.integer(13)), f.integer(1));
    // The exponent's bias falls by 112.
    Value rounded = f.shr(f.iadd(f.iadd(magnitude, f.integer(0xfff - (int64_t(112) << 23))), odd), f.integer(13));
    Value special = f.select(f.icompare(I::ugt, magnitude, f.integer(0x7f800000)), f.integer(0x7e00), f.integer(0x7c00));
    Value bits = f.select(f.icompare(I::ult, magnitude, f.integer(0x38800000)), small, rounded);
    bits = f.select(f.icompare(I::uge, magnitude, f.integer(0x47800000)), special, bits);
    Value half = f.make<arith::TruncIOp>(f.integerType(16), f.ior(bits, sign));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), half);
    return success();
  }
};

} // namespace

void optc::populateOlderLevelPatterns(RewritePatternSet &patterns, uint64_t features) {
  MLIRContext *context = patterns.getContext();
  if (!(features & OPTC_CPU_X86_64_V3))
    patterns.add<SplitFma<math::FmaOp>, SplitFma<vector::FMAOp>, ExpandExtend, ExpandTruncate>(context);
  if (!(features & OPTC_CPU_X86_64_V2))
    patterns.add<ExpandRounding<math::RoundEvenOp, buildRoundEven>, ExpandRounding<math::TruncOp, buildTrunc>,
                 ExpandRounding<math::FloorOp, buildFloor>, ExpandRounding<math::CeilOp, buildCeil>>(context);
}
