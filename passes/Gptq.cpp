//===- Gptq.cpp - Rounding weights by what their inputs are ---------------===//

#include "passes/Gptq.h"
#include "passes/Accumulate.h"
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>

using namespace mlir;
using namespace optc;

namespace {

/// Columns that are rounded together, by one thread: their part of a layer stays in a core's cache.
constexpr int64_t kColumns = 128;
/// Columns of H that are factorised together.
constexpr int64_t kPanelColumns = 64;

/// work(i) for i < count. What it computes must not depend on the thread.
void inParallel(int64_t count, unsigned threads, llvm::function_ref<void(int64_t)> work) {
  std::atomic<int64_t> next{0};
  auto run = [&] {
    for (int64_t i = next++; i < count; i = next++)
      work(i);
  };
  std::vector<std::thread> others;
  for (unsigned t = 1; t < std::min<int64_t>(threads, count); ++t)
    others.emplace_back(run);
  run();
  for (std::thread &thread : others)
    thread.join();
}

/// L and D of A = L D L^T in place of A's lower triangle, [k, ld]; false where A is not positive definite.
bool factorise(std::vector<float> &a, std::vector<float> &d, int64_t k, int64_t ld, unsigned threads) {
  std::vector<float> scaled(kPanelColumns * ld); // [column of the panel][row]
  for (int64_t begin = 0; begin < k; begin += kPanelColumns) {
    int64_t end = std::min(k, begin + kPanelColumns);
    for (int64_t c = begin; c < end; ++c) {
      float *row = a.data() + c * ld;
      double pivot = row[c];
      for (int64_t m = begin; m < c; ++m)
        pivot -= double(row[m]) * row[m] * d[m];
      if (!(pivot > 0))
        return false;
      d[c] = float(pivot);
      for (int64_t i = c + 1; i < k; ++i) {
        float *other = a.data() + i * ld;
        double x = other[c];
        for (int64_t m = begin; m < c; ++m)
          x -= double(other[m]) * row[m] * d[m];
        other[c] = float(x / pivot);
      }
    }
    for (int64_t i = end; i < k; ++i)
      for (int64_t m = begin; m < end; ++m)
        scaled[(m - begin) * ld + i] = -a[i * ld + m] * d[m];
    constexpr int64_t kRows = 48;
    inParallel((k - end + kRows - 1) / kRows, threads, [&](int64_t t) {
      int64_t first = end + t * kRows, rows = std::min(kRows, k - first), columns = (first + rows - end + 15) / 16 * 16;
      accumulate(a.data() + first * ld + end, ld, rows, columns, a.data() + first * ld + begin, ld, 1, scaled.data() + end, ld, end - begin);
    });
  }
  return true;
}

/// A group of columns of a matrix [k, n], in the factors' order: [k, kColumns], zeros beyond n.
std::vector<float> gather(ArrayRef<float> w, int64_t n, const InputFactors &f, int64_t first) {
  std::vector<float> out(f.size() * kColumns);
  for (int64_t p = 0; p < f.size(); ++p)
    std::copy_n(w.data() + f.order[p] * n + first, std::min(kColumns, n - first), out.data() + p * kColumns);
  return out;
}

int64_t strideOf(int64_t k) { return (k + 15) / 16 * 16; }

double squares(const std::vector<float> &x) {
  double sum = 0;
  for (float v : x)
    sum += double(v) * v;
  return sum;
}

/// sum over columns of x^T H x, less what damping adds.
double energy(const std::vector<float> &x, const InputFactors &f) {
  int64_t ld = strideOf(f.size());
  std::vector<float> sums = x;
  double total = 0;
  for (size_t g = f.begins.size() - 1; g-- > 0;) {
    int64_t begin = f.begins[g], end = f.begins[g + 1];
    for (int64_t p = end; p-- > begin;) {
      accumulate(sums.data() + begin * kColumns, kColumns, p - begin, kColumns, f.lower.data() + p * ld + begin, 1, 0, x.data() + p * kColumns, kColumns, 1);
      for (int64_t c = 0; c < kColumns; ++c)
        total += double(f.d[p]) * sums[p * kColumns + c] * sums[p * kColumns + c];
    }
    accumulate(sums.data(), kColumns, begin, kColumns, f.lower.data() + begin * ld, 1, ld, x.data() + begin * kColumns, kColumns, end - begin);
  }
  return std::max(0.0, total - f.damping * squares(x));
}

double decibelsOf(double signal, double noise) { return 10 * std::log10(std::max(signal, 1e-300) / std::max(noise, 1e-300)); }

/// Rounds one group of columns.
class ColumnRounding {
public:
  ColumnRounding(const InputFactors &f, int64_t bits, int64_t block, bool zeros, BlockCodes &out) : f(f), block(block), search(bits, zeros), out(out) {}

