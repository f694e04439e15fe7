//===- LowerConvTranspose.cpp - Transposed convolutions as convolutions ---===//
//
// With stride s, element s * q + p of a result sums x[q - t] * w[s * t + p] over t: each of the s phases p is a convolution of stride
// 1 with every s-th tap, turned round. All phases are channels of one convolution, which then lie between each other:
//
//   %y = conv_transpose %x, %w                                     s = 2, 4 taps, O channels
//   =>  %c = conv %x', %w' {nhwc}                                  2 taps, 2 * O channels (in each spatial dim)
//       %y = transpose (slice (weave of the phases of %c))
//
// Taps that are no multiple of s are filled up with zeros. What follows with a number a channel (bias, activation, quantisation)
// goes before the weaving, so that it is part of the convolution's kernel. Weights that are dequantised stay so.
//
// Source: Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016.
//
//===----------------------------------------------------------------------===//

#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/Passes.h"
#include "passes/Quantized.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

namespace optc {
#define GEN_PASS_DEF_LOWERCONVTRANSPOSE
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Of one spatial dim.
struct Phases {
  int64_t stride, kernel, taps;
  int64_t padLow, padHigh; // of the convolution
  int64_t start;           // of the result in the woven phases
  DimExpr count = 1, size = 1; // results of a phase, of all
};

class PhaseConvolution {
public:
  explicit PhaseConvolution(ConvTransposeOp op) : op(op), b(op), loc(op.getLoc()), spatial(dimsOf(op.getX()).size() - 2) {}

  /// Leaves groups, dilation and padding beyond the windows alone.
  void lower() {
    auto isOne = [](int64_t v) { return v == 1; };
    if (op.getLayout() != "nchw" || op.getGroups() != 1 || !llvm::all_of(op.getDilations(), isOne) || !isa<FloatType>(elementOf(op.getY())))
      return;
    for (size_t i = 0; i < spatial; ++i)
      if (!readDim(i))
        return;
    // Windows of several taps take constant filters, single ones are matrix products.
    if (isWeight(op.getW()) || llvm::all_of(dims, [](const Phases &p) { return p.taps == 1 && p.padLow == 0 && p.padHigh == 0; }))
      build();
  }

private:
  bool readDim(size_t i) {
    Phases p;
    auto kernel = dimsOf(op.getW())[i + 2].constant();
    int64_t low = op.getPadsLow()[i], high = op.getPadsHigh()[i], extra = op.getOutputPadding()[i];
    p.stride = op.getStrides()[i];
    // Results beyond the last window: a few, as of output_padding.
    int64_t beyond = std::max<int64_t>(0, extra - high);
    if (!kernel || low < 0 || high < 0 || beyond >= p.stride)
      return false;
    p.kernel = *kernel;
    p.taps = (p.kernel + beyond + p.stride - 1) / p.stride;
    p.start = low % p.stride;
    p.padLow = p.taps - 1 - low / p.stride;
    // The result has stride * in + rest elements.
    int64_t rest = extra + p.kernel - low - high - p.stride, more = llvm::divideCeilSigned(p.start + rest, p.stride);
    p.padHigh = more + p.taps - 1 - p.padLow;
    p.count = dimsOf(op.getX())[i + 2] + DimExpr(more);
    p.size = dimsOf(op.getY())[i + 2];
    phases *= p.stride;
    dims.push_back(p);
    return p.padLow >= 0 && p.padHigh >= 0;
  }

