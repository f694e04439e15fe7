//===- Accumulate.h - Matrix products inside the compiler -------*- C++ -*-===//
#ifndef OPTC_PASSES_ACCUMULATE_H
#define OPTC_PASSES_ACCUMULATE_H

#include <cstdint>

namespace optc {

/// c[r][x] += sum over m < depth of a[r * aRow + m * aDepth] * b[m][x], for rows r and columns x; `columns` is a multiple of 16, ldc
/// and ldb are elements from row to row. In the vectors that the CPU has; each sum goes by m.
void accumulate(float *c, int64_t ldc, int64_t rows, int64_t columns, const float *a, int64_t aRow, int64_t aDepth, const float *b,
                int64_t ldb, int64_t depth);

} // namespace optc

#endif // OPTC_PASSES_ACCUMULATE_H
