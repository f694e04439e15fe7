//===- Contraction.h - Kernels around a matrix product ----------*- C++ -*-===//
//
// The canonical form that the passes bring matrix products and convolutions into, read back:
//
//   matmul   y[b,m,n] = epilogue(sum_k lhs[b,m,k] * rhs[b,k,n])
//   conv     the same with m an output pixel, and lhs rows gathered from x [N,H,W,C] for each tap
//
// A constant rhs comes packed, as panels [N/16][taps*K][16]; the kernel's body unpacks it with
// ordinary ops (transpose, reshape, slice), which the generator reads through. An activation rhs is packed
// into scratch by the kernel itself.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_CONTRACTION_H
#define OPTC_CODEGEN_KERNEL_CONTRACTION_H

#include "codegen/kernel/Kernel.h"

namespace optc {

/// Columns of a panel of packed weights, on every level.
constexpr int64_t kPanel = 16;
/// Output rows of one tile of work: at most so many.
constexpr int64_t kRowBlock = 84;
/// The tallest tile of registers of any level (rows).
constexpr int64_t kMaxTileRows = 14;

/// A channels-last convolution's result as [batch, pixels, channels]: its own for one spatial dim, else that of the reshape
/// which follows it. Null when there is none.
mlir::Value flatProduct(ConvOp conv);

struct ContractionKernel {
  /// The contract or conv op.
  mlir::Operation *root = nullptr;
  /// The root's result as [batch, m, n] or [m, n]: what the epilogue starts from.
  mlir::Value product;
  mlir::BlockArgument lhs, rhs;
  bool packed = false;        // rhs: panels
  bool rhsTransposed = false; // unpacked rhs is [b, n, k]
  bool isConv = false;
  bool batched = false; // product has rank 3
  bool rhsBatched = false;
  DimExpr batch = 1, m = 1, n = 1, k = 1; // k: of one tap
  int64_t taps = 1;
  /// conv with few channels: rows of all taps are copied together (im2col) and k counts them all.
  bool gatherRows = false;

  /// Panels that one tile of work covers: 2, or more where there are few rows.
  int64_t panelsPerTile = 2;
  DimExpr rowBlocks() const;
  DimExpr columnBlocks() const;
  DimExpr panels() const { return DimExpr::ceildiv(n, kPanel); }
  int64_t totalTaps() const { return gatherRows ? 1 : taps; }

  // Scratch: packed rhs, gathered rows, row pointers, a row of zeros, a tile of sums.
  DimExpr packedBytes() const;
  DimExpr gatherBytes() const;
  DimExpr pointerBytes() const;
  DimExpr zeroBytes() const;
  DimExpr sumBytes() const;
};

/// nullopt when the kernel is not in canonical form.
std::optional<ContractionKernel> readContraction(KernelOp kernel);
KernelSchedule scheduleContraction(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_CONTRACTION_H
