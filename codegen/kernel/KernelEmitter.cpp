//===- KernelEmitter.cpp - Index arithmetic, memory, loops ----------------===//

#include "codegen/kernel/KernelEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace optc;

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

std::optional<int64_t> KernelEmitter::constantOf(Value value) {
  if (auto constant = value.getDefiningOp<arith::ConstantIntOp>())
    return constant.value();
  return std::nullopt;
}

Value KernelEmitter::index(int64_t value) { return b.create<arith::ConstantIntOp>(loc, value, indices); }

Value KernelEmitter::add(Value x, Value y) {
  auto a = constantOf(x), c = constantOf(y);
  if (a && c)
    return index(*a + *c);
  if (a && *a == 0)
    return y;
  if (c && *c == 0)
    return x;
  return b.create<arith::AddIOp>(loc, x, y, overflow);
}
Value KernelEmitter::sub(Value x, Value y) {
  auto a = constantOf(x), c = constantOf(y);
  if (a && c)
    return index(*a - *c);
  if (c && *c == 0)
    return x;
  return b.create<arith::SubIOp>(loc, x, y, overflow);
}
Value KernelEmitter::mul(Value x, Value y) {
  auto a = constantOf(x), c = constantOf(y);
  if (a && c)
    return index(*a * *c);
  if ((a && *a == 0) || (c && *c == 1))
    return x;
  if ((c && *c == 0) || (a && *a == 1))
    return y;
  return b.create<arith::MulIOp>(loc, x, y, overflow);
}
Value KernelEmitter::divide(Value x, Value y) {
  auto a = constantOf(x), c = constantOf(y);
  if (a && c && *c > 0)
    return index(*a / *c);
  if (c && *c == 1)
    return x;
  return b.create<arith::DivUIOp>(loc, x, y);
}
Value KernelEmitter::modulo(Value x, Value y) {
  auto a = constantOf(x), c = constantOf(y);
  if (a && c && *c > 0)
    return index(*a % *c);
  if (c && *c == 1)
    return index(0);
  return b.create<arith::RemUIOp>(loc, x, y);
}
Value KernelEmitter::min(Value x, Value y) { return b.create<arith::MinSIOp>(loc, x, y); }
Value KernelEmitter::max(Value x, Value y) { return b.create<arith::MaxSIOp>(loc, x, y); }
Value KernelEmitter::less(Value x, Value y) { return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, x, y); }

Value KernelEmitter::resize(Value x, Type scalar) {
  auto vector = dyn_cast<VectorType>(x.getType());
  Type type = withLanes(scalar, vector ? vector.getNumElements() : 1);
  unsigned from = getElementTypeOrSelf(x.getType()).getIntOrFloatBitWidth(), to = scalar.getIntOrFloatBitWidth();
  if (from < to)
    return b.create<arith::ExtSIOp>(loc, type, x);
  return from > to ? Value(b.create<arith::TruncIOp>(loc, type, x)) : x;
}

namespace {
/// A dim expression as index arithmetic.
struct SizeEmitter : DimExpr::Visitor {
  SizeEmitter(KernelEmitter &f, llvm::StringMap<Value> &symbols) : f(f), symbols(symbols) {}
  KernelEmitter &f;
  llvm::StringMap<Value> &symbols;
  SmallVector<Value> values;

  int64_t push(Value v) {
    values.push_back(v);
    return values.size() - 1;
  }
  int64_t constant(int64_t value) override { return push(f.index(value)); }
  int64_t symbol(StringRef name) override { return push(symbols.lookup(name)); }
  int64_t apply(StringRef function, const std::vector<int64_t> &args) override {
    Value x = values[args[0]], y = values[args[1]];
    auto equal = [&](Value p, Value q) -> Value { return f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, p, q); };
    if (function == "+")
      return push(f.add(x, y));
    if (function == "*")
      return push(f.mul(x, y));
    if (function == "min")
      return push(f.min(x, y));
    if (function == "max")
      return push(f.max(x, y));
    if (function == "bcast")
      return push(f.b.create<arith::SelectOp>(f.loc, equal(x, f.index(1)), y, x));
    if (function == "ifeq")
      return push(f.b.create<arith::SelectOp>(f.loc, equal(x, y), values[args[2]], values[args[3]]));
    // floordiv, mod: 0 for a divisor of 0, as the runtime has it.
    Value zero = f.index(0), isZero = equal(y, zero);
    Value safe = f.b.create<arith::SelectOp>(f.loc, isZero, f.index(1), y);
    Value quotient = f.b.create<arith::FloorDivSIOp>(f.loc, x, safe);
    quotient = f.b.create<arith::SelectOp>(f.loc, isZero, zero, quotient);
    if (function == "floordiv")
      return push(quotient);
    return push(f.sub(x, f.mul(quotient, y)));
  }
};
} // namespace

Value KernelEmitter::size(const DimExpr &expr) {
  SizeEmitter emitter(*this, symbols);
  return emitter.values[expr.visit(emitter)];
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value KernelEmitter::pointerTo(Value base, Value offset, Type element) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  if (auto c = constantOf(offset)) {
    if (*c == 0)
      return base;
    if (*c == int32_t(*c))
      return b.create<LLVM::GEPOp>(loc, pointer, memoryType(element), base, ArrayRef<LLVM::GEPArg>{int32_t(*c)}, true);
  }
  return b.create<LLVM::GEPOp>(loc, pointer, memoryType(element), base, ArrayRef<LLVM::GEPArg>{offset}, true);
}

