//===- Sorting.cpp - top_k, nonzero, unique -------------------------------===//
//
// NaN sorts as the largest value and equals itself, so that the order is total.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <numeric>

using namespace optc;

template <typename T> static bool less(const T &a, const T &b) {
  if constexpr (std::is_same_v<T, double>)
    return a == a && (b != b || a < b);
  else
    return a < b;
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

template <typename T> static void topK(Call &call, int64_t axis, bool largest, bool sorted) {
  const Value &x = call.in(0);
  AxisView view(x.dims, axis), out(call.outputs[0].dims, axis);
  std::vector<T> slab(size_t(view.n * view.inner)), row(size_t(view.n));
  std::vector<int64_t> order(size_t(view.n)), indices(size_t(out.n * out.inner));
  Value &values = call.outputs[0];
  for (int64_t o = 0; o < view.outer; ++o) {
    load(x, o * view.n * view.inner, view.n * view.inner, slab.data());
    for (int64_t i = 0; i < view.inner; ++i) {
      for (int64_t k = 0; k < view.n; ++k)
        row[size_t(k)] = slab[size_t(k * view.inner + i)];
      std::iota(order.begin(), order.end(), 0);
      auto before = [&](int64_t a, int64_t b) {
        const T &p = row[size_t(a)], &q = row[size_t(b)];
        return largest ? less(q, p) || (!less(p, q) && a < b) : less(p, q) || (!less(q, p) && a < b);
      };
      if (sorted || out.n < view.n)
        std::partial_sort(order.begin(), order.begin() + out.n, order.end(), before);
      for (int64_t k = 0; k < out.n; ++k) {
        indices[size_t(k * view.inner + i)] = order[size_t(k)];
        copyElements(x.type, values.data, (o * out.n + k) * view.inner + i, x.data,
                     (o * view.n + order[size_t(k)]) * view.inner + i, 1);
      }
    }
    store(call.outputs[1], o * out.n * out.inner, out.n * out.inner, indices.data());
  }
}

static Status topK(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  if (call.outputs.size() < 2)
    return Status::error("expected 2 results");
  const Value &x = call.in(0);
  int64_t axis = call.attributes.integer("axis");
  OPTC_TRY(expectAxis(axis, x.rank()));
  OPTC_TRY(call.allocate(0));
  OPTC_TRY(call.allocate(1));
  std::vector<int64_t> dims = x.dims;
  OPTC_TRY(expectRank(call.outputs[0], x.rank(), "the result"));
  dims[size_t(axis)] = call.outputs[0].dims[size_t(axis)];
  OPTC_TRY(expectShape(call.outputs[0], dims, "the result"));
  OPTC_TRY(expectShape(call.outputs[1], dims, "the positions"));
  if (dims[size_t(axis)] > x.dims[size_t(axis)])
    return Status::error("k is " + std::to_string(dims[size_t(axis)]) + ", but dim " + std::to_string(axis) +
                         " has size " + std::to_string(x.dims[size_t(axis)]));
  if (x.type != call.outputs[0].type)
    return Status::error("operand and result differ in element type");
  if (call.outputs[0].size() == 0)
    return Status::success();
  bool largest = call.attributes.integer("largest", 1), sorted = call.attributes.integer("sorted", 1);
  switch (classOf(x.type)) {
  case Class::f64:
    return topK<double>(call, axis, largest, sorted), Status::success();
  case Class::i64:
    return topK<int64_t>(call, axis, largest, sorted), Status::success();
  case Class::u64:
    return topK<uint64_t>(call, axis, largest, sorted), Status::success();
  case Class::object:
    break;
  }
  return unsupported("top_k", x.type);
}

//===----------------------------------------------------------------------===//
// nonzero
//===----------------------------------------------------------------------===//

static Status nonzero(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  if (classOf(x.type) == Class::object)
    return unsupported("nonzero", x.type);
  std::vector<int64_t> positions;
  double block[kBlock];
  forBlocks(x.size(), [&](int64_t begin, int64_t n) {
    load(x, begin, n, block);
    for (int64_t i = 0; i < n; ++i)
      if (block[i] != 0)
        positions.push_back(begin + i);
  });
  int64_t n = int64_t(positions.size());
  OPTC_TRY(call.allocate(0, {x.rank(), n}));
  std::vector<int64_t> strides = stridesOf(x.dims), row(positions.size());
  for (int64_t d = 0; d < x.rank() && n; ++d) {
    for (size_t i = 0; i < row.size(); ++i)
      row[i] = positions[i] / strides[size_t(d)] % x.dims[size_t(d)];
    store(call.outputs[0], d * n, n, row.data());
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// unique
//===----------------------------------------------------------------------===//

template <typename T> static std::vector<T> elementsOf(const Value &x) {
  if constexpr (std::is_same_v<T, std::string>)
    return std::vector<T>(x.as<T>(), x.as<T>() + x.size());
  else
    return loadAll<T>(x);
}

/// Groups equal slices of x seen as outer x n x inner: one entry a group, in the order asked for.
template <typename T>
static void groupSlices(const Value &x, const AxisView &view, bool sorted, std::vector<int64_t> &first,
                        std::vector<int64_t> &inverse, std::vector<int64_t> &counts) {
  std::vector<T> all = elementsOf<T>(x);
  auto at = [&](int64_t slice, int64_t i) -> const T & {
    return all[size_t((i / view.inner * view.n + slice) * view.inner + i % view.inner)];
  };
  int64_t width = view.outer * view.inner;
  auto order3 = [&](int64_t a, int64_t b) {
    for (int64_t i = 0; i < width; ++i) {
      if (less(at(a, i), at(b, i)))
        return -1;
      if (less(at(b, i), at(a, i)))
        return 1;
    }
    return 0;
  };
  std::vector<int64_t> order(size_t(view.n));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    int way = order3(a, b);
    return way ? way < 0 : a < b;
  });
  inverse.assign(size_t(view.n), 0);
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || order3(order[i - 1], order[i]) != 0) {
      first.push_back(order[i]);
      counts.push_back(0);
    }
    ++counts.back();
    inverse[size_t(order[i])] = int64_t(first.size()) - 1;
  }
  if (sorted)
    return;
  std::vector<int64_t> byFirst(first.size()), rank(first.size()), oldFirst = first, oldCounts = counts;
  std::iota(byFirst.begin(), byFirst.end(), 0);
  std::sort(byFirst.begin(), byFirst.end(),
            [&](int64_t a, int64_t b) { return first[size_t(a)] < first[size_t(b)]; });
  for (size_t i = 0; i < byFirst.size(); ++i)
    rank[size_t(byFirst[i])] = int64_t(i);
  for (size_t i = 0; i < byFirst.size(); ++i) {
    first[i] = oldFirst[size_t(byFirst[i])];
    counts[i] = oldCounts[size_t(byFirst[i])];
  }
  for (int64_t &group : inverse)
    group = rank[size_t(group)];
}

