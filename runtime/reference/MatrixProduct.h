//===- MatrixProduct.h - c += a b on converted operands ---------*- C++ -*-===//
//
// The inner product of contract, convolutions and attention. Loops run i-k-j over blocks that stay in the
// caches; every element of c adds its products in the order of k. T is double, or uint64_t for all integers.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_MATRIXPRODUCT_H
#define OPTC_RUNTIME_REFERENCE_MATRIXPRODUCT_H

#include <algorithm>
#include <cstdint>

namespace optc {

/// c [m, n] += a [m, k] b [k, n], all row-major and dense.
template <typename T>
void multiplyAdd(const T *__restrict a, const T *__restrict b, T *__restrict c, int64_t m, int64_t k,
                 int64_t n) {
  constexpr int64_t columns = 512, depth = 64, rows = 4;
  for (int64_t j0 = 0; j0 < n; j0 += columns) {
    int64_t width = std::min(columns, n - j0);
    for (int64_t k0 = 0; k0 < k; k0 += depth) {
      int64_t k1 = std::min(k, k0 + depth);
      int64_t i = 0;
      for (; i + rows <= m; i += rows) {
        T *__restrict c0 = c + i * n + j0, *__restrict c1 = c0 + n, *__restrict c2 = c1 + n,
                      *__restrict c3 = c2 + n;
        for (int64_t l = k0; l < k1; ++l) {
          const T *__restrict row = b + l * n + j0;
          T a0 = a[i * k + l], a1 = a[(i + 1) * k + l], a2 = a[(i + 2) * k + l], a3 = a[(i + 3) * k + l];
          for (int64_t j = 0; j < width; ++j) {
            c0[j] += a0 * row[j];
            c1[j] += a1 * row[j];
            c2[j] += a2 * row[j];
            c3[j] += a3 * row[j];
          }
        }
      }
      for (; i < m; ++i)
        for (int64_t l = k0; l < k1; ++l) {
          const T *__restrict row = b + l * n + j0;
          T *__restrict out = c + i * n + j0, factor = a[i * k + l];
          for (int64_t j = 0; j < width; ++j)
            out[j] += factor * row[j];
        }
    }
  }
}

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_MATRIXPRODUCT_H
