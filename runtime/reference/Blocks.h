//===- Blocks.h - Loops over blocks of elements -----------------*- C++ -*-===//
//
// What the families share: the block loop of the elementwise functions, strides and index walks, whole
// tensors as f64 or integers, and checks of operands with their messages.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_RUNTIME_REFERENCE_BLOCKS_H
#define OPTC_RUNTIME_REFERENCE_BLOCKS_H

#include "runtime/reference/Reference.h"
#include <algorithm>
#include <cmath>

namespace optc {

/// Elements converted at a time: three blocks of f64 stay in the first-level cache.
constexpr int64_t kBlock = 256;

/// Returns from the enclosing function when a step failed.
#define OPTC_TRY(STEP)                                                                                       \
  do {                                                                                                       \
    if (Status optcStatus = (STEP); !optcStatus.ok())                                                        \
      return optcStatus;                                                                                     \
  } while (false)

/// Calls body(begin, n) for each block of `size` elements.
template <typename Body> void forBlocks(int64_t size, Body body) {
  for (int64_t begin = 0; begin < size; begin += kBlock)
    body(begin, std::min(kBlock, size - begin));
}

/// y[i] = f(x[i]), in the class of T; y may be of another class than x.
template <typename T, typename F> void mapBlocks(const Value &x, Value &y, F f) {
  T a[kBlock];
  using R = decltype(f(T()));
  R b[kBlock];
  forBlocks(x.size(), [&](int64_t begin, int64_t n) {
    load(x, begin, n, a);
    for (int64_t i = 0; i < n; ++i)
      b[i] = f(a[i]);
    store(y, begin, n, b);
  });
}
template <typename T, typename F> void mapBlocks(const Value &x, const Value &z, Value &y, F f) {
  T a[kBlock], b[kBlock];
  using R = decltype(f(T(), T()));
  R c[kBlock];
  forBlocks(x.size(), [&](int64_t begin, int64_t n) {
    load(x, begin, n, a);
    load(z, begin, n, b);
    for (int64_t i = 0; i < n; ++i)
      c[i] = f(a[i], b[i]);
    store(y, begin, n, c);
  });
}

/// Adding and taking away 2^52 rounds to an integer, halves to even, without a call.
inline double roundEven(double x) {
  double magnitude = std::fabs(x);
  double rounded = magnitude < 0x1p52 ? (magnitude + 0x1p52) - 0x1p52 : magnitude;
  return std::copysign(rounded, x);
}

/// A whole tensor converted.
template <typename T> std::vector<T> loadAll(const Value &x) {
  std::vector<T> all(size_t(x.size()));
  if (!all.empty())
    load(x, 0, x.size(), all.data());
  return all;
}
template <typename T> void storeAll(Value &y, const std::vector<T> &all) {
  if (!all.empty())
    store(y, 0, int64_t(all.size()), all.data());
}
/// The first element of a scalar operand; 0 where there is none.
inline double scalar(const Value &x) {
  double value = 0;
  if (x.size() > 0)
    load(x, 0, 1, &value);
  return value;
}

inline int64_t product(std::span<const int64_t> dims) {
  int64_t n = 1;
  for (int64_t d : dims)
    n *= d;
  return n;
}
/// Elements between neighbours along each dim, row-major.
std::vector<int64_t> stridesOf(std::span<const int64_t> dims);
/// Steps `index` to the next position in row-major order; false after the last.
inline bool nextIndex(std::vector<int64_t> &index, std::span<const int64_t> dims) {
  for (size_t i = dims.size(); i-- > 0;) {
    if (++index[i] < dims[i])
      return true;
    index[i] = 0;
  }
  return false;
}

std::string shapeText(std::span<const int64_t> dims);
/// Checks that the operands are there, and that they are tensors.
Status expectTensors(const Call &call, size_t required);
Status expectRank(const Value &x, int64_t rank, const char *name);
Status expectShape(const Value &x, const std::vector<int64_t> &dims, const char *name);
Status expectAxis(int64_t axis, int64_t rank);
/// An attribute list must have one entry a dim.
Status expectEntries(std::span<const int64_t> list, size_t count, const char *name);
/// "add is not defined for string".
Status unsupported(const char *name, DType type);
Status indexError(int64_t index, int64_t dim, int64_t size);

/// A tensor's dims around one axis: outer x n x inner.
struct AxisView {
  int64_t outer = 1, n = 1, inner = 1;
  AxisView(std::span<const int64_t> dims, int64_t axis)
      : outer(product(dims.first(size_t(axis)))), n(dims[size_t(axis)]),
        inner(product(dims.subspan(size_t(axis) + 1))) {}
};

/// Calls body with a value of the C++ type by which elements of `type` are copied: an integer of its width,
/// or std::string.
template <typename Body> void forWidth(DType type, Body body) {
  struct Wide {
    uint64_t low, high;
  };
  if (type == DType::string)
    return body(std::string());
  switch (sizeOf(type)) {
  case 1:
    return body(uint8_t());
  case 2:
    return body(uint16_t());
  case 4:
    return body(uint32_t());
  case 8:
    return body(uint64_t());
  case 16:
    return body(Wide());
  default:
    return;
  }
}
/// Copies n elements of `width` bytes; strings are copied as objects.
void copyElements(DType type, void *to, int64_t toBegin, const void *from, int64_t fromBegin, int64_t n);
/// y in row-major order from x at `offset`, with one stride (in elements, any sign) for each dim of y. The
/// caller has checked that every position is inside x.
void copyView(const Value &x, int64_t offset, std::span<const int64_t> strides, Value &y);
/// x with its dims in the order given (a permutation of all of them); x itself where that is its own.
Value permuted(const Value &x, const std::vector<int64_t> &order);
/// Zeroes every element: memory handed in by a caller holds anything.
void clear(Value &y);

} // namespace optc

#endif // OPTC_RUNTIME_REFERENCE_BLOCKS_H
