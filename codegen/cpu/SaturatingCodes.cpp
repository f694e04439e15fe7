//===- SaturatingCodes.cpp - Codes by AVX-512's conversions ---------------===//
//
// Of a quantisation to unsigned bytes, 16 at a time: the conversion to integers gives 2^31 for what is too large, and
// the narrowing one 255 for that, so that the upper limit needs no instruction of its own:
//
//   trunc (bitcast (min (max x, -z), 255 - z) + 1.5 * 2^23) + z)     =>     trunc (umin (cvtps2dq (max x, -z)) + z, 255)
//
// The latter two are one vpmovusdb.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/FloatBuilder.h"
#include "codegen/kernel/ScalarBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "runtime/Artefact.h"

using namespace mlir;
using namespace optc;

namespace {

struct SaturateCodes : OpRewritePattern<arith::TruncIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncIOp op, PatternRewriter &rewriter) const override {
    Operation *whole = op.getIn().getDefiningOp();
    Value zero;
    if (auto sum = dyn_cast_or_null<arith::AddIOp>(whole); sum && sum->hasOneUse()) {
      zero = sum.getRhs();
      whole = sum.getLhs().getDefiningOp();
    }
    auto bits = dyn_cast_or_null<arith::BitcastOp>(whole);
    // Where another op takes the rounded value out of the sum, it is there anyway.
    if (!bits || !bits->hasOneUse() || !bits->hasAttr(kUnsignedCode) || lanesOf(bits.getIn()) != 16)
      return failure();
    auto sum = bits.getIn().getDefiningOp<arith::AddFOp>();
    auto limited = sum && sum->hasOneUse() ? sum.getLhs().getDefiningOp<arith::SelectOp>() : arith::SelectOp();
    if (!limited)
      return failure();
    Location loc = op.getLoc();
    Type i32 = bits.getType();
    auto constant = [&](Type type, int64_t value) { return buildConstant(rewriter, loc, type, double(value)); };
    SmallVector<Value> operands{limited.getTrueValue(), constant(i32, 0), constant(rewriter.getI16Type(), -1), constant(rewriter.getI32Type(), 4)};
    Value code = rewriter.create<LLVM::CallIntrinsicOp>(loc, i32, "llvm.x86.avx512.mask.cvtps2dq.512", operands).getResults();
    if (zero)
      code = rewriter.create<arith::AddIOp>(loc, code, zero);
    code = rewriter.create<arith::MinUIOp>(loc, code, constant(i32, 255));
    rewriter.replaceOpWithNewOp<arith::TruncIOp>(op, op.getType(), code);
    return success();
  }
};

} // namespace

void optc::populateSaturatingPatterns(RewritePatternSet &patterns, uint64_t features) {
  if (features & OPTC_CPU_X86_64_V4)
    patterns.add<SaturateCodes>(patterns.getContext());
}
