//===- Conversions.cpp - cast, bitcast, quantize, dequantize, lookup -----------===//
//
// Ops whose result has another element type than the operand. Numbers print in the shortest form that
// reads back as the same value.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include "runtime/reference/Float.h"
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace optc;

static bool isSmallFloat(DType type) { return classOf(type) == Class::f64 && sizeOf(type) == 1; }

/// Into the 8- and 4-bit formats, where the store would always saturate.
static void storeSmall(Value &y, int64_t begin, int64_t n, const double *in, bool saturate) {
  for (int64_t i = 0; i < n; ++i)
    y.as<uint8_t>()[begin + i] = encodeSmallFloat(y.type, in[i], saturate);
}

//===----------------------------------------------------------------------===//
// cast
//===----------------------------------------------------------------------===//

template <typename T> static std::string format(T value) {
  char text[64];
  auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(text, end);
}

static void castToStrings(const Value &x, Value &y) {
  std::string *out = y.as<std::string>();
  for (int64_t i = 0, n = x.size(); i < n; ++i) {
    if (x.type == DType::boolean) {
      out[i] = x.as<uint8_t>()[i] ? "True" : "False";
    } else if (classOf(x.type) == Class::i64) {
      int64_t value;
      load(x, i, 1, &value);
      out[i] = format(value);
    } else if (classOf(x.type) == Class::u64) {
      uint64_t value;
      load(x, i, 1, &value);
      out[i] = format(value);
    } else {
      double value;
      load(x, i, 1, &value);
      out[i] = x.type == DType::f64 ? format(value) : format(float(value));
    }
  }
}

static Status castFromStrings(const Value &x, Value &y) {
  const std::string *in = x.as<std::string>();
  for (int64_t i = 0, n = x.size(); i < n; ++i) {
    const char *text = in[i].c_str();
    char *end = nullptr;
    if (classOf(y.type) == Class::f64) {
      double value = std::strtod(text, &end);
      store(y, i, 1, &value);
    } else if (classOf(y.type) == Class::u64) {
      uint64_t value = std::strtoull(text, &end, 10);
      store(y, i, 1, &value);
    } else {
      int64_t value = std::strtoll(text, &end, 10);
      store(y, i, 1, &value);
    }
    if (end == text || *end)
      return Status::error("'" + in[i] + "' is not a number");
  }
  return Status::success();
}

static Status cast(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  OPTC_TRY(call.allocate(0, x.dims));
  if (x.type == y.type)
    return copyElements(x.type, y.data, 0, x.data, 0, x.size()), Status::success();
  Class from = classOf(x.type), to = classOf(y.type);
  if (x.type == DType::string && to != Class::object)
    return castFromStrings(x, y);
  if (y.type == DType::string && from != Class::object)
    return castToStrings(x, y), Status::success();
  if (from == Class::object || to == Class::object)
    return unsupported("cast", from == Class::object ? x.type : y.type);
  if (from == Class::u64)
    mapBlocks<uint64_t>(x, y, [](uint64_t v) { return v; });
  else if (from == Class::i64)
    mapBlocks<int64_t>(x, y, [](int64_t v) { return v; });
  if (from == Class::f64 || isSmallFloat(y.type)) {
    bool saturate = call.attributes.integer("saturate", 1);
    double block[kBlock];
    forBlocks(x.size(), [&](int64_t begin, int64_t n) {
      load(x, begin, n, block);
      if (isSmallFloat(y.type))
        storeSmall(y, begin, n, block, saturate);
      else
        store(y, begin, n, block);
    });
  }
  return Status::success();
}

static Status bitcast(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  if (x.type == DType::string || y.type == DType::string || sizeOf(x.type) != sizeOf(y.type))
    return Status::error(std::string("cannot reinterpret ") + nameOf(x.type) + " as " + nameOf(y.type));
  OPTC_TRY(call.allocate(0, x.dims));
  copyElements(x.type, y.data, 0, x.data, 0, x.size());
  return Status::success();
}

//===----------------------------------------------------------------------===//
// quantize and dequantize
//===----------------------------------------------------------------------===//