  void build() {
    Value w = weights();
    Dims x = dimsOf(op.getX()), y = dimsOf(op.getY());
    SmallVector<int64_t> toLast{0}, ones(spatial, 1), low, high;
    Dims result{x[0]};
    for (size_t i = 0; i < spatial; ++i) {
      toLast.push_back(i + 2);
      low.push_back(dims[i].padLow);
      high.push_back(dims[i].padHigh);
      result.push_back(dims[i].count);
    }
    toLast.push_back(1);
    result.push_back(y[1] * DimExpr(phases));
    Value image = b.create<TransposeOp>(loc, op.getX(), toLast);
    Value value = b.create<ConvOp>(loc, tensorType(result, elementOf(op.getY())), image, w, ones, ones, low, high, 1, "nhwc");
    SmallVector<Operation *> chain{op};
    while (Operation *next = follower(chain.back())) {
      value = repeated(next, chain.back()->getResult(0), value);
      chain.push_back(next);
    }
    chain.back()->getResult(0).replaceAllUsesWith(woven(value));
    for (Operation *done : llvm::reverse(chain))
      done->erase();
  }

  //===--------------------------------------------------------------------===//
  // Weights
  //===--------------------------------------------------------------------===//

  Dims filterDims() const {
    Dims w = dimsOf(ConvTransposeOp(op).getW()), filter;
    for (const Phases &p : dims)
      filter.push_back(DimExpr(p.taps));
    filter.append({w[0], w[1] * DimExpr(phases)});
    return filter;
  }
  bool fillsTaps() const {
    return llvm::any_of(dims, [](const Phases &p) { return p.taps * p.stride != p.kernel; });
  }

  Value weights() {
    auto dequantize = op.getW().getDefiningOp<DequantizeOp>();
    if (!dequantize)
      return rearranged(op.getW(), {});
    Value zero = dequantize.getZeroPoint(), scales = vectorAlong(b, dequantize.getScale(), 1), zeros = zero ? vectorAlong(b, zero, 1) : Value();
    auto number = zeroPoint(zero);
    if (!scales || (zero && !zeros) || (fillsTaps() && !number))
      return rearranged(op.getW(), {});
    Value fill = number && *number ? scalarConstant(b, loc, elementOf(dequantize.getX()), double(*number)) : Value();
    Value codes = rearranged(dequantize.getX(), fill);
    auto spread = [&](Value v) { return v ? repeat(b, loc, ofPhases(v), dimsOf(codes)) : Value(); };
    return b.create<DequantizeOp>(loc, tensorType(dimsOf(codes), elementOf(op.getW())), codes, spread(scales), spread(zeros));
  }

  /// [C, O, kernel...] -> [taps..., C, phases... * O], taps turned round.
  Value rearranged(Value w, Value fill) {
    Dims from = dimsOf(w), filled{from[0], from[1]}, apart{from[0], from[1]};
    Type element = elementOf(w);
    SmallVector<int64_t> none(spatial + 2, 0), starts{0, 0}, steps{1, 1}, order;
    for (const Phases &p : dims) {
      filled.push_back(DimExpr(p.taps * p.stride));
      apart.append({DimExpr(p.taps), DimExpr(p.stride)});
      starts.append({p.taps - 1, 0});
      steps.append({-1, 1});
    }
    if (fillsTaps())
      w = b.create<PadOp>(loc, tensorType(filled, element), w, fill, DimsAttr::get(b.getContext(), ArrayRef<int64_t>(none)), "constant");
    w = b.create<ReshapeOp>(loc, tensorType(apart, element), w);
    w = b.create<SliceOp>(loc, tensorType(apart, element), w, DimsAttr::get(b.getContext(), ArrayRef<int64_t>(starts)),
                          DimsAttr::get(b.getContext(), ArrayRef<int64_t>(steps)));
    for (size_t i = 0; i < spatial; ++i)
      order.push_back(2 + 2 * i);
    order.push_back(0);
    for (size_t i = 0; i < spatial; ++i)
      order.push_back(3 + 2 * i);
    order.push_back(1);
    w = b.create<TransposeOp>(loc, w, order);
    return b.create<ReshapeOp>(loc, tensorType(filterDims(), element), w);
  }

  /// [O] -> [phases * O]
  Value ofPhases(Value v) {
    DimExpr o = dimOf(v.getType(), 0);
    Value all = b.create<BroadcastOp>(loc, tensorType({DimExpr(phases), o}, elementOf(v)), v);
    return b.create<ReshapeOp>(loc, tensorType({DimExpr(phases) * o}, elementOf(v)), all);
  }

