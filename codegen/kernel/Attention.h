//===- Attention.h - Attention in one kernel --------------------*- C++ -*-===//
//
// A tile is 32 queries of one head. Queries lie in the lanes, so that scores, maxima and sums need no
// operation across lanes, and keys and values are read where they are, without packing:
//
//   q^T [D][16]             the tile's queries, transposed and scaled, in scratch
//   s   [T][16] = k q^T     broadcast elements of k times vectors of queries
//   p   = exp(s - max s)    down the columns
//   y^T [E][16] = v^T p     broadcast elements of v times vectors of p, then divided by the sum and transposed
//
// Operands may be bf16, under casts to f32. Where the op allows it (kRoundsProbabilities), AMX's tiles then compute both
// products, with p rounded to bf16, too: rows of k are tiles as they lie in memory, v is transposed into scratch.
//
// Operands may be codes of 8 bits, too (AttentionCodes.h).
//
// Source: Dao et al., "FlashAttention" (2022), for keeping scores out of memory; they stay in L2 here, since a row of
// all keys is small for the lengths that CPUs serve.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_ATTENTION_H
#define OPTC_CODEGEN_KERNEL_ATTENTION_H

#include "codegen/kernel/AttentionCodes.h"
#include "codegen/kernel/Kernel.h"
#include "codegen/kernel/StridedView.h"

namespace optc {

/// Queries of a tile; of one of work for AMX's tiles, which share v.
constexpr int64_t kAttentionQueries = 32, kAttentionBlock = 128;
/// Keys that a step of AMX's tiles takes, of bf16 and of bytes.
constexpr int64_t kAttentionKeys = 32, kAttentionByteKeys = 64;
/// A unit attribute of an attention op whose probabilities may be rounded to bf16.
inline constexpr llvm::StringLiteral kRoundsProbabilities = "optc.rounds_probabilities";

/// What GPUs compute as one, where q, k and v are 16-bit floats: heads of at most 128, multiples of 8, and no soft cap.
bool fitsFlash(AttentionOp op);

struct AttentionKernel {
  AttentionOp op;
  StridedView q, k, v;        // [B, H, S, D], [B, G, T, D], [B, G, T, E]
  StridedView y;              // strides of the result as [B, H, S, E]; no base
  mlir::BlockArgument mask;   // [B|1, H|1, S|1, T|1], or null
  DimExpr batch, heads, groups, queries, keys, depth, width;
  mlir::Type element;         // of q, k and v: f32 or bf16, or a byte
  /// Where they are codes.
  std::optional<std::array<AttentionCodes, 3>> codes;
  /// AMX's tiles may compute it.
  bool fitsTiles = false;
  /// The mask differs between queries.
  bool hasQueryMask() const;

  /// Blocks of queries share what is made of k and v.
  bool sharesKeys() const { return fitsTiles || codes; }
  int64_t blockQueries() const { return sharesKeys() ? kAttentionBlock : kAttentionQueries; }
  DimExpr queryBlocks() const { return DimExpr::ceildiv(queries, blockQueries()); }
  // Scratch in floats, each for all queries of a tile.
  DimExpr queryFloats() const { return depth * DimExpr(kAttentionQueries); }
  DimExpr scoreFloats() const { return (fitsTiles ? paddedKeys() : keys) * DimExpr(kAttentionQueries); }
  DimExpr resultFloats() const { return width * DimExpr(kAttentionQueries); }
  // Of tiles: rows of zeros that fill the last step; probabilities, v and results (of two panels together), a mask, the tiles' shapes.
  int64_t stepKeys() const { return codes ? kAttentionByteKeys : kAttentionKeys; }
  DimExpr paddedKeys() const { return DimExpr::ceildiv(keys, stepKeys()) * DimExpr(stepKeys()); }
  DimExpr probabilityFloats() const { return DimExpr::ceildiv(keys, kAttentionKeys) * DimExpr(kAttentionKeys * kAttentionQueries / 2); }
  DimExpr valueFloats() const { return DimExpr::ceildiv(keys, kAttentionKeys) * width * DimExpr(kAttentionKeys / 2); }
  DimExpr maskFloats() const { return hasQueryMask() ? keys * DimExpr(kAttentionQueries) : DimExpr(0); }
  DimExpr tileFloats() const { return probabilityFloats() + valueFloats() + resultFloats() + maskFloats() + DimExpr(16); }
};

/// nullopt when the kernel's region is not attention with movement around it.
std::optional<AttentionKernel> readAttention(KernelOp kernel);
KernelSchedule scheduleAttention(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_ATTENTION_H
