//===- Evaluate.cpp - Ops on host values ----------------------------------===//

#include "ir/eval/Evaluate.h"
#include "ir/Locations.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace optc;

DType optc::dtypeOf(Type element) {
  if (isa<StringType>(element))
    return DType::string;
  if (isa<F4E2M1Type>(element))
    return DType::f4e2m1;
  if (isa<F8E8M0Type>(element))
    return DType::f8e8m0;
  if (element.isF32())
    return DType::f32;
  if (element.isF64())
    return DType::f64;
  if (element.isF16())
    return DType::f16;
  if (element.isBF16())
    return DType::bf16;
  if (element.isFloat8E4M3FN())
    return DType::f8e4m3fn;
  if (element.isFloat8E4M3FNUZ())
    return DType::f8e4m3fnuz;
  if (element.isFloat8E5M2())
    return DType::f8e5m2;
  if (element.isFloat8E5M2FNUZ())
    return DType::f8e5m2fnuz;
  auto integer = dyn_cast<IntegerType>(element);
  if (!integer || integer.isSigned())
    return DType::none;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1: return isUnsigned ? DType::none : DType::boolean;
  case 2: return isUnsigned ? DType::u2 : DType::i2;
  case 4: return isUnsigned ? DType::u4 : DType::i4;
  case 8: return isUnsigned ? DType::u8 : DType::i8;
  case 16: return isUnsigned ? DType::u16 : DType::i16;
  case 32: return isUnsigned ? DType::u32 : DType::i32;
  case 64: return isUnsigned ? DType::u64 : DType::i64;
  default: return DType::none;
  }
}

Type optc::elementTypeOf(MLIRContext *context, DType type) {
  Builder b(context);
  auto unsignedType = [&](unsigned width) { return IntegerType::get(context, width, IntegerType::Unsigned); };
  switch (type) {
  case DType::f32: return b.getF32Type();
  case DType::f64: return b.getF64Type();
  case DType::f16: return b.getF16Type();
  case DType::bf16: return b.getBF16Type();
  case DType::f8e4m3fn: return b.getFloat8E4M3FNType();
  case DType::f8e4m3fnuz: return b.getFloat8E4M3FNUZType();
  case DType::f8e5m2: return b.getFloat8E5M2Type();
  case DType::f8e5m2fnuz: return b.getFloat8E5M2FNUZType();
  case DType::boolean: return b.getI1Type();
  case DType::i2: return b.getIntegerType(2);
  case DType::i4: return b.getIntegerType(4);
  case DType::i8: return b.getI8Type();
  case DType::i16: return b.getI16Type();
  case DType::i32: return b.getI32Type();
  case DType::i64: return b.getI64Type();
  case DType::u2: return unsignedType(2);
  case DType::u4: return unsignedType(4);
  case DType::u8: return unsignedType(8);
  case DType::u16: return unsignedType(16);
  case DType::u32: return unsignedType(32);
  case DType::u64: return unsignedType(64);
  case DType::f4e2m1: return F4E2M1Type::get(context);
  case DType::f8e8m0: return F8E8M0Type::get(context);
  case DType::string: return StringType::get(context);
  default: return Type();
  }
}

StringRef optc::referenceName(Operation *op) {
  if (auto library = dyn_cast<LibraryOp>(op))
    return library.getFunction();
  return op->getName().stripDialect();
}

/// One attribute; false when its kind has no counterpart.
static bool convertAttribute(StringRef name, Attribute attribute, Attributes &out) {
  std::string key = name.str();
  auto list = [&](auto values) { return std::vector(values.begin(), values.end()); };
  if (auto a = dyn_cast<BoolAttr>(attribute))
    out.set(key, int64_t(a.getValue()));
  else if (auto a = dyn_cast<IntegerAttr>(attribute))
    out.set(key, a.getInt());
  else if (auto a = dyn_cast<FloatAttr>(attribute))
    out.set(key, a.getValueAsDouble());
  else if (auto a = dyn_cast<StringAttr>(attribute))
    out.set(key, a.getValue().str());
  else if (auto a = dyn_cast<DenseI64ArrayAttr>(attribute))
    out.set(key, list(a.asArrayRef()));
  else if (auto a = dyn_cast<DenseF64ArrayAttr>(attribute))
    out.set(key, list(a.asArrayRef()));
  else if (auto a = dyn_cast<ArrayAttr>(attribute)) {
    std::vector<int64_t> integers;
    std::vector<double> numbers;
    std::vector<std::string> texts;
    for (Attribute item : a)
      if (auto s = dyn_cast<StringAttr>(item))
        texts.push_back(s.getValue().str());
      else if (auto i = dyn_cast<IntegerAttr>(item))
        integers.push_back(i.getInt());
      else if (auto f = dyn_cast<FloatAttr>(item))
        numbers.push_back(f.getValueAsDouble());
      else
        return false;
    if (!texts.empty())
      out.set(key, texts);
    else if (!numbers.empty())
      out.set(key, numbers);
    else
      out.set(key, integers);
  } else if (auto a = dyn_cast<ElementsAttr>(attribute)) {
    // A tensor as the list of its elements.
    auto value = valueOf(a);
    if (failed(value))
      return false;
    size_t n = size_t(value->size());
    if (value->type == DType::string) {
      out.set(key, std::vector<std::string>(value->as<std::string>(), value->as<std::string>() + n));
    } else if (classOf(value->type) == Class::f64) {
      std::vector<double> numbers(n);
      load(*value, 0, int64_t(n), numbers.data());
      out.set(key, std::move(numbers));
    } else {
      std::vector<int64_t> integers(n);
      load(*value, 0, int64_t(n), integers.data());
      out.set(key, std::move(integers));
    }
  } else {
    return false;
  }
  return true;
}

