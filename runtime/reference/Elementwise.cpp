//===- Elementwise.cpp - Unary, binary and ternary ops ---------------------===//
//
// Each op is one function object over a class (f64, i64 or u64); the templates below run it over blocks.
// Signed arithmetic is done on the unsigned bits, so that wrapping is defined; the store narrows.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <bit>
#include <cmath>
#include <cstdlib>

using namespace optc;

//===----------------------------------------------------------------------===//
// Running a function object over tensors
//===----------------------------------------------------------------------===//

/// Operands have one shape (and, but for the op's exceptions, one type); the result gets it.
static Status prepare(Call &call, size_t operands) {
  OPTC_TRY(expectTensors(call, operands));
  for (size_t i = 1; i < operands; ++i)
    OPTC_TRY(expectShape(call.in(i), call.in(0).dims, "an operand"));
  return call.allocate(0, call.in(0).dims);
}

static Status prepareBinary(Call &call) {
  OPTC_TRY(prepare(call, 2));
  if (call.in(0).type != call.in(1).type)
    return Status::error(std::string("operands differ in type: ") + nameOf(call.in(0).type) + " and " +
                         nameOf(call.in(1).type));
  return Status::success();
}

template <auto F> static Status unaryFloat(Call &call) {
  OPTC_TRY(prepare(call, 1));
  if (classOf(call.in(0).type) != Class::f64)
    return unsupported("this function", call.in(0).type);
  mapBlocks<double>(call.in(0), call.outputs[0], F);
  return Status::success();
}

/// F is called with double, int64_t or uint64_t.
template <auto F> static Status unaryAny(Call &call) {
  OPTC_TRY(prepare(call, 1));
  const Value &x = call.in(0);
  switch (classOf(x.type)) {
  case Class::f64:
    mapBlocks<double>(x, call.outputs[0], F);
    return Status::success();
  case Class::i64:
    mapBlocks<int64_t>(x, call.outputs[0], F);
    return Status::success();
  case Class::u64:
    mapBlocks<uint64_t>(x, call.outputs[0], F);
    return Status::success();
  case Class::object:
    break;
  }
  return unsupported("arithmetic", x.type);
}

template <typename F> static Status runBinary(Call &call, F f) {
  const Value &lhs = call.in(0), &rhs = call.in(1);
  switch (classOf(lhs.type)) {
  case Class::f64:
    mapBlocks<double>(lhs, rhs, call.outputs[0], f);
    return Status::success();
  case Class::i64:
    mapBlocks<int64_t>(lhs, rhs, call.outputs[0], f);
    return Status::success();
  case Class::u64:
    mapBlocks<uint64_t>(lhs, rhs, call.outputs[0], f);
    return Status::success();
  case Class::object:
    break;
  }
  return unsupported("arithmetic", lhs.type);
}
template <auto F> static Status binaryAny(Call &call) {
  OPTC_TRY(prepareBinary(call));
  return runBinary(call, F);
}

template <typename F> static Status runBinaryInteger(Call &call, F f) {
  const Value &lhs = call.in(0), &rhs = call.in(1);
  if (classOf(lhs.type) == Class::u64)
    mapBlocks<uint64_t>(lhs, rhs, call.outputs[0], f);
  else if (classOf(lhs.type) == Class::i64)
    mapBlocks<int64_t>(lhs, rhs, call.outputs[0], f);
  else
    return unsupported("bit arithmetic", lhs.type);
  return Status::success();
}
template <auto F> static Status binaryInteger(Call &call) {
  OPTC_TRY(prepareBinary(call));
  return runBinaryInteger(call, F);
}

//===----------------------------------------------------------------------===//
// Unary ops
//===----------------------------------------------------------------------===//

template <typename T> constexpr bool isFloat = std::is_same_v<T, double>;

static inline double sigmoid(double x) {
  double e = std::exp(-std::fabs(x)); // at most 1: no overflow
  return (x >= 0 ? 1 : e) / (1 + e);
}
static inline double geluErf(double x) { return 0.5 * x * (1 + std::erf(x * M_SQRT1_2)); }
static inline double geluTanh(double x) {
  constexpr double sqrtTwoOverPi = 0.79788456080286535588;
  return 0.5 * x * (1 + std::tanh(sqrtTwoOverPi * (x + 0.044715 * x * x * x)));
}
/// The gate x / 6 + 1/2 as (x + 3) / 6: exact near -3, where the other loses its digits.
static inline double hardSwish(double x) {
  double gate = (x + 3) / 6;
  return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
}

