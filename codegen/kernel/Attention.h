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
// Source: Dao et al., "FlashAttention" (2022), for keeping scores out of memory; they stay in L2 here, since a row of
// all keys is small for the lengths that CPUs serve.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_ATTENTION_H
#define OPTC_CODEGEN_KERNEL_ATTENTION_H

#include "codegen/kernel/Kernel.h"
#include "codegen/kernel/StridedView.h"

namespace optc {

/// Queries of a tile.
constexpr int64_t kAttentionQueries = 32;

struct AttentionKernel {
  AttentionOp op;
  StridedView q, k, v;        // [B, H, S, D], [B, G, T, D], [B, G, T, E]
  StridedView y;              // strides of the result as [B, H, S, E]; no base
  mlir::BlockArgument mask;   // [B|1, H|1, S|1, T|1], or null
  DimExpr batch, heads, groups, queries, keys, depth, width;

  DimExpr queryBlocks() const { return DimExpr::ceildiv(queries, kAttentionQueries); }
  // Scratch in floats, each for all queries of a tile.
  DimExpr queryFloats() const { return depth * DimExpr(kAttentionQueries); }
  DimExpr scoreFloats() const { return keys * DimExpr(kAttentionQueries); }
  DimExpr resultFloats() const { return width * DimExpr(kAttentionQueries); }
};

/// nullopt when the kernel's region is not attention with movement around it.
std::optional<AttentionKernel> readAttention(KernelOp kernel);
KernelSchedule scheduleAttention(KernelOp kernel);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_ATTENTION_H
