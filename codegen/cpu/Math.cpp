//===- Math.cpp - Elementary functions as polynomials ---------------------===//

#include "codegen/cpu/Math.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace optc;

namespace {

/// Arithmetic on f32 scalars or vectors of them, whichever `type` is.
struct FloatBuilder {
  PatternRewriter &b;
  Location loc;
  Type type;

  Value constant(double v) {
    Attribute scalar = b.getF32FloatAttr(float(v));
    if (auto vector = dyn_cast<VectorType>(type))
      return b.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vector, scalar));
    return b.create<arith::ConstantOp>(loc, cast<TypedAttr>(scalar));
  }
  Type integerType() {
    Type i32 = b.getI32Type();
    if (auto vector = dyn_cast<VectorType>(type))
      return VectorType::get(vector.getShape(), i32);
    return i32;
  }
  Value integer(int32_t v) {
    Attribute scalar = b.getI32IntegerAttr(v);
    if (auto vector = dyn_cast<VectorType>(integerType()))
      return b.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vector, scalar));
    return b.create<arith::ConstantOp>(loc, cast<TypedAttr>(scalar));
  }
  Value add(Value x, Value y) { return b.create<arith::AddFOp>(loc, x, y); }
  Value sub(Value x, Value y) { return b.create<arith::SubFOp>(loc, x, y); }
  Value mul(Value x, Value y) { return b.create<arith::MulFOp>(loc, x, y); }
  Value div(Value x, Value y) { return b.create<arith::DivFOp>(loc, x, y); }
  Value fma(Value x, Value y, Value z) { return b.create<math::FmaOp>(loc, x, y, z); }
  Value min(Value x, Value y) { return b.create<arith::MinNumFOp>(loc, x, y); }
  Value max(Value x, Value y) { return b.create<arith::MaxNumFOp>(loc, x, y); }
  Value select(arith::CmpFPredicate p, Value x, Value y, Value t, Value f) {
    return b.create<arith::SelectOp>(loc, b.create<arith::CmpFOp>(loc, p, x, y), t, f);
  }
  Value polynomial(Value x, std::initializer_list<double> coefficients) {
    Value p;
    for (double c : coefficients)
      p = p ? fma(p, x, constant(c)) : constant(c);
    return p;
  }
};

bool isF32(Type type) { return getElementTypeOrSelf(type).isF32(); }

/// exp(x) = 2^n * exp(r), |r| <= ln2/2: Cody-Waite reduction, degree-6 polynomial (Cephes), 1 ulp.
struct ExpandExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    if (!isF32(op.getType()))
      return failure();
    FloatBuilder f{rewriter, op.getLoc(), op.getType()};
    Value input = op.getOperand();
    Value x = f.min(f.max(input, f.constant(-87.33654)), f.constant(88.72283));
    Value magic = f.constant(12582912.0); // 1.5 * 2^23: the integer lands in the low bits
    Value t = f.fma(x, f.constant(1.44269504088896341), magic), n = f.sub(t, magic);
    Value r = f.fma(n, f.constant(-0.693145751953125), x);
    r = f.fma(n, f.constant(-1.42860682030941723212e-6), r);
    Value p = f.polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
    p = f.add(f.fma(p, f.mul(r, r), r), f.constant(1));
    // 2^n in two factors, so that n = 128 does not overflow the exponent.
    Value bits = rewriter.create<arith::BitcastOp>(op.getLoc(), f.integerType(), t);
    Value ni = rewriter.create<arith::SubIOp>(op.getLoc(), bits, f.integer(0x4b400000));
    Value half = rewriter.create<arith::ShRSIOp>(op.getLoc(), ni, f.integer(1));
    Value rest = rewriter.create<arith::SubIOp>(op.getLoc(), ni, half);
    auto power = [&](Value k) -> Value {
      Value biased = rewriter.create<arith::ShLIOp>(
          op.getLoc(), rewriter.create<arith::AddIOp>(op.getLoc(), k, f.integer(127)), f.integer(23));
      return rewriter.create<arith::BitcastOp>(op.getLoc(), op.getType(), biased);
    };
    Value y = f.mul(f.mul(p, power(half)), power(rest));
    // Overflow, underflow to 0 below what f32 holds, NaN.
    y = f.select(arith::CmpFPredicate::OGT, input, f.constant(88.72284), f.constant(INFINITY), y);
    y = f.select(arith::CmpFPredicate::OLT, input, f.constant(-87.33655), f.constant(0), y);
    y = f.select(arith::CmpFPredicate::UNO, input, input, input, y);
    rewriter.replaceOp(op, y);
    return success();
  }
};

/// erf(x): odd rational approximation 9/12 on |x| < 3.83, 1 beyond (Eigen's coefficients), 6 ulp.
struct ExpandErf : OpRewritePattern<math::ErfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ErfOp op, PatternRewriter &rewriter) const override {
    if (!isF32(op.getType()))
      return failure();
    FloatBuilder f{rewriter, op.getLoc(), op.getType()};
    Value input = op.getOperand();
    Value x = f.min(f.max(input, f.constant(-3.832506856900711)), f.constant(3.832506856900711));
    Value x2 = f.mul(x, x);
    Value p = f.polynomial(x2, {0.00022905065861350646, 0.0034082910107109506, 0.050955695062380861, 0.18520832239976145, 1.128379143519084});
    Value q = f.polynomial(x2, {-1.1791602954361697e-7, 0.000023547966471313185, 0.0010179625278914885, 0.014070470171167667,
                                0.11098505178285362, 0.49746925110067538, 1.0});
    Value y = f.div(f.mul(x, p), q);
    rewriter.replaceOp(op, f.select(arith::CmpFPredicate::UNO, input, input, input, y));
    return success();
  }
};

struct ExpandMath : PassWrapper<ExpandMath, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandMath)
  StringRef getArgument() const override { return "optc-expand-math"; }
  StringRef getDescription() const override { return "Replaces math ops by polynomials"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    // Compositions first (sinh, tan, ... of exp, sin, cos), then polynomials.
    RewritePatternSet compositions(context);
    populateExpandSinhPattern(compositions);
    populateExpandCoshPattern(compositions);
    populateExpandTanPattern(compositions);
    populateExpandAsinhPattern(compositions);
    populateExpandAcoshPattern(compositions);
    populateExpandAtanhPattern(compositions);
    (void)applyPatternsAndFoldGreedily(getOperation(), std::move(compositions));
    RewritePatternSet polynomials(context);
    polynomials.add<ExpandExp, ExpandErf>(context, /*benefit=*/10);
    MathPolynomialApproximationOptions options;
    options.enableAvx2 = false;
    populateMathPolynomialApproximationPatterns(polynomials, options);
    (void)applyPatternsAndFoldGreedily(getOperation(), std::move(polynomials));
  }
};

} // namespace

std::unique_ptr<Pass> optc::createExpandMathPass() { return std::make_unique<ExpandMath>(); }
