//===- Float.h - Narrow floating-point formats ------------------*- C++ -*-===//
//
// IEEE binary16, bfloat16, and the 8- and 4-bit formats of ONNX (https://onnx.ai/onnx/technical/float8.html).
// Encoding rounds to nearest even, once, from f64; f8e8m0 alone rounds up, as ONNX's Cast does by default.
// The 16-bit formats are inline: they are converted block by block in inner loops.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_FLOAT_H
#define OPTC_RUNTIME_REFERENCE_FLOAT_H

#include "runtime/reference/Value.h"
#include <bit>

namespace optc {

/// Rounds |value|, which is finite and below 2^(bias + 1), to a format of `mantissa` bits whose exponent
/// field has `bias`. Gives exponent and mantissa; a carry out of the mantissa lands in the exponent.
inline uint32_t roundMagnitude(double magnitude, int mantissa, int bias) {
  uint64_t bits = std::bit_cast<uint64_t>(magnitude);
  if (bits < uint64_t(1024 - bias) << 52) {
    // Subnormal: adding a number whose last place is the format's smallest step rounds in hardware.
    uint64_t magic = uint64_t(1023 + 52 + 1 - bias - mantissa) << 52;
    return uint32_t(std::bit_cast<uint64_t>(magnitude + std::bit_cast<double>(magic)) - magic);
  }
  int dropped = 52 - mantissa;
  bits += (uint64_t(1) << (dropped - 1)) - 1 + (bits >> dropped & 1);
  return uint32_t(bits >> dropped) - (uint32_t(1023 - bias) << mantissa);
}

inline double decodeFloat16(uint16_t bits) {
  uint64_t magnitude = bits & 0x7fff;
  // No denormal arithmetic: the process may run with denormals flushed to zero.
  double value = magnitude < 0x400    ? double(magnitude) * 0x1p-24
                 : magnitude < 0x7c00 ? std::bit_cast<double>((magnitude << 42) + (uint64_t(1023 - 15) << 52))
                                      : std::bit_cast<double>((magnitude << 42) | (uint64_t(0x7ff) << 52));
  return bits & 0x8000 ? -value : value;
}
inline uint16_t encodeFloat16(double value) {
  uint16_t sign = std::bit_cast<uint64_t>(value) >> 63 << 15;
  double magnitude = std::bit_cast<double>(std::bit_cast<uint64_t>(value) << 1 >> 1);
  if (magnitude < 65520) // half a step above the largest finite value
    return sign | uint16_t(roundMagnitude(magnitude, 10, 15));
  return sign | (value != value ? 0x7e00 : 0x7c00);
}
inline double decodeBFloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }
inline uint16_t encodeBFloat16(double value) {
  uint16_t sign = std::bit_cast<uint64_t>(value) >> 63 << 15;
  double magnitude = std::bit_cast<double>(std::bit_cast<uint64_t>(value) << 1 >> 1);
  if (magnitude < 0x1.ffp127)
    return sign | uint16_t(roundMagnitude(magnitude, 7, 127));
  return sign | (value != value ? 0x7fc0 : 0x7f80);
}

/// `type` is one of f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz, f4e2m1, f8e8m0. Out of range: the largest
/// finite value when `saturate`, else infinity (NaN where the format has none). f4e2m1 has neither and always
/// saturates.
double decodeSmallFloat(DType type, uint8_t bits);
uint8_t encodeSmallFloat(DType type, double value, bool saturate);

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_FLOAT_H
