//===- ProtoFile.cpp - TensorProto, SequenceProto, OptionalProto ----------===//
//
// All data forms of TensorProto: raw_data, and the typed fields where a value may sit in a wider
// one (f16 as bits in int32_data). Types below a byte are packed low bits first in both forms; in
// memory each element has a byte of its own.
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
//
//===----------------------------------------------------------------------===//

#include "tools/tensors/TensorFile.h"
#include <climits>
#include <cstring>
#include <onnx/onnx-data.pb.h>

using namespace optc;

namespace {

/// Bits of an element in a file.
unsigned packedBits(DType type) {
  switch (type) {
  case DType::u4:
  case DType::i4:
  case DType::f4e2m1: return 4;
  case DType::u2:
  case DType::i2: return 2;
  default: return unsigned(sizeOf(type) * 8);
  }
}

size_t packedBytes(DType type, int64_t count) { return (size_t(count) * packedBits(type) + 7) / 8; }

bool isSigned(DType type) { return type == DType::i4 || type == DType::i2; }

void unpack(DType type, int64_t count, const uint8_t *from, uint8_t *to) {
  unsigned bits = packedBits(type), perByte = 8 / bits;
  for (int64_t i = 0; i < count; ++i) {
    uint8_t field = uint8_t(from[i / perByte] >> (i % perByte * bits)) & ((1u << bits) - 1);
    if (isSigned(type)) // extend the sign
      field = uint8_t(int8_t(field << (8 - bits)) >> (8 - bits));
    to[i] = field;
  }
}

void pack(DType type, int64_t count, const uint8_t *from, std::string &to) {
  unsigned bits = packedBits(type), perByte = 8 / bits;
  to.assign(packedBytes(type, count), 0);
  for (int64_t i = 0; i < count; ++i)
    to[i / perByte] |= char((from[i] & ((1u << bits) - 1)) << (i % perByte * bits));
}

std::string wrongCount(int64_t have, int64_t want, const char *what) {
  return "holds " + std::to_string(have) + " " + what + ", its shape asks for " + std::to_string(want);
}

/// Copies a repeated field whose items hold `T`s.
template <typename T, typename Field>
std::string readField(const Field &field, Value &value, int64_t count, const char *name) {
  if (field.size() != count)
    return wrongCount(field.size(), count, (std::string("values in ") + name).c_str());
  for (int64_t i = 0; i < count; ++i)
    value.as<T>()[i] = static_cast<T>(field.Get(int(i)));
  return "";
}

/// Types below a byte: each int32 holds one packed byte.
std::string readPacked(const onnx::TensorProto &proto, Value &value, int64_t count) {
  size_t bytes = packedBytes(value.type, count);
  if (size_t(proto.int32_data_size()) != bytes)
    return wrongCount(proto.int32_data_size(), int64_t(bytes), "packed bytes in int32_data");
  std::vector<uint8_t> packed(bytes);
  for (size_t i = 0; i < bytes; ++i)
    packed[i] = uint8_t(proto.int32_data(int(i)));
  unpack(value.type, count, packed.data(), value.as<uint8_t>());
  return "";
}

std::string readTyped(const onnx::TensorProto &proto, Value &value, int64_t count) {
  switch (value.type) {
  case DType::f32: return readField<float>(proto.float_data(), value, count, "float_data");
  case DType::f64: return readField<double>(proto.double_data(), value, count, "double_data");
  case DType::c64: return readField<float>(proto.float_data(), value, count * 2, "float_data");
  case DType::c128: return readField<double>(proto.double_data(), value, count * 2, "double_data");
  case DType::i64: return readField<int64_t>(proto.int64_data(), value, count, "int64_data");
  case DType::u64: return readField<uint64_t>(proto.uint64_data(), value, count, "uint64_data");
  case DType::u32: return readField<uint32_t>(proto.uint64_data(), value, count, "uint64_data");
  case DType::i32: return readField<int32_t>(proto.int32_data(), value, count, "int32_data");
  case DType::u4:
  case DType::i4:
  case DType::u2:
  case DType::i2:
  case DType::f4e2m1: return readPacked(proto, value, count);
  default: break;
  }
  return sizeOf(value.type) == 2 ? readField<uint16_t>(proto.int32_data(), value, count, "int32_data")
                                 : readField<uint8_t>(proto.int32_data(), value, count, "int32_data");
}

std::string fromTensor(const onnx::TensorProto &proto, Value &value) {
  DType type = DType(proto.data_type());
  if (proto.data_type() <= 0 || proto.data_type() > UCHAR_MAX || sizeOf(type) == 0)
    return "is not a tensor: unknown element type " + std::to_string(proto.data_type());
  if (proto.data_location() == onnx::TensorProto::EXTERNAL)
    return "keeps its data in another file, which is not supported";
  if (proto.has_segment())
    return "is one segment of a tensor, which is not supported";
  std::vector<int64_t> dims(proto.dims().begin(), proto.dims().end());
  int64_t count = elementCount(dims);
  if (count < 0)
    return "its shape is not valid";

  // What must be there is there before memory is taken for it.
  if (type == DType::string) {
    if (proto.string_data_size() != count)
      return wrongCount(proto.string_data_size(), count, "strings");
    value = Value::allocate(type, std::move(dims));
    for (int64_t i = 0; i < count; ++i)
      value.as<std::string>()[i] = proto.string_data(int(i));
    return "";
  }
  size_t fields = size_t(proto.float_data_size()) + proto.int32_data_size() + proto.int64_data_size() +
                  proto.double_data_size() + proto.uint64_data_size();
  bool raw = proto.has_raw_data() && (fields == 0 || !proto.raw_data().empty());
  if (raw && proto.raw_data().size() != packedBytes(type, count))
    return wrongCount(int64_t(proto.raw_data().size()), int64_t(packedBytes(type, count)), "bytes");
  if (!raw && uint64_t(count) > uint64_t(fields) * 4) // four to an item at most
    return wrongCount(int64_t(fields), count, "values");
  value = Value::allocate(type, std::move(dims));
  if (count && !value.data)
    return "out of memory";
  if (!raw)
    return readTyped(proto, value, count);
  if (packedBits(type) < 8)
    unpack(type, count, reinterpret_cast<const uint8_t *>(proto.raw_data().data()), value.as<uint8_t>());
  else if (count)
    std::memcpy(value.data, proto.raw_data().data(), proto.raw_data().size());
  return "";
}

std::string fromSequence(const onnx::SequenceProto &proto, Value &value);
std::string fromOptional(const onnx::OptionalProto &proto, Value &value);

std::string fromSequence(const onnx::SequenceProto &proto, Value &value) {
  value = Value();
  value.kind = Value::Kind::sequence;
  auto addAll = [&](const auto &items, auto convert) {
    for (const auto &item : items) {
      value.items.emplace_back();
      if (std::string problem = convert(item, value.items.back()); !problem.empty())
        return "item " + std::to_string(value.items.size() - 1) + ": " + problem;
    }
    return std::string();
  };
  switch (proto.elem_type()) {
  case onnx::SequenceProto::UNDEFINED:
  case onnx::SequenceProto::TENSOR: return addAll(proto.tensor_values(), fromTensor);
  case onnx::SequenceProto::SEQUENCE: return addAll(proto.sequence_values(), fromSequence);
  case onnx::SequenceProto::OPTIONAL: return addAll(proto.optional_values(), fromOptional);
  default: return "is a sequence of maps or sparse tensors, which is not supported";
  }
}

std::string fromOptional(const onnx::OptionalProto &proto, Value &value) {
  value = Value();
  value.kind = Value::Kind::optional;
  Value item;
  std::string problem;
  if (proto.has_tensor_value())
    problem = fromTensor(proto.tensor_value(), item);
  else if (proto.has_sequence_value())
    problem = fromSequence(proto.sequence_value(), item);
  else if (proto.has_optional_value())
    problem = fromOptional(proto.optional_value(), item);
  else if (proto.has_sparse_tensor_value() || proto.has_map_value())
    return "is an optional map or sparse tensor, which is not supported";
  else
    return "";
  value.items.push_back(std::move(item));
  return problem;
}

void toTensor(const Value &value, onnx::TensorProto &proto) {
  proto.set_data_type(int(value.type));
  for (int64_t d : value.dims)
    proto.add_dims(d);
  if (value.type == DType::string) {
    for (int64_t i = 0; i < value.size(); ++i)
      proto.add_string_data(value.as<std::string>()[i]);
  } else if (packedBits(value.type) < 8) {
    pack(value.type, value.size(), value.as<uint8_t>(), *proto.mutable_raw_data());
  } else {
    proto.set_raw_data(value.bytes() ? value.data : "", value.bytes());
  }
}

void toOptional(const Value &value, onnx::OptionalProto &proto);

void toSequence(const Value &value, onnx::SequenceProto &proto) {
  proto.set_elem_type(onnx::SequenceProto::TENSOR);
  for (const Value &item : value.items) {
    switch (item.kind) {
    case Value::Kind::tensor: toTensor(item, *proto.add_tensor_values()); break;
    case Value::Kind::sequence:
      proto.set_elem_type(onnx::SequenceProto::SEQUENCE);
      toSequence(item, *proto.add_sequence_values());
      break;
    case Value::Kind::optional:
      proto.set_elem_type(onnx::SequenceProto::OPTIONAL);
      toOptional(item, *proto.add_optional_values());
      break;
    }
  }
}

void toOptional(const Value &value, onnx::OptionalProto &proto) {
  proto.set_elem_type(onnx::OptionalProto::UNDEFINED);
  if (value.items.empty())
    return;
  const Value &item = value.items.front();
  switch (item.kind) {
  case Value::Kind::tensor:
    proto.set_elem_type(onnx::OptionalProto::TENSOR);
    return toTensor(item, *proto.mutable_tensor_value());
  case Value::Kind::sequence:
    proto.set_elem_type(onnx::OptionalProto::SEQUENCE);
    return toSequence(item, *proto.mutable_sequence_value());
  case Value::Kind::optional:
    proto.set_elem_type(onnx::OptionalProto::OPTIONAL);
    return toOptional(item, *proto.mutable_optional_value());
  }
}

template <typename Proto>
std::string parse(std::string_view bytes, const char *what, std::string (*convert)(const Proto &, Value &),
                  Value &value) {
  Proto proto;
  if (bytes.size() > INT_MAX)
    return "is larger than the 2 GiB that a protobuf message can have";
  if (!proto.ParseFromArray(bytes.data(), int(bytes.size())))
    return std::string("is not a serialised ") + what;
  return convert(proto, value);
}

template <typename Proto> std::string format(Proto &proto, const std::string &name, std::string &bytes) {
  proto.set_name(name);
  if (proto.ByteSizeLong() > INT_MAX)
    return "would be larger than the 2 GiB that a protobuf message can have";
  proto.SerializeToString(&bytes);
  return "";
}

} // namespace

std::string optc::parseProto(std::string_view bytes, Value::Kind kind, Value &value) {
  switch (kind) {
  case Value::Kind::tensor: return parse<onnx::TensorProto>(bytes, "TensorProto", fromTensor, value);
  case Value::Kind::sequence: return parse<onnx::SequenceProto>(bytes, "SequenceProto", fromSequence, value);
  case Value::Kind::optional: return parse<onnx::OptionalProto>(bytes, "OptionalProto", fromOptional, value);
  }
  return "is of an unknown kind";
}

std::string optc::formatProto(const std::string &name, const Value &value, std::string &bytes) {
  switch (value.kind) {
  case Value::Kind::tensor: {
    onnx::TensorProto proto;
    toTensor(value, proto);
    return format(proto, name, bytes);
  }
  case Value::Kind::sequence: {
    onnx::SequenceProto proto;
    toSequence(value, proto);
    return format(proto, name, bytes);
  }
  case Value::Kind::optional: {
    onnx::OptionalProto proto;
    toOptional(value, proto);
    return format(proto, name, bytes);
  }
  }
  return "is of an unknown kind";
}
