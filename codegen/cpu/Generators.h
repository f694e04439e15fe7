//===- Generators.h - The code generators, one function each ----*- C++ -*-===//
#ifndef OPTC_CODEGEN_CPU_GENERATORS_H
#define OPTC_CODEGEN_CPU_GENERATORS_H

#include "codegen/cpu/KernelFunction.h"

namespace optc {

/// "loops": elementwise, movement and small reductions around the result's elements (Loops.cpp).
mlir::LogicalResult generateLoops(KernelFunction &f);
/// "rows": reductions along the innermost dims with what is fused around them (Rows.cpp).
mlir::LogicalResult generateRows(KernelFunction &f);
/// "matmul", "conv": products of matrices by tiles of registers (Contraction.cpp).
mlir::LogicalResult generateContraction(KernelFunction &f);
/// The same of 8-bit integers (ByteContraction.cpp).
struct ContractionKernel;
mlir::LogicalResult generateByteContraction(KernelFunction &f, const ContractionKernel &c);
/// "winograd": 3x3 convolutions with stride 1 (Winograd.cpp).
mlir::LogicalResult generateWinograd(KernelFunction &f);
/// "depthwise": convolutions with a filter a channel (Depthwise.cpp).
mlir::LogicalResult generateDepthwise(KernelFunction &f);
/// The same of 8-bit codes (ByteDepthwise.cpp).
struct ByteDepthwise;
mlir::LogicalResult generateByteDepthwise(KernelFunction &f, const ByteDepthwise &d);
/// "attention": softmax between two matrix products (Attention.cpp).
mlir::LogicalResult generateAttention(KernelFunction &f);
/// "recurrent": LSTM, GRU and RNN over time (Recurrent.cpp).
mlir::LogicalResult generateRecurrent(KernelFunction &f);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_GENERATORS_H
