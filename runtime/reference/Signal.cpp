//===- Signal.cpp - dft, random -------------------------------------------===//
//
// Fourier transforms of any length (radix 2, and Bluestein's algorithm for lengths that are no power of two),
// and random numbers by counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", Philox
// 4x32-10).
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <bit>
#include <cmath>

using namespace optc;

//===----------------------------------------------------------------------===//
// dft
//===----------------------------------------------------------------------===//

namespace {
struct Complex {
  double re = 0, im = 0;
  Complex operator+(Complex o) const { return {re + o.re, im + o.im}; }
  Complex operator-(Complex o) const { return {re - o.re, im - o.im}; }
  Complex operator*(Complex o) const { return {re * o.re - im * o.im, re * o.im + im * o.re}; }
  Complex conjugate() const { return {re, -im}; }
};
} // namespace

/// exp(i pi * numerator / denominator).
static Complex unit(double numerator, double denominator) {
  double angle = M_PI * numerator / denominator;
  return {std::cos(angle), std::sin(angle)};
}

/// In place, forward (exponent -i); the length is a power of two.
static void transformPowerOfTwo(std::vector<Complex> &a) {
  size_t n = a.size();
  for (size_t i = 1, j = 0; i < n; ++i) {
    size_t bit = n >> 1;
    for (; j & bit; bit >>= 1)
      j ^= bit;
    j |= bit;
    if (i < j)
      std::swap(a[i], a[j]);
  }
  std::vector<Complex> roots(n / 2);
  for (size_t i = 0; i < roots.size(); ++i)
    roots[i] = unit(-2.0 * double(i), double(n));
  for (size_t half = 1; half < n; half *= 2)
    for (size_t begin = 0; begin < n; begin += 2 * half)
      for (size_t k = 0; k < half; ++k) {
        Complex even = a[begin + k], odd = a[begin + k + half] * roots[k * (n / (2 * half))];
        a[begin + k] = even + odd;
        a[begin + k + half] = even - odd;
      }
}

static void transform(std::vector<Complex> &a) {
  size_t n = a.size();
  if (n <= 1 || std::has_single_bit(n))
    return n > 1 ? transformPowerOfTwo(a) : void();
  // Bluestein: the transform as a convolution with a chirp, of a length that is a power of two.
  size_t m = std::bit_ceil(2 * n - 1);
  std::vector<Complex> chirp(n), left(m), right(m);
  for (size_t i = 0; i < n; ++i)
    chirp[i] = unit(-double(uint64_t(i) * i % (2 * n)), double(n));
  for (size_t i = 0; i < n; ++i) {
    left[i] = a[i] * chirp[i];
    right[i] = chirp[i].conjugate();
    if (i)
      right[m - i] = right[i];
  }
  transformPowerOfTwo(left);
  transformPowerOfTwo(right);
  for (size_t i = 0; i < m; ++i)
    left[i] = (left[i] * right[i]).conjugate(); // conjugated: the inverse is a forward transform
  transformPowerOfTwo(left);
  for (size_t i = 0; i < n; ++i)
    a[i] = Complex{left[i].re / double(m), -left[i].im / double(m)} * chirp[i];
}

