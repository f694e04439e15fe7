//===- Accumulate.cpp - Matrix products inside the compiler ---------------===//

#include "passes/Accumulate.h"

namespace {

/// 16 columns, wherever they lie.
typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));

struct Operands {
  float *c;
  int64_t ldc;
  const float *a;
  int64_t aRow, aDepth;
  const float *b;
  int64_t ldb, depth;
};

/// A tile of rows and vectors in registers.
template <int kRows, int kVectors> [[gnu::always_inline]] inline void tile(const Operands &o, int64_t row, int64_t column) {
  Vector acc[kRows][kVectors];
  float *c = o.c + row * o.ldc + column;
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      acc[r][v] = *reinterpret_cast<const Vector *>(c + r * o.ldc + 16 * v);
  const float *a = o.a + row * o.aRow, *b = o.b + column;
  for (int64_t m = 0; m < o.depth; ++m)
    for (int v = 0; v < kVectors; ++v) {
      Vector x = *reinterpret_cast<const Vector *>(b + m * o.ldb + 16 * v);
      for (int r = 0; r < kRows; ++r)
        acc[r][v] += a[r * o.aRow + m * o.aDepth] * x;
    }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      *reinterpret_cast<Vector *>(c + r * o.ldc + 16 * v) = acc[r][v];
}

template <int kRows, int kVectors> [[gnu::always_inline]] inline void tiles(const Operands &o, int64_t rows, int64_t columns) {
  for (int64_t column = 0; column < columns;) {
    bool wide = columns - column >= 16 * kVectors;
    int64_t row = 0;
    for (; row + kRows <= rows; row += kRows)
      wide ? tile<kRows, kVectors>(o, row, column) : tile<kRows, 1>(o, row, column);
    for (; row < rows; ++row)
      wide ? tile<1, kVectors>(o, row, column) : tile<1, 1>(o, row, column);
    column += wide ? 16 * kVectors : 16;
  }
}

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512vl,fma")]] void tiles512(const Operands &o, int64_t rows, int64_t columns) { tiles<6, 4>(o, rows, columns); }
[[gnu::target("arch=x86-64-v3")]] void tiles256(const Operands &o, int64_t rows, int64_t columns) { tiles<2, 2>(o, rows, columns); }
#endif

} // namespace

void optc::accumulate(float *c, int64_t ldc, int64_t rows, int64_t columns, const float *a, int64_t aRow, int64_t aDepth, const float *b,
                      int64_t ldb, int64_t depth) {
  Operands o{c, ldc, a, aRow, aDepth, b, ldb, depth};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4"))
    return tiles512(o, rows, columns);
  if (__builtin_cpu_supports("x86-64-v3"))
    return tiles256(o, rows, columns);
#endif
  tiles<1, 2>(o, rows, columns);
}
