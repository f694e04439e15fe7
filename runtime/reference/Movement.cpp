//===- Movement.cpp - Ops that move elements ------------------------------===//
//
// reshape, broadcast, transpose, slice and pad are one walk: the result is written run by run in its own
// order from a strided view of x. Elements are copied by width and never converted.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Blocks.h"
#include <cstring>

using namespace optc;

/// Copies x's elements at offset + sum(index * strides) into y in row-major order.
template <typename T>
static void copyStrided(const T *x, T *y, std::vector<int64_t> dims, std::vector<int64_t> strides) {
  // Neighbouring dims that step as one are merged, so that the inner loop is as long as can be.
  for (size_t i = dims.size(); i-- > 1;)
    if (dims[i] == 1 || dims[i - 1] == 1 || strides[i - 1] == strides[i] * dims[i]) {
      if (dims[i] == 1)
        strides[i] = strides[i - 1];
      dims[i - 1] *= dims[i];
      strides[i - 1] = strides[i];
      dims.erase(dims.begin() + i);
      strides.erase(strides.begin() + i);
    }
  if (dims.empty()) {
    *y = *x;
    return;
  }
  // The last two dims are plain loops, tiled where the inner one is the strided one (a transpose).
  if (dims.size() == 1) {
    dims.insert(dims.begin(), 1);
    strides.insert(strides.begin(), 0);
  }
  size_t outer = dims.size() - 2;
  int64_t rows = dims[outer], columns = dims[outer + 1], rowStride = strides[outer],
          stride = strides[outer + 1];
  constexpr int64_t tile = 16;
  std::vector<int64_t> index(outer, 0);
  std::span<const int64_t> outerDims(dims.data(), outer);
  do {
    int64_t base = 0;
    for (size_t i = 0; i < outer; ++i)
      base += index[i] * strides[i];
    if (stride == 1 || rowStride != 1) {
      for (int64_t r = 0; r < rows; ++r, y += columns) {
        const T *from = x + base + r * rowStride;
        if (stride == 1)
          std::copy(from, from + columns, y);
        else if (stride == 0)
          std::fill(y, y + columns, *from);
        else
          for (int64_t c = 0; c < columns; ++c)
            y[c] = from[c * stride];
      }
      continue;
    }
    for (int64_t r0 = 0; r0 < rows; r0 += tile)
      for (int64_t c0 = 0; c0 < columns; c0 += tile)
        for (int64_t r = r0, re = std::min(rows, r0 + tile); r < re; ++r)
          for (int64_t c = c0, ce = std::min(columns, c0 + tile); c < ce; ++c)
            y[r * columns + c] = x[base + r + c * stride];
    y += rows * columns;
  } while (nextIndex(index, outerDims));
}

void optc::copyView(const Value &x, int64_t offset, std::span<const int64_t> strides, Value &y) {
  if (y.size() == 0)
    return;
  std::vector<int64_t> steps(strides.begin(), strides.end());
  forWidth(y.type, [&]<typename T>(T) { copyStrided(x.as<T>() + offset, y.as<T>(), y.dims, steps); });
}

/// Movement keeps the element type.
static Status expectMovable(Call &call, size_t operands = 1) {
  OPTC_TRY(expectTensors(call, operands));
  if (call.in(0).type != call.outputs[0].type)
    return Status::error(std::string("cannot move ") + nameOf(call.in(0).type) + " into " +
                         nameOf(call.outputs[0].type));
  return Status::success();
}

static Status reshape(Call &call) {
  OPTC_TRY(expectMovable(call));
  OPTC_TRY(call.allocate(0));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  if (x.size() != y.size())
    return Status::error("cannot reshape " + shapeText(x.dims) + " to " + shapeText(y.dims));
  copyElements(x.type, y.data, 0, x.data, 0, x.size());
  return Status::success();
}

static Status broadcast(Call &call) {
  OPTC_TRY(expectMovable(call));
  OPTC_TRY(call.allocate(0));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  std::vector<int64_t> own = stridesOf(x.dims), strides(y.dims.size(), 0);
  bool fits = x.rank() <= y.rank();
  for (size_t i = 0, lead = y.dims.size() - x.dims.size(); fits && i < x.dims.size(); ++i) {
    strides[lead + i] = x.dims[i] == 1 ? 0 : own[i];
    fits = x.dims[i] == 1 || x.dims[i] == y.dims[lead + i];
  }
  if (!fits)
    return Status::error("cannot broadcast " + shapeText(x.dims) + " to " + shapeText(y.dims));
  copyView(x, 0, strides, y);
  return Status::success();
}

