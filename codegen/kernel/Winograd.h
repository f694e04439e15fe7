//===- Winograd.h - 3x3 convolutions by F(4x4, 3x3) -------------*- C++ -*-===//
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015): an output tile of 4x4
// pixels needs 36 products a channel instead of 144. Weights are transformed at compile time,
// U = G w G^T, and packed as a contraction of 36 planes.
//
// The kernel's body states what is computed with ordinary ops: w = P U P^T with P G = 1, then conv.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_WINOGRAD_H
#define OPTC_CODEGEN_KERNEL_WINOGRAD_H

#include "codegen/kernel/Kernel.h"

namespace optc {

constexpr int64_t kWinogradTile = 6;  // input pixels a side
constexpr int64_t kWinogradOut = 4;   // output pixels a side
constexpr int64_t kWinogradPlanes = kWinogradTile * kWinogradTile;
/// Tiles that one tile of work transforms together: at most so many.
constexpr int64_t kWinogradBlock = 28;

/// G [6][3] and its left inverse P [3][6], row-major.
extern const float kWinogradG[18];
extern const float kWinogradP[18];

/// A convolution that the generator takes: channels-last, 3x3, stride 1, static, channels in whole panels, and a plane
/// that is large enough to gain.
bool isWinograd(ConvOp conv);
/// The same whatever the layout and element type are: it would be one in f32, channels-last.
bool fitsWinograd(ConvOp conv);

struct WinogradKernel {
  ConvOp conv;
  mlir::Value product; // [n, pixels, channels]
  mlir::BlockArgument x, planes;
  int64_t images, height, width, channels, outHeight, outWidth, outChannels, padTop, padLeft;
  int64_t tileRows() const { return (outHeight + kWinogradOut - 1) / kWinogradOut; }
  int64_t tileColumns() const { return (outWidth + kWinogradOut - 1) / kWinogradOut; }
  int64_t tiles() const { return tileRows() * tileColumns(); }
  int64_t blocks() const { return (tiles() + kWinogradBlock - 1) / kWinogradBlock; }
  /// Groups of output channels that are separate tiles of work: more than one where there are few blocks.
  int64_t channelGroups() const;
  /// Floats from one tile's channels to the next in scratch: off the power of two that cache sets share.
  int64_t rowStride() const { return channels + 16; }

  // Scratch, in floats.
  int64_t inputFloats() const { return kWinogradPlanes * kWinogradBlock * rowStride(); }
  int64_t productFloats() const { return kWinogradPlanes * kWinogradBlock * 32; }
  int64_t outputFloats() const { return kWinogradOut * kWinogradOut * 16; }
  int64_t zeroFloats() const { return (channels + 15) / 16 * 16; }
  int64_t pointerFloats() const { return kWinogradPlanes * 2 + 8; }
};

std::optional<WinogradKernel> readWinograd(KernelOp kernel);
KernelSchedule scheduleWinograd(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_WINOGRAD_H
