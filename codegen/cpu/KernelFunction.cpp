//===- KernelFunction.cpp - The frame of a kernel's code ------------------===//

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/Kernel.h"
#include "runtime/Artefact.h"

using namespace mlir;
using namespace optc;

KernelFunction::KernelFunction(KernelOp kernel, ModuleOp module, StringRef symbol, const CpuTarget &target)
    : KernelEmitter(kernel, module.getContext()), target(target), module(module) {
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context), i64 = b.getI64Type(), i32 = b.getI32Type();
  unsigned bufferCount = kernel.getNumOperands() + kernel.getNumResults();
  SmallVector<std::string> symbolNames = registerSymbols(kernel);
  SmallVector<Type> types(bufferCount, pointer);
  types.append(symbolNames.size(), i64);
  types.append({pointer, i64, i64});
  b.setInsertionPointToEnd(module.getBody());
  body = b.create<func::FuncOp>(loc, (symbol + "_body").str(), b.getFunctionType(types, i32));
  body->setAttr("llvm.linkage", LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  body->setAttr("passthrough", b.getArrayAttr({b.getStringAttr("noinline")}));
  // A result in an operand's memory is the operand's pointer: its own is there, but is not used.
  SmallVector<unsigned> source;
  for (unsigned i = 0; i < bufferCount; ++i)
    source.push_back(i);
  for (unsigned r = 0; r < kernel.getNumResults(); ++r)
    if (auto operand = inPlaceOperand(kernel, r))
      source[kernel.getNumOperands() + r] = *operand;
  for (unsigned i = 0; i < bufferCount; ++i)
    if (source[i] == i)
      body.setArgAttr(i, "llvm.noalias", b.getUnitAttr());

  auto entry = b.create<func::FuncOp>(loc, symbol, b.getFunctionType({pointer, i64, i64}, i32));
  b.setInsertionPointToStart(entry.addEntryBlock());
  auto field = [&](Value base, int64_t i) -> Value {
    return b.create<LLVM::GEPOp>(loc, pointer, pointer, base, ArrayRef<LLVM::GEPArg>{int32_t(i)}, true);
  };
  Value args = entry.getArgument(0);
  Value bufferTable = b.create<LLVM::LoadOp>(loc, pointer, field(args, 0));
  Value registerTable = b.create<LLVM::LoadOp>(loc, pointer, field(args, 1));
  SmallVector<Value> operands;
  for (unsigned i = 0; i < bufferCount; ++i)
    operands.push_back(b.create<LLVM::LoadOp>(loc, pointer, field(bufferTable, i)));
  for (unsigned i = 0; i < symbolNames.size(); ++i)
    operands.push_back(b.create<LLVM::LoadOp>(loc, i64, field(registerTable, i)));
  operands.push_back(b.create<LLVM::LoadOp>(loc, pointer, field(args, 2)));
  operands.append({entry.getArgument(1), entry.getArgument(2)});
  auto call = b.create<func::CallOp>(loc, body, operands);
  b.create<func::ReturnOp>(loc, call.getResults());

  Block *block = body.addEntryBlock();
  b.setInsertionPointToStart(block);
  unsigned next = 0;
  for (; next < bufferCount; ++next)
    buffers.push_back(block->getArgument(source[next]));
  for (const std::string &name : symbolNames)
    symbols[name] = block->getArgument(next++);
  scratch = block->getArgument(next++);
  begin = block->getArgument(next++);
  end = block->getArgument(next);
}

bool KernelFunction::use(uint64_t feature) {
  if (!target.has(feature))
    return false;
  auto used = module->getAttrOfType<IntegerAttr>(kUsedFeatures);
  module->setAttr(kUsedFeatures, b.getI64IntegerAttr(feature | (used ? used.getInt() : 0)));
  return true;
}

