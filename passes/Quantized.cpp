//===- Quantized.cpp - Reading quantised values ---------------------------===//

#include "passes/Quantized.h"
#include "codegen/kernel/CompressedPanels.h"
#include "ir/eval/Weight.h"
#include "passes/Match.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace optc;

/// Channels of a tensor whose zero points are compared.
static constexpr int64_t kMaxZeroPoints = 1 << 20;

SmallVector<bool> optc::varyingDims(Value value) {
  Dims dims = dimsOf(value);
  SmallVector<bool> varies;
  for (const DimExpr &d : dims)
    varies.push_back(d != DimExpr(1));
  Operation *op = value.getDefiningOp();
  SmallVector<bool> none(dims.size(), false);
  if (auto constant = dyn_cast_or_null<ConstantOp>(op); constant && constant.getValue().isSplat())
    return none;
  if (auto broadcast = dyn_cast_or_null<BroadcastOp>(op)) {
    SmallVector<bool> inner = varyingDims(broadcast.getX());
    llvm::copy(inner, none.end() - inner.size());
    return none;
  }
  if (auto transpose = dyn_cast_or_null<TransposeOp>(op)) {
    SmallVector<bool> inner = varyingDims(transpose.getX());
    for (auto [i, p] : llvm::enumerate(transpose.getPermutation()))
      varies[i] = inner[p];
    return varies;
  }
  if (auto slice = dyn_cast_or_null<SliceOp>(op)) {
    SmallVector<bool> inner = varyingDims(slice.getX());
    for (size_t i = 0; i < varies.size(); ++i)
      varies[i] = varies[i] && inner[i];
    return varies;
  }
  if (auto reshape = dyn_cast_or_null<ReshapeOp>(op)) {
    SmallVector<bool> inner = varyingDims(reshape.getX());
    if (llvm::none_of(inner, [](bool v) { return v; }))
      return none;
    // Groups of neighbouring dims that hold the same elements: all of a group's dims vary where one of its did.
    Dims from = dimsOf(reshape.getX());
    for (size_t a = 0, c = 0; a < from.size() || c < dims.size();) {
      size_t firstA = a, firstC = c;
      DimExpr x = a < from.size() ? from[a++] : DimExpr(1), y = c < dims.size() ? dims[c++] : DimExpr(1);
      while (x != y) {
        auto sizeX = x.constant(), sizeY = y.constant();
        if (!sizeX || !sizeY || (*sizeX < *sizeY ? a == from.size() : c == dims.size()))
          return varies;
        if (*sizeX < *sizeY)
          x = x * from[a++];
        else
          y = y * dims[c++];
      }
      bool any = std::any_of(inner.begin() + firstA, inner.begin() + a, [](bool v) { return v; });
      for (size_t d = firstC; d < c; ++d)
        varies[d] = varies[d] && any;
    }
    return varies;
  }
  return varies;
}

Value optc::scalarConstant(OpBuilder &b, Location loc, Type element, double value) {
  auto type = cast<RankedTensorType>(tensorType({}, element));
  if (isa<FloatType>(element))
    return b.create<ConstantOp>(loc, DenseElementsAttr::get(type, Attribute(b.getFloatAttr(element, value))));
  unsigned width = element.getIntOrFloatBitWidth();
  return b.create<ConstantOp>(loc, DenseElementsAttr::get(type, APInt(width, uint64_t(int64_t(value)), true)));
}

/// The dim of a reshape's operand that a dim of its result is, where only dims of size 1 differ.
static std::optional<int64_t> dimBefore(ReshapeOp reshape, int64_t dim) {
  auto longer = [](Value v) {
    SmallVector<std::pair<int64_t, DimExpr>> list;
    for (auto [i, size] : llvm::enumerate(dimsOf(v)))
      if (size != DimExpr(1))
        list.push_back({int64_t(i), size});
    return list;
  };
  auto from = longer(reshape.getX()), to = longer(reshape.getY());
  if (from.size() != to.size())
    return std::nullopt;
  std::optional<int64_t> found;
  for (auto [a, b] : llvm::zip(from, to)) {
    if (a.second != b.second)
      return std::nullopt;
    if (b.first == dim)
      found = a.first;
  }
  return found;
}

