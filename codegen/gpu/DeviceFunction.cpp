//===- DeviceFunction.cpp - The frame of a device kernel ------------------===//

#include "codegen/gpu/DeviceFunction.h"
#include "codegen/kernel/Kernel.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace optc;

/// Of a function's argument: a divisor that is known of it.
static constexpr const char *kDivisor = "optc.divisor";

/// 32-bit indices halve the registers and the cost of divisions, but hold only what is known to be small.
static bool fitsInt32(KernelOp kernel) {
  constexpr int64_t kLimit = int64_t(1) << 30;
  auto fits = [](Type type) {
    std::optional<int64_t> n = numElements(dimsOf(type)).constant();
    return n && *n < kLimit;
  };
  bool all = kernelSymbols(kernel).empty();
  for (Operation &op : kernel.getBody().front())
    all = all && llvm::all_of(op.getOperandTypes(), fits) && llvm::all_of(op.getResultTypes(), fits);
  return all;
}

/// What an operand says may be out of range.
static bool readsIndices(Operation &op) {
  if (auto recurrent = dyn_cast<RecurrentOp>(op))
    return bool(recurrent.getLengths());
  return isa<Col2ImOp, GatherOp, GatherElementsOp, GatherNDOp, GridSampleOp, MaxRoiPoolOp, MaxUnpoolOp, MelWeightMatrixOp, ResizeOp, ReverseSequenceOp, RoiAlignOp, ScatterElementsOp, ScatterNDOp, TopKOp>(op);
}

DeviceFunction::DeviceFunction(KernelOp kernel, ModuleOp module, StringRef symbol)
    : KernelEmitter(kernel, module.getContext()), module(module) {
  if (fitsInt32(kernel))
    indices = b.getI32Type();
  overflow = arith::IntegerOverflowFlags::nsw;
  auto pointers = [&](TypeRange types, StringRef prefix, bool isConst) {
    for (auto [i, type] : llvm::enumerate(types))
      parameters.push_back({(prefix + llvm::Twine(i)).str(),
                            memoryType(cast<RankedTensorType>(type).getElementType()), true, isConst});
  };
  pointers(kernel.getOperandTypes(), "x", true);
  pointers(kernel.getResultTypes(), "y", false);
  size_t bufferCount = parameters.size();
  // A result in an operand's memory is written through the operand's pointer: its own is there, but is not
  // used.
  auto source = llvm::to_vector(llvm::seq<unsigned>(0, bufferCount));
  for (unsigned r = 0; r < kernel.getNumResults(); ++r)
    if (auto operand = inPlaceOperand(kernel, r)) {
      source[kernel.getNumOperands() + r] = *operand;
      parameters[*operand].isConst = false;
    }
  SmallVector<std::string> symbolNames = registerSymbols(kernel);
  for (size_t i = 0; i < symbolNames.size(); ++i)
    parameters.push_back({"s" + std::to_string(i), indices, false});
  bool checksIndices = llvm::any_of(kernel.getBody().front(), readsIndices);
  if (checksIndices)
    parameters.push_back({"error", b.getI32Type(), true, false});

  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  SmallVector<Type> types;
  for (const Parameter &p : parameters)
    types.push_back(p.isPointer ? pointer : p.type);
  b.setInsertionPointToEnd(module.getBody());
  function = b.create<func::FuncOp>(loc, symbol, b.getFunctionType(types, {}));
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  for (unsigned i : source)
    buffers.push_back(entry->getArgument(i));
  for (auto [i, name] : llvm::enumerate(symbolNames))
    symbols[name] = entry->getArgument(bufferCount + i);
  if (checksIndices)
    error = entry->getArgument(parameters.size() - 1);
}

void DeviceFunction::finish() { b.create<func::ReturnOp>(loc); }

Value DeviceFunction::call(StringRef name, Type result, ValueRange operands) {
  std::string symbol = name.str();
  llvm::raw_string_ostream os(symbol);
  if (Type distinct = result ? result : Type())
    os << "." << distinct;
  SmallVector<Type> results;
  if (result)
    results.push_back(result);
  auto callee = module.lookupSymbol<func::FuncOp>(symbol);
  if (!callee) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    callee =
        b.create<func::FuncOp>(b.getUnknownLoc(), symbol, b.getFunctionType(operands.getTypes(), results));
    callee.setPrivate();
  }
  auto op = b.create<func::CallOp>(loc, callee, operands);
  return result ? op.getResult(0) : Value();
}

Value DeviceFunction::named(Value value, StringRef name) {
  // A constant is printed as it is, an argument has its name.
  if (Operation *op = value.getDefiningOp(); op && !isa<arith::ConstantOp>(op))
    op->setLoc(NameLoc::get(b.getStringAttr(name)));
  return value;
}

