//===- RowReduction.cpp - Accumulators of a reduction ---------------------===//

#include "codegen/kernel/RowReduction.h"

using namespace mlir;
using namespace optc;

static int64_t lanesOf(Value value) {
  auto vector = dyn_cast<VectorType>(value.getType());
  return vector ? vector.getNumElements() : 1;
}

Type optc::accumulatorOf(ReduceOp op) {
  auto integer = dyn_cast<IntegerType>(elementOf(op.getX()));
  if (op.getKind() != "mean" || !integer)
    return elementOf(op.getX());
  return IntegerType::get(op.getContext(), 64, integer.getSignedness());
}

Value optc::widenToAccumulator(KernelEmitter &f, ReduceOp op, Value x) {
  Type element = elementOf(op.getX()), accumulator = accumulatorOf(op);
  if (registerType(element) == registerType(accumulator))
    return x;
  Type wide = withLanes(registerType(accumulator), lanesOf(x));
  return element.isUnsignedInteger() ? Value(f.b.create<arith::ExtUIOp>(f.loc, wide, x)) : Value(f.b.create<arith::ExtSIOp>(f.loc, wide, x));
}

/// A mean of integers rounds towards zero, and is 0 over nothing.
Value optc::finishReduction(KernelEmitter &f, ReduceOp op, Value accumulated, Value count) {
  if (op.getKind() != "mean")
    return accumulated;
  Type scalar = registerType(accumulatorOf(op));
  int64_t lanes = lanesOf(accumulated);
  if (isa<FloatType>(scalar))
    return f.b.create<arith::DivFOp>(f.loc, accumulated, f.splat(f.b.create<arith::SIToFPOp>(f.loc, scalar, count), lanes));
  Value n = f.splat(f.resize(f.max(count, f.index(1)), scalar), lanes);
  Value mean = elementOf(op.getX()).isUnsignedInteger() ? Value(f.b.create<arith::DivUIOp>(f.loc, accumulated, n))
                                                        : Value(f.b.create<arith::DivSIOp>(f.loc, accumulated, n));
  return f.resize(mean, registerType(elementOf(op.getX())));
}

Type RowReduction::element() const { return isArg() ? elementOf(input()) : accumulatorOf(cast<ReduceOp>(op)); }

bool RowReduction::isFloatSum() const { return kind() == "sum" && isa<FloatType>(registerType(element())); }

StringRef RowReduction::kind() const {
  StringRef kind = isArg() ? cast<ArgReduceOp>(op).getKind() : cast<ReduceOp>(op).getKind();
  return kind == "mean" ? "sum" : kind;
}

/// Positions are i32: no row has 2^31 elements.
SmallVector<Value> RowReduction::initial(int64_t lanes) const {
  SmallVector<Value> carried{buildIdentity(f.b, f.loc, kind(), element(), lanes)};
  if (isArg()) {
    // The position that loses every tie.
    bool last = cast<ArgReduceOp>(op).getLast();
    carried.push_back(buildConstant(f.b, f.loc, withLanes(f.b.getI32Type(), lanes), last ? -1 : INT32_MAX));
  }
  return carried;
}

/// True where b replaces a, which stands before it: NaN first, then the extreme, then the position.
Value RowReduction::better(ValueRange a, ValueRange b) const {
  bool max = kind() == "max", last = cast<ArgReduceOp>(op).getLast();
  auto both = [&](Value x, Value y) -> Value { return f.b.create<arith::AndIOp>(f.loc, x, y); };
  auto either = [&](Value x, Value y) -> Value { return f.b.create<arith::OrIOp>(f.loc, x, y); };
  Value tie = f.b.create<arith::CmpIOp>(f.loc, last ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt, b[1], a[1]);
  if (isa<FloatType>(registerType(element()))) {
    using P = arith::CmpFPredicate;
    auto compare = [&](P p, Value x, Value y) -> Value { return f.b.create<arith::CmpFOp>(f.loc, p, x, y); };
    // A NaN in b counts as greater; once a is NaN only an earlier NaN replaces it.
    Value wins = compare(max ? P::UGT : P::ULT, b[0], a[0]);
    Value equal = both(compare(P::OEQ, b[0], a[0]), tie);
    Value numbers = both(compare(P::ORD, a[0], a[0]), either(wins, equal));
    Value earlier = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::slt, b[1], a[1]);
    Value nans = both(both(compare(P::UNO, a[0], a[0]), compare(P::UNO, b[0], b[0])), earlier);
    return either(numbers, nans);
  }
  using P = arith::CmpIPredicate;
  bool isUnsigned = element().isUnsignedInteger() || element().isInteger(1);
  P greater = max ? (isUnsigned ? P::ugt : P::sgt) : (isUnsigned ? P::ult : P::slt);
  Value wins = f.b.create<arith::CmpIOp>(f.loc, greater, b[0], a[0]);
  Value equal = f.b.create<arith::CmpIOp>(f.loc, P::eq, b[0], a[0]);
  return either(wins, both(equal, tie));
}

