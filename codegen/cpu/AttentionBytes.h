//===- AttentionBytes.h - Attention on codes of 8 bits ----------*- C++ -*-===//
//
//   for tile in [begin, end)                 tile -> (batch, head, 128 queries)
//     values[e][t] = v^T                      signed; where products take rows of 16 bits, these of k and v
//     for each group of panels of 16 queries
//       queries[d/4][16][4]                   of the other sign than k
//       scores[t][panels][16] = k queries     AMX's tiles, or ByteTile: in i32
//       c[t/4][16][4] = round(255 exp(s - max s)), s = scale * (scores less what zero points add, limited and masked)
//       y = (values c / sum c - zero point)^T * scale
//
// Source: as codegen/kernel/Attention.h; what is computed is in codegen/kernel/AttentionCodes.h.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_CPU_ATTENTIONBYTES_H
#define OPTC_CODEGEN_CPU_ATTENTIONBYTES_H

#include "codegen/cpu/KernelFunction.h"
#include "codegen/kernel/Attention.h"

namespace optc {

/// The body of a kernel whose operands are codes.
void emitByteAttention(KernelFunction &f, const AttentionKernel &a);

} // namespace optc

#endif // OPTC_CODEGEN_CPU_ATTENTIONBYTES_H
