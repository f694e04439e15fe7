//===- Values.cpp - Inputs of differential tests, and their results -------===//

#include "Values.h"
#include "ir/eval/Evaluate.h"
#include <cmath>

using namespace optc;
using namespace optc::test;
using mlir::cast;

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

namespace {

const double kSpecials[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 0.5, -0.5, 2, -2, 1e-45, -1e-45, 1e-39, -1e-39,
                            1.1754944e-38, 3.4028235e38, -3.4028235e38, 65504, -65504, 1.5, 2.5, -2.5, 0.49999997, 3, 1e-8,
                            1.5707964, 3.1415927, -3.1415927, 6.2831855, 100.5, 1e4, -1e5, 1e6, 1e10, -1e22, 8388609, 88.6, 88.73,
                            -87.3, -87.4, -100, -103.9, -104, 16, -20, 0.99999994, -0.99999994, 1.0000001, 1e-4, -1e-4, 9.1, -9.1};

double magnitude(std::mt19937 &random, double low, double high) {
  std::uniform_real_distribution<double> exponent(low, high);
  double x = std::exp2(exponent(random));
  return random() & 1 ? -x : x;
}

void fillFloats(HostValue &value, const Argument &argument, std::mt19937 &random) {
  std::uniform_real_distribution<double> unit(0, 1);
  size_t shift = random();
  for (int64_t i = 0; i < value.size(); ++i) {
    double x = 0;
    switch (argument.fill) {
    case Fill::any:
      // Specials meet every other special of a second operand, as the shift differs; then small ones and all magnitudes.
      if (i < 128 || i % 8 == 0)
        x = kSpecials[(size_t(i) + shift) % std::size(kSpecials)];
      else
        x = i % 2 ? magnitude(random, -4, 7) : i % 4 ? magnitude(random, -20, 20) : magnitude(random, -149, 127);
      break;
    case Fill::moderate: x = 4 * unit(random) - 2; break;
    case Fill::positive: x = 4 * unit(random) + 1e-3; break;
    case Fill::index: x = std::floor(unit(random) * double(argument.limit)); break;
    case Fill::count: x = std::floor(unit(random) * double(argument.limit)) + 1; break;
    }
    store(value, i, 1, &x);
  }
}

void fillIntegers(HostValue &value, const Argument &argument, std::mt19937 &random) {
  size_t width = 8 * sizeOf(value.type);
  size_t shift = random();
  for (int64_t i = 0; i < value.size(); ++i) {
    uint64_t bits = uint64_t(random()) << 32 | random();
    int64_t x = int64_t(bits);
    if (argument.fill == Fill::index) {
      bool isUnsigned = classOf(value.type) == Class::u64;
      x = isUnsigned ? int64_t(bits % uint64_t(argument.limit)) : int64_t(bits % uint64_t(2 * argument.limit)) - argument.limit;
    } else if (argument.fill == Fill::count) {
      x = int64_t(bits % uint64_t(argument.limit)) + 1;
    } else if (argument.fill != Fill::any) {
      x = argument.fill == Fill::positive ? int64_t(bits % 4) + 1 : int64_t(bits % 7) - 3;
    } else if (i % 2 == 0) {
      const uint64_t top = uint64_t(1) << (width - 1);
      const uint64_t specials[] = {0, 1, uint64_t(-1), top, top - 1, 2, 3, uint64_t(-3), 7, width, width - 1, 100};
      x = int64_t(specials[(size_t(i / 2) + shift) % std::size(specials)]);
    }
    if (value.type == DType::boolean)
      x &= 1;
    store(value, i, 1, &x);
  }
}

} // namespace

HostValue optc::test::makeInput(mlir::Type type, const Argument &argument, const llvm::StringMap<int64_t> &symbols, std::mt19937 &random) {
  std::vector<int64_t> dims;
  for (const DimExpr &d : dimsOf(type))
    dims.push_back(*d.evaluate([&](llvm::StringRef s) -> std::optional<int64_t> { return symbols.lookup(s); }));
  HostValue value = HostValue::allocate(dtypeOf(cast<mlir::RankedTensorType>(type).getElementType()), dims);
  if (classOf(value.type) == Class::f64)
    fillFloats(value, argument, random);
  else
    fillIntegers(value, argument, random);
  return value;
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

/// Spacing of a float type's numbers at magnitude x.
static double spacing(DType type, double x) {
  int digits = type == DType::f64 ? 53 : type == DType::f32 ? 24 : type == DType::f16 ? 11 : 8;
  int lowest = type == DType::f64 ? -1074 : type == DType::f32 ? -149 : type == DType::f16 ? -24 : -133;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(1, std::max(exponent - digits, lowest));
}

std::string optc::test::compare(const HostValue &got, const HostValue &expected, Bound bound, const std::vector<HostValue> &inputs) {
  if (got.type != expected.type || got.dims != expected.dims)
    return "type or shape differs";
  auto report = [&](int64_t i, const std::string &a, const std::string &b, double error) {
    std::string text = "element " + std::to_string(i) + " of " + std::to_string(got.size()) + " is " + a + ", expected " + b;
    if (error > 0)
      text += " (" + std::to_string(error) + " ulps)";
    for (const HostValue &input : inputs)
      if (input.size() == got.size()) {
        double x;
        load(input, i, 1, &x);
        char buffer[64];
        snprintf(buffer, sizeof buffer, ", of %.9g", x);
        text += buffer;
      }
    return text;
  };
  if (classOf(expected.type) != Class::f64) {
    for (int64_t i = 0; i < got.size(); ++i) {
      int64_t a, b;
      load(got, i, 1, &a);
      load(expected, i, 1, &b);
      if (a != b)
        return report(i, std::to_string(a), std::to_string(b), 0);
    }
    return "";
  }
  std::string worst;
  double worstError = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    double a, b;
    load(got, i, 1, &a);
    load(expected, i, 1, &b);
    double error = 0, unit = spacing(expected.type, std::isfinite(b) ? b : 0);
    if (std::isnan(a) != std::isnan(b))
      error = INFINITY;
    else if (std::isnan(b) || a == b)
      error = b == 0 && std::signbit(a) != std::signbit(b) ? 0.25 : 0;
    else if (std::isinf(a) && !std::isinf(b))
      // Rounding may carry the largest number over.
      error = std::fabs(b) >= 0.999 * (expected.type == DType::f16 ? 65504 : expected.type == DType::f64 ? 1.7976931e308 : 3.38e38)
                  ? 1 : INFINITY;
    else
      error = std::isinf(b) ? INFINITY : std::fabs(a - b) / unit;
    if (error > bound.ulps && !(std::fabs(a - b) <= bound.absolute && error != 0.25) && error > worstError) {
      char x[64], y[64];
      snprintf(x, sizeof x, "%.9g", a);
      snprintf(y, sizeof y, "%.9g", b);
      worst = report(i, x, y, error);
      worstError = error;
    }
  }
  return worst;
}
