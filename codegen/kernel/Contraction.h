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
// Narrow operands, of 8 bits or bf16 (under a cast to f32), come in groups of 4 bytes, as instructions multiply them: panels
// [N/16][K/4][16][4] or [N/16][K/2][16][2], K padded with zeros (paddedBytes). A convolution's image is padded by a pad op with
// the zero point, where that is not 0.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_CONTRACTION_H
#define OPTC_CODEGEN_KERNEL_CONTRACTION_H

#include "codegen/kernel/BlockPanels.h"
#include "codegen/kernel/CompressedPanels.h"
#include "codegen/kernel/Kernel.h"
#include "codegen/kernel/SparseCodes.h"
#include "codegen/kernel/SparsePanels.h"

namespace optc {

/// Columns of a panel of packed weights, on every level.
constexpr int64_t kPanel = 16;
/// Output rows of one tile of work: at most so many, unless others are faster (Tiling.h).
constexpr int64_t kRowBlock = 84;
/// Panels that a tile of work may have: their sums fit the registers of one row.
constexpr int64_t kMostPanels = 8;
/// The tallest tile of registers of any level (rows).
constexpr int64_t kMaxTileRows = 14;
/// Rows and columns whose sums of narrow operands are in scratch together.
constexpr int64_t kByteTileRows = 32, kByteTileColumns = 32;
/// Rows of narrow operands of one tile of work: copied for it, or read where they are.
constexpr int64_t kCopiedRows = 64, kReadRows = 128;

/// The k of packed bytes: whole steps of a tile of at most 64 bytes, all of one size, a multiple of 4.
int64_t paddedBytes(int64_t k);
/// Bytes of a row that one step of a tile takes.
int64_t byteStep(int64_t k);

/// Rows of a product that reads its right operand once for all of them on a GPU: at most so many.
constexpr int64_t kGemvRows = 8;

/// A unit attribute of a contract or conv of f32 whose operands have been rounded to tf32: tensor cores compute it.
inline constexpr llvm::StringLiteral kTf32 = "optc.tf32";

/// A product of pixels and channels: a kernel of one tap, strides of 1, no padding.
bool isPointwise(ConvOp conv);

/// A channels-last convolution's result as [batch, pixels, channels]: its own for one spatial dim, else that of the reshape
/// which follows it. Null when there is none.
mlir::Value flatProduct(ConvOp conv);

/// How the tiles of a convolution of narrow operands lie in its image: neighbouring pixels of a row of the result are `stride` pixels
/// apart in the image under every tap. Sizes are known, runs are whole steps, spatial dims at most two.
struct ImageWindow {
  int64_t height, width, channels;       // of the image, channels in bytes
  int64_t outHeight, outWidth;           // of the result
  int64_t kernelHeight, kernelWidth;     // taps
  int64_t strideRow, stride, dilationRow, dilation;
  int64_t padRow, pad, padded;           // before rows and columns; columns with padding
  /// A padded copy of the rows is needed.
  bool copies;
  int64_t blockRows;                     // rows of the result that a tile of work has at most
  /// Bytes that a tile reads together: of one tap, or of all taps of a row of the window. Steps divide them.
  int64_t run, step;
  bool runIsRow;
  /// Rows of the image under so many rows of the result.
  int64_t imageRows(int64_t rows) const { return (rows - 1) * strideRow + dilationRow * (kernelHeight - 1) + 1; }
  int64_t blocks() const { return (outHeight + blockRows - 1) / blockRows; }
};

struct ContractionKernel {
  /// The contract or conv op.
  mlir::Operation *root = nullptr;
  /// The root's result as [batch, m, n] or [m, n]: what the epilogue starts from.
  mlir::Value product;
  mlir::BlockArgument lhs, rhs;
  bool packed = false;        // rhs: panels
  /// rhs: rows [n, K] for a GPU, K padded to 16 bytes (PackedWeights.h). k is that of a convolution's whole window then.
  bool inColumns = false;
  /// rhs: [n, k] that ordinary ops make of a table in few bits (CompressedRows.h); `rhs` is null then.
  bool unpacked = false;
  /// rhs: the values of two of four k's (SparseRows.h), and their positions; null where all are stored.
  mlir::BlockArgument positions;
  /// rhs: panels of fewer bits (rhs is then their words).
  std::optional<CompressedPanels> compressed;
  /// rhs: panels without zeros (rhs is then their values).
  std::optional<SparsePanels> sparse;
  /// rhs: panels without rows of zeros (rhs is then their blocks).
  std::optional<BlockPanels> blocks;
  /// rhs: panels of bytes without zeros (rhs is then their values).
  std::optional<SparseCodes> codes;
  bool rhsTransposed = false; // unpacked rhs is [b, n, k]
  bool isConv = false;
  bool batched = false; // product has rank 3
  bool rhsBatched = false;
  DimExpr batch = 1, m = 1, n = 1, k = 1; // k: of one tap; of narrow operands, in bytes
  int64_t taps = 1;
  /// conv: rows of all taps are copied together (im2col) and k counts them all. With few channels, of narrow operands, with blocks.
  bool gatherRows = false;
  /// conv: what lies before each spatial dim of the lhs, and its value, a pad op around it included.
  llvm::SmallVector<int64_t> padsLow;
  int64_t padValue = 0;
  /// conv of narrow operands: AMX's tiles may read the image where it is, or a padded copy of a few of its rows.
  std::optional<ImageWindow> image;
  /// Operands of 8 bits (lhs unsigned, rhs signed), summed in i32, or bf16, summed in f32.
  bool narrow = false, bfloat = false;
  /// Operands of f32 that are values of tf32 (kTf32).
  bool isTf32() const { return root->hasAttr(kTf32); }

