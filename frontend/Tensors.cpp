//===- Tensors.cpp - ONNX element types and tensors -----------------------===//

#include "frontend/Tensors.h"
#include "ir/eval/Evaluate.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <onnx/onnx_pb.h>

using namespace mlir;
using namespace optc;
using onnx::TensorProto;

static constexpr int64_t kSmallBytes = 1024;

std::string optc::onnxTypeName(int type) {
  if (!onnx::TensorProto_DataType_IsValid(type))
    return std::to_string(type);
  return StringRef(onnx::TensorProto_DataType_Name(onnx::TensorProto_DataType(type))).lower();
}

Type optc::elementType(MLIRContext *c, int type) {
  auto integer = [&](unsigned width, bool isUnsigned = false) {
    return IntegerType::get(c, width, isUnsigned ? IntegerType::Unsigned : IntegerType::Signless);
  };
  switch (type) {
  case TensorProto::FLOAT:
    return Float32Type::get(c);
  case TensorProto::DOUBLE:
    return Float64Type::get(c);
  case TensorProto::FLOAT16:
    return Float16Type::get(c);
  case TensorProto::BFLOAT16:
    return BFloat16Type::get(c);
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(c);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(c);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(c);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(c);
  case TensorProto::BOOL:
    return integer(1);
  case TensorProto::INT8:
    return integer(8);
  case TensorProto::INT16:
    return integer(16);
  case TensorProto::INT32:
    return integer(32);
  case TensorProto::INT64:
    return integer(64);
  case TensorProto::UINT8:
    return integer(8, true);
  case TensorProto::UINT16:
    return integer(16, true);
  case TensorProto::UINT32:
    return integer(32, true);
  case TensorProto::UINT64:
    return integer(64, true);
  case TensorProto::INT2:
    return integer(2);
  case TensorProto::INT4:
    return integer(4);
  case TensorProto::UINT2:
    return integer(2, true);
  case TensorProto::UINT4:
    return integer(4, true);
  case TensorProto::FLOAT4E2M1:
    return F4E2M1Type::get(c);
  case TensorProto::FLOAT8E8M0:
    return F8E8M0Type::get(c);
  case TensorProto::STRING:
    return StringType::get(c);
  case TensorProto::UNDEFINED:
    throw NodeError{ProblemKind::badModel, "undefined element type"};
  default:
    throw NodeError{ProblemKind::unsupported, "unsupported type " + onnxTypeName(type)};
  }
}

int optc::onnxElementType(Type type) {
  MLIRContext *context = type.getContext();
  for (int i = 1; i <= onnx::TensorProto_DataType_DataType_MAX; ++i) {
    try {
      if (elementType(context, i) == type)
        return i;
    } catch (const NodeError &) {
      // A type that the dialect lacks is not the one looked for.
    }
  }
  return 0;
}

onnx::TypeProto optc::onnxType(Type type) {
  onnx::TypeProto proto;
  if (auto sequence = dyn_cast<SequenceType>(type)) {
    *proto.mutable_sequence_type()->mutable_elem_type() = onnxType(sequence.getElement());
  } else if (auto optional = dyn_cast<OptionalType>(type)) {
    *proto.mutable_optional_type()->mutable_elem_type() = onnxType(optional.getElement());
  } else if (auto tensor = dyn_cast<TensorType>(type)) {
    proto.mutable_tensor_type()->set_elem_type(onnxElementType(tensor.getElementType()));
    if (isa<RankedTensorType>(type)) {
      auto *shape = proto.mutable_tensor_type()->mutable_shape();
      for (const DimExpr &d : dimsOf(type)) {
        auto *dim = shape->add_dim();
        if (auto c = d.constant())
          dim->set_dim_value(*c);
        else
          dim->set_dim_param(d.str());
      }
    }
  }
  return proto;
}

/// Bytes an element takes in a blob; narrow ones have a byte of their own.
static int64_t elementBytes(Type element) { return int64_t(sizeOf(dtypeOf(element))); }

/// Bits an element takes in a TensorProto.
static int64_t packedBits(Type element) {
  if (isa<F4E2M1Type>(element))
    return 4;
  if (auto integer = dyn_cast<IntegerType>(element); integer && integer.getWidth() > 1 && integer.getWidth() < 8)
    return integer.getWidth();
  return 8 * elementBytes(element);
}
static int64_t packedBytes(Type element, int64_t count) { return (count * packedBits(element) + 7) / 8; }