static Status transpose(Call &call) {
  OPTC_TRY(expectMovable(call));
  const Value &x = call.in(0);
  const auto &permutation = call.attributes.integers("permutation");
  OPTC_TRY(expectEntries(permutation, x.dims.size(), "permutation"));
  std::vector<int64_t> own = stridesOf(x.dims), dims, strides;
  std::vector<bool> seen(x.dims.size());
  for (int64_t p : permutation) {
    if (p < 0 || p >= x.rank() || seen[size_t(p)])
      return Status::error("not a permutation: " + shapeText(permutation));
    seen[size_t(p)] = true;
    dims.push_back(x.dims[size_t(p)]);
    strides.push_back(own[size_t(p)]);
  }
  OPTC_TRY(call.allocate(0, dims));
  copyView(x, 0, strides, call.outputs[0]);
  return Status::success();
}

static Status slice(Call &call) {
  OPTC_TRY(expectMovable(call));
  OPTC_TRY(call.allocate(0));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  const auto &starts = call.attributes.integers("starts"), &steps = call.attributes.integers("strides");
  OPTC_TRY(expectRank(y, x.rank(), "the result"));
  OPTC_TRY(expectEntries(starts, x.dims.size(), "starts"));
  OPTC_TRY(expectEntries(steps, x.dims.size(), "strides"));
  if (y.size() == 0)
    return Status::success();
  std::vector<int64_t> strides = stridesOf(x.dims);
  int64_t offset = 0;
  for (size_t i = 0; i < strides.size(); ++i) {
    int64_t last;
    if (__builtin_mul_overflow(y.dims[i] - 1, steps[i], &last) ||
        __builtin_add_overflow(last, starts[i], &last))
      return Status::error("the slice of dim " + std::to_string(i) + " overflows");
    for (int64_t edge : {starts[i], last})
      if (edge < 0 || edge >= x.dims[i])
        return indexError(edge, int64_t(i), x.dims[i]);
    offset += starts[i] * strides[i];
    strides[i] = y.dims[i] == 1 ? 0 : strides[i] * steps[i];
  }
  copyView(x, offset, strides, y);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// pad
//===----------------------------------------------------------------------===//

/// The position in x that position i of the padded dim shows, or -1 for the pad value.
static int64_t paddedSource(int64_t i, int64_t n, const std::string &mode) {
  if (i >= 0 && i < n)
    return i;
  if (mode == "edge")
    return i < 0 ? 0 : n - 1;
  if (mode == "wrap")
    return (i % n + n) % n;
  if (mode == "reflect") {
    if (n == 1)
      return 0;
    int64_t period = 2 * (n - 1);
    i = (i % period + period) % period;
    return i < n ? i : period - i;
  }
  return -1;
}

static Status pad(Call &call) {
  OPTC_TRY(expectMovable(call));
  OPTC_TRY(call.allocate(0));
  const Value &x = call.in(0);
  Value &y = call.outputs[0];
  const std::string &mode = call.attributes.text("mode");
  const auto &low = call.attributes.integers("low");
  OPTC_TRY(expectRank(y, x.rank(), "the result"));
  OPTC_TRY(expectEntries(low, x.dims.size(), "low"));
  if (call.has(1) && (call.in(1).size() != 1 || call.in(1).type != x.type))
    return Status::error("the pad value must be one element of the operand's type");
  if (y.size() == 0)
    return Status::success();
  // Positions in x for each dim, times its stride.
  std::vector<int64_t> own = stridesOf(x.dims);
  std::vector<std::vector<int64_t>> sources(x.dims.size());
  for (size_t d = 0; d < sources.size(); ++d) {
    if (low[d] < -(int64_t(1) << 40) || low[d] > int64_t(1) << 40)
      return Status::error("padding of dim " + std::to_string(d) + " is out of range");
    if (x.dims[d] == 0 && mode != "constant")
      return Status::error("cannot pad the empty dim " + std::to_string(d) + " in mode " + mode);
    for (int64_t i = 0; i < y.dims[d]; ++i) {
      int64_t source = paddedSource(i - low[d], x.dims[d], mode);
      sources[d].push_back(source < 0 ? -1 : source * own[d]);
    }
  }
  auto fill = [&](int64_t begin, int64_t n) {
    if (call.has(1))
      for (int64_t i = 0; i < n; ++i)
        copyElements(y.type, y.data, begin + i, call.in(1).data, 0, 1);
    else if (y.type == DType::string)
      std::fill_n(y.as<std::string>() + begin, n, std::string());
    else
      std::memset(y.as<char>() + size_t(begin) * sizeOf(y.type), 0, size_t(n) * sizeOf(y.type));
  };
  if (y.rank() == 0)
    return copyElements(y.type, y.data, 0, x.data, 0, 1), Status::success();
  size_t outer = y.dims.size() - 1;
  std::span<const int64_t> outerDims(y.dims.data(), outer);
  const std::vector<int64_t> &row = sources[outer];
  std::vector<int64_t> index(outer, 0);
  int64_t position = 0, n = y.dims[outer];
  do {
    int64_t base = 0;
    for (size_t d = 0; d < outer && base >= 0; ++d)
      base = sources[d][size_t(index[d])] < 0 ? -1 : base + sources[d][size_t(index[d])];
    for (int64_t i = 0; i < n;) {
      // One run: of the pad value, or of consecutive elements.
      bool outside = base < 0 || row[size_t(i)] < 0;
      int64_t end = i + 1;
      while (end < n &&
             (outside ? base < 0 || row[size_t(end)] < 0 : row[size_t(end)] == row[size_t(end) - 1] + 1))
        ++end;
      if (outside)
        fill(position + i, end - i);
      else
        copyElements(y.type, y.data, position + i, x.data, base + row[size_t(i)], end - i);
      i = end;
    }
    position += n;
  } while (nextIndex(index, outerDims));
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

static Status concat(Call &call) {
  OPTC_TRY(expectMovable(call));
  int64_t axis = call.attributes.integer("axis");
  std::vector<int64_t> dims = call.in(0).dims;
  OPTC_TRY(expectAxis(axis, call.in(0).rank()));
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    if (!call.has(i) || call.in(i).type != call.in(0).type || call.in(i).dims.size() != dims.size())
      return Status::error("operands of concat differ in rank or element type");
    for (size_t d = 0; d < dims.size(); ++d) {
      if (int64_t(d) == axis)
        dims[d] += call.in(i).dims[d];
      else if (dims[d] != call.in(i).dims[d])
        return Status::error("operands of concat differ in dim " + std::to_string(d) + ": " +
                             shapeText(call.in(0).dims) + " and " + shapeText(call.in(i).dims));
    }
  }
  OPTC_TRY(call.allocate(0, dims));
  Value &y = call.outputs[0];
  if (y.size() == 0)
    return Status::success();
  AxisView whole(dims, axis);
  int64_t at = 0;
  for (const Value *x : call.inputs) {
    AxisView part(x->dims, axis);
    for (int64_t o = 0; o < whole.outer; ++o)
      copyElements(y.type, y.data, o * whole.n * whole.inner + at, x->data, o * part.n * part.inner,
                   part.n * part.inner);
    at += part.n * part.inner;
  }
  return Status::success();
}

static Status iota(Call &call) {
  if (call.outputs.empty())
    return Status::error("no results");
  OPTC_TRY(call.allocate(0));
  Value &y = call.outputs[0];
  OPTC_TRY(expectAxis(call.attributes.integer("axis"), y.rank()));
  AxisView view(y.dims, call.attributes.integer("axis"));
  int64_t block[kBlock];
  forBlocks(y.size(), [&](int64_t begin, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      block[i] = (begin + i) / view.inner % view.n;
    store(y, begin, n, block);
  });
  return Status::success();
}

static Status fromDims(Call &call) {
  if (call.outputs.empty())
    return Status::error("no results");
  const auto &values = call.attributes.integers("values");
  Value &y = call.outputs[0];
  if (call.shaped[0])
    OPTC_TRY(call.allocate(0));
  else
    OPTC_TRY(call.allocate(0, {int64_t(values.size())}));
  if (y.size() != int64_t(values.size()))
    return Status::error("expected one element a dimension");
  storeAll(y, values);
  return Status::success();
}

static Status reverseSequence(Call &call) {
  OPTC_TRY(expectMovable(call, 2));
  const Value &x = call.in(0), &lengths = call.in(1);
  int64_t time = call.attributes.integer("time_axis"), batch = call.attributes.integer("batch_axis");
  OPTC_TRY(expectAxis(time, x.rank()));
  OPTC_TRY(expectAxis(batch, x.rank()));
  if (time == batch)
    return Status::error("time_axis and batch_axis are one");
  OPTC_TRY(expectShape(lengths, {x.dims[size_t(batch)]}, "lengths"));
  OPTC_TRY(call.allocate(0, x.dims));
  std::vector<int64_t> n = loadAll<int64_t>(lengths), strides = stridesOf(x.dims);
  int64_t steps = x.dims[size_t(time)];
  for (int64_t length : n)
    if (length < 0 || length > steps)
      return Status::error("length " + std::to_string(length) + " is out of range for " +
                           std::to_string(steps) + " steps");
  AxisView inner(x.dims, std::max(time, batch));
  // Elements after both axes move together.
  for (int64_t at = 0, size = x.size(); at < size; at += inner.inner) {
    int64_t t = at / strides[size_t(time)] % steps, b = at / strides[size_t(batch)] % x.dims[size_t(batch)];
    int64_t from = t < n[size_t(b)] ? n[size_t(b)] - 1 - t : t;
    copyElements(x.type, call.outputs[0].data, at, x.data, at + (from - t) * strides[size_t(time)],
                 inner.inner);
  }
  return Status::success();
}

void optc::registerMovement(ReferenceTable &table) {
  table["reshape"] = reshape;
  table["broadcast"] = broadcast;
  table["transpose"] = transpose;
  table["slice"] = slice;
  table["pad"] = pad;
  table["concat"] = concat;
  table["iota"] = iota;
  table["from_dims"] = fromDims;
  table["reverse_sequence"] = reverseSequence;
}