Value KernelEmitter::load(Value pointer, Type element, int64_t lanes, Value mask) {
  Type memory = element.isBF16() ? b.getIntegerType(16) : memoryType(element);
  unsigned alignment = std::max(1u, memory.getIntOrFloatBitWidth() / 8);
  Type type = withLanes(memory, lanes);
  Value x;
  if (mask) {
    Value zero = buildConstant(b, loc, type, 0);
    x = b.create<LLVM::MaskedLoadOp>(loc, type, pointer, mask, ValueRange{zero}, alignment);
  } else {
    x = b.create<LLVM::LoadOp>(loc, type, pointer, alignment);
  }
  if (element.isBF16())
    return widenBFloat16(b, loc, x);
  if (element.isF16())
    return b.create<arith::ExtFOp>(loc, withLanes(b.getF32Type(), lanes), x);
  if (element.isInteger(1))
    return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, x, buildConstant(b, loc, type, 0));
  return x;
}

void KernelEmitter::store(Value value, Value pointer, Type element, Value mask) {
  auto vector = dyn_cast<VectorType>(value.getType());
  int64_t lanes = vector ? vector.getNumElements() : 1;
  Type memory = element.isBF16() ? b.getIntegerType(16) : memoryType(element);
  unsigned alignment = std::max(1u, memory.getIntOrFloatBitWidth() / 8);
  if (Value exact = element.isBF16() ? roundedFromBFloat16(value) : Value())
    value = narrowBFloat16(b, loc, exact);
  else if (element.isBF16())
    value = narrowBFloat16(b, loc, value);
  else if (element.isF16())
    value = b.create<arith::TruncFOp>(loc, withLanes(memory, lanes), value);
  else if (element.isInteger(1))
    value = b.create<arith::ExtUIOp>(loc, withLanes(memory, lanes), value);
  if (mask)
    b.create<LLVM::MaskedStoreOp>(loc, value, pointer, mask, alignment);
  else
    b.create<LLVM::StoreOp>(loc, value, pointer, alignment);
}

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

SmallVector<Value> KernelEmitter::loop(Value lower, Value upper, Value step, ValueRange carried, LoopBody bodyOf) {
  auto op = b.create<scf::ForOp>(loc, lower, upper, step, carried);
  OpBuilder::InsertionGuard guard(b);
  // An scf.for without carried values has its terminator already.
  if (carried.empty())
    b.setInsertionPoint(op.getBody()->getTerminator());
  else
    b.setInsertionPointToEnd(op.getBody());
  SmallVector<Value> next = bodyOf(op.getInductionVar(), op.getRegionIterArgs());
  if (!carried.empty())
    b.create<scf::YieldOp>(loc, next);
  return SmallVector<Value>(op.getResults());
}

Value KernelEmitter::branch(Value condition, Type type, llvm::function_ref<Value()> then, llvm::function_ref<Value()> otherwise) {
  auto op = b.create<scf::IfOp>(loc, type, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(op.thenBlock());
  b.create<scf::YieldOp>(loc, then());
  b.setInsertionPointToEnd(op.elseBlock());
  b.create<scf::YieldOp>(loc, otherwise());
  return op.getResult(0);
}

void KernelEmitter::when(Value condition, llvm::function_ref<void()> then) {
  auto op = b.create<scf::IfOp>(loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.thenBlock()->getTerminator());
  then();
}

Value KernelEmitter::lanesBelow(Value count, int64_t lanes, int64_t first) {
  if (auto known = constantOf(count)) {
    SmallVector<bool> bits;
    for (int64_t lane = first; lane < first + lanes; ++lane)
      bits.push_back(lane < *known);
    return b.create<arith::ConstantOp>(loc, DenseElementsAttr::get(VectorType::get({lanes}, b.getI1Type()), ArrayRef<bool>(bits)));
  }
  // In 32 bits, of which a register holds twice as many.
  SmallVector<int32_t> numbers;
  for (int64_t lane = first; lane < first + lanes; ++lane)
    numbers.push_back(int32_t(lane));
  Value lane = b.create<arith::ConstantOp>(loc, DenseElementsAttr::get(VectorType::get({lanes}, b.getI32Type()), ArrayRef<int32_t>(numbers)));
  Value limit = resize(max(index(0), min(count, index(first + lanes))), b.getI32Type());
  return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, lane, splat(limit, lanes));
}

Value KernelEmitter::splat(Value scalar, int64_t lanes) {
  if (lanes == 1 || isa<VectorType>(scalar.getType()))
    return scalar;
  return b.create<vector::SplatOp>(loc, withLanes(scalar.getType(), lanes), scalar);
}

Value KernelEmitter::reduceLanes(StringRef kind, Type element, Value vector) {
  auto type = dyn_cast<VectorType>(vector.getType());
  if (!type)
    return vector;
  // Halves combined pairwise: the order is fixed, whatever the target.
  for (int64_t n = type.getNumElements() / 2; n >= 1; n /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < n; ++i) {
      low.push_back(i);
      high.push_back(i + n);
    }
    Value x = b.create<vector::ShuffleOp>(loc, vector, vector, low);
    Value y = b.create<vector::ShuffleOp>(loc, vector, vector, high);
    vector = buildCombine(b, loc, kind, element, x, y);
  }
  return b.create<vector::ExtractOp>(loc, vector, 0);
}
