//===- Indexing.cpp - Gathers and scatters --------------------------------===//
//
// Every one of them is a list of positions in x (from the indices, each checked) and runs of elements at
// them.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"

using namespace optc;

/// Counts a negative index from the end.
static Status wrapIndex(int64_t &index, int64_t dim, int64_t size) {
  int64_t wrapped = index < 0 ? index + size : index;
  if (wrapped < 0 || wrapped >= size)
    return indexError(index, dim, size);
  index = wrapped;
  return Status::success();
}

static Status prepare(Call &call, size_t operands) {
  OPTC_TRY(expectTensors(call, operands));
  if (call.in(0).type != call.outputs[0].type)
    return Status::error(std::string("cannot move ") + nameOf(call.in(0).type) + " into " +
                         nameOf(call.outputs[0].type));
  if (classOf(call.in(1).type) != Class::i64 && classOf(call.in(1).type) != Class::u64)
    return Status::error(std::string("indices must be integers, not ") + nameOf(call.in(1).type));
  return Status::success();
}

/// y's i-th run of `run` elements is x's at positions[i].
static void gatherRuns(const Value &x, const std::vector<int64_t> &positions, int64_t run, Value &y,
                       int64_t begin) {
  if (run != 1) {
    for (size_t i = 0; i < positions.size(); ++i)
      copyElements(x.type, y.data, begin + int64_t(i) * run, x.data, positions[i], run);
    return;
  }
  forWidth(x.type, [&]<typename T>(T) {
    const T *from = x.as<T>();
    T *to = y.as<T>() + begin;
    for (size_t i = 0; i < positions.size(); ++i)
      to[i] = from[positions[i]];
  });
}

static Status gather(Call &call) {
  OPTC_TRY(prepare(call, 2));
  const Value &x = call.in(0), &indices = call.in(1);
  int64_t axis = call.attributes.integer("axis");
  OPTC_TRY(expectAxis(axis, x.rank()));
  std::vector<int64_t> dims(x.dims.begin(), x.dims.begin() + axis);
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), x.dims.begin() + axis + 1, x.dims.end());
  OPTC_TRY(call.allocate(0, dims));
  AxisView view(x.dims, axis);
  std::vector<int64_t> positions = loadAll<int64_t>(indices);
  for (int64_t &p : positions) {
    OPTC_TRY(wrapIndex(p, axis, view.n));
    p *= view.inner;
  }
  if (call.outputs[0].size() == 0)
    return Status::success();
  for (int64_t o = 0; o < view.outer; ++o) {
    gatherRuns(x, positions, view.inner, call.outputs[0], o * int64_t(positions.size()) * view.inner);
    for (int64_t &p : positions)
      p += view.n * view.inner;
  }
  return Status::success();
}

/// Positions in x of the elements that indices along `axis` select (gather_elements, scatter_elements).
static Status elementPositions(const Value &x, const Value &indices, int64_t axis,
                               std::vector<int64_t> &positions) {
  OPTC_TRY(expectAxis(axis, x.rank()));
  OPTC_TRY(expectRank(indices, x.rank(), "indices"));
  for (int64_t d = 0; d < x.rank(); ++d)
    if (d != axis && indices.dims[size_t(d)] > x.dims[size_t(d)])
      return Status::error("indices " + shapeText(indices.dims) + " are larger than the data " +
                           shapeText(x.dims));
  positions = loadAll<int64_t>(indices);
  if (positions.empty())
    return Status::success();
  std::vector<int64_t> strides = stridesOf(x.dims), index(x.dims.size(), 0);
  size_t last = x.dims.size() - 1;
  for (size_t i = 0; i < positions.size();) {
    int64_t base = 0;
    for (size_t d = 0; d < last; ++d)
      base += int64_t(d) == axis ? 0 : index[d] * strides[d];
    for (int64_t c = 0; c < indices.dims[last]; ++c, ++i) {
      OPTC_TRY(wrapIndex(positions[i], axis, x.dims[size_t(axis)]));
      positions[i] = base + positions[i] * strides[size_t(axis)] + (axis == int64_t(last) ? 0 : c);
    }
    nextIndex(index, std::span<const int64_t>(indices.dims).first(last));
    index[last] = 0;
  }
  return Status::success();
}

static Status gatherElements(Call &call) {
  OPTC_TRY(prepare(call, 2));
  std::vector<int64_t> positions;
  OPTC_TRY(elementPositions(call.in(0), call.in(1), call.attributes.integer("axis"), positions));
  OPTC_TRY(call.allocate(0, call.in(1).dims));
  gatherRuns(call.in(0), positions, 1, call.outputs[0], 0);
  return Status::success();
}

/// Positions in x of the slices at the index tuples in the last dim of `indices`, whose first `batch` dims
/// are x's.
static Status tuplePositions(const Value &x, const Value &indices, int64_t batch,
                             std::vector<int64_t> &positions) {
  if (indices.rank() == 0)
    return Status::error("indices must have rank 1 or more");
  int64_t depth = indices.dims.back();
  if (batch < 0 || batch >= indices.rank() || batch + depth > x.rank())
    return Status::error("indices " + shapeText(indices.dims) + " address more dims than the data " +
                         shapeText(x.dims) + " has");
  for (int64_t d = 0; d < batch; ++d)
    if (indices.dims[size_t(d)] != x.dims[size_t(d)])
      return Status::error("batch dim " + std::to_string(d) + " of data and indices differ");
  std::vector<int64_t> strides = stridesOf(x.dims), flat = loadAll<int64_t>(indices);
  std::span<const int64_t> dims(indices.dims);
  int64_t tuples = product(dims.first(dims.size() - 1)), batches = product(dims.first(size_t(batch)));
  int64_t inBatch = batches ? tuples / batches : 0;
  int64_t batchStride = product(std::span<const int64_t>(x.dims).subspan(size_t(batch)));
  positions.resize(size_t(tuples));
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t position = t / inBatch * batchStride;
    for (int64_t k = 0; k < depth; ++k) {
      int64_t index = flat[size_t(t * depth + k)];
      OPTC_TRY(wrapIndex(index, batch + k, x.dims[size_t(batch + k)]));
      position += index * strides[size_t(batch + k)];
    }
    positions[size_t(t)] = position;
  }
  return Status::success();
}

