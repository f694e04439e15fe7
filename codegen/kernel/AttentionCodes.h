//===- AttentionCodes.h - Attention on codes of 8 bits ----------*- C++ -*-===//
//
//   attention (dequantize %q), (dequantize %k), (dequantize %v) {optc.probability_steps = 255}
//
// Both products are of bytes with sums in i32, one of them unsigned and one signed, as instructions have it:
//
//   sum_d (k - zk) (q - zq)  =  sum_d k q  -  zk sum_d q  -  zq sum_d k  +  D zk zq          times a scale: the score
//   c[t] = round(255 exp(s[t] - max s))                                                       in 0 .. 255
//   y[e] = sv (sum_t c[t] v[t][e] / sum_t c[t]  -  zv)
//
// The weights c / sum c sum up to 1, so that an error of rounding is one of the difference between a value and the result.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_CODEGEN_KERNEL_ATTENTIONCODES_H
#define OPTC_CODEGEN_KERNEL_ATTENTIONCODES_H

#include "ir/Dialect.h"
#include "llvm/ADT/SmallVector.h"
#include <array>
#include <optional>

namespace optc {

struct AttentionKernel;

/// An integer attribute of an attention op: the exponentials exp(s - max s) are rounded to multiples of its inverse, and the result
/// is divided by the sum of what was rounded. It is part of what the op means (runtime/reference).
inline constexpr llvm::StringLiteral kProbabilitySteps = "optc.probability_steps";
constexpr int64_t kProbabilityCodes = 255;

/// An operand: (code - zero) * scale.
struct AttentionCodes {
  mlir::Value codes;
  double scale = 1;
  int64_t zero = 0;
  bool isUnsigned = false;
};
/// What an operand is dequantised from, with one constant scale and zero point; nullopt for other values.
std::optional<AttentionCodes> codesUnder(mlir::Value operand);

/// True where heads are groups of four codes and values fill panels.
bool fitsByteAttention(AttentionOp op);
/// Those of q, k and v where kernels of kind "attention" compute on them: the op has the steps above and fits, and the codes of a row lie side by
/// side.
std::optional<std::array<AttentionCodes, 3>> attentionCodes(AttentionOp op);

/// Parts of scratch, in the order of their bytes.
enum class ByteRegion {
  queries,       // [panels][D/4][16][4]: of 32 queries, with the other sign than keys
  row, panel,    // k's zero point D times (i8 or i16); q's as a panel
  keyTerms,      // [T][16]: zq * sum_d k, in i32
  wideKeys,      // [T][D], i16: where rows of products are
  values,        // [E][T], signed
  wideValues,    // the same, i16
  scores,        // [T][panels][16], i32
  mask,          // [panels][T][16], f32
  probabilities, // [panels][T/4][16][4], unsigned
  sums, results, // [E][panels][16], i32; [panels][E][16], f32
  shapes,        // of AMX's tiles
  end,
};
/// Where a part begins; that of `end` is the size of all.
DimExpr byteOffset(const AttentionKernel &a, ByteRegion region);

} // namespace optc

#endif // OPTC_CODEGEN_KERNEL_ATTENTIONCODES_H
