//===- Float.h - Narrow floating-point formats ------------------*- C++ -*-===//
//
// IEEE binary16, bfloat16, and the 8- and 4-bit formats of ONNX (https://onnx.ai/onnx/technical/float8.html).
// Encoding rounds to nearest even, once, from f64.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_FLOAT_H
#define OPTC_RUNTIME_REFERENCE_FLOAT_H

#include "runtime/reference/Value.h"

namespace optc {
double decodeFloat16(uint16_t bits);
uint16_t encodeFloat16(double value);
double decodeBFloat16(uint16_t bits);
uint16_t encodeBFloat16(double value);
/// `type` is one of f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz, f4e2m1, f8e8m0. Out of range: the largest finite value when
/// `saturate`, else infinity (NaN where the format has none).
double decodeSmallFloat(DType type, uint8_t bits);
uint8_t encodeSmallFloat(DType type, double value, bool saturate);
} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_FLOAT_H