  //===--------------------------------------------------------------------===//
  // Results
  //===--------------------------------------------------------------------===//

  /// The one user of an op's result, where it is elementwise and its other operands are numbers of a channel.
  Operation *follower(Operation *before) {
    Value y = before->getResult(0);
    Operation *user = y.hasOneUse() ? *y.user_begin() : nullptr;
    if (!user || !user->hasTrait<Elementwise>() || user->getNumResults() != 1 || user->getBlock() != op->getBlock() ||
        dimsOf(user->getResult(0)) != dimsOf(op.getY()))
      return nullptr;
    for (Value v : user->getOperands()) {
      if (v == y)
        continue;
      auto broadcast = v.getDefiningOp<BroadcastOp>();
      SmallVector<bool> varies = varyingDims(v);
      if (!isWeight(broadcast ? broadcast.getX() : v) || dimsOf(v) != dimsOf(y))
        return nullptr;
      for (auto [d, differs] : llvm::enumerate(varies))
        if (differs && d != 1)
          return nullptr;
    }
    return user;
  }

  /// The user of `before` again, of `value` in its place.
  Value repeated(Operation *user, Value before, Value value) {
    IRMapping mapping;
    b.setInsertionPointAfter(user);
    for (Value v : user->getOperands())
      if (v == before)
        mapping.map(v, value);
      else
        mapping.map(v, repeat(b, v.getLoc(), ofPhases(vectorAlong(b, v, 1)), dimsOf(value)));
    Operation *twin = b.clone(*user, mapping);
    twin->getResult(0).setType(cast<RankedTensorType>(tensorType(dimsOf(value), elementOf(user->getResult(0)))));
    return twin->getResult(0);
  }

  /// [N, counts..., phases... * O] -> [N, O, sizes...]
  Value woven(Value value) {
    Type element = elementOf(value);
    Dims y = dimsOf(op.getY()), apart{y[0]}, together{y[0]}, sizes{y[0]};
    SmallVector<int64_t> order{0}, starts{0}, toFirst{0, int64_t(spatial) + 1}, ones(spatial + 2, 1);
    for (const Phases &p : dims)
      apart.push_back(p.count);
    for (auto [i, p] : llvm::enumerate(dims)) {
      apart.push_back(DimExpr(p.stride));
      order.append({int64_t(1 + i), int64_t(1 + spatial + i)});
      together.push_back(p.count * DimExpr(p.stride));
      sizes.push_back(p.size);
      starts.push_back(p.start);
      toFirst.push_back(1 + i);
    }
    apart.push_back(y[1]), together.push_back(y[1]), sizes.push_back(y[1]);
    order.push_back(1 + 2 * spatial);
    starts.push_back(0);
    if (phases != 1) {
      value = b.create<ReshapeOp>(loc, tensorType(apart, element), value);
      value = b.create<TransposeOp>(loc, value, order);
      value = b.create<ReshapeOp>(loc, tensorType(together, element), value);
    }
    if (sizes != together)
      value = b.create<SliceOp>(loc, tensorType(sizes, element), value, DimsAttr::get(b.getContext(), ArrayRef<int64_t>(starts)),
                                DimsAttr::get(b.getContext(), ArrayRef<int64_t>(ones)));
    return b.create<TransposeOp>(loc, value, toFirst);
  }

  ConvTransposeOp op;
  OpBuilder b;
  Location loc;
  size_t spatial;
  SmallVector<Phases> dims;
  int64_t phases = 1;
};

struct LowerConvTranspose : optc::impl::LowerConvTransposeBase<LowerConvTranspose> {
  void runOnOperation() override {
    SmallVector<ConvTransposeOp> ops;
    getOperation().walk([&](ConvTransposeOp op) { ops.push_back(op); });
    for (ConvTransposeOp op : ops)
      PhaseConvolution(op).lower();
  }
};

} // namespace
