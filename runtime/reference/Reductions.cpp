//===- Reductions.cpp - Reductions and scans ------------------------------===//
//
// reduce streams x once in its own order and keeps one accumulator a result element, so that no input is
// transposed; sums of floats are f64 throughout. Scans and arg_reduce walk outer x n x inner views.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <cmath>
#include <limits>

using namespace optc;

namespace {
enum class Kind { sum, prod, max, min, mean };
} // namespace

/// Integer limits of the element type itself: what max and min over nothing give.
template <typename T> static T limitOf(DType type, bool lowest) {
  if constexpr (std::is_same_v<T, double>) {
    return lowest ? -HUGE_VAL : HUGE_VAL;
  } else if (type == DType::boolean) {
    return T(!lowest);
  } else {
    int bits = type == DType::u4 || type == DType::i4   ? 4
               : type == DType::u2 || type == DType::i2 ? 2
                                                        : 8 * int(sizeOf(type));
    if constexpr (std::is_signed_v<T>) {
      int64_t high = int64_t(~uint64_t(0) >> (65 - bits));
      return lowest ? -high - 1 : high;
    } else {
      return lowest ? 0 : ~uint64_t(0) >> (64 - bits);
    }
  }
}

template <typename T> static T identity(Kind kind, DType type) {
  switch (kind) {
  case Kind::max:
    return limitOf<T>(type, true);
  case Kind::min:
    return limitOf<T>(type, false);
  case Kind::prod:
    return 1;
  default:
    return 0;
  }
}

template <typename T> static T combine(Kind kind, T a, T b) {
  using Bits = std::conditional_t<std::is_same_v<T, double>, double, uint64_t>;
  switch (kind) {
  case Kind::max:
    return a != a || a > b ? a : b;
  case Kind::min:
    return a != a || a < b ? a : b;
  case Kind::prod:
    return T(Bits(a) * Bits(b));
  default:
    return T(Bits(a) + Bits(b));
  }
}

/// into[i * step] combined with in[i].
template <typename T> static void accumulate(Kind kind, T *into, int64_t step, const T *in, int64_t n) {
  auto loop = [&](auto op) {
    if (step == 0) {
      T acc = *into;
      for (int64_t i = 0; i < n; ++i)
        acc = op(acc, in[i]);
      *into = acc;
    } else {
      for (int64_t i = 0; i < n; ++i)
        into[i * step] = op(into[i * step], in[i]);
    }
  };
  // One loop a kind: the switch stays outside.
  switch (kind) {
  case Kind::max:
    return loop([](T a, T b) { return combine(Kind::max, a, b); });
  case Kind::min:
    return loop([](T a, T b) { return combine(Kind::min, a, b); });
  case Kind::prod:
    return loop([](T a, T b) { return combine(Kind::prod, a, b); });
  default:
    return loop([](T a, T b) { return combine(Kind::sum, a, b); });
  }
}

template <typename T>
static void reduceInto(Kind kind, const Value &x, const std::vector<bool> &reduced, Value &y, int64_t count) {
  std::vector<T> results(size_t(y.size()), identity<T>(kind, x.type));
  // For each dim of x the step in the results: 0 where reduced.
  std::vector<int64_t> steps(x.dims.size(), 0);
  int64_t stride = 1;
  for (size_t d = x.dims.size(); d-- > 0;)
    if (!reduced[d]) {
      steps[d] = stride;
      stride *= x.dims[d];
    }
  // The longest tail of dims that are all reduced or all kept is the inner loop.
  size_t outer = x.dims.size();
  int64_t inner = 1;
  while (outer > 0 && (outer == x.dims.size() || reduced[outer - 1] == reduced.back()))
    inner *= x.dims[--outer];
  int64_t innerStep = x.dims.empty() || reduced.back() ? 0 : 1;
  std::vector<int64_t> index(outer, 0);
  std::span<const int64_t> outerDims(x.dims.data(), outer);
  T block[kBlock];
  int64_t position = 0;
  if (x.size())
    do {
      int64_t at = 0;
      for (size_t d = 0; d < outer; ++d)
        at += index[d] * steps[d];
      forBlocks(inner, [&](int64_t begin, int64_t n) {
        load(x, position + begin, n, block);
        accumulate(kind, results.data() + at + begin * innerStep, innerStep, block, n);
      });
      position += inner;
    } while (nextIndex(index, outerDims));
  for (T &v : results) {
    if (kind != Kind::mean)
      break;
    if constexpr (std::is_same_v<T, double>)
      v /= double(count); // 0 / 0 over nothing
    else
      v = count ? T(v / T(count)) : T(0);
  }
  storeAll(y, results);
}

