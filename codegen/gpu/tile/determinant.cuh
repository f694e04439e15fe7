//===- determinant.cuh - Determinants of matrices ---------------*- CUDA -*-===//
//
// Gaussian elimination with partial pivoting in double: a block takes matrices x [count, n, n] in turn, its threads share the rows.
//
// The launch: 256 threads. The workspace has a matrix for each block.
//
//===----------------------------------------------------------------------===//

struct MatricesShape {
  i64 count, n;
};

template <typename T> struct Determinant {
  static constexpr int kThreads = 256;

  /// The row from c on that has the largest element of column c, the first of these.
  static __device__ i64 pivotOf(const double *a, i64 n, i64 c) {
    __shared__ double largest[kThreads];
    __shared__ i64 rows[kThreads];
    const int thread = int(threadIdx.x);
    double own = -1;
    i64 row = c;
    for (i64 r = c + thread; r < n; r += kThreads)
      if (const double v = fabs(a[r * n + c]); v > own) {
        own = v;
        row = r;
      }
    largest[thread] = own;
    rows[thread] = row;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      if (thread < half) {
        const double other = largest[thread + half];
        if (other > largest[thread] || (other == largest[thread] && rows[thread + half] < rows[thread])) {
          largest[thread] = other;
          rows[thread] = rows[thread + half];
        }
      }
      __syncthreads();
    }
    const i64 pivot = rows[0];
    __syncthreads(); // all have read it
    return pivot;
  }

  static __device__ void run(const MatricesShape &s, const T *x, T *y, i8 *workspace) {
    const i64 n = s.n;
    double *a = reinterpret_cast<double *>(workspace) + i64(blockIdx.x) * n * n;
    const int thread = int(threadIdx.x);
    for (i64 matrix = int(blockIdx.x); matrix < s.count; matrix += int(gridDim.x)) {
      for (i64 i = thread; i < n * n; i += kThreads)
        a[i] = sample_value(x[matrix * n * n + i]);
      __syncthreads();
      double result = 1;
      for (i64 c = 0; c < n && result != 0; ++c) {
        const bool isNan = is_nan(a[c * n + c]); // nothing is larger
        const i64 pivot = isNan ? c : pivotOf(a, n, c), below = n - c - 1;
        if (pivot != c) {
          for (i64 i = c + thread; i < n; i += kThreads) {
            const double other = a[pivot * n + i];
            a[pivot * n + i] = a[c * n + i];
            a[c * n + i] = other;
          }
          result = -result;
          __syncthreads();
        }
        const double first = a[c * n + c];
        result = first == 0 ? 0 : result * first;
        for (i64 i = thread; result != 0 && i < below * below; i += kThreads) {
          const i64 r = c + 1 + i / below, column = c + 1 + i % below;
          a[r * n + column] -= a[r * n + c] / first * a[c * n + column];
        }
        __syncthreads();
      }
      if (thread == 0)
        y[matrix] = sampled<T>(result);
      __syncthreads(); // the matrix is the next one's
    }
  }
};
