//===- Resampling.h - Which resizes kernels can compute ---------*- C++ -*-===//
#ifndef OPTC_CODEGEN_KERNEL_RESAMPLING_H
#define OPTC_CODEGEN_KERNEL_RESAMPLING_H

#include "ir/Dialect.h"

namespace optc {

/// Nearest and linear interpolation with scales that are known or follow from the sizes. (ONNX Resize:
/// https://onnx.ai/onnx/operators/onnx__Resize.html)
bool canResample(ResizeOp op);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_RESAMPLING_H
