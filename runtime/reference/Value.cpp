//===- Value.cpp - Host values --------------------------------------------===//

#include "runtime/reference/Value.h"
#include "runtime/reference/Float.h"
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace optc;

namespace {
struct TypeInfo {
  const char *name;
  size_t size;
  Class cls;
};
const TypeInfo &infoOf(DType type) {
  static const TypeInfo table[] = {
      {"none", 0, Class::object},     {"f32", 4, Class::f64},       {"u8", 1, Class::u64},
      {"i8", 1, Class::i64},          {"u16", 2, Class::u64},       {"i16", 2, Class::i64},
      {"i32", 4, Class::i64},         {"i64", 8, Class::i64},       {"string", sizeof(std::string), Class::object},
      {"bool", 1, Class::i64},        {"f16", 2, Class::f64},       {"f64", 8, Class::f64},
      {"u32", 4, Class::u64},         {"u64", 8, Class::u64},       {"c64", 8, Class::object},
      {"c128", 16, Class::object},    {"bf16", 2, Class::f64},      {"f8e4m3fn", 1, Class::f64},
      {"f8e4m3fnuz", 1, Class::f64},  {"f8e5m2", 1, Class::f64},    {"f8e5m2fnuz", 1, Class::f64},
      {"u4", 1, Class::u64},          {"i4", 1, Class::i64},        {"f4e2m1", 1, Class::f64},
      {"f8e8m0", 1, Class::f64},      {"u2", 1, Class::u64},        {"i2", 1, Class::i64},
  };
  size_t i = size_t(type);
  return table[i < sizeof(table) / sizeof(table[0]) ? i : 0];
}
} // namespace

size_t optc::sizeOf(DType type) { return infoOf(type).size; }
const char *optc::nameOf(DType type) { return infoOf(type).name; }
Class optc::classOf(DType type) { return infoOf(type).cls; }

int64_t Value::size() const {
  int64_t n = 1;
  for (int64_t d : dims)
    n *= d;
  return n;
}

Value Value::allocate(DType type, std::vector<int64_t> dims) {
  Value value(type, std::move(dims), nullptr);
  if (type == DType::string) {
    auto strings = std::make_shared<std::vector<std::string>>(size_t(value.size()));
    value.data = strings->data();
    value.storage = strings;
    return value;
  }
  size_t bytes = (value.bytes() + 63) / 64 * 64;
  void *memory = bytes ? std::aligned_alloc(64, bytes) : nullptr;
  if (memory) {
    std::memset(memory, 0, bytes);
    value.storage = std::shared_ptr<void>(memory, std::free);
  }
  value.data = memory;
  return value;
}

//===----------------------------------------------------------------------===//
// Conversion between an element type and its class
//===----------------------------------------------------------------------===//

template <typename From, typename To> static void convert(const void *from, int64_t begin, int64_t n, To *to) {
  const From *p = static_cast<const From *>(from) + begin;
  for (int64_t i = 0; i < n; ++i)
    to[i] = static_cast<To>(p[i]);
}
template <typename To, typename From> static void convertBack(void *to, int64_t begin, int64_t n, const From *from) {
  To *p = static_cast<To *>(to) + begin;
  for (int64_t i = 0; i < n; ++i)
    p[i] = static_cast<To>(from[i]);
}

/// Integers and bool, in either integer class.
template <typename T> static void loadInteger(const Value &v, int64_t begin, int64_t n, T *out) {
  switch (v.type) {
  case DType::boolean: // a caller's true may be any non-zero byte
    for (int64_t i = 0; i < n; ++i)
      out[i] = v.as<uint8_t>()[begin + i] != 0;
    return;
  case DType::u8: case DType::u4: case DType::u2: return convert<uint8_t>(v.data, begin, n, out);
  case DType::i8: case DType::i4: case DType::i2: return convert<int8_t>(v.data, begin, n, out);
  case DType::u16: return convert<uint16_t>(v.data, begin, n, out);
  case DType::i16: return convert<int16_t>(v.data, begin, n, out);
  case DType::u32: return convert<uint32_t>(v.data, begin, n, out);
  case DType::i32: return convert<int32_t>(v.data, begin, n, out);
  case DType::u64: return convert<uint64_t>(v.data, begin, n, out);
  case DType::i64: return convert<int64_t>(v.data, begin, n, out);
  default: break;
  }
}
template <typename T> static void storeInteger(Value &v, int64_t begin, int64_t n, const T *in) {
  switch (v.type) {
  case DType::boolean:
    for (int64_t i = 0; i < n; ++i)
      v.as<uint8_t>()[begin + i] = in[i] != 0;
    return;
  case DType::u4: case DType::u2:
    for (int64_t i = 0; i < n; ++i)
      v.as<uint8_t>()[begin + i] = uint8_t(in[i]) & (v.type == DType::u4 ? 15 : 3);
    return;
  case DType::i4: case DType::i2: {
    int shift = v.type == DType::i4 ? 4 : 6;
    for (int64_t i = 0; i < n; ++i)
      v.as<int8_t>()[begin + i] = int8_t(int8_t(uint8_t(in[i]) << shift) >> shift);
    return;
  }
  case DType::u8: return convertBack<uint8_t>(v.data, begin, n, in);
  case DType::i8: return convertBack<int8_t>(v.data, begin, n, in);
  case DType::u16: return convertBack<uint16_t>(v.data, begin, n, in);
  case DType::i16: return convertBack<int16_t>(v.data, begin, n, in);
  case DType::u32: return convertBack<uint32_t>(v.data, begin, n, in);
  case DType::i32: return convertBack<int32_t>(v.data, begin, n, in);
  case DType::u64: return convertBack<uint64_t>(v.data, begin, n, in);
  case DType::i64: return convertBack<int64_t>(v.data, begin, n, in);
  default: break;
  }
}