Attributes optc::attributesOf(Operation *op,
                              llvm::function_ref<std::optional<std::vector<int64_t>>(StringRef, DimsAttr)> dims) {
  Attributes out;
  if (auto library = dyn_cast<LibraryOp>(op)) {
    for (NamedAttribute a : library.getParameters())
      convertAttribute(a.getName(), a.getValue(), out);
    return out;
  }
  for (NamedAttribute a : op->getAttrDictionary()) {
    if (a.getName() == "operandSegmentSizes")
      continue;
    if (auto expressions = dyn_cast<DimsAttr>(a.getValue())) {
      if (auto values = dims(a.getName(), expressions))
        out.set(a.getName().str(), std::move(*values));
    } else {
      convertAttribute(a.getName(), a.getValue(), out);
    }
  }
  return out;
}

SmallVector<mlir::Value> optc::referenceOperands(Operation *op) {
  SmallVector<mlir::Value> operands;
  auto push = [&](mlir::Value v) { operands.push_back(isa<NoneType>(v.getType()) ? mlir::Value() : v); };
  auto segments = op->getAttrDictionary().getAs<DenseI32ArrayAttr>("operandSegmentSizes");
  if (!segments || isa<LoopOp>(op)) {
    for (mlir::Value v : op->getOperands())
      push(v);
    return operands;
  }
  unsigned next = 0;
  for (int32_t size : segments.asArrayRef()) {
    if (size == 0)
      operands.push_back({});
    for (int32_t i = 0; i < size; ++i)
      push(op->getOperand(next++));
  }
  return operands;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

FailureOr<HostValue> optc::valueOf(ElementsAttr elements) {
  auto type = cast<RankedTensorType>(elements.getShapedType());
  DType dtype = dtypeOf(type.getElementType());
  if (dtype == DType::none)
    return failure();
  std::vector<int64_t> dims(type.getShape().begin(), type.getShape().end());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    // One byte an element for bool, as in memory at run time.
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    HostValue view(dtype, dims, nullptr);
    if (!blob || blob->getData().size() < view.bytes())
      return failure();
    view.data = const_cast<char *>(blob->getData().data());
    return view;
  }
  if (auto strings = dyn_cast<DenseStringElementsAttr>(elements)) {
    HostValue out = HostValue::allocate(dtype, dims);
    int64_t i = 0;
    for (StringRef s : strings.getValues<StringRef>())
      out.as<std::string>()[i++] = s.str();
    return out;
  }
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense)
    return failure();
  HostValue out = HostValue::allocate(dtype, dims);
  unsigned width = type.getElementType().getIntOrFloatBitWidth();
  if (width >= 8 && !dense.isSplat()) {
    ArrayRef<char> raw = dense.getRawData();
    std::memcpy(out.data, raw.data(), std::min(raw.size(), out.bytes()));
    return out;
  }
  auto write = [&](int64_t i, const APInt &bits) {
    uint64_t v = bits.getZExtValue();
    if (isa<IntegerType>(type.getElementType()) && !type.getElementType().isUnsignedInteger() && width > 1)
      v = uint64_t(bits.getSExtValue());
    std::memcpy(out.as<char>() + i * sizeOf(dtype), &v, sizeOf(dtype)); // little endian
  };
  int64_t i = 0;
  if (isa<FloatType>(type.getElementType()))
    for (const APFloat &f : dense.getValues<APFloat>())
      write(i++, f.bitcastToAPInt());
  else
    for (const APInt &n : dense.getValues<APInt>())
      write(i++, n);
  return out;
}

