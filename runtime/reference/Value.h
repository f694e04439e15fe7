//===- Value.h - Host values: tensors, sequences, optionals -----*- C++ -*-===//
//
// What the reference functions take and give. No MLIR, no LLVM: the runtime ships this.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_VALUE_H
#define OPTC_RUNTIME_REFERENCE_VALUE_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace optc {

/// Element types, with the numbers of ONNX's TensorProto.DataType. Elements narrower than a byte
/// are held one to a byte.
enum class DType : uint8_t {
  none = 0, f32 = 1, u8 = 2, i8 = 3, u16 = 4, i16 = 5, i32 = 6, i64 = 7, string = 8, boolean = 9, f16 = 10,
  f64 = 11, u32 = 12, u64 = 13, c64 = 14, c128 = 15, bf16 = 16, f8e4m3fn = 17, f8e4m3fnuz = 18, f8e5m2 = 19,
  f8e5m2fnuz = 20, u4 = 21, i4 = 22, f4e2m1 = 23, f8e8m0 = 24, u2 = 25, i2 = 26,
};

/// Bytes of one element in memory; sizeof(std::string) for strings, 0 for none.
size_t sizeOf(DType type);
/// "f32", "bool", ...: the spelling of reports and messages.
const char *nameOf(DType type);

/// How the reference functions compute a type: all floats in f64, signed integers and bool in i64, unsigned in u64.
enum class Class : uint8_t { f64, i64, u64, object };
Class classOf(DType type);

/// A tensor in row-major order, or a sequence or optional of values.
struct Value {
  enum class Kind : uint8_t { tensor, sequence, optional };

  Kind kind = Kind::tensor;
  DType type = DType::none;
  std::vector<int64_t> dims;
  void *data = nullptr;
  /// Keeps `data` alive; null when the memory is the caller's.
  std::shared_ptr<void> storage;
  /// Elements of a sequence; none or one for an optional.
  std::vector<Value> items;

  Value() = default;
  /// A tensor over the caller's memory.
  Value(DType type, std::vector<int64_t> dims, void *data) : type(type), dims(std::move(dims)), data(data) {}
  /// A tensor with zeroed memory of its own.
  static Value allocate(DType type, std::vector<int64_t> dims);

  int64_t size() const; // number of elements
  size_t bytes() const { return size_t(size()) * sizeOf(type); }
  int64_t rank() const { return int64_t(dims.size()); }
  template <typename T> T *as() { return static_cast<T *>(data); }
  template <typename T> const T *as() const { return static_cast<const T *>(data); }
};

/// Converts n elements from position `begin` on into the type's class (and back: rounding floats once to
/// nearest even, wrapping integers; bool stores value != 0). Between classes: integers become the nearest
/// float, floats truncate towards zero.
void load(const Value &value, int64_t begin, int64_t n, double *out);
void load(const Value &value, int64_t begin, int64_t n, int64_t *out);
void load(const Value &value, int64_t begin, int64_t n, uint64_t *out);
void store(Value &value, int64_t begin, int64_t n, const double *in);
void store(Value &value, int64_t begin, int64_t n, const int64_t *in);
void store(Value &value, int64_t begin, int64_t n, const uint64_t *in);

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_VALUE_H