void optc::load(const Value &v, int64_t begin, int64_t n, double *out) {
  switch (v.type) {
  case DType::f32: return convert<float>(v.data, begin, n, out);
  case DType::f64: return convert<double>(v.data, begin, n, out);
  case DType::f16:
    for (int64_t i = 0; i < n; ++i)
      out[i] = decodeFloat16(v.as<uint16_t>()[begin + i]);
    return;
  case DType::bf16:
    for (int64_t i = 0; i < n; ++i)
      out[i] = decodeBFloat16(v.as<uint16_t>()[begin + i]);
    return;
  case DType::f8e4m3fn: case DType::f8e4m3fnuz: case DType::f8e5m2: case DType::f8e5m2fnuz: case DType::f4e2m1:
  case DType::f8e8m0:
    for (int64_t i = 0; i < n; ++i)
      out[i] = decodeSmallFloat(v.type, v.as<uint8_t>()[begin + i]);
    return;
  default: return loadInteger(v, begin, n, out);
  }
}
/// Towards zero, modulo 2^64 (and the store wraps to the width); NaN and infinities give 0.
static int64_t truncate(double x) {
  if (x >= -0x1p63 && x < 0x1p63)
    return int64_t(x);
  if (!(std::fabs(x) < HUGE_VAL))
    return 0;
  double rest = std::fmod(x, 0x1p64);
  return rest < 0 ? int64_t(0 - uint64_t(-rest)) : int64_t(uint64_t(rest));
}
template <typename T> static void loadTruncated(const Value &v, int64_t begin, int64_t n, T *out) {
  if (classOf(v.type) != Class::f64)
    return loadInteger(v, begin, n, out);
  double block[256];
  for (int64_t done = 0; done < n;) {
    int64_t m = n - done < 256 ? n - done : 256;
    load(v, begin + done, m, block);
    for (int64_t i = 0; i < m; ++i)
      out[done + i] = T(truncate(block[i]));
    done += m;
  }
}
void optc::load(const Value &v, int64_t begin, int64_t n, int64_t *out) { loadTruncated(v, begin, n, out); }
void optc::load(const Value &v, int64_t begin, int64_t n, uint64_t *out) { loadTruncated(v, begin, n, out); }

void optc::store(Value &v, int64_t begin, int64_t n, const double *in) {
  switch (v.type) {
  case DType::f32: return convertBack<float>(v.data, begin, n, in);
  case DType::f64: return convertBack<double>(v.data, begin, n, in);
  case DType::f16:
    for (int64_t i = 0; i < n; ++i)
      v.as<uint16_t>()[begin + i] = encodeFloat16(in[i]);
    return;
  case DType::bf16:
    for (int64_t i = 0; i < n; ++i)
      v.as<uint16_t>()[begin + i] = encodeBFloat16(in[i]);
    return;
  case DType::f8e4m3fn: case DType::f8e4m3fnuz: case DType::f8e5m2: case DType::f8e5m2fnuz: case DType::f4e2m1:
  case DType::f8e8m0:
    for (int64_t i = 0; i < n; ++i)
      v.as<uint8_t>()[begin + i] = encodeSmallFloat(v.type, in[i], true);
    return;
  default: break;
  }
  int64_t block[256];
  for (int64_t done = 0; done < n;) {
    int64_t m = n - done < 256 ? n - done : 256;
    for (int64_t i = 0; i < m; ++i)
      block[i] = v.type == DType::boolean ? in[done + i] != 0 : truncate(in[done + i]);
    storeInteger(v, begin + done, m, block);
    done += m;
  }
}
/// An integer on its way to a narrower float, which rounds once more: beyond 2^53 the lowest 11 bits become one that says
/// whether any was set (round to odd), so that the two roundings are one.
template <typename T> static double widen(DType type, T x) {
  bool exact = x < T(1) << 53 && (std::is_unsigned_v<T> || x >= -(int64_t(1) << 53));
  if (!exact && type != DType::f64)
    x = T((x & ~T(2047)) | (x & 2047 ? 2048 : 0));
  return double(x);
}
template <typename T> static void storeConverted(Value &v, int64_t begin, int64_t n, const T *in) {
  if (classOf(v.type) != Class::f64)
    return storeInteger(v, begin, n, in);
  double block[256];
  for (int64_t done = 0; done < n;) {
    int64_t m = n - done < 256 ? n - done : 256;
    for (int64_t i = 0; i < m; ++i)
      block[i] = widen(v.type, in[done + i]);
    store(v, begin + done, m, block);
    done += m;
  }
}
void optc::store(Value &v, int64_t begin, int64_t n, const int64_t *in) { storeConverted(v, begin, n, in); }
void optc::store(Value &v, int64_t begin, int64_t n, const uint64_t *in) { storeConverted(v, begin, n, in); }
