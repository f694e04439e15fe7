//===- ByteDepthwise.h - Depthwise convolutions of codes --------*- C++ -*-===//
//
// x: codes (ui8) [N, H, W, C], padded by a pad op with the zero point; w: codes (i8) [KH, KW, 1, C]; sums in i32.
//
// The taps of a column of the window are multiplied four at a time, as dot products of bytes take them: words of four rows of the
// image, a word a channel. Weights lie alike, padded with zeros:
//
//   [ceil(KH / 4)][KW][C][4]
//
// Where the padding leaves room, rows of the result read the same words, with their weights moved:
//
//   3x3, stride 1:   row y       w0 w1 w2 0
//                    row y + 1   0 w0 w1 w2
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_BYTEDEPTHWISE_H
#define OPTC_CODEGEN_KERNEL_BYTEDEPTHWISE_H

#include "codegen/kernel/Kernel.h"

namespace optc {

struct ByteDepthwise {
  ConvOp conv;
  /// The result as [batch, pixels, channels]; null outside of a kernel.
  mlir::Value product;
  mlir::BlockArgument image;
  DimExpr inRows, inColumns, outRows, outColumns, channels;
  int64_t kernelRows, kernelColumns, strideRow, stride, dilationRow, dilation;
  int64_t padRow, pad; // before rows and columns
  uint8_t padValue = 0;

  static constexpr int64_t kWord = 4;
  /// Words of a column of the window.
  int64_t words() const { return (kernelRows + kWord - 1) / kWord; }
  /// Rows of the result that read the same words: a tile of work.
  int64_t sharedRows() const { return dilationRow == 1 ? (kWord * words() - kernelRows) / strideRow + 1 : 1; }
  /// Rows of the image that these read.
  int64_t imageRows() const { return (sharedRows() - 1) * strideRow + kernelRows; }
  DimExpr rowBlocks() const { return DimExpr::ceildiv(outRows, sharedRows()); }

  // Scratch: sums of a tile for one vector of channels, then a row of padding.
  DimExpr sumBytes() const;
  DimExpr paddingBytes() const;
};

/// True for a channels-last convolution of bytes with one filter a channel over two spatial dims.
bool isByteDepthwise(ConvOp conv);
/// nullopt where the kernel holds none.
std::optional<ByteDepthwise> readByteDepthwise(KernelOp kernel);
KernelSchedule scheduleByteDepthwise(const ByteDepthwise &d);

/// The weights as kernels read them, and these of that: ordinary ops.
mlir::Value packTaps(mlir::OpBuilder &b, ConvOp conv, mlir::Value weights);
mlir::Value unpackTaps(mlir::OpBuilder &b, ConvOp conv, mlir::Value packed);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_BYTEDEPTHWISE_H
