//===- Match.cpp - Reading formulas that exporters spelled out ------------===//

#include "passes/Match.h"
#include <cmath>

using namespace mlir;
using namespace optc;

std::optional<double> optc::splatValue(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    // A cast to a float keeps the value, to the precision that a match asks for.
    if (isa<BroadcastOp, ReshapeOp, TransposeOp, SliceOp>(op) || (isa<CastOp>(op) && isa<FloatType>(elementOf(op->getResult(0))))) {
      value = op->getOperand(0);
      continue;
    }
    auto constant = dyn_cast<ConstantOp>(op);
    if (!constant || !constant.getValue().isSplat())
      return std::nullopt;
    Type element = elementOf(value);
    if (isa<FloatType>(element))
      return constant.getValue().getSplatValue<APFloat>().convertToDouble();
    if (!isa<IntegerType>(element))
      return std::nullopt;
    APInt integer = constant.getValue().getSplatValue<APInt>();
    return element.isUnsignedInteger() ? double(integer.getZExtValue()) : double(integer.getSExtValue());
  }
  return std::nullopt;
}

bool optc::nearlyEqual(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(1e-6, std::abs(b));
}

static void multiplyBy(Product &product, Value value, int depth) {
  if (auto c = splatValue(value)) {
    product.coefficient *= *c;
    return;
  }
  Operation *op = value.getDefiningOp();
  if (op && depth < 8) {
    if (isa<MulOp>(op)) {
      multiplyBy(product, op->getOperand(0), depth + 1);
      multiplyBy(product, op->getOperand(1), depth + 1);
      return;
    }
    if (isa<NegOp>(op)) {
      product.coefficient = -product.coefficient;
      multiplyBy(product, op->getOperand(0), depth + 1);
      return;
    }
    if (isa<DivOp>(op))
      if (auto c = splatValue(op->getOperand(1)); c && *c != 0) {
        product.coefficient /= *c;
        multiplyBy(product, op->getOperand(0), depth + 1);
        return;
      }
    if (isa<PowOp>(op))
      if (auto n = splatValue(op->getOperand(1)); n && (*n == 2 || *n == 3)) {
        for (int i = 0; i < int(*n); ++i)
          multiplyBy(product, op->getOperand(0), depth + 1);
        return;
      }
  }
  product.factors.push_back(value);
}

Product optc::productOf(Value value) {
  Product product;
  if (isa<FloatType>(elementOf(value)))
    multiplyBy(product, value, 0);
  else
    product.factors.push_back(value);
  return product;
}

Affine optc::affineOf(Value value) {
  Affine result{value};
  for (int depth = 0; depth < 8; ++depth) {
    Operation *op = result.x.getDefiningOp();
    if (!op || !isa<AddOp, SubOp, MulOp, DivOp, NegOp>(op))
      break;
    if (isa<NegOp>(op)) {
      result.slope = -result.slope;
      result.x = op->getOperand(0);
      continue;
    }
    auto right = splatValue(op->getOperand(1)), left = splatValue(op->getOperand(0));
    if (!right && !left)
      break;
    double c = right ? *right : *left;
    if (isa<AddOp>(op)) {
      result.offset += result.slope * c;
    } else if (isa<MulOp>(op)) {
      result.slope *= c;
    } else if (isa<SubOp>(op)) {
      // x - c, or c - x
      result.offset += right ? -result.slope * c : result.slope * c;
      result.slope = right ? result.slope : -result.slope;
    } else {
      if (!right || c == 0)
        break;
      result.slope /= c;
    }
    result.x = right ? op->getOperand(0) : op->getOperand(1);
  }
  return result;
}

std::optional<Clamp> optc::clampOf(Value value) {
  auto bound = [](Operation *op, Value &x) -> std::optional<double> {
    for (int i : {0, 1})
      if (auto c = splatValue(op->getOperand(i))) {
        x = op->getOperand(1 - i);
        return c;
      }
    return std::nullopt;
  };
  Operation *outer = value.getDefiningOp();
  if (!outer || !isa<MinOp, MaxOp>(outer))
    return std::nullopt;
  Value middle, x;
  auto first = bound(outer, middle);
  Operation *inner = first ? middle.getDefiningOp() : nullptr;
  if (!inner || !isa<MinOp, MaxOp>(inner) || isa<MinOp>(inner) == isa<MinOp>(outer))
    return std::nullopt;
  auto second = bound(inner, x);
  if (!second)
    return std::nullopt;
  return isa<MaxOp>(outer) ? Clamp{x, *first, *second} : Clamp{x, *second, *first};
}

Value optc::throughUnitDims(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>()) {
    auto without1 = [](Value v) {
      Dims kept;
      for (const DimExpr &d : dimsOf(v))
        if (d != DimExpr(1))
          kept.push_back(d);
      return kept;
    };
    if (without1(reshape.getX()) != without1(reshape.getY()))
      break;
    value = reshape.getX();
  }
  return value;
}

Value optc::rowValue(Value value, ArrayRef<DimExpr> dims, ArrayRef<int64_t> axes) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast || dimsOf(value) != Dims(dims))
    return {};
  Dims own = dimsOf(broadcast.getX());
  Dims from(dims.size() - own.size(), DimExpr(1)), expected;
  from.append(own);
  for (size_t d = 0; d < dims.size(); ++d)
    expected.push_back(llvm::is_contained(axes, int64_t(d)) ? DimExpr(1) : dims[d]);
  return from == expected ? broadcast.getX() : Value();
}