SmallVector<Value> RowReduction::merge(ValueRange a, ValueRange b) const {
  if (!isArg())
    return {buildCombine(f.b, f.loc, kind(), element(), a[0], b[0])};
  Value take = better(a, b);
  return {f.b.create<arith::SelectOp>(f.loc, take, b[0], a[0]), f.b.create<arith::SelectOp>(f.loc, take, b[1], a[1])};
}

SmallVector<Value> RowReduction::step(ValueRange carried, Value x, Value position, int64_t stride, Value mask) const {
  int64_t lanes = lanesOf(x);
  if (!isArg()) {
    x = widenToAccumulator(f, cast<ReduceOp>(op), x);
    // Lanes outside hold zeros.
    if (mask && kind() != "sum")
      x = f.b.create<arith::SelectOp>(f.loc, mask, x, buildIdentity(f.b, f.loc, kind(), element(), lanes));
    Value next = buildCombine(f.b, f.loc, kind(), element(), carried[0], x);
    if (mask && kind() == "sum") // what is computed of zeros need not be zero
      next = f.b.create<arith::SelectOp>(f.loc, mask, next, carried[0]);
    return {next};
  }
  Type i32 = f.b.getI32Type();
  Value at = f.splat(f.resize(position, i32), lanes);
  if (lanes > 1 && stride != 0) {
    SmallVector<int32_t> steps;
    for (int64_t lane = 0; lane < lanes; ++lane)
      steps.push_back(int32_t(lane * stride));
    Value offsets = f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(VectorType::get({lanes}, i32), ArrayRef<int32_t>(steps)));
    at = f.b.create<arith::AddIOp>(f.loc, at, offsets);
  }
  Value take = better(carried, {x, at});
  if (mask)
    take = f.b.create<arith::AndIOp>(f.loc, take, mask);
  return {f.b.create<arith::SelectOp>(f.loc, take, x, carried[0]), f.b.create<arith::SelectOp>(f.loc, take, at, carried[1])};
}

Value RowReduction::finish(ValueRange carried, Value count, bool keepLanes) const {
  SmallVector<Value> values(carried);
  int64_t lanes = lanesOf(values[0]);
  if (!keepLanes && lanes > 1) {
    // Halves combined pairwise: the order does not depend on the data.
    for (int64_t n = lanes / 2; n >= 1; n /= 2) {
      SmallVector<int64_t> low, high;
      for (int64_t i = 0; i < n; ++i) {
        low.push_back(i);
        high.push_back(i + n);
      }
      SmallVector<Value> a, b;
      for (Value v : values) {
        a.push_back(f.b.create<vector::ShuffleOp>(f.loc, v, v, low));
        b.push_back(f.b.create<vector::ShuffleOp>(f.loc, v, v, high));
      }
      values = merge(a, b);
    }
    for (Value &v : values)
      v = f.b.create<vector::ExtractOp>(f.loc, v, 0);
    lanes = 1;
  }
  if (isArg()) {
    // No element beat the identity: all are equal to it, and the first is at 0.
    Type i32 = withLanes(f.b.getI32Type(), lanes);
    Value none = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, values[1], buildConstant(f.b, f.loc, i32, INT32_MAX));
    Value at = f.b.create<arith::SelectOp>(f.loc, none, buildConstant(f.b, f.loc, i32, 0), values[1]);
    return f.b.create<arith::ExtSIOp>(f.loc, withLanes(f.b.getI64Type(), lanes), at);
  }
  return finishReduction(f, cast<ReduceOp>(op), values[0], count);
}