  /// The error of the results.
  double round(ArrayRef<float> w, int64_t first) {
    original = gather(w, out.n, f, first);
    wanted = original;
    errors.resize(original.size());
    width = std::min(kColumns, out.n - first);
    int64_t ld = strideOf(f.size());
    double noise = 0;
    for (size_t g = f.begins.size() - 1; g-- > 0;) {
      int64_t begin = f.begins[g], end = f.begins[g + 1];
      chooseScales(begin, end, first);
      for (int64_t p = end; p-- > begin;) {
        noise += roundRow(p, first);
        accumulate(wanted.data() + begin * kColumns, kColumns, p - begin, kColumns, f.lower.data() + p * ld + begin, 1, 0, errors.data() + p * kColumns,
                   kColumns, 1);
      }
      accumulate(wanted.data(), kColumns, begin, kColumns, f.lower.data() + begin * ld, 1, ld, errors.data() + begin * kColumns, kColumns, end - begin);
    }
    return std::max(0.0, noise - f.damping * squares(errors));
  }
  double signal() const { return energy(original, f); }

private:
  void chooseScales(int64_t begin, int64_t end, int64_t first) {
    int64_t at = f.order[begin] / block * out.n + first;
    search.importance.assign(f.d.begin() + begin, f.d.begin() + end);
    search.values.resize(end - begin);
    for (int64_t c = 0; c < width; ++c) {
      for (int64_t p = begin; p < end; ++p)
        search.values[p - begin] = wanted[p * kColumns + c];
      double error;
      scales[c] = search.best(error);
      out.scales[at + c] = scales[c].scale;
      if (!out.zeros.empty())
        out.zeros[at + c] = scales[c].zero;
    }
  }
  double roundRow(int64_t p, int64_t first) {
    double noise = 0;
    for (int64_t c = 0; c < width; ++c) {
      float code = search.code(wanted[p * kColumns + c], scales[c]), rounded = (code - float(scales[c].zero)) * scales[c].scale;
      double off = wanted[p * kColumns + c] - rounded;
      noise += off * off;
      errors[p * kColumns + c] = original[p * kColumns + c] - rounded;
      out.codes[f.order[p] * out.n + first + c] = int8_t(code);
    }
    return noise * f.d[p];
  }

  const InputFactors &f;
  int64_t block, width = 0;
  BlockSearch search;
  BlockCodes &out;
  std::vector<float> original, wanted, errors; // [k, kColumns]
  BlockScale scales[kColumns];
};

} // namespace