constexpr auto negate = [](auto x) {
  if constexpr (isFloat<decltype(x)>)
    return -x;
  else
    return decltype(x)(0 - uint64_t(x));
};
constexpr auto absolute = [](auto x) {
  if constexpr (isFloat<decltype(x)>)
    return std::fabs(x);
  else
    return x < 0 ? decltype(x)(0 - uint64_t(x)) : x;
};
/// Of f32's 23 bits of fraction, the highest 10.
static double roundTf32(double x) {
  uint32_t bits = std::bit_cast<uint32_t>(float(x));
  if (!std::isfinite(x))
    return x;
  bits += 0xfff + (bits >> 13 & 1);
  return std::bit_cast<float>(bits & ~0x1fffu);
}

constexpr auto signOf = [](auto x) {
  if constexpr (isFloat<decltype(x)>)
    return x > 0 ? 1.0 : x < 0 ? -1.0 : x == 0 ? 0.0 : x;
  else
    return decltype(x)((x > 0) - (x < 0));
};

static Status gelu(Call &call) {
  return call.attributes.text("approximate") == "tanh" ? unaryFloat<geluTanh>(call)
                                                       : unaryFloat<geluErf>(call);
}
static Status isInf(Call &call) {
  OPTC_TRY(prepare(call, 1));
  bool negative = call.attributes.integer("negative", 1), positive = call.attributes.integer("positive", 1);
  mapBlocks<double>(call.in(0), call.outputs[0], [=](double x) {
    return int64_t((positive && x == HUGE_VAL) || (negative && x == -HUGE_VAL));
  });
  return Status::success();
}
static Status bitNot(Call &call) {
  OPTC_TRY(prepare(call, 1));
  if (classOf(call.in(0).type) == Class::f64 || classOf(call.in(0).type) == Class::object)
    return unsupported("bit_not", call.in(0).type);
  mapBlocks<int64_t>(call.in(0), call.outputs[0], [](int64_t x) { return ~x; });
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Binary ops
//===----------------------------------------------------------------------===//

constexpr auto plus = [](auto a, auto b) {
  if constexpr (isFloat<decltype(a)>)
    return a + b;
  else
    return decltype(a)(uint64_t(a) + uint64_t(b));
};
constexpr auto minus = [](auto a, auto b) {
  if constexpr (isFloat<decltype(a)>)
    return a - b;
  else
    return decltype(a)(uint64_t(a) - uint64_t(b));
};
constexpr auto times = [](auto a, auto b) {
  if constexpr (isFloat<decltype(a)>)
    return a * b;
  else
    return decltype(a)(uint64_t(a) * uint64_t(b));
};
constexpr auto divide = [](auto a, auto b) {
  using T = decltype(a);
  if constexpr (isFloat<T>)
    return a / b;
  else if (b == 0)
    return T(0);
  else if (std::is_signed_v<T> && b == T(-1))
    return T(0 - uint64_t(a));
  else
    return T(a / b);
};
constexpr auto truncatedRemainder = [](auto a, auto b) {
  using T = decltype(a);
  if constexpr (isFloat<T>)
    return std::fmod(a, b);
  else if (b == 0 || (std::is_signed_v<T> && b == T(-1)))
    return T(0);
  else
    return T(a % b);
};
/// The remainder has the sign of b.
constexpr auto flooredRemainder = [](auto a, auto b) {
  auto r = truncatedRemainder(a, b);
  if (r != 0 && (r < 0) != (b < 0))
    return decltype(a)(r + b);
  if constexpr (isFloat<decltype(a)>)
    return r == 0 ? std::copysign(0.0, b) : r;
  return r;
};
constexpr auto smaller = [](auto a, auto b) { return a != a || a < b ? a : b; };
constexpr auto larger = [](auto a, auto b) { return a != a || a > b ? a : b; };

static Status mod(Call &call) {
  return call.attributes.integer("truncate") ? binaryAny<truncatedRemainder>(call)
                                             : binaryAny<flooredRemainder>(call);
}

/// Integers to integer powers wrap; a negative exponent gives the reciprocal towards zero.
template <typename T> static T integerPower(T base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 1)
      return 1;
    return std::is_signed_v<T> && base == T(-1) ? (exponent & 1 ? T(-1) : T(1)) : T(0);
  }
  uint64_t result = 1, square = uint64_t(base);
  for (; exponent; exponent >>= 1, square *= square)
    if (exponent & 1)
      result *= square;
  return T(result);
}
static Status pow(Call &call) {
  OPTC_TRY(prepare(call, 2));
  Class lhs = classOf(call.in(0).type), rhs = classOf(call.in(1).type);
  if (lhs == Class::object || rhs == Class::object)
    return unsupported("pow", call.in(lhs == Class::object ? 0 : 1).type);
  Value &y = call.outputs[0];
  if (lhs == Class::f64 || rhs == Class::f64)
    mapBlocks<double>(call.in(0), call.in(1), y, [](double a, double b) { return std::pow(a, b); });
  else if (lhs == Class::i64)
    mapBlocks<int64_t>(call.in(0), call.in(1), y, [](int64_t a, int64_t b) { return integerPower(a, b); });
  else
    mapBlocks<uint64_t>(call.in(0), call.in(1), y,
                        [](uint64_t a, uint64_t b) { return integerPower(a, int64_t(b)); });
  return Status::success();
}