Value KernelFunction::bfloatBits(Value x) {
  constexpr int64_t kLanes = 16;
  auto vector = dyn_cast<VectorType>(x.getType());
  if (!vector || vector.getNumElements() != kLanes || !use(OPTC_CPU_AVX512_BF16))
    return narrowBFloat16(b, loc, x);
  Type half = VectorType::get({kLanes}, b.getBF16Type()), bits = VectorType::get({kLanes}, b.getI16Type());
  Value rounded = b.create<LLVM::CallIntrinsicOp>(loc, half, "llvm.x86.avx512bf16.cvtneps2bf16.512", ValueRange{x}).getResults();
  return b.create<vector::BitCastOp>(loc, bits, rounded);
}

void KernelFunction::store(Value value, Value pointer, Type element, Value mask) {
  if (!convertsBFloat || !element.isBF16())
    return KernelEmitter::store(value, pointer, element, mask);
  Value source = roundedFromBFloat16(value);
  KernelEmitter::store(bfloatBits(source ? source : value), pointer, b.getI16Type(), mask);
}

/// 64 bytes at a time from two of the table's quarters each by AVX-512 VBMI, else a byte at a time.
Value KernelFunction::lookup(ArrayRef<int64_t> table, Value codes) {
  constexpr int64_t kBytes = 64;
  Type i8 = b.getI8Type();
  auto vector = dyn_cast<VectorType>(codes.getType());
  SmallVector<int8_t> bytes(table.begin(), table.end());
  if (!vector || vector.getNumElements() > kBytes || !use(OPTC_CPU_AVX512_VBMI)) {
    Type pointer = LLVM::LLVMPointerType::get(b.getContext());
    std::string name = "table" + llvm::toHex(ArrayRef(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
    if (!module.lookupSymbol(name)) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(module.getBody());
      auto type = RankedTensorType::get({int64_t(bytes.size())}, i8);
      b.create<LLVM::GlobalOp>(loc, LLVM::LLVMArrayType::get(i8, bytes.size()), /*isConstant=*/true, LLVM::Linkage::Internal, name,
                               DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes)));
    }
    Value base = b.create<LLVM::AddressOfOp>(loc, pointer, name);
    auto one = [&](Value code) -> Value {
      return load(pointerTo(base, b.create<arith::ExtUIOp>(loc, indices, code), i8), i8, 1);
    };
    if (!vector)
      return one(codes);
    Value result = buildConstant(b, loc, vector, 0);
    for (int64_t lane = 0; lane < vector.getNumElements(); ++lane)
      result = b.create<vector::InsertOp>(loc, one(b.create<vector::ExtractOp>(loc, codes, lane)), result, lane);
    return result;
  }
  auto wide = VectorType::get({kBytes}, i8);
  int64_t lanes = vector.getNumElements();
  auto take = [&](Value x, int64_t from, int64_t to) -> Value {
    SmallVector<int64_t> mask;
    for (int64_t i = 0; i < to; ++i)
      mask.push_back(i % from);
    return from == to ? x : Value(b.create<vector::ShuffleOp>(loc, x, x, mask));
  };
  Value index = take(codes, lanes, kBytes);
  auto half = [&](int64_t first) -> Value {
    auto quarter = [&](int64_t at) -> Value {
      return b.create<arith::ConstantOp>(loc, DenseElementsAttr::get(wide, ArrayRef<int8_t>(bytes).slice(at, kBytes)));
    };
    SmallVector<Value> operands{quarter(first), index, quarter(first + kBytes)};
    return b.create<LLVM::CallIntrinsicOp>(loc, wide, "llvm.x86.avx512.vpermi2var.qi.512", operands).getResults();
  };
  Value isUpper = b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, index, buildConstant(b, loc, wide, 0));
  Value result = b.create<arith::SelectOp>(loc, isUpper, half(2 * kBytes), half(0));
  return take(result, kBytes, lanes);
}

void KernelFunction::finish(Value error) {
  // OPTC_KERNEL_INDEX_OUT_OF_RANGE is 1.
  Value code = error ? Value(b.create<arith::ExtUIOp>(loc, b.getI32Type(), error)) : Value(b.create<arith::ConstantIntOp>(loc, 0, 32));
  b.create<func::ReturnOp>(loc, code);
}