/// One element of a value at index 0 along all dims but `kept` (-1: none), as [size of kept] or []. It is taken from below what
/// repeats and permutes: that may be too large for a weight.
static Value sliceOut(OpBuilder &b, Value value, int64_t kept) {
  if (auto transpose = value.getDefiningOp<TransposeOp>())
    return sliceOut(b, transpose.getX(), kept < 0 ? kept : transpose.getPermutation()[kept]);
  if (auto broadcast = value.getDefiningOp<BroadcastOp>()) {
    int64_t inner = kept < 0 ? kept : kept - (tensorOf(value).getRank() - tensorOf(broadcast.getX()).getRank());
    if (kept < 0 || (inner >= 0 && dimOf(broadcast.getX().getType(), inner) == dimOf(value.getType(), kept)))
      return sliceOut(b, broadcast.getX(), inner);
  }
  if (auto reshape = value.getDefiningOp<ReshapeOp>()) {
    auto before = kept < 0 ? std::nullopt : dimBefore(reshape, kept);
    if (before || kept < 0)
      return sliceOut(b, reshape.getX(), before.value_or(-1));
  }
  Dims dims = dimsOf(value), sizes(dims.size(), DimExpr(1)), result;
  if (kept >= 0) {
    sizes[kept] = dims[kept];
    result.push_back(dims[kept]);
  }
  Location loc = value.getLoc();
  if (sizes != dims) {
    SmallVector<int64_t> zeros(dims.size(), 0), ones(dims.size(), 1);
    value = b.create<SliceOp>(loc, tensorType(sizes, elementOf(value)), value, DimsAttr::get(b.getContext(), ArrayRef<int64_t>(zeros)),
                              DimsAttr::get(b.getContext(), ArrayRef<int64_t>(ones)));
  }
  Type type = tensorType(result, elementOf(value));
  return value.getType() == type ? value : Value(b.create<ReshapeOp>(loc, type, value));
}

/// Strips what only repeats or moves, so that small values stay small.
static Value source(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<BroadcastOp, ReshapeOp, TransposeOp, SliceOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

Value optc::uniformElement(OpBuilder &b, Value value) {
  if (llvm::any_of(varyingDims(value), [](bool v) { return v; }))
    return {};
  if (auto constant = source(value).getDefiningOp<ConstantOp>(); constant && constant.getValue().isSplat()) {
    Attribute splat = constant.getValue().getSplatValue<Attribute>();
    return b.create<ConstantOp>(value.getLoc(), DenseElementsAttr::get(cast<ShapedType>(tensorType({}, elementOf(value))), splat));
  }
  return sliceOut(b, value, -1);
}

Value optc::vectorAlong(OpBuilder &b, Value value, int64_t axis) {
  SmallVector<bool> varies = varyingDims(value);
  for (auto [d, v] : llvm::enumerate(varies))
    if (v && int64_t(d) != axis)
      return {};
  if (!varies[axis])
    return repeat(b, value.getLoc(), uniformElement(b, value), {dimOf(value.getType(), axis)});
  return sliceOut(b, value, axis);
}

Value optc::unrepeated(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<BroadcastOp>(op) && !(isa<ReshapeOp>(op) && throughUnitDims(value) != value))
      break;
    value = op->getOperand(0);
  }
  return value;
}

Value optc::repeat(OpBuilder &b, Location loc, Value scalar, ArrayRef<DimExpr> dims) {
  Type type = tensorType(dims, elementOf(scalar));
  return scalar.getType() == type ? scalar : Value(b.create<BroadcastOp>(loc, type, scalar));
}

