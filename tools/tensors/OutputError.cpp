//===- OutputError.cpp - How far an output is from the expected one -------===//

#include "tools/tensors/OutputError.h"
#include <algorithm>
#include <cmath>

using namespace optc;

double OutputError::relativeNorm() const {
  if (differenceSquared == 0)
    return 0;
  return std::sqrt(differenceSquared / expectedSquared);
}

double OutputError::cosine() const {
  if (gotSquared == 0 && expectedSquared == 0)
    return 1;
  if (!std::isfinite(differenceSquared))
    return NAN;
  return std::clamp(product / (std::sqrt(gotSquared) * std::sqrt(expectedSquared)), -1.0, 1.0);
}

double OutputError::decibels() const {
  return differenceSquared == 0 ? INFINITY : 10 * std::log10(expectedSquared / differenceSquared);
}

std::optional<double> OutputError::agreement() const {
  return rows ? std::optional(double(rowsAgreeing) / double(rows)) : std::nullopt;
}

void OutputError::add(const OutputError &other) {
  count += other.count;
  outside += other.outside;
  maxAbsolute = std::max(maxAbsolute, other.maxAbsolute);
  maxRelative = std::max(maxRelative, other.maxRelative);
  differenceSquared += other.differenceSquared;
  expectedSquared += other.expectedSquared;
  gotSquared += other.gotSquared;
  product += other.product;
  rows += other.rows;
  rowsAgreeing += other.rowsAgreeing;
}

std::string optc::typeText(const Value &value) {
  if (value.kind == Value::Kind::sequence)
    return "sequence of " + std::to_string(value.items.size());
  if (value.kind == Value::Kind::optional)
    return value.items.empty() ? "empty optional" : "optional " + typeText(value.items.front());
  std::string text = nameOf(value.type);
  text += "[";
  for (size_t i = 0; i < value.dims.size(); ++i)
    text += (i ? ", " : "") + std::to_string(value.dims[i]);
  return text + "]";
}

namespace {

/// One pair of elements; a and b convert to long double without loss.
template <typename T> void compareOne(T a, T b, double rtol, double atol, OutputError &error) {
  auto x = static_cast<long double>(a), y = static_cast<long double>(b);
  if (a == b) {
    if (std::isfinite(y))
      for (double *sum : {&error.expectedSquared, &error.gotSquared, &error.product})
        *sum += double(y * y);
    return;
  }
  bool bothNan = std::isnan(x) && std::isnan(y);
  if (bothNan)
    return;
  long double difference = std::fabs(x - y);
  if (!std::isfinite(difference)) {
    ++error.outside;
    error.maxAbsolute = error.maxRelative = error.differenceSquared = INFINITY;
    return;
  }
  error.outside += !(difference <= atol + rtol * std::fabs(y));
  error.maxAbsolute = std::max(error.maxAbsolute, double(difference));
  if (y != 0)
    error.maxRelative = std::max(error.maxRelative, double(difference / std::fabs(y)));
  error.differenceSquared += double(difference * difference);
  error.expectedSquared += double(y * y);
  error.gotSquared += double(x * x);
  error.product += double(x * y);
}

/// Where the largest element of a row is, the first of equal ones; what is not a number counts as the largest, as for numpy.
template <typename T> class Largest {
public:
  void add(T x, int64_t at) {
    bool isNan = x != x;
    if (at == 0 || (best == best && (isNan || x > best))) {
      best = x;
      place = at;
    }
  }
  int64_t place = 0;

private:
  T best = {};
};

/// `ranks`: elements along the last dim have an order, so that the largest of them says something.
template <typename T>
void compareElements(const Value &got, const Value &expected, bool ranks, double rtol, double atol, OutputError &error) {
  constexpr int64_t kBlock = 512;
  T a[kBlock], b[kBlock];
  Largest<T> largestA, largestB;
  int64_t row = ranks ? got.dims.back() : 1, at = 0;
  for (int64_t done = 0, total = got.size(); done < total; done += kBlock) {
    int64_t n = std::min(kBlock, total - done);
    load(got, done, n, a);
    load(expected, done, n, b);
    for (int64_t i = 0; i < n; ++i) {
      compareOne(a[i], b[i], rtol, atol, error);
      if (row <= 1)
        continue;
      largestA.add(a[i], at);
      largestB.add(b[i], at);
      if (++at < row)
        continue;
      at = 0;
      ++error.rows;
      error.rowsAgreeing += largestA.place == largestB.place;
    }
  }
}

/// A complex tensor as one of its real and imaginary parts.
Value parts(const Value &value) {
  if (value.type != DType::c64 && value.type != DType::c128)
    return value;
  Value real = value;
  real.type = value.type == DType::c64 ? DType::f32 : DType::f64;
  real.dims.push_back(2);
  return real;
}

void compareInto(const Value &got, const Value &expected, double rtol, double atol, OutputError &error) {
  if (got.kind != expected.kind ||
      (got.kind != Value::Kind::tensor && got.items.size() != expected.items.size()) ||
      (got.kind == Value::Kind::tensor && (got.type != expected.type || got.dims != expected.dims))) {
    if (error.problem.empty())
      error.problem = "is " + typeText(got) + ", expected " + typeText(expected);
    return;
  }
  if (got.kind != Value::Kind::tensor) {
    for (size_t i = 0; i < got.items.size(); ++i)
      compareInto(got.items[i], expected.items[i], rtol, atol, error);
    return;
  }
  error.count += got.size();
  if (got.type == DType::string) {
    for (int64_t i = 0; i < got.size(); ++i)
      error.outside += got.as<std::string>()[i] != expected.as<std::string>()[i];
    return;
  }
  if (got.type == DType::boolean)
    rtol = atol = 0;
  Value a = parts(got), b = parts(expected);
  bool isComplex = a.dims.size() != got.dims.size();
  bool ranks = got.type != DType::boolean && !isComplex && !got.dims.empty();
  switch (classOf(a.type)) {
  case Class::f64: return compareElements<double>(a, b, ranks, rtol, atol, error);
  case Class::i64: return compareElements<int64_t>(a, b, ranks, rtol, atol, error);
  case Class::u64: return compareElements<uint64_t>(a, b, ranks, rtol, atol, error);
  case Class::object: return;
  }
}

} // namespace

OutputError optc::compareValues(const std::string &name, const Value &got, const Value &expected, double rtol,
                                double atol) {
  OutputError error;
  error.name = name;
  error.type = typeText(got);
  compareInto(got, expected, rtol, atol, error);
  return error;
}