static Status dft(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  if (classOf(x.type) != Class::f64)
    return unsupported("dft", x.type);
  OPTC_TRY(call.allocate(0));
  Value &y = call.outputs[0];
  int64_t axis = call.attributes.integer("axis"), rank = x.rank();
  OPTC_TRY(expectRank(y, rank, "the result"));
  OPTC_TRY(expectAxis(axis, rank - 1));
  int64_t parts = x.dims.back(), outParts = y.dims.back();
  if (parts < 1 || parts > 2 || outParts < 1 || outParts > 2)
    return Status::error("the last dim must hold one or two parts");
  for (int64_t d = 0; d + 1 < rank; ++d)
    if (d != axis && x.dims[size_t(d)] != y.dims[size_t(d)])
      return Status::error("operand " + shapeText(x.dims) + " and result " + shapeText(y.dims) +
                           " differ in dim " + std::to_string(d));
  bool inverse = call.attributes.integer("inverse"), onesided = call.attributes.integer("onesided");
  const auto &given = call.attributes.integers("length");
  int64_t n = given.size() == 1     ? given[0]
              : inverse && onesided ? y.dims[size_t(axis)]
                                    : x.dims[size_t(axis)];
  int64_t bins = onesided && !inverse ? n / 2 + 1 : n;
  if (n < 1 || n > int64_t(1) << 32 || y.dims[size_t(axis)] != bins)
    return Status::error("a transform of length " + std::to_string(n) + " does not give " +
                         std::to_string(y.dims[size_t(axis)]) + " bins");
  if (y.size() == 0)
    return Status::success();
  AxisView from(std::span<const int64_t>(x.dims).first(size_t(rank - 1)), axis);
  std::vector<double> in = loadAll<double>(x), out(size_t(y.size()));
  std::vector<Complex> line(static_cast<size_t>(n));
  int64_t present = std::min(n, from.n);
  for (int64_t o = 0; o < from.outer; ++o)
    for (int64_t i = 0; i < from.inner; ++i) {
      std::fill(line.begin(), line.end(), Complex{});
      for (int64_t k = 0; k < present; ++k) {
        const double *at = in.data() + ((o * from.n + k) * from.inner + i) * parts;
        line[size_t(k)] = {at[0], parts == 2 ? at[1] : 0};
      }
      if (inverse && onesided) // the other half mirrors the one given
        for (int64_t k = n / 2 + 1; k < n; ++k)
          line[size_t(k)] = line[size_t(n - k)].conjugate();
      if (inverse)
        for (Complex &v : line)
          v = v.conjugate();
      transform(line);
      for (int64_t k = 0; k < bins; ++k) {
        Complex v = line[size_t(k)];
        double *at = out.data() + ((o * bins + k) * from.inner + i) * outParts;
        at[0] = inverse ? v.re / double(n) : v.re;
        if (outParts == 2)
          at[1] = inverse ? -v.im / double(n) : v.im;
      }
    }
  storeAll(y, out);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// random
//===----------------------------------------------------------------------===//

void optc::philox(const uint32_t counter[4], uint64_t key, uint32_t out[4]) {
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]},
           k[2] = {uint32_t(key), uint32_t(key >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t p = uint64_t(0xD2511F53) * c[0], q = uint64_t(0xCD9E8D57) * c[2];
    uint32_t next[4] = {uint32_t(q >> 32) ^ c[1] ^ k[0], uint32_t(q), uint32_t(p >> 32) ^ c[3] ^ k[1],
                        uint32_t(p)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  std::copy(c, c + 4, out);
}

/// Elements 4i to 4i + 3 come from the block with counter (i, run), where `run` is the attribute `counter`:
/// how often the op ran before. The upper 24 bits of a word make a number in [0, 1) that f32 holds; normal
/// values are made two by two (Box and Muller).
static Status random(Call &call) {
  if (call.outputs.empty())
    return Status::error("no results");
  OPTC_TRY(call.allocate(0));
  Value &y = call.outputs[0];
  if (classOf(y.type) != Class::f64)
    return unsupported("random", y.type);
  bool normal = call.attributes.text("distribution") == "normal";
  double low = call.attributes.number("low"), high = call.attributes.number("high", 1);
  uint64_t seed = uint64_t(call.attributes.integer("seed")),
           run = uint64_t(call.attributes.integer("counter"));
  double block[kBlock];
  forBlocks(y.size(), [&](int64_t begin, int64_t n) {
    for (int64_t i = 0; i < n; i += 4) {
      uint64_t index = uint64_t(begin + i) / 4;
      uint32_t counter[4] = {uint32_t(index), uint32_t(index >> 32), uint32_t(run), uint32_t(run >> 32)},
               words[4];
      philox(counter, seed, words);
      double u[4], values[4];
      for (int k = 0; k < 4; ++k) {
        u[k] = double(words[k] >> 8) * 0x1p-24;
        values[k] = low + u[k] * (high - low);
      }
      for (int k = 0; normal && k < 4; k += 2) {
        double radius = std::sqrt(-2 * std::log(1 - u[k])), angle = 2 * M_PI * u[k + 1];
        values[k] = low + high * radius * std::cos(angle);
        values[k + 1] = low + high * radius * std::sin(angle);
      }
      std::copy(values, values + std::min<int64_t>(4, n - i), block + i);
    }
    store(y, begin, n, block);
  });
  return Status::success();
}

/// Triangles on the mel scale over the bins of a spectrum, with ONNX's rounding of their corners.
/// (https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html)
static Status melWeightMatrix(Call &call) {
  OPTC_TRY(expectTensors(call, 3));
  for (DType type : {call.in(0).type, call.in(1).type, call.in(2).type, call.outputs[0].type})
    if (classOf(type) == Class::object)
      return unsupported("mel_weight_matrix", type);
  OPTC_TRY(call.allocate(0));
  OPTC_TRY(expectRank(call.outputs[0], 2, "the result"));
  const auto &given = call.attributes.integers("length");
  int64_t length = given.size() == 1 ? given[0] : -1, bins = call.outputs[0].dims[1], rows = length / 2 + 1;
  double rate = scalar(call.in(0)), lower = scalar(call.in(1)), upper = scalar(call.in(2));
  if (bins > 1 << 20 || length < 0 || length > 1 << 28 || !(rate >= 1) || !(lower >= 0 && upper >= lower && upper < 1e9))
    return Status::error("the number of bins, the length, the rate or the frequencies are out of range");
  OPTC_TRY(expectShape(call.outputs[0], {rows, bins}, "the result"));
  auto mel = [](double hertz) { return 2595 * std::log1p(hertz / 700) / M_LN10; };
  double step = (mel(upper) - mel(lower)) / double(bins + 2);
  std::vector<int64_t> corners;
  for (int64_t i = 0; i < bins + 2; ++i) {
    double hertz = 700 * std::expm1((double(i) * step + mel(lower)) / 2595 * M_LN10);
    corners.push_back(int64_t(std::floor(double(length + 1) * hertz / rate)));
  }
  std::vector<double> out(static_cast<size_t>(rows * bins));
  for (int64_t i = 0; i < bins; ++i) {
    int64_t left = corners[size_t(i)], peak = corners[size_t(i + 1)], right = corners[size_t(i + 2)];
    if (right > rows)
      return Status::error("the upper frequency is beyond the spectrum");
    for (int64_t j = left; j <= peak && j < rows; ++j)
      out[size_t(j * bins + i)] = left == peak ? 1 : double(j - left) / double(peak - left);
    for (int64_t j = peak; j < right; ++j)
      out[size_t(j * bins + i)] = double(right - j) / double(right - peak);
  }
  storeAll(call.outputs[0], out);
  return Status::success();
}

void optc::registerSignal(ReferenceTable &table) {
  table["mel_weight_matrix"] = melWeightMatrix;
  table["dft"] = dft;
  table["random"] = random;
}