Value optc::outerProduct(OpBuilder &b, Location loc, Value a, Value c, ArrayRef<DimExpr> dims) {
  if (tensorOf(a).getRank() == 0)
    std::swap(a, c);
  Dims least = tensorOf(c).getRank() == 0 ? dimsOf(a) : Dims(dims);
  a = repeat(b, loc, a, least);
  return repeat(b, loc, b.create<MulOp>(loc, a.getType(), a, repeat(b, loc, c, least)), dims);
}

bool optc::is8Bit(Value value) { return elementOf(value).isInteger(8); }

bool optc::sameNumber(Value a, Value b) {
  if (a == b)
    return true;
  auto number = [](Value v) { return v ? splatValue(v) : std::optional<double>(0); };
  auto x = number(a), y = number(b);
  if (x && y)
    return *x == *y;
  return a && b && source(a) == source(b) && llvm::all_of(dimsOf(source(a)), [](const DimExpr &d) { return d == DimExpr(1); });
}

std::optional<int64_t> optc::zeroPoint(Value zero) {
  if (!zero)
    return 0;
  if (auto number = splatValue(zero))
    return int64_t(*number);
  // One a channel, mostly all the same.
  Value constant = source(zero);
  if (auto widened = constant.getDefiningOp<CastOp>())
    constant = source(widened.getX());
  if (!isWeight(constant) || tensorOf(constant).getNumElements() > kMaxZeroPoints || !is8Bit(constant))
    return std::nullopt;
  return uniformByte(constant);
}

Value optc::limited(OpBuilder &b, Value x, QuantizeOp quantize, double scale) {
  Location loc = quantize.getLoc();
  int64_t low = elementOf(quantize.getY()).isUnsignedInteger() ? 0 : -128, zero = *zeroPoint(quantize.getZeroPoint());
  auto limit = [&](int64_t code) { return repeat(b, loc, scalarConstant(b, loc, elementOf(x), double(code - zero) * scale), dimsOf(x)); };
  return b.create<MinOp>(loc, x.getType(), b.create<MaxOp>(loc, x.getType(), x, limit(low)), limit(low + 255));
}

bool optc::isBFloatProduct(Operation *product) {
  if (!isa<ContractOp, ConvOp>(product) || !bfloatUnder(product->getOperand(0)) || !isWeight(product->getOperand(1)))
    return false;
  Operation *weight = sourceOf(product->getOperand(1));
  if (!weight || !bfloatUnder(weight->getResult(0)))
    return false;
  if (auto conv = dyn_cast<ConvOp>(product))
    return conv.getLayout() == "nhwc" && conv.getGroups() == 1;
  auto contract = cast<ContractOp>(product);
  auto rows = dimsOf(contract.getLhs()).front().constant();
  return contract.getLhsBatch().empty() && tensorOf(contract.getRhs()).getRank() == 2 && tensorOf(contract.getLhs()).getRank() == 2 &&
         !(rows && *rows <= kDirectRows);
}

Value optc::moveLike(OpBuilder &b, Operation *movement, Value x) {
  IRMapping mapping;
  mapping.map(movement->getOperand(0), x);
  Operation *twin = b.clone(*movement, mapping);
  auto type = tensorType(dimsOf(movement->getResult(0)), elementOf(x));
  twin->getResult(0).setType(type);
  return twin->getResult(0);
}

std::optional<Quantized> optc::dequantizedFrom(OpBuilder &b, Value value) {
  Operation *op = value.getDefiningOp();
  if (auto dequantize = dyn_cast_or_null<DequantizeOp>(op))
    return Quantized{dequantize.getX(), dequantize.getScale(), dequantize.getZeroPoint()};
  if (!op || !isMovement(op) || !isWeight(value))
    return std::nullopt;
  auto inner = dequantizedFrom(b, op->getOperand(0));
  if (!inner)
    return std::nullopt;
  auto moved = [&](Value v) { return v ? moveLike(b, op, v) : Value(); };
  return Quantized{moved(inner->codes), moved(inner->scale), moved(inner->zero)};
}