static Status shift(Call &call) {
  OPTC_TRY(prepareBinary(call));
  DType type = call.in(0).type;
  int64_t width = type == DType::u4 || type == DType::i4   ? 4
                  : type == DType::u2 || type == DType::i2 ? 2
                                                           : 8 * sizeOf(type);
  if (call.attributes.text("direction") == "left")
    return runBinaryInteger(call, [width](auto a, auto b) {
      return uint64_t(b) >= uint64_t(width) ? decltype(a)(0) : decltype(a)(uint64_t(a) << b);
    });
  return runBinaryInteger(call, [width](auto a, auto b) {
    using T = decltype(a);
    return uint64_t(b) >= uint64_t(width) ? T(std::is_signed_v<T> && a < 0 ? -1 : 0) : T(a >> b);
  });
}

static Status compareStrings(Call &call, const std::string &predicate) {
  const std::string *a = call.in(0).as<std::string>(), *b = call.in(1).as<std::string>();
  uint8_t *y = call.outputs[0].as<uint8_t>();
  for (int64_t i = 0, n = call.in(0).size(); i < n; ++i) {
    int order = a[i].compare(b[i]);
    y[i] = predicate == "eq"   ? order == 0
           : predicate == "ne" ? order != 0
           : predicate == "lt" ? order < 0
           : predicate == "le" ? order <= 0
           : predicate == "gt" ? order > 0
                               : order >= 0;
  }
  return Status::success();
}
static Status compare(Call &call) {
  OPTC_TRY(prepareBinary(call));
  const std::string &predicate = call.attributes.text("predicate");
  if (sizeOf(call.outputs[0].type) != 1)
    return unsupported("the result of compare", call.outputs[0].type);
  if (call.in(0).type == DType::string)
    return compareStrings(call, predicate);
  if (predicate == "eq")
    return runBinary(call, [](auto a, auto b) { return int64_t(a == b); });
  if (predicate == "ne")
    return runBinary(call, [](auto a, auto b) { return int64_t(a != b); });
  if (predicate == "lt")
    return runBinary(call, [](auto a, auto b) { return int64_t(a < b); });
  if (predicate == "le")
    return runBinary(call, [](auto a, auto b) { return int64_t(a <= b); });
  if (predicate == "gt")
    return runBinary(call, [](auto a, auto b) { return int64_t(a > b); });
  if (predicate == "ge")
    return runBinary(call, [](auto a, auto b) { return int64_t(a >= b); });
  return Status::error("unknown predicate '" + predicate + "'");
}

/// Copies bytes, whatever the type.
template <typename T>
static void selectElements(const uint8_t *condition, const Value &a, const Value &b, Value &y) {
  const T *p = a.as<T>(), *q = b.as<T>();
  T *out = y.as<T>();
  for (int64_t i = 0, n = y.size(); i < n; ++i)
    out[i] = condition[i] ? p[i] : q[i];
}
static Status select(Call &call) {
  OPTC_TRY(prepare(call, 3));
  const Value &condition = call.in(0), &a = call.in(1), &b = call.in(2);
  Value &y = call.outputs[0];
  if (condition.type != DType::boolean || a.type != b.type || a.type != y.type)
    return Status::error("select expects a bool condition and branches of the result's type");
  const uint8_t *bits = condition.as<uint8_t>();
  forWidth(y.type, [&]<typename T>(T) { selectElements<T>(bits, a, b, y); });
  return Status::success();
}