namespace {
struct Range {
  double low, high;
};
} // namespace

static Range rangeOf(DType type) {
  switch (type) {
  case DType::u2:
    return {0, 3};
  case DType::i2:
    return {-2, 1};
  case DType::u4:
    return {0, 15};
  case DType::i4:
    return {-8, 7};
  case DType::u8:
    return {0, 255};
  case DType::i8:
    return {-128, 127};
  case DType::u16:
    return {0, 65535};
  case DType::i16:
    return {-32768, 32767};
  default:
    return {-2147483648.0, 2147483647.0};
  }
}

static Status checkScale(Call &call) {
  OPTC_TRY(expectTensors(call, 2));
  const Value &x = call.in(0);
  OPTC_TRY(expectShape(call.in(1), x.dims, "scale"));
  if (call.has(2))
    OPTC_TRY(expectShape(call.in(2), x.dims, "zero_point"));
  for (size_t i = 0; i < call.inputs.size(); ++i)
    if (call.has(i) && classOf(call.in(i).type) == Class::object)
      return unsupported("quantisation", call.in(i).type);
  return call.allocate(0, x.dims);
}

/// The quotient is rounded to f32 before it is rounded to an integer (unless x is f64), as every kernel
/// does: a quotient within half an f32 step of a half would else fall on the other side.
static Status quantize(Call &call) {
  OPTC_TRY(checkScale(call));
  const Value &x = call.in(0), &scale = call.in(1);
  Value &y = call.outputs[0];
  bool saturate = call.attributes.integer("saturate", 1), wide = x.type == DType::f64;
  bool toFloat = classOf(y.type) == Class::f64;
  Range range = rangeOf(y.type);
  double a[kBlock], b[kBlock], zero[kBlock] = {};
  if (toFloat && !isSmallFloat(y.type))
    return unsupported("the result of quantize", y.type);
  forBlocks(x.size(), [&](int64_t begin, int64_t n) {
    load(x, begin, n, a);
    load(scale, begin, n, b);
    if (call.has(2))
      load(call.in(2), begin, n, zero);
    for (int64_t i = 0; i < n; ++i) {
      double quotient = wide ? a[i] / b[i] : double(float(a[i] / b[i]));
      if (toFloat) {
        a[i] = quotient + zero[i];
        continue;
      }
      double v = roundEven(quotient) + zero[i];
      a[i] = !(v > range.low) ? range.low : v > range.high ? range.high : v; // NaN becomes the lowest
    }
    if (toFloat)
      storeSmall(y, begin, n, a, saturate);
    else
      store(y, begin, n, a);
  });
  return Status::success();
}

static Status dequantize(Call &call) {
  OPTC_TRY(checkScale(call));
  const Value &x = call.in(0);
  double a[kBlock], b[kBlock], zero[kBlock] = {};
  forBlocks(x.size(), [&](int64_t begin, int64_t n) {
    load(x, begin, n, a);
    load(call.in(1), begin, n, b);
    if (call.has(2))
      load(call.in(2), begin, n, zero);
    for (int64_t i = 0; i < n; ++i)
      a[i] = (a[i] - zero[i]) * b[i];
    store(call.outputs[0], begin, n, a);
  });
  return Status::success();
}

static Status lookup(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  std::vector<int64_t> table = call.attributes.integers("table");
  if (sizeOf(x.type) != 1 || sizeOf(call.outputs[0].type) != 1 || table.size() != 256)
    return Status::error("lookup takes a table of 256 codes, and gives codes");
  OPTC_TRY(call.allocate(0, x.dims));
  for (int64_t i = 0; i < x.size(); ++i)
    call.outputs[0].as<uint8_t>()[i] = uint8_t(table[x.as<uint8_t>()[i]]);
  return Status::success();
}

void optc::registerConversions(ReferenceTable &table) {
  table["cast"] = cast;
  table["bitcast"] = bitcast;
  table["quantize"] = quantize;
  table["dequantize"] = dequantize;
  table["lookup"] = lookup;
}
