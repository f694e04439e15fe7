//===- Float.cpp - The 8- and 4-bit floating-point formats ----------------===//
//
// One description a format drives encoding and decoding; f8e8m0, which is only an exponent, stands apart.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Float.h"
#include <cmath>
#include <limits>

using namespace optc;

namespace {
struct Format {
  int mantissa, bias;
  uint8_t largest;  // code of the largest finite value
  uint8_t overflow; // code of what does not fit without saturation (infinity or NaN), sign bit apart
  uint8_t nan;
  bool signedZero; // fnuz formats spend the code of -0 on NaN
  uint8_t signBit;
};
const Format *formatOf(DType type) {
  static const Format e4m3fn{3, 7, 0x7e, 0x7f, 0x7f, true, 0x80};
  static const Format e4m3fnuz{3, 8, 0x7f, 0x80, 0x80, false, 0x80};
  static const Format e5m2{2, 15, 0x7b, 0x7c, 0x7f, true, 0x80};
  static const Format e5m2fnuz{2, 16, 0x7f, 0x80, 0x80, false, 0x80};
  static const Format e2m1{1, 1, 0x7, 0x7, 0x7, true, 0x8};
  switch (type) {
  case DType::f8e4m3fn:
    return &e4m3fn;
  case DType::f8e4m3fnuz:
    return &e4m3fnuz;
  case DType::f8e5m2:
    return &e5m2;
  case DType::f8e5m2fnuz:
    return &e5m2fnuz;
  case DType::f4e2m1:
    return &e2m1;
  default:
    return nullptr;
  }
}
} // namespace

double optc::decodeSmallFloat(DType type, uint8_t bits) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  if (type == DType::f8e8m0)
    return bits == 0xff ? nan : std::ldexp(1.0, int(bits) - 127);
  const Format *f = formatOf(type);
  if (!f)
    return nan;
  bool negative = bits & f->signBit;
  if (!f->signedZero && bits == f->nan)
    return nan;
  uint8_t code = bits & (f->signBit - 1);
  if (code > f->largest)
    return code == f->overflow && f->overflow != f->nan ? (negative ? -std::numeric_limits<double>::infinity()
                                                                    : std::numeric_limits<double>::infinity())
                                                        : nan;
  int exponent = code >> f->mantissa, mantissa = code & ((1 << f->mantissa) - 1);
  double magnitude = exponent ? std::ldexp((1 << f->mantissa) + mantissa, exponent - f->bias - f->mantissa)
                              : std::ldexp(mantissa, 1 - f->bias - f->mantissa);
  return negative ? -magnitude : magnitude;
}

/// Scales have no sign and no zero: |value| rounds up to a power of two.
static uint8_t encodeScale(double value, bool saturate) {
  double magnitude = std::fabs(value);
  if (value != value)
    return 0xff;
  if (magnitude <= 0x1p-127)
    return 0;
  if (magnitude > 0x1p127)
    return saturate ? 0xfe : 0xff;
  int exponent;
  double fraction = std::frexp(magnitude, &exponent); // in [0.5, 1)
  return uint8_t((fraction == 0.5 ? exponent - 1 : exponent) + 127);
}

uint8_t optc::encodeSmallFloat(DType type, double value, bool saturate) {
  if (type == DType::f8e8m0)
    return encodeScale(value, saturate);
  const Format *f = formatOf(type);
  if (!f)
    return 0;
  uint8_t sign = std::signbit(value) ? f->signBit : 0;
  if (value != value)
    return f->signedZero && type != DType::f4e2m1 ? sign | f->nan : f->nan;
  // Anything from 2^20 on is out of range in every format; the bound keeps the code small.
  double magnitude = std::fmin(std::fabs(value), 0x1p20);
  uint32_t code = roundMagnitude(magnitude, f->mantissa, f->bias);
  if (code > f->largest) {
    if (saturate || type == DType::f4e2m1)
      return sign | f->largest;
    return f->signedZero ? sign | f->overflow : f->nan;
  }
  if (code == 0 && !f->signedZero)
    return 0;
  return sign | uint8_t(code);
}
