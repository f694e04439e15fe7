//===- LowRank.cpp - Products of low rank in weights ----------------------===//

#include "passes/LowRank.h"
#include "ir/Shape.h"

using namespace mlir;
using namespace optc;

Value optc::addLowRank(OpBuilder &b, Location loc, Value weight, Value left, Value right) {
  Type f32 = b.getF32Type();
  auto widened = [&](Value x) {
    auto type = tensorType(dimsOf(x), f32);
    return x.getType() == type ? x : Value(b.create<CastOp>(loc, type, x));
  };
  ArrayRef<int64_t> none;
  Value product = b.create<ContractOp>(loc, widened(left), widened(right), none, none, ArrayRef<int64_t>{1}, ArrayRef<int64_t>{0});
  Value wide = widened(weight);
  if (product.getType() != wide.getType())
    product = b.create<ReshapeOp>(loc, wide.getType(), product);
  Value sum = b.create<AddOp>(loc, wide, product);
  return sum.getType() == weight.getType() ? sum : Value(b.create<CastOp>(loc, weight.getType(), sum));
}
