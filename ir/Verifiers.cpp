//===- Verifiers.cpp - Constraints of ops whose result types are given ----===//

#include "ir/Shape.h"

using namespace mlir;
using namespace optc;

/// Verifies that two values have one shape (dims that may match).
static LogicalResult sameShape(Operation *op, Value a, Value b) {
  Dims x = dimsOf(a), y = dimsOf(b);
  if (x.size() != y.size())
    return op->emitOpError("operand and result differ in rank");
  for (auto [m, n] : llvm::zip(x, y))
    if (!dimsMayMatch(m, n))
      return op->emitOpError("operand and result differ in shape: ") << m.str() << " and " << n.str();
  return success();
}

static LogicalResult sameElement(Operation *op, Value a, Value b) {
  if (elementOf(a) == elementOf(b))
    return success();
  return op->emitOpError("operand and result differ in element type");
}

LogicalResult CastOp::verify() { return sameShape(*this, getX(), getY()); }

LogicalResult BitcastOp::verify() {
  // A bool takes a byte.
  auto width = [](Type t) { return t.isInteger(1) ? 8u : t.isIntOrFloat() ? t.getIntOrFloatBitWidth() : 0u; };
  if (width(elementOf(getX())) == 0 || width(elementOf(getX())) != width(elementOf(getY())))
    return emitOpError("element types must have the same width");
  return sameShape(*this, getX(), getY());
}

LogicalResult LookupOp::verify() {
  constexpr int64_t kCodes = 256;
  if (!elementOf(getX()).isInteger(8) || !elementOf(getY()).isInteger(8))
    return emitOpError("operand and result must be 8-bit integers");
  if (getTable().size() != kCodes || llvm::any_of(getTable(), [](int64_t code) { return code < 0 || code >= kCodes; }))
    return emitOpError("the table must have 256 codes");
  return sameShape(*this, getX(), getY());
}

LogicalResult ConstantOp::verify() {
  if (getValue().getShapedType() != getY().getType())
    return emitOpError("value and result differ in type");
  return success();
}

LogicalResult IotaOp::verify() {
  if (int64_t(getAxis()) < 0 || int64_t(getAxis()) >= tensorOf(getY()).getRank())
    return emitOpError("axis is out of range");
  return success();
}

LogicalResult FromDimsOp::verify() {
  auto type = tensorOf(getY());
  if (!type.hasStaticShape() || type.getNumElements() != int64_t(getValues().size()))
    return emitOpError("result must have one element a dimension");
  return success();
}

LogicalResult BindOp::verify() {
  auto type = tensorOf(getX());
  if (!type.getElementType().isSignlessInteger(32) && !type.getElementType().isSignlessInteger(64))
    return emitOpError("expected a tensor of i32 or i64");
  if (!type.hasStaticShape() || type.getNumElements() != int64_t(getSymbols().size()))
    return emitOpError("expected one symbol an element");
  for (auto symbol : getSymbols().getAsValueRange<StringAttr>())
    if (!symbol.starts_with("$") || !DimExpr::isSymbolName(symbol))
      return emitOpError("a symbol begins with '$', got ") << symbol;
  return success();
}

LogicalResult ReshapeOp::verify() {
  if (failed(sameElement(*this, getX(), getY())))
    return failure();
  DimExpr from = numElements(dimsOf(getX())), to = numElements(dimsOf(getY()));
  if (!dimsMayMatch(from, to))
    return emitOpError("changes the number of elements from ") << from.str() << " to " << to.str();
  return success();
}

LogicalResult BroadcastOp::verify() {
  if (failed(sameElement(*this, getX(), getY())))
    return failure();
  Dims from = dimsOf(getX()), to = dimsOf(getY());
  if (from.size() > to.size())
    return emitOpError("result has a lower rank than the operand");
  for (size_t i = 0; i < from.size(); ++i) {
    const DimExpr &a = from[i], &b = to[i + to.size() - from.size()];
    if (a.isConstant() && a != DimExpr(1) && !dimsMayMatch(a, b))
      return emitOpError("cannot repeat a dim of ") << a.str() << " to " << b.str();
  }
  return success();
}

LogicalResult SliceOp::verify() {
  if (failed(sameElement(*this, getX(), getY())))
    return failure();
  size_t rank = tensorOf(getX()).getRank();
  if (getStarts().size() != rank || getStrides().size() != rank || size_t(tensorOf(getY()).getRank()) != rank)
    return emitOpError("expected one start, stride and size a dim");
  Dims in = dimsOf(getX()), out = dimsOf(getY());
  for (size_t i = 0; i < rank; ++i) {
    auto size = in[i].constant(), n = out[i].constant();
    auto start = getStarts().dim(i).constant(), stride = getStrides().dim(i).constant();
    if (!size || !n || !start || !stride || *n == 0)
      continue;
    int64_t last = *start + (*n - 1) * *stride;
    if (*start < 0 || *start >= *size || last < 0 || last >= *size)
      return emitOpError("dim ") << i << " goes outside the operand";
  }
  return success();
}

LogicalResult PadOp::verify() {
  if (failed(sameElement(*this, getX(), getY())))
    return failure();
  if (getLow().size() != size_t(tensorOf(getX()).getRank()) || tensorOf(getY()).getRank() != tensorOf(getX()).getRank())
    return emitOpError("expected one amount a dim");
  if (getValue() && elementOf(getValue()) != elementOf(getX()))
    return emitOpError("value and operand differ in element type");
  return success();
}

LogicalResult IfOp::verify() {
  for (Region *region : {&getThenRegion(), &getElseRegion()}) {
    auto yield = cast<YieldOp>(region->front().getTerminator());
    if (region->front().getNumArguments() != 0 || yield.getNumOperands() != getNumResults())
      return emitOpError("each branch must yield one value a result and take no arguments");
  }
  return success();
}

LogicalResult LoopOp::verify() {
  Block &block = getBody().front();
  size_t carried = getInit().size();
  auto yield = cast<YieldOp>(block.getTerminator());
  if (block.getNumArguments() != carried + 1)
    return emitOpError("the body must take the iteration and the carried values");
  if (getNumResults() < carried || yield.getNumOperands() != getNumResults() + 1)
    return emitOpError("the body must yield the condition, the carried and the scanned values");
  return success();
}

LogicalResult KernelOp::verify() {
  Block &block = getBody().front();
  auto yield = cast<YieldOp>(block.getTerminator());
  if (block.getArgumentTypes() != getOperandTypes())
    return emitOpError("the body's arguments must have the operands' types");
  if (yield.getOperandTypes() != getResultTypes())
    return emitOpError("the body must yield the results' types");
  return success();
}