/// One byte an element from fields packed low bits first; signs are extended.
static std::string unpacked(StringRef bytes, Type element, int64_t count) {
  int64_t bits = packedBits(element), perByte = 8 / bits;
  bool isSigned = element.isSignlessInteger();
  std::string out(count, 0);
  for (int64_t i = 0; i < count; ++i) {
    uint8_t field = uint8_t(uint8_t(bytes[i / perByte]) >> (i % perByte * bits)) << (8 - bits);
    out[i] = isSigned ? char(int8_t(field) >> (8 - bits)) : char(field >> (8 - bits));
  }
  return out;
}

/// Copies a typed field into bytes of type T.
template <typename T, typename Field> static std::string packed(const Field &field) {
  std::string bytes(field.size() * sizeof(T), 0);
  for (int i = 0; i < int(field.size()); ++i) {
    T value = T(field.Get(i));
    memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

/// The elements of a tensor that does not hold raw data.
static std::string typedBytes(const TensorProto &tensor, Type element) {
  int64_t width = elementBytes(element);
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return packed<float>(tensor.float_data());
  case TensorProto::DOUBLE:
    return packed<double>(tensor.double_data());
  case TensorProto::INT64:
    return packed<int64_t>(tensor.int64_data());
  case TensorProto::UINT64:
    return packed<uint64_t>(tensor.uint64_data());
  case TensorProto::UINT32:
    return packed<uint32_t>(tensor.uint64_data());
  default:
    break;
  }
  return width == 1   ? packed<uint8_t>(tensor.int32_data())
         : width == 2 ? packed<uint16_t>(tensor.int32_data())
                      : packed<int32_t>(tensor.int32_data());
}

static ElementsAttr importStrings(RankedTensorType type, const TensorProto &tensor) {
  if (tensor.string_data_size() != type.getNumElements())
    throw NodeError{ProblemKind::badModel, "a tensor has " + std::to_string(tensor.string_data_size()) +
                                               " strings, its dims say " +
                                               std::to_string(type.getNumElements())};
  SmallVector<StringRef> strings(tensor.string_data().begin(), tensor.string_data().end());
  return DenseStringElementsAttr::get(type, strings);
}

static ElementsAttr smallElements(RankedTensorType type, StringRef bytes) {
  if (type.getNumElements() == 0 && type.getElementType().isInteger(1))
    return DenseElementsAttr::get(type, ArrayRef<bool>());
  if (packedBits(type.getElementType()) < 8 || !type.getElementType().isIntOrFloat())
    return elementsOf(HostValue(dtypeOf(type.getElementType()), {type.getShape().begin(), type.getShape().end()},
                                const_cast<char *>(bytes.data())),
                      type);
  if (!type.getElementType().isInteger(1))
    return DenseElementsAttr::getFromRawBuffer(type, ArrayRef<char>(bytes.data(), bytes.size()));
  SmallVector<bool> bits;
  for (char c : bytes)
    bits.push_back(c != 0);
  return DenseElementsAttr::get(type, bits);
}

template <typename Owner>
static ElementsAttr largeElements(RankedTensorType type, StringRef name, StringRef bytes, Owner owner) {
  AsmResourceBlob blob(
      ArrayRef<char>(bytes.data(), bytes.size()), elementBytes(type.getElementType()),
      [owner = std::move(owner)](void *, size_t, size_t) mutable { owner = {}; },
      /*dataIsMutable=*/false);
  // Printed without quotes, so it must be a bare identifier; the manager makes it unique.
  std::string key = "w_" + name.str();
  if (!name.empty() && (llvm::isAlpha(name.front()) || name.front() == '_'))
    key = name.str();
  for (char &c : key)
    if (!llvm::isAlnum(c) && c != '_' && c != '.')
      c = '_';
  return DenseResourceElementsAttr::get(type, key, std::move(blob));
}

ElementsAttr optc::importTensor(MLIRContext *context, LoadedModel &model, TensorProto &tensor) {
  auto bad = [](const Twine &what) { throw NodeError{ProblemKind::badModel, what.str()}; };
  Type element = elementType(context, tensor.data_type());
  int64_t count = 1;
  for (int64_t d : tensor.dims()) {
    if (d < 0)
      bad("a tensor has the negative dim " + Twine(d));
    if (llvm::MulOverflow(count, d, count) || count > (int64_t(1) << 48))
      bad("a tensor's dims are too large");
  }
  auto type =
      RankedTensorType::get(SmallVector<int64_t>(tensor.dims().begin(), tensor.dims().end()), element);
  if (isa<StringType>(element))
    return importStrings(type, tensor);

  int64_t size = packedBytes(element, count);
  bool isPacked = packedBits(element) < 8;
  auto checkSize = [&](int64_t got) {
    if (got != size)
      bad("a tensor has " + Twine(got) + " bytes of data, its dims and type say " + Twine(size));
  };
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    LoadedModel::Slice slice = model.externalData(tensor);
    checkSize(slice.bytes.size());
    bool aligned = reinterpret_cast<uintptr_t>(slice.bytes.data()) % elementBytes(element) == 0;
    if (size <= kSmallBytes && !isPacked)
      return smallElements(type, slice.bytes);
    if (aligned && !isPacked && !element.isInteger(1))
      return largeElements(type, tensor.name(), slice.bytes, std::move(slice.file));
    // Elements must be aligned, and a bool is 0 or 1: copied where the file does not keep to that.
    tensor.set_raw_data(slice.bytes.str());
  }
  bool isRaw = tensor.has_raw_data();
  auto bytes = std::make_unique<std::string>();
  if (isRaw)
    bytes->swap(*tensor.mutable_raw_data());
  else
    *bytes = typedBytes(tensor, element);
  std::string name = tensor.name();
  tensor.Clear();
  checkSize(bytes->size());
  if (isPacked) {
    *bytes = unpacked(*bytes, element, count);
    size = count;
  }
  if (size <= kSmallBytes)
    return smallElements(type, *bytes);
  if (element.isInteger(1))
    for (char &c : *bytes)
      c = c != 0;
  StringRef view = *bytes;
  return largeElements(type, name, view, std::move(bytes));
}

