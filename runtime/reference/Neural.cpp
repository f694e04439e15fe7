//===- Neural.cpp - softmax, normalize, attention, det --------------------===//

#include "runtime/reference/Blocks.h"
#include "runtime/reference/MatrixProduct.h"
#include <algorithm>
#include <cmath>

using namespace optc;

static Status expectFloats(const Call &call) {
  for (const Value *v : call.inputs)
    if (v && classOf(v->type) != Class::f64)
      return unsupported("this op", v->type);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// softmax
//===----------------------------------------------------------------------===//

/// In place over n elements `step` apart. A row of -inf only is NaN, as the formula has it.
static void softmaxRow(double *row, int64_t n, int64_t step, bool log) {
  double largest = -HUGE_VAL, sum = 0;
  for (int64_t i = 0; i < n; ++i)
    largest = row[i * step] > largest || row[i * step] != row[i * step] ? row[i * step] : largest;
  for (int64_t i = 0; i < n; ++i) {
    double shifted = row[i * step] - largest, e = std::exp(shifted);
    sum += e;
    row[i * step] = log ? shifted : e;
  }
  double logSum = std::log(sum);
  for (int64_t i = 0; i < n; ++i)
    row[i * step] = log ? row[i * step] - logSum : row[i * step] / sum;
}

static Status softmax(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  OPTC_TRY(expectFloats(call));
  const Value &x = call.in(0);
  int64_t axis = call.attributes.integer("axis");
  OPTC_TRY(expectAxis(axis, x.rank()));
  OPTC_TRY(call.allocate(0, x.dims));
  if (x.size() == 0)
    return Status::success();
  AxisView view(x.dims, axis);
  std::vector<double> block(size_t(view.n * view.inner));
  bool log = call.attributes.integer("log");
  for (int64_t o = 0; o < view.outer; ++o) {
    load(x, o * view.n * view.inner, view.n * view.inner, block.data());
    for (int64_t i = 0; i < view.inner; ++i)
      softmaxRow(block.data() + i, view.n, view.inner, log);
    store(call.outputs[0], o * view.n * view.inner, view.n * view.inner, block.data());
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// normalize
//===----------------------------------------------------------------------===//

static Status normalize(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  OPTC_TRY(expectFloats(call));
  const Value &x = call.in(0);
  int64_t axis = call.attributes.integer("axis");
  OPTC_TRY(expectAxis(axis, x.rank()));
  std::vector<int64_t> inner(x.dims.begin() + axis, x.dims.end());
  std::vector<double> scale, bias;
  if (call.has(1)) {
    OPTC_TRY(expectShape(call.in(1), inner, "scale"));
    scale = loadAll<double>(call.in(1));
  }
  if (call.has(2)) {
    OPTC_TRY(expectShape(call.in(2), inner, "bias"));
    bias = loadAll<double>(call.in(2));
  }
  OPTC_TRY(call.allocate(0, x.dims));
  if (x.size() == 0)
    return Status::success();
  bool centered = call.attributes.text("kind") != "rms";
  double epsilon = call.attributes.number("epsilon");
  std::vector<double> row(size_t(product(inner)));
  int64_t n = int64_t(row.size());
  for (int64_t begin = 0, size = x.size(); begin < size; begin += n) {
    load(x, begin, n, row.data());
    double mean = 0, square = 0;
    if (centered)
      for (double v : row)
        mean += v;
    mean /= double(n);
    for (double v : row)
      square += (v - mean) * (v - mean);
    double factor = 1 / std::sqrt(square / double(n) + epsilon);
    for (int64_t i = 0; i < n; ++i) {
      double v = (row[size_t(i)] - mean) * factor;
      row[size_t(i)] = (scale.empty() ? v : v * scale[size_t(i)]) + (bias.empty() ? 0 : bias[size_t(i)]);
    }
    store(call.outputs[0], begin, n, row.data());
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// attention
//===----------------------------------------------------------------------===//

/// exp(x - max x) as multiples of 1 / steps, over the sum of these.
static void steppedSoftmax(double *row, int64_t n, double steps) {
  double largest = -HUGE_VAL, sum = 0;
  for (int64_t i = 0; i < n; ++i)
    largest = row[i] > largest || row[i] != row[i] ? row[i] : largest;
  for (int64_t i = 0; i < n; ++i)
    sum += row[i] = std::nearbyint(steps * std::exp(row[i] - largest));
  for (int64_t i = 0; i < n; ++i)
    row[i] /= sum;
}

static Status attention(Call &call) {
  OPTC_TRY(expectTensors(call, 3));
  OPTC_TRY(expectFloats(call));
  const Value &q = call.in(0), &k = call.in(1), &v = call.in(2);
  OPTC_TRY(expectRank(q, 4, "q"));
  OPTC_TRY(expectRank(k, 4, "k"));
  OPTC_TRY(expectRank(v, 4, "v"));
  int64_t batches = q.dims[0], heads = q.dims[1], queries = q.dims[2], depth = q.dims[3];
  int64_t groups = k.dims[1], keys = k.dims[2], width = v.dims[3];
  OPTC_TRY(expectShape(k, {batches, groups, keys, depth}, "k"));
  OPTC_TRY(expectShape(v, {batches, groups, keys, width}, "v"));
  if (groups == 0 ? heads != 0 : heads % groups != 0)
    return Status::error(std::to_string(groups) + " key heads do not divide " + std::to_string(heads) +
                         " heads");
  OPTC_TRY(call.allocate(0, {batches, heads, queries, width}));
  Value &y = call.outputs[0];
  if (y.size() == 0)
    return Status::success();
  // Strides of the mask, 0 where it is broadcast.
  std::vector<int64_t> scoreDims{batches, heads, queries, keys}, maskStrides(4, 0);
  std::vector<double> mask;
  if (call.has(3)) {
    const Value &m = call.in(3);
    std::vector<int64_t> own = stridesOf(m.dims);
    bool fits = m.rank() <= 4;
    for (size_t d = 0, lead = 4 - m.dims.size(); fits && d < m.dims.size(); ++d) {
      fits = m.dims[d] == 1 || m.dims[d] == scoreDims[lead + d];
      maskStrides[lead + d] = m.dims[d] == 1 ? 0 : own[d];
    }
    if (!fits)
      return Status::error("mask " + shapeText(m.dims) + " does not fit the scores " + shapeText(scoreDims));
    mask = loadAll<double>(m);
  }
  double scale = call.attributes.number("scale", 1), cap = call.attributes.number("softcap");
  bool causal = call.attributes.integer("causal");
  double steps = double(call.attributes.integer("optc.probability_steps"));
  std::vector<double> left(size_t(queries * depth)), right(size_t(keys * depth)),
      turned(size_t(keys * depth)), values(size_t(keys * width)), scores(size_t(queries * keys)),
      result(size_t(queries * width));
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < heads; ++h) {
      int64_t head = b * groups + h / (heads / groups);
      load(q, (b * heads + h) * queries * depth, queries * depth, left.data());
      load(k, head * keys * depth, keys * depth, right.data());
      load(v, head * keys * width, keys * width, values.data());
      for (int64_t j = 0; j < keys; ++j)
        for (int64_t d = 0; d < depth; ++d)
          turned[size_t(d * keys + j)] = right[size_t(j * depth + d)];
      std::fill(scores.begin(), scores.end(), 0.0);
      multiplyAdd(left.data(), turned.data(), scores.data(), queries, depth, keys);
      for (int64_t i = 0; i < queries; ++i) {
        double *row = scores.data() + i * keys;
        for (int64_t j = 0; j < keys; ++j) {
          double score = row[j] * scale;
          if (cap > 0)
            score = cap * std::tanh(score / cap);
          if (!mask.empty())
            score += mask[size_t(b * maskStrides[0] + h * maskStrides[1] + i * maskStrides[2] +
                                 j * maskStrides[3])];
          row[j] = causal && j > i + keys - queries ? -HUGE_VAL : score;
        }
        // A query that sees no key attends to nothing.
        if (std::all_of(row, row + keys, [](double score) { return score == -HUGE_VAL; }))
          std::fill(row, row + keys, 0.0);
        else if (steps > 0)
          steppedSoftmax(row, keys, steps);
        else
          softmaxRow(row, keys, 1, false);
      }
      std::fill(result.begin(), result.end(), 0.0);
      multiplyAdd(scores.data(), values.data(), result.data(), queries, keys, width);
      store(y, (b * heads + h) * queries * width, queries * width, result.data());
    }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// det
//===----------------------------------------------------------------------===//

/// Gaussian elimination with partial pivoting; destroys `a`.
static double determinant(std::vector<double> &a, int64_t n) {
  double result = 1;
  for (int64_t c = 0; c < n; ++c) {
    int64_t pivot = c;
    for (int64_t r = c + 1; r < n; ++r)
      if (std::fabs(a[size_t(r * n + c)]) > std::fabs(a[size_t(pivot * n + c)]))
        pivot = r;
    if (a[size_t(pivot * n + c)] == 0)
      return 0;
    if (pivot != c) {
      std::swap_ranges(a.begin() + pivot * n, a.begin() + (pivot + 1) * n, a.begin() + c * n);
      result = -result;
    }
    result *= a[size_t(c * n + c)];
    for (int64_t r = c + 1; r < n; ++r) {
      double factor = a[size_t(r * n + c)] / a[size_t(c * n + c)];
      for (int64_t i = c; i < n; ++i)
        a[size_t(r * n + i)] -= factor * a[size_t(c * n + i)];
    }
  }
  return result;
}

static Status det(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  OPTC_TRY(expectFloats(call));
  const Value &x = call.in(0);
  if (x.rank() < 2 || x.dims[x.dims.size() - 1] != x.dims[x.dims.size() - 2])
    return Status::error("expected square matrices, got shape " + shapeText(x.dims));
  OPTC_TRY(call.allocate(0, {x.dims.begin(), x.dims.end() - 2}));
  int64_t n = x.dims.back();
  std::vector<double> matrix(size_t(n * n));
  for (int64_t i = 0, count = call.outputs[0].size(); i < count; ++i) {
    load(x, i * n * n, n * n, matrix.data());
    double value = determinant(matrix, n);
    store(call.outputs[0], i, 1, &value);
  }
  return Status::success();
}

void optc::registerNeural(ReferenceTable &table) {
  table["softmax"] = softmax;
  table["normalize"] = normalize;
  table["attention"] = attention;
  table["det"] = det;
}