void DeviceFunction::nameCarried(ValueRange results, ArrayRef<std::string> names) {
  for (auto [result, name] : llvm::zip(results, names))
    if (auto op = result.getDefiningOp<scf::ForOp>())
      op.getRegionIterArg(cast<OpResult>(result).getResultNumber())
          .setLoc(NameLoc::get(b.getStringAttr(name)));
}

SmallVector<Value> DeviceFunction::shortLoop(int64_t lower, int64_t upper, StringRef name, ValueRange carried,
                                             LoopBody body) {
  auto constant = [&](int64_t n) { return b.create<arith::ConstantIntOp>(loc, n, 32); };
  return loop(constant(lower), constant(upper), constant(1), carried, [&](Value i, ValueRange in) {
    i.setLoc(NameLoc::get(b.getStringAttr(name)));
    return body(i, in);
  });
}

Value DeviceFunction::divide(Value x, Value y) {
  auto a = constantOf(x), c = constantOf(y);
  return (a && c) || (c && *c == 1) ? KernelEmitter::divide(x, y) : b.create<arith::DivSIOp>(loc, x, y);
}
Value DeviceFunction::modulo(Value x, Value y) {
  auto a = constantOf(x), c = constantOf(y);
  return (a && c) || (c && *c == 1) ? KernelEmitter::modulo(x, y) : b.create<arith::RemSIOp>(loc, x, y);
}

Value DeviceFunction::thread() {
  if (!threadIndex) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    threadIndex = named(call("thread_index", indices, {}), "thread");
  }
  return threadIndex;
}

Value DeviceFunction::block() {
  if (!blockIndex) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    blockIndex = named(call("block_index", indices, {}), "block");
  }
  return blockIndex;
}

Value DeviceFunction::threadInGrid() { return add(mul(block(), index(threads)), thread()); }

Value DeviceFunction::shuffleXor(Value x, Value offset, int64_t group) {
  Value width = b.create<arith::ConstantIntOp>(loc, group, 32);
  return named(call("shuffle_xor", x.getType(), {x, offset, width}), "other");
}

void DeviceFunction::addMap(DeviceTensorMap map) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  parameters.push_back({"map" + std::to_string(maps.size()), pointer, false, true, true});
  maps.push_back(std::move(map));
  function.insertArgument(function.getNumArguments(), pointer, {}, loc);
}

DeviceFunction &DeviceFunction::beginEpilogue(Type sum) {
  epilogue = std::make_unique<DeviceFunction>(kernel, module, (function.getName() + "_epilogue").str());
  func::FuncOp inner = epilogue->function;
  auto add = [&](Type type, StringRef name) {
    unsigned number = inner.getNumArguments();
    inner.insertArgument(number, type, {}, loc);
    named(inner.getArgument(number), name);
    epilogue->parameters.push_back({name.str(), type, false});
  };
  for (StringRef name : {"batch", "row", "column"})
    add(indices, name);
  if (auto vector = dyn_cast<VectorType>(sum))
    inner.setArgAttr(inner.getNumArguments() - 1, kDivisor, b.getI64IntegerAttr(vector.getNumElements()));
  add(sum, "sum");
  return *epilogue;
}

void DeviceFunction::callProduct(std::string run, ArrayRef<std::string> arguments, ValueRange shape,
                                 ArrayRef<std::string> more, ValueRange values) {
  for (const std::string &text : more)
    moreOfShape += ", " + text;
  libraryCall = std::move(run);
  libraryArguments = llvm::join(arguments, ", ");
  shapeSize = shape.size();
  SmallVector<Value> operands(shape);
  operands.append(values.begin(), values.end());
  call("product", {}, operands);
}

void DeviceFunction::addParameter(StringRef name, Type type, bool isPointer) {
  assert(maps.empty() && "maps are the last parameters");
  parameters.push_back({name.str(), type, isPointer});
  function.insertArgument(function.getNumArguments(), isPointer ? Type(LLVM::LLVMPointerType::get(b.getContext())) : type, {}, loc);
}

void DeviceFunction::useWorkspace(DimExpr bytes) {
  assert(!counters && !counted && !repeats && "parameters have an order");
  workspace = bytes;
  addParameter("workspace", b.getI8Type(), true);
}

void DeviceFunction::useCounters(DimExpr count) {
  assert(!counted && !repeats && "parameters have an order");
  counters = count;
  addParameter("counters", b.getI32Type(), true);
}

void DeviceFunction::splitProduct(const DimExpr &bytes, const DimExpr &meetings, std::string how) {
  useWorkspace(bytes);
  useCounters(meetings);
  split = std::move(how);
}

void DeviceFunction::countResults(DimExpr launches) {
  assert(!repeats && "parameters have an order");
  counted = launches;
  addParameter("count", b.getI64Type(), true);
}

void DeviceFunction::repeat(DimExpr count) {
  repeats = count;
  addParameter("launch", b.getI32Type(), false);
}