static Status reduce(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  const std::string &name = call.attributes.text("kind");
  Kind kind = name == "prod"   ? Kind::prod
              : name == "max"  ? Kind::max
              : name == "min"  ? Kind::min
              : name == "mean" ? Kind::mean
                               : Kind::sum;
  std::vector<bool> reduced(x.dims.size());
  for (int64_t axis : call.attributes.integers("axes")) {
    OPTC_TRY(expectAxis(axis, x.rank()));
    reduced[size_t(axis)] = true;
  }
  std::vector<int64_t> dims;
  int64_t count = 1;
  for (size_t d = 0; d < x.dims.size(); ++d)
    if (reduced[d])
      count *= x.dims[d];
    else
      dims.push_back(x.dims[d]);
  OPTC_TRY(call.allocate(0, dims));
  switch (classOf(x.type)) {
  case Class::f64:
    return reduceInto<double>(kind, x, reduced, call.outputs[0], count), Status::success();
  case Class::i64:
    return reduceInto<int64_t>(kind, x, reduced, call.outputs[0], count), Status::success();
  case Class::u64:
    return reduceInto<uint64_t>(kind, x, reduced, call.outputs[0], count), Status::success();
  case Class::object:
    break;
  }
  return unsupported("reduce", x.type);
}

//===----------------------------------------------------------------------===//
// arg_reduce, cumulative
//===----------------------------------------------------------------------===//

/// The first NaN wins, as in numpy; else the first (or last) extreme element.
template <typename T>
static void argReduceInto(const Value &x, int64_t axis, bool largest, bool last, Value &y) {
  AxisView view(x.dims, axis);
  std::vector<T> best(size_t(view.inner)), row(size_t(view.inner));
  std::vector<int64_t> position(size_t(view.inner), 0);
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t k = 0; k < view.n; ++k) {
      load(x, (o * view.n + k) * view.inner, view.inner, row.data());
      for (size_t i = 0; i < row.size(); ++i) {
        T a = best[i], b = row[i];
        if (k == 0 || (a == a && (b != b || (largest ? b > a : b < a) || (last && b == a)))) {
          best[i] = b;
          position[i] = k;
        }
      }
    }
    store(y, o * view.inner, view.inner, position.data());
  }
}

static Status argReduce(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  int64_t axis = call.attributes.integer("axis");
  OPTC_TRY(expectAxis(axis, x.rank()));
  std::vector<int64_t> dims = x.dims;
  dims.erase(dims.begin() + axis);
  OPTC_TRY(call.allocate(0, dims));
  Value &y = call.outputs[0];
  if (y.size() == 0)
    return Status::success();
  if (x.dims[size_t(axis)] == 0)
    return Status::error("no element along axis " + std::to_string(axis));
  bool largest = call.attributes.text("kind") != "min", last = call.attributes.integer("last");
  switch (classOf(x.type)) {
  case Class::f64:
    return argReduceInto<double>(x, axis, largest, last, y), Status::success();
  case Class::i64:
    return argReduceInto<int64_t>(x, axis, largest, last, y), Status::success();
  case Class::u64:
    return argReduceInto<uint64_t>(x, axis, largest, last, y), Status::success();
  case Class::object:
    break;
  }
  return unsupported("arg_reduce", x.type);
}

template <typename T>
static void scanInto(Kind kind, const Value &x, int64_t axis, bool exclusive, bool reverse, Value &y) {
  AxisView view(x.dims, axis);
  std::vector<T> running(size_t(view.inner)), row(size_t(view.inner));
  for (int64_t o = 0; o < view.outer; ++o) {
    std::fill(running.begin(), running.end(), identity<T>(kind, x.type));
    for (int64_t k = 0; k < view.n; ++k) {
      int64_t at = (o * view.n + (reverse ? view.n - 1 - k : k)) * view.inner;
      load(x, at, view.inner, row.data());
      if (exclusive)
        store(y, at, view.inner, running.data());
      accumulate(kind, running.data(), 1, row.data(), view.inner);
      if (!exclusive)
        store(y, at, view.inner, running.data());
    }
  }
}

static Status cumulative(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  int64_t axis = call.attributes.integer("axis");
  OPTC_TRY(expectAxis(axis, x.rank()));
  OPTC_TRY(call.allocate(0, x.dims));
  Value &y = call.outputs[0];
  if (y.size() == 0)
    return Status::success();
  Kind kind = call.attributes.text("kind") == "prod" ? Kind::prod : Kind::sum;
  bool exclusive = call.attributes.integer("exclusive"), reverse = call.attributes.integer("reverse");
  switch (classOf(x.type)) {
  case Class::f64:
    return scanInto<double>(kind, x, axis, exclusive, reverse, y), Status::success();
  case Class::i64:
    return scanInto<int64_t>(kind, x, axis, exclusive, reverse, y), Status::success();
  case Class::u64:
    return scanInto<uint64_t>(kind, x, axis, exclusive, reverse, y), Status::success();
  case Class::object:
    break;
  }
  return unsupported("cumulative", x.type);
}

void optc::registerReductions(ReferenceTable &table) {
  table["reduce"] = reduce;
  table["arg_reduce"] = argReduce;
  table["cumulative"] = cumulative;
}