/// The dims of what the tuples select: the tuples', then those of x that they leave.
static std::vector<int64_t> tupleDims(const Value &x, const Value &indices, int64_t batch) {
  std::vector<int64_t> dims(indices.dims.begin(), indices.dims.end() - 1);
  dims.insert(dims.end(), x.dims.begin() + batch + indices.dims.back(), x.dims.end());
  return dims;
}
static int64_t runOf(const Value &x, int64_t from) {
  return product(std::span<const int64_t>(x.dims).subspan(size_t(from)));
}

static Status gatherND(Call &call) {
  OPTC_TRY(prepare(call, 2));
  const Value &x = call.in(0), &indices = call.in(1);
  int64_t batch = call.attributes.integer("batch_dims");
  std::vector<int64_t> positions;
  OPTC_TRY(tuplePositions(x, indices, batch, positions));
  OPTC_TRY(call.allocate(0, tupleDims(x, indices, batch)));
  gatherRuns(x, positions, runOf(x, batch + indices.dims.back()), call.outputs[0], 0);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Scatters
//===----------------------------------------------------------------------===//

template <typename T> static void combine(const std::string &how, T *into, const T *update, int64_t n) {
  using Bits = std::conditional_t<std::is_same_v<T, double>, double, uint64_t>;
  for (int64_t i = 0; i < n; ++i)
    into[i] = how == "add"   ? T(Bits(into[i]) + Bits(update[i]))
              : how == "mul" ? T(Bits(into[i]) * Bits(update[i]))
              : how == "min" ? (into[i] != into[i] || into[i] < update[i] ? into[i] : update[i])
                             : (into[i] != into[i] || into[i] > update[i] ? into[i] : update[i]);
}
template <typename T>
static void combineRuns(const std::string &how, Value &y, const Value &updates,
                        const std::vector<int64_t> &positions, int64_t run) {
  T a[kBlock], b[kBlock];
  for (size_t i = 0; i < positions.size(); ++i)
    forBlocks(run, [&](int64_t begin, int64_t n) {
      load(y, positions[i] + begin, n, a);
      load(updates, int64_t(i) * run + begin, n, b);
      combine(how, a, b, n);
      store(y, positions[i] + begin, n, a);
    });
}

static Status scatterRuns(Call &call, const std::vector<int64_t> &positions, int64_t run) {
  const Value &x = call.in(0), &updates = call.in(2);
  const std::string &how = call.attributes.text("reduction");
  OPTC_TRY(call.allocate(0, x.dims));
  Value &y = call.outputs[0];
  if (y.data != x.data)
    copyElements(x.type, y.data, 0, x.data, 0, x.size());
  if (how == "none" || how.empty()) {
    for (size_t i = 0; i < positions.size(); ++i)
      copyElements(x.type, y.data, positions[i], updates.data, int64_t(i) * run, run);
    return Status::success();
  }
  if (how != "add" && how != "mul" && how != "min" && how != "max")
    return Status::error("unknown reduction '" + how + "'");
  switch (classOf(x.type)) {
  case Class::f64:
    return combineRuns<double>(how, y, updates, positions, run), Status::success();
  case Class::i64:
    return combineRuns<int64_t>(how, y, updates, positions, run), Status::success();
  case Class::u64:
    return combineRuns<uint64_t>(how, y, updates, positions, run), Status::success();
  case Class::object:
    break;
  }
  return unsupported("a scatter with a reduction", x.type);
}

static Status checkUpdates(Call &call, const std::vector<int64_t> &dims) {
  OPTC_TRY(expectShape(call.in(2), dims, "updates"));
  if (call.in(2).type != call.in(0).type)
    return Status::error("data and updates differ in element type");
  return Status::success();
}

static Status scatterElements(Call &call) {
  OPTC_TRY(prepare(call, 3));
  std::vector<int64_t> positions;
  OPTC_TRY(elementPositions(call.in(0), call.in(1), call.attributes.integer("axis"), positions));
  OPTC_TRY(checkUpdates(call, call.in(1).dims));
  return scatterRuns(call, positions, 1);
}

static Status scatterND(Call &call) {
  OPTC_TRY(prepare(call, 3));
  const Value &x = call.in(0), &indices = call.in(1);
  std::vector<int64_t> positions;
  OPTC_TRY(tuplePositions(x, indices, 0, positions));
  OPTC_TRY(checkUpdates(call, tupleDims(x, indices, 0)));
  return scatterRuns(call, positions, runOf(x, indices.dims.back()));
}

void optc::registerIndexing(ReferenceTable &table) {
  table["gather"] = gather;
  table["gather_elements"] = gatherElements;
  table["gather_nd"] = gatherND;
  table["scatter_elements"] = scatterElements;
  table["scatter_nd"] = scatterND;
}
