//===- Resampling.cpp - Elements of a resized tensor ----------------------===//
//
// Each resized dim gives one or two input positions and their weights from the output position; the result is their
// product over the dims (bilinear: four elements). Coordinates are computed in f32 and rounded in f64, as the reference
// function does, so that the same pixel is the nearest.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Resampling.h"
#include "codegen/kernel/TensorEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

/// The dim is as it was.
static bool isKept(ResizeOp op, size_t d) {
  double scale = op.getScales()[d];
  return dimsOf(op.getX())[d] == dimsOf(op.getY())[d] && (scale == 1 || scale == 0);
}

bool optc::canResample(ResizeOp op) {
  StringRef coordinates = op.getCoordinates();
  if (op->getNumOperands() != 1 || coordinates == "tf_crop_and_resize" || op.getMode() == "cubic" || op.getAntialias() || op.getExcludeOutside())
    return false;
  if (op.getMode() == "linear" && !isa<FloatType>(elementOf(op.getX())))
    return false;
  Dims from = dimsOf(op.getX());
  for (size_t d = 0; d < from.size(); ++d) {
    // An empty dim has no nearest element. Where the size follows from a scale the result is empty, too.
    auto size = from[d].constant();
    double scale = op.getScales()[d];
    if (!isKept(op, d) && (size ? *size == 0 : scale == 0))
      return false;
    if (!isKept(op, d) && scale != 0 && !(scale > 1e-4 && scale < 1e4))
      return false;
  }
  return true;
}

namespace {

struct Coordinates {
  KernelEmitter &f;
  ResizeOp op;

  Value number(double x, Type type) { return buildConstant(f.b, f.loc, type, x); }
  Value real(Value index, Type type) { return f.b.create<arith::SIToFPOp>(f.loc, type, index); }

  /// The input's coordinate of output position i (f32).
  Value sourceOf(size_t d, Value i) {
    Type f32 = f.b.getF32Type(), f64 = f.b.getF64Type();
    Value in = f.size(dimsOf(op.getX())[d]), out = f.size(dimsOf(op.getY())[d]);
    auto add = [&](Value a, Value b) -> Value { return f.b.create<arith::AddFOp>(f.loc, a, b); };
    auto sub = [&](Value a, Value b) -> Value { return f.b.create<arith::SubFOp>(f.loc, a, b); };
    auto mul = [&](Value a, Value b) -> Value { return f.b.create<arith::MulFOp>(f.loc, a, b); };
    auto div = [&](Value a, Value b) -> Value { return f.b.create<arith::DivFOp>(f.loc, a, b); };
    auto unlessOne = [&](Value x) -> Value {
      Value one = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sle, out, f.index(1));
      return f.b.create<arith::SelectOp>(f.loc, one, number(0, f32), x);
    };
    double given = op.getScales()[d];
    Value scale = given != 0 ? number(float(given), f32)
                             : Value(f.b.create<arith::TruncFOp>(f.loc, f32, div(real(out, f64), real(in, f64))));
    Value x = real(i, f32), half = number(0.5, f32), one = number(1, f32);
    StringRef mode = op.getCoordinates();
    if (mode == "asymmetric")
      return div(x, scale);
    if (mode == "align_corners")
      return unlessOne(div(mul(x, sub(real(in, f32), one)), sub(real(out, f32), one)));
    Value halfPixel = div(add(x, half), scale);
    if (mode == "tf_half_pixel_for_nn")
      return halfPixel;
    if (mode == "pytorch_half_pixel")
      return unlessOne(sub(halfPixel, half));
    if (mode == "half_pixel_symmetric") {
      Value n = real(in, f32), adjustment = div(real(out, f32), mul(scale, n)), center = div(n, number(2, f32));
      return sub(add(mul(center, sub(one, adjustment)), halfPixel), half);
    }
    return sub(halfPixel, half);
  }

  Value clamped(Value i, size_t d) {
    Value last = f.sub(f.size(dimsOf(op.getX())[d]), f.index(1));
    return f.max(f.index(0), f.min(i, last));
  }

  Value nearest(size_t d, Value i) {
    Type f64 = f.b.getF64Type();
    Value x = f.b.create<arith::ExtFOp>(f.loc, f64, sourceOf(d, i)), half = number(0.5, f64);
    StringRef mode = op.getNearestMode();
    if (mode == "floor")
      x = f.b.create<math::FloorOp>(f.loc, x);
    else if (mode == "ceil")
      x = f.b.create<math::CeilOp>(f.loc, x);
    else if (mode == "round_prefer_ceil")
      x = f.b.create<math::FloorOp>(f.loc, f.b.create<arith::AddFOp>(f.loc, x, half));
    else
      x = f.b.create<math::CeilOp>(f.loc, f.b.create<arith::SubFOp>(f.loc, x, half));
    return clamped(f.b.create<arith::FPToSIOp>(f.loc, f.indexType(), x), d);
  }
};

} // namespace

Value TensorEmitter::atResize(ResizeOp op, const LaneIndices &index, int64_t lanes, Value mask) {
  SmallVector<size_t> resized;
  for (size_t d = 0; d < index.size(); ++d)
    if (!isKept(op, d))
      resized.push_back(d);
  for (size_t d : resized)
    if (lanes > 1 && index[d].stride != 0)
      return byLane(op.getY(), index, lanes, mask);
  Coordinates coordinates{f, op};
  LaneIndices inner = index;
  if (op.getMode() == "nearest") {
    for (size_t d : resized)
      inner[d] = {coordinates.nearest(d, index[d].base), 0};
    return at(op.getX(), inner, lanes, mask);
  }
  Type scalar = registerType(elementOf(op.getX()));
  struct Pair {
    Value low, high, fraction, isExact;
  };
  SmallVector<Pair> pairs;
  for (size_t d : resized) {
    Value x = coordinates.sourceOf(d, index[d].base), floor = f.b.create<math::FloorOp>(f.loc, x);
    Value fraction = f.b.create<arith::SubFOp>(f.loc, x, floor), i = f.b.create<arith::FPToSIOp>(f.loc, f.indexType(), floor);
    Value exact = f.b.create<arith::CmpFOp>(f.loc, arith::CmpFPredicate::OEQ, fraction, coordinates.number(0, fraction.getType()));
    if (scalar.isF64())
      fraction = f.b.create<arith::ExtFOp>(f.loc, scalar, fraction);
    pairs.push_back({coordinates.clamped(i, d), coordinates.clamped(f.add(i, f.index(1)), d), fraction, exact});
  }
  std::function<Value(size_t)> nest = [&](size_t k) -> Value {
    if (k == resized.size())
      return at(op.getX(), inner, lanes, mask);
    const Pair &pair = pairs[k];
    inner[resized[k]] = {pair.low, 0};
    Value low = nest(k + 1);
    inner[resized[k]] = {pair.high, 0};
    Value high = nest(k + 1);
    Value one = buildConstant(f.b, f.loc, scalar, 1), rest = f.b.create<arith::SubFOp>(f.loc, one, pair.fraction);
    Value sum = f.b.create<arith::AddFOp>(f.loc, f.b.create<arith::MulFOp>(f.loc, low, f.splat(rest, lanes)),
                                          f.b.create<arith::MulFOp>(f.loc, high, f.splat(pair.fraction, lanes)));
    // A weight of 0 takes nothing from its element, not even a NaN.
    return f.b.create<arith::SelectOp>(f.loc, pair.isExact, low, sum);
  };
  return nest(0);
}