ElementsAttr optc::importSparseTensor(MLIRContext *context, LoadedModel &model,
                                      const onnx::SparseTensorProto &sparse) {
  auto bad = [](const Twine &what) { throw NodeError{ProblemKind::badModel, what.str()}; };
  TensorProto values = sparse.values(), indices = sparse.indices();
  Type element = elementType(context, values.data_type());
  if (packedBits(element) < 8)
    throw NodeError{ProblemKind::unsupported, "unsupported type of a sparse tensor: " + onnxTypeName(values.data_type())};
  int64_t count = 1, width = elementBytes(element), stored = values.dims_size() == 1 ? values.dims(0) : -1;
  for (int64_t d : sparse.dims())
    if (d < 0 || llvm::MulOverflow(count, d, count) || count > (int64_t(1) << 31))
      bad("a sparse tensor's dims are negative or too large");
  auto bytesOf = [&](TensorProto &tensor, Type type) {
    return tensor.has_raw_data() ? tensor.raw_data() : typedBytes(tensor, type);
  };
  std::string data = bytesOf(values, element), at = bytesOf(indices, IntegerType::get(context, 64));
  bool isFlat = indices.dims_size() == 1;
  int64_t rank = isFlat ? 1 : sparse.dims_size();
  if (isa<StringType>(element) || indices.data_type() != TensorProto::INT64 || stored < 0 ||
      int64_t(data.size()) != stored * width || int64_t(at.size()) != stored * rank * 8)
    bad("a sparse tensor's values and indices do not fit together");
  TensorProto dense;
  dense.set_name(values.name());
  dense.set_data_type(values.data_type());
  *dense.mutable_dims() = sparse.dims();
  std::string &bytes = *dense.mutable_raw_data();
  bytes.assign(count * width, 0);
  for (int64_t i = 0; i < stored; ++i) {
    int64_t position = 0;
    for (int64_t d = 0; d < rank; ++d) {
      int64_t index;
      memcpy(&index, at.data() + (i * rank + d) * 8, 8);
      if (index < 0 || index >= (isFlat ? count : sparse.dims(d)))
        bad("a sparse tensor's index is out of range");
      position = isFlat ? index : position * sparse.dims(d) + index;
    }
    memcpy(bytes.data() + position * width, data.data() + i * width, width);
  }
  return importTensor(context, model, dense);
}