ElementsAttr optc::elementsOf(const HostValue &value, RankedTensorType type) {
  if (value.type == DType::string) {
    SmallVector<StringRef> strings;
    for (int64_t i = 0; i < value.size(); ++i)
      strings.push_back(value.as<std::string>()[i]);
    return DenseStringElementsAttr::get(type, strings);
  }
  constexpr size_t kInline = 1024;
  // The dialect's own number types have no attribute of elements but bytes.
  bool isBuiltin = type.getElementType().isIntOrFloat();
  if (value.bytes() <= kInline && isBuiltin) {
    unsigned width = type.getElementType().getIntOrFloatBitWidth();
    if (width == 1) {
      SmallVector<bool> bits(value.as<uint8_t>(), value.as<uint8_t>() + value.size());
      return DenseElementsAttr::get(type, bits);
    }
    if (width < 8) {
      SmallVector<APInt> values;
      for (int64_t i = 0; i < value.size(); ++i)
        values.push_back(APInt(width, value.as<uint8_t>()[i] & ((1u << width) - 1)));
      return DenseElementsAttr::get(type, values);
    }
    return DenseElementsAttr::getFromRawBuffer(type, ArrayRef(value.as<char>(), value.bytes()));
  }
  auto blob = HeapAsmResourceBlob::allocateAndCopyWithAlign(ArrayRef(value.as<char>(), value.bytes()), 64);
  return DenseResourceElementsAttr::get(type, "weight", std::move(blob));
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

Status optc::evaluate(Operation *op, ArrayRef<const HostValue *> inputs, SmallVectorImpl<HostValue> &outputs,
                      const llvm::StringMap<int64_t> &symbols) {
  ReferenceFunction function = findReference(std::string_view(referenceName(op)));
  if (!function)
    return Status::error("no reference function for " + referenceName(op).str());
  auto lookup = [&](StringRef name) -> std::optional<int64_t> {
    auto it = symbols.find(name);
    return it == symbols.end() ? std::nullopt : std::optional(it->second);
  };
  bool known = true;
  Attributes attributes = attributesOf(op, [&](StringRef, DimsAttr dims) -> std::optional<std::vector<int64_t>> {
    std::vector<int64_t> values;
    for (const DimExpr &d : dims.dims()) {
      auto value = d.evaluate(lookup);
      known &= value.has_value();
      values.push_back(value.value_or(0));
    }
    return values;
  });
  if (!known)
    return Status::error("a size is not known");
  outputs.assign(op->getNumResults(), HostValue());
  SmallVector<bool> shaped;
  for (auto [out, result] : llvm::zip(outputs, op->getResults())) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    shaped.push_back(type != nullptr);
    if (!type) {
      out.kind = isa<SequenceType>(result.getType()) ? HostValue::Kind::sequence : HostValue::Kind::optional;
      continue;
    }
    out.type = dtypeOf(type.getElementType());
    for (const DimExpr &d : dimsOf(type)) {
      auto size = d.evaluate(lookup);
      shaped.back() &= size.has_value();
      out.dims.push_back(size.value_or(0));
    }
    if (!shaped.back())
      out.dims.clear();
  }
  Call call{attributes, {inputs.data(), inputs.size()}, {outputs.data(), outputs.size()}, {shaped.data(), shaped.size()}};
  return function(call);
}

FailureOr<HostValue> optc::evaluateWeight(mlir::Value value, llvm::DenseMap<mlir::Value, HostValue> &cache, std::string *problem) {
  if (auto it = cache.find(value); it != cache.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  if (auto constant = dyn_cast<ConstantOp>(op))
    return valueOf(constant.getValue());
  SmallVector<HostValue> inputs;
  for (mlir::Value operand : op->getOperands()) {
    auto input = evaluateWeight(operand, cache, problem);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  if (isa<ReshapeOp>(op) && tensorOf(value).hasStaticShape() && tensorOf(value).getNumElements() == inputs.front().size()) {
    inputs.front().dims = tensorOf(value).getShape().vec(); // the same bytes, not a copy of them
    return inputs.front();
  }
  SmallVector<const HostValue *> pointers;
  unsigned next = 0;
  for (mlir::Value operand : referenceOperands(op))
    pointers.push_back(operand ? &inputs[next++] : nullptr);
  SmallVector<HostValue> outputs;
  if (Status status = evaluate(op, pointers, outputs); !status.ok()) {
    auto nodes = nodesOf(op->getLoc());
    if (problem)
      *problem = (nodes.empty() ? "" : "node '" + nodes.front() + "': ") + status.message;
    return failure();
  }
  for (auto [result, output] : llvm::zip(op->getResults(), outputs))
    cache[result] = output;
  return outputs[cast<OpResult>(value).getResultNumber()];
}