  /// Panels that one tile of work covers: 2, or more where there are few rows, or where they are copied.
  int64_t panelsPerTile = 2;
  /// Rows of f32 that a tile of work covers at most.
  int64_t rowsPerBlock = kRowBlock;
  /// f32 by f32 that is stored as it is: the two above may be any (Tiling.h).
  bool isFreelyCut() const { return !narrow && !inColumns && !unpacked && !isCompressed() && !blocks && !gatherRows; }
  /// Compressed: false where there are always few rows, which dequantise in registers.
  bool isCompressed() const { return compressed || sparse; }
  bool mayUnpack() const { return isCompressed() && !(m.constant() && *m.constant() <= kDirectRows); }
  DimExpr rowBlocks() const;
  /// Rows of a block, in whole units: two numbers, equal or next to each other; none where the rows are not known.
  llvm::SmallVector<int64_t> blockHeights(int64_t unit = 1) const;
  DimExpr columnBlocks() const;
  DimExpr panels() const { return DimExpr::ceildiv(n, kPanel); }
  int64_t totalTaps() const { return gatherRows ? 1 : taps; }
  /// Narrow operands: the k of packed panels.
  DimExpr paddedK() const;

  // Scratch: packed rhs, gathered rows, row pointers, a row of zeros, a tile of sums.
  DimExpr packedBytes() const;
  DimExpr gatherBytes() const;
  DimExpr pointerBytes() const;
  DimExpr zeroBytes() const;
  DimExpr sumBytes() const;
  /// Narrow operands: rows of the lhs are copied, as taps are gathered or as they are shorter than a row of panels.
  bool copiesRows() const { return isConv || k != paddedK(); }
  /// Output rows that one tile of work covers at most.
  int64_t rowBlock() const { return !narrow ? rowsPerBlock : isConv ? kCopiedRows : kReadRows; }
};

/// Bytes of an element that a product reads as narrow operand; what is cast from bf16 has 2.
int64_t narrowBytes(mlir::Value operand);
/// Bytes in a row of panels for the taps of a row of a window of narrow operands: where they are few they are a step of their own,
/// and padded to whole groups of 4.
int64_t runBytes(ConvOp conv);

/// nullopt when the kernel is not in canonical form.
std::optional<ContractionKernel> readContraction(KernelOp kernel);
KernelSchedule scheduleContraction(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_CONTRACTION_H