template <typename T> static void multiplyAdd(const Call &call, Value &y) {
  const T *a = call.in(0).as<T>(), *b = call.in(1).as<T>(), *c = call.in(2).as<T>();
  for (int64_t i = 0, n = y.size(); i < n; ++i)
    y.as<T>()[i] = std::fma(a[i], b[i], c[i]);
}
static Status fma(Call &call) {
  OPTC_TRY(prepare(call, 3));
  Value &y = call.outputs[0];
  for (size_t i = 0; i < 3; ++i)
    if (call.in(i).type != y.type)
      return Status::error("fma expects operands of the result's type");
  if (y.type != DType::f32 && y.type != DType::f64)
    return unsupported("fma", y.type);
  y.type == DType::f32 ? multiplyAdd<float>(call, y) : multiplyAdd<double>(call, y);
  return Status::success();
}

void optc::registerElementwise(ReferenceTable &table) {
  table["exp"] = unaryFloat<[](double x) { return std::exp(x); }>;
  table["log"] = unaryFloat<[](double x) { return std::log(x); }>;
  table["log1p"] = unaryFloat<[](double x) { return std::log1p(x); }>;
  table["expm1"] = unaryFloat<[](double x) { return std::expm1(x); }>;
  table["sqrt"] = unaryFloat<[](double x) { return std::sqrt(x); }>;
  table["rsqrt"] = unaryFloat<[](double x) { return 1 / std::sqrt(x); }>;
  table["reciprocal"] = unaryFloat<[](double x) { return 1 / x; }>;
  table["sin"] = unaryFloat<[](double x) { return std::sin(x); }>;
  table["cos"] = unaryFloat<[](double x) { return std::cos(x); }>;
  table["tan"] = unaryFloat<[](double x) { return std::tan(x); }>;
  table["asin"] = unaryFloat<[](double x) { return std::asin(x); }>;
  table["acos"] = unaryFloat<[](double x) { return std::acos(x); }>;
  table["atan"] = unaryFloat<[](double x) { return std::atan(x); }>;
  table["sinh"] = unaryFloat<[](double x) { return std::sinh(x); }>;
  table["cosh"] = unaryFloat<[](double x) { return std::cosh(x); }>;
  table["tanh"] = unaryFloat<[](double x) { return std::tanh(x); }>;
  table["asinh"] = unaryFloat<[](double x) { return std::asinh(x); }>;
  table["acosh"] = unaryFloat<[](double x) { return std::acosh(x); }>;
  table["atanh"] = unaryFloat<[](double x) { return std::atanh(x); }>;
  table["erf"] = unaryFloat<[](double x) { return std::erf(x); }>;
  table["sigmoid"] = unaryFloat<sigmoid>;
  table["silu"] = unaryFloat<[](double x) { return x * sigmoid(x); }>;
  table["hard_swish"] = unaryFloat<hardSwish>;
  table["softplus"] =
      unaryFloat<[](double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x))); }>;
  table["gelu"] = gelu;
  table["floor"] = unaryFloat<[](double x) { return std::floor(x); }>;
  table["ceil"] = unaryFloat<[](double x) { return std::ceil(x); }>;
  table["round"] = unaryFloat<roundEven>;
  table["round_tf32"] = unaryFloat<roundTf32>;
  table["is_nan"] = unaryFloat<[](double x) { return int64_t(x != x); }>;
  table["is_inf"] = isInf;
  table["neg"] = unaryAny<negate>;
  table["abs"] = unaryAny<absolute>;
  table["sign"] = unaryAny<signOf>;
  table["not"] = unaryAny<[](auto x) { return int64_t(x == 0); }>;
  table["bit_not"] = bitNot;

  table["add"] = binaryAny<plus>;
  table["sub"] = binaryAny<minus>;
  table["mul"] = binaryAny<times>;
  table["div"] = binaryAny<divide>;
  table["mod"] = mod;
  table["pow"] = pow;
  table["min"] = binaryAny<smaller>;
  table["max"] = binaryAny<larger>;
  table["and"] = binaryInteger<[](auto a, auto b) { return a & b; }>;
  table["or"] = binaryInteger<[](auto a, auto b) { return a | b; }>;
  table["xor"] = binaryInteger<[](auto a, auto b) { return a ^ b; }>;
  table["shift"] = shift;
  table["compare"] = compare;
  table["select"] = select;
  table["fma"] = fma;
}