std::optional<InputFactors> InputFactors::of(ArrayRef<float> hessian, int64_t k, int64_t block, unsigned threads, double share) {
  InputFactors f;
  double mean = 0;
  for (int64_t i = 0; i < k; ++i)
    mean += hessian[i * k + i] / double(k);
  if (!std::isfinite(mean))
    return std::nullopt;
  // Blocks, and rows in them, by how much their inputs are; the numbers decide between equals.
  auto byDiagonal = [&](int64_t i, int64_t j) { return std::pair(hessian[i * k + i], j) < std::pair(hessian[j * k + j], i); };
  int64_t blocks = (k + block - 1) / block;
  std::vector<double> weight(blocks);
  for (int64_t i = 0; i < k; ++i)
    weight[i / block] += hessian[i * k + i];
  for (int64_t b = 0; b < blocks; ++b)
    weight[b] /= double(std::min(k, (b + 1) * block) - b * block);
  std::vector<int64_t> blockOrder(blocks);
  std::iota(blockOrder.begin(), blockOrder.end(), 0);
  llvm::sort(blockOrder, [&](int64_t a, int64_t b) { return std::pair(weight[a], b) < std::pair(weight[b], a); });
  for (int64_t b : blockOrder) {
    f.begins.push_back(int64_t(f.order.size()));
    for (int64_t i = b * block; i < std::min(k, (b + 1) * block); ++i)
      f.order.push_back(i);
    llvm::sort(f.order.begin() + f.begins.back(), f.order.end(), byDiagonal);
  }
  f.begins.push_back(k);

  int64_t ld = strideOf(k);
  f.d.resize(k);
  for (; share < 1000; share *= 10) {
    f.damping = share * (mean > 0 ? mean : 1);
    f.lower.assign(k * ld, 0);
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t q = 0; q <= p; ++q)
        f.lower[p * ld + q] = hessian[f.order[p] * k + f.order[q]];
      f.lower[p * ld + p] += float(f.damping);
    }
    if (factorise(f.lower, f.d, k, ld, threads))
      return f;
  }
  return std::nullopt;
}

double optc::chooseDamping(ArrayRef<float> w, int64_t k, int64_t n, ArrayRef<float> fitted, ArrayRef<float> others, int64_t bits, int64_t block,
                           unsigned threads) {
  double best = 0.01, least = INFINITY;
  int64_t columns = std::min(n, kColumns), ld = strideOf(columns);
  std::vector<float> some(k * columns), error(k * ld);
  for (int64_t i = 0; i < k; ++i)
    std::copy_n(w.data() + i * n, columns, some.data() + i * columns);
  for (double share : {0.01, 0.1, 1.0}) {
    auto factors = InputFactors::of(fitted, k, block, threads, share);
    auto rounded = factors ? roundByInputs(some, columns, *factors, bits, block, threads) : std::nullopt;
    if (!rounded)
      continue;
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < columns; ++j)
        error[i * ld + j] = some[i * columns + j] - valueOf(rounded->codes, i, j);
    std::vector<float> product(k * ld);
    accumulate(product.data(), ld, k, ld, others.data(), k, 1, error.data(), ld, k);
    double noise = 0;
    for (int64_t i = 0; i < k * ld; ++i)
      noise += double(product[i]) * error[i];
    if (noise < least) {
      least = noise;
      best = share;
    }
  }
  return best;
}

std::optional<GptqResult> optc::roundByInputs(ArrayRef<float> w, int64_t n, const InputFactors &factors, int64_t bits, int64_t block, unsigned threads) {
  // Whether there are zero points is decided as without data.
  auto nearest = quantizeBlocks(w, factors.size(), n, bits, block);
  if (!nearest)
    return std::nullopt;
  GptqResult result{std::move(*nearest), 0};
  int64_t groups = (n + kColumns - 1) / kColumns;
  std::vector<double> signal(groups), noise(groups);
  inParallel(groups, threads, [&](int64_t g) {
    ColumnRounding columns(factors, bits, block, !result.codes.zeros.empty(), result.codes);
    noise[g] = columns.round(w, g * kColumns);
    signal[g] = columns.signal();
  });
  result.decibels = decibelsOf(std::accumulate(signal.begin(), signal.end(), 0.0), std::accumulate(noise.begin(), noise.end(), 0.0));
  return result;
}