static Status unique(Call &call) {
  OPTC_TRY(expectTensors(call, 1));
  const Value &x = call.in(0);
  int64_t axis = call.attributes.integer("axis", -1);
  bool flat = axis < 0;
  if (!flat)
    OPTC_TRY(expectAxis(axis, x.rank()));
  if (x.type != call.outputs[0].type)
    return Status::error("operand and result differ in element type");
  std::vector<int64_t> flatDims{x.size()};
  AxisView view(flat ? flatDims : x.dims, flat ? 0 : axis);
  bool sorted = call.attributes.integer("sorted", 1);
  std::vector<int64_t> first, inverse, counts;
  if (x.type == DType::string)
    groupSlices<std::string>(x, view, sorted, first, inverse, counts);
  else if (classOf(x.type) == Class::f64)
    groupSlices<double>(x, view, sorted, first, inverse, counts);
  else if (classOf(x.type) == Class::i64)
    groupSlices<int64_t>(x, view, sorted, first, inverse, counts);
  else if (classOf(x.type) == Class::u64)
    groupSlices<uint64_t>(x, view, sorted, first, inverse, counts);
  else
    return unsupported("unique", x.type);
  int64_t groups = int64_t(first.size());
  std::vector<int64_t> dims = flat ? flatDims : x.dims;
  dims[flat ? 0 : size_t(axis)] = groups;
  OPTC_TRY(call.allocate(0, dims));
  if (call.outputs[0].size())
    for (int64_t o = 0; o < view.outer; ++o)
      for (int64_t g = 0; g < groups; ++g)
        copyElements(x.type, call.outputs[0].data, (o * groups + g) * view.inner, x.data,
                     (o * view.n + first[size_t(g)]) * view.inner, view.inner);
  const std::vector<int64_t> *others[] = {&first, &inverse, &counts};
  for (size_t i = 1; i < call.outputs.size() && i < 4; ++i) {
    OPTC_TRY(call.allocate(i, {int64_t(others[i - 1]->size())}));
    storeAll(call.outputs[i], *others[i - 1]);
  }
  return Status::success();
}

void optc::registerSorting(ReferenceTable &table) {
  table["top_k"] = topK;
  table["nonzero"] = nonzero;
  table["unique"] = unique;
}
