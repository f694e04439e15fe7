//===- WindowRows.h - Convolutions as rows of a matrix ----------*- C++ -*-===//
//
// A convolution is a matrix product whose row for an output pixel holds the inputs under the window's
// taps: [taps][channels]. Taps outside the image read the padding's value.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_WINDOWROWS_H
#define OPTC_CODEGEN_CPU_WINDOWROWS_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/Contraction.h"

namespace optc {

class WindowRows {
public:
  /// Rows of `target` elements: the image's type (bytes, of bf16), or a wider integer for unsigned ones.
  WindowRows(KernelFunction &f, const ContractionKernel &c, mlir::Type target);

  /// target[r * stride + tap * channels + channel] for `height` output pixels from `row` on (in elements of the image).
  void gather(mlir::Value batch, mlir::Value row, mlir::Value height, mlir::Value target, mlir::Value stride);
  /// Lines of a window whose taps lie side by side in the image; 0 where windows are not made of such.
  int64_t lines();
  /// Elements of a line, and from one line to the next in the image.
  int64_t lineLength() const { return *kernel[image.size() - 3].constant() * *image.back().constant(); }
  mlir::Value linePitch();
  /// The first tap of output pixel `row`, whose neighbours' are `tapPitch` elements apart; `inside`: it and the pixels after it, `height`
  /// in all, are of one line, and no tap of theirs is outside the image.
  mlir::Value firstTap(mlir::Value batch, mlir::Value row, int64_t height, mlir::Value &inside);
  int64_t tapPitch() { return conv.getStrides()[image.size() - 3] * *image.back().constant(); }
  /// target[row][column][channel]: `count` rows of the image from row `top` on (which may lie outside), padded.
  void padRows(mlir::Value image, const ImageWindow &v, mlir::Value top, mlir::Value count, mlir::Value target);
  /// Visits the taps of output pixel `row`: their number, whether they are inside the image, and the pixel's offset in
  /// elements.
  using Visit = llvm::function_ref<void(mlir::Value tap, mlir::Value inside, mlir::Value offset)>;
  void forEachTap(mlir::Value batch, mlir::Value row, Visit visit);
  /// Copies `count` elements that lie side by side.
  void copy(mlir::Value to, mlir::Value from, int64_t count);
  void copy(mlir::Value to, mlir::Value from, mlir::Value count);
  /// Of bf16: what a row has beyond k is multiplied with zeros, and has to be a number.
  void fillTail(mlir::Value row);

private:
  void forEachTap(mlir::Value batch, mlir::Value row, size_t depth, Visit visit);
  mlir::Value startOf(mlir::Value row, size_t d);
  void fill(mlir::Value to, int64_t count);
  void pixels(mlir::Value to, mlir::Value from, mlir::Value inside, int64_t count);
  void inVectors(int64_t count, llvm::function_ref<void(mlir::Value at, int64_t width)> body);

  KernelFunction &f;
  const ContractionKernel &c;
  ConvOp conv;
  Dims image, kernel, result;
  mlir::Type element, target;
  void move(mlir::Value to, mlir::Value from, mlir::Value at, int64_t width);
};

} // namespace optc

#endif // OPTC_CODEGEN_CPU_WINDOWROWS_H
