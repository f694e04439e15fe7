//===- mel.cuh - Triangles on the mel scale ---------------------*- CUDA -*-===//
//
// y [rows, bins]: rows of a spectrum are summed up with the weights of a column, which rise from the column's corner to the next one's and fall to that
// after it. Corners lie between two frequencies, as far from each other on the mel scale, each rounded down to a row. All of it in double.
//
// The launch: 256 threads, each for 16 rows of a column; neighbours are in neighbouring columns. One thread at least, which looks at the operands.
//
//===----------------------------------------------------------------------===//

struct MelShape {
  i64 rows, bins, length; // rows: length / 2 + 1
};

/// `rate`: samples a second. `error` becomes 1 where an operand is out of range, or a corner is beyond the spectrum.
template <typename T, typename R, typename F> struct MelWeightMatrix {
  static constexpr i64 kRows = 16;

  static constexpr double kLn10 = 2.30258509299404568402;
  static __device__ double mel(double hertz) { return 2595 * log1p(hertz / 700) / kLn10; }

  static __device__ void run(const MelShape &s, const R *rate, const F *lower, const F *upper, T *y, int *error) {
    const double perSecond = double(*rate), low = sample_value(*lower), high = sample_value(*upper);
    if (s.bins > 1 << 20 || s.length < 0 || s.length > 1 << 28 || !(perSecond >= 1) || !(low >= 0 && high >= low && high < 1e9)) {
      *error = 1;
      return;
    }
    const i64 thread = thread_in_grid(), column = thread % maximum(s.bins, i64(1)), first = thread / maximum(s.bins, i64(1)) * kRows;
    if (column >= s.bins || first >= s.rows)
      return;
    const double lowest = mel(low), step = (mel(high) - lowest) / double(s.bins + 2);
    auto corner = [&](i64 i) {
      const double hertz = 700 * expm1((rounded_product(double(i), step) + lowest) / 2595 * kLn10);
      return i64(floor(double(s.length + 1) * hertz / perSecond));
    };
    const i64 left = corner(column), peak = corner(column + 1), right = corner(column + 2);
    if (right > s.rows) {
      *error = 1;
      return;
    }
    for (i64 row = first; row < minimum(first + kRows, s.rows); ++row) {
      double weight = 0;
      if (row >= peak && row < right)
        weight = double(right - row) / double(right - peak);
      else if (row >= left && row <= peak)
        weight = left == peak ? 1 : double(row - left) / double(peak - left);
      y[row * s.bins + column] = sampled<T>(weight);
    }
  }
};