void DeviceFunction::callLibrary(std::string run, ValueRange sizes, ArrayRef<std::string> arguments) {
  libraryCall = std::move(run);
  libraryArguments = llvm::join(arguments, ", ");
  call("library", {}, sizes);
  finish();
}

void DeviceFunction::barrier() { call("barrier", {}, {}); }

Value DeviceFunction::shared(Type element, int64_t count, StringRef name) {
  OpBuilder::InsertionGuard guard(b);
  if (lastShared)
    b.setInsertionPointAfter(lastShared);
  else
    b.setInsertionPointToStart(&function.getBody().front());
  Value n = b.create<arith::ConstantIntOp>(loc, count, 32);
  auto array = b.create<LLVM::AllocaOp>(loc, LLVM::LLVMPointerType::get(b.getContext()), element, n);
  lastShared = array;
  return named(array, name);
}

int64_t optc::knownDivisor(Value index) {
  constexpr int64_t kEnough = 1 << 20;
  if (auto c = KernelEmitter::constantOf(index))
    return *c < 0 ? -*c : *c;
  auto ofBoth = [](Value x, Value y) { return std::gcd(knownDivisor(x), knownDivisor(y)); };
  if (auto argument = dyn_cast<BlockArgument>(index)) {
    if (auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())) {
      auto known = function.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), kDivisor);
      return known ? known.getInt() : 1;
    }
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return loop && index == loop.getInductionVar() ? ofBoth(loop.getLowerBound(), loop.getStep()) : 1;
  }
  Operation *op = index.getDefiningOp();
  if (isa<arith::AddIOp, arith::SubIOp>(op))
    return ofBoth(op->getOperand(0), op->getOperand(1));
  // x mod c is x less a multiple of c.
  if (isa<arith::RemSIOp>(op))
    return ofBoth(op->getOperand(0), op->getOperand(1));
  if (isa<arith::MulIOp>(op)) {
    int64_t x = knownDivisor(op->getOperand(0)), y = knownDivisor(op->getOperand(1));
    return x == 0 || y == 0
               ? 0
               : std::gcd(std::min(x, kEnough), kEnough) * std::gcd(std::min(y, kEnough), kEnough);
  }
  return 1;
}

/// Of a vector: its size, up to 16 bytes, where the offset into the buffer is a multiple of the lanes.
unsigned DeviceFunction::alignmentOf(Value pointer, Type element, int64_t lanes) {
  unsigned bytes = element.getIntOrFloatBitWidth() / 8, whole = std::min<unsigned>(16, bytes * lanes);
  if (lanes == 1)
    return bytes;
  auto gep = pointer.getDefiningOp<LLVM::GEPOp>();
  if (!gep)
    return whole;
  auto offset = gep.getIndices()[0];
  int64_t divisor =
      isa<IntegerAttr>(offset) ? cast<IntegerAttr>(offset).getInt() : knownDivisor(cast<Value>(offset));
  return divisor % lanes == 0 ? whole : bytes;
}

/// f16 and bf16 are types of the device: conversions, not bits.
Value DeviceFunction::load(Value pointer, Type element, int64_t lanes, Value mask) {
  assert(!mask && "threads that have nothing to do branch around their loads");
  Type memory = memoryType(element), type = withLanes(memory, lanes);
  Value x = b.create<LLVM::LoadOp>(loc, type, pointer, alignmentOf(pointer, memory, lanes));
  if (element.isBF16() || element.isF16())
    return b.create<arith::ExtFOp>(loc, withLanes(b.getF32Type(), lanes), x);
  if (element.isInteger(1))
    return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, x, buildConstant(b, loc, type, 0));
  return x;
}

void DeviceFunction::store(Value value, Value pointer, Type element, Value mask) {
  assert(!mask && "threads that have nothing to do branch around their stores");
  auto vector = dyn_cast<VectorType>(value.getType());
  int64_t lanes = vector ? vector.getNumElements() : 1;
  Type memory = memoryType(element);
  if (element.isBF16() || element.isF16())
    value = b.create<arith::TruncFOp>(loc, withLanes(memory, lanes), value);
  else if (element.isInteger(1))
    value = b.create<arith::ExtUIOp>(loc, withLanes(memory, lanes), value);
  b.create<LLVM::StoreOp>(loc, value, pointer, alignmentOf(pointer, memory, lanes));
}

void DeviceFunction::checkIndex(Value index, Value size) {
  // -size <= index < size; every thread that sees another one writes the same.
  Value shifted = b.create<arith::AddIOp>(loc, index, size), twice = b.create<arith::AddIOp>(loc, size, size);
  when(b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::uge, shifted, twice), [&] {
    Value one = b.create<arith::ConstantIntOp>(loc, 1, 32);
    b.create<LLVM::StoreOp>(loc, one, error, 4);
  });
}
