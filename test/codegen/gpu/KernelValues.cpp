//===- KernelValues.cpp - What kernels are tried on -----------------------===//

#include "test/codegen/gpu/KernelValues.h"
#include <cmath>
#include <iterator>
#include <sstream>
#include <thread>

using namespace optc;

/// The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators").
uint64_t optc::hashOf(uint64_t seed, uint64_t i) {
  uint64_t z = seed * 0xd1342543de82ef95ull + (i + 1) * 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

/// Eight times two of four, the lower first, 2 bits each.
static uint32_t randomPositions(uint64_t random) {
  constexpr uint32_t pairs[] = {0x4, 0x8, 0xc, 0x9, 0xd, 0xe};
  uint32_t word = 0;
  for (int i = 0; i < 8; ++i, random >>= 8)
    word = word << 4 | pairs[random % 256 % std::size(pairs)];
  return word;
}

static void fillRange(Value &value, uint64_t seed, Fill fill, int64_t begin, int64_t end) {
  constexpr int64_t kStretch = 1024, kBlock = 256;
  const double specials[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0};
  bool isFloat = classOf(value.type) == Class::f64;
  int64_t low = classOf(value.type) == Class::i64 ? -3 : 0;
  double floats[kBlock];
  int64_t integers[kBlock];
  for (int64_t at = begin; at < end; at += kBlock) {
    int64_t n = std::min(kBlock, end - at);
    bool hasSpecials = fill == Fill::any && hashOf(seed + 1, uint64_t(at / kStretch)) % 4 == 0;
    for (int64_t i = 0; i < n; ++i) {
      uint64_t random = hashOf(seed, uint64_t(at + i));
      integers[i] = fill == Fill::positions ? int32_t(randomPositions(random)) : fill == Fill::codes ? int8_t(random) : int64_t(random % 7) + low;
      bool isSpecial = hasSpecials && random % 29 == 0;
      floats[i] =
          isSpecial ? specials[(random >> 32) % std::size(specials)] : double(random >> 11) * 0x1p-51 - 2;
    }
    if (isFloat)
      store(value, at, n, floats);
    else
      store(value, at, n, integers);
  }
}

void optc::fillRandom(Value &value, uint64_t seed, Fill fill) {
  constexpr int64_t kPerThread = 1 << 20;
  std::vector<std::thread> threads;
  for (int64_t begin = 0; begin < value.size(); begin += kPerThread) {
    int64_t end = std::min(value.size(), begin + kPerThread);
    if (begin == 0 && end == value.size())
      return fillRange(value, seed, fill, begin, end);
    threads.emplace_back([&value, seed, fill, begin, end] { fillRange(value, seed, fill, begin, end); });
  }
  for (std::thread &t : threads)
    t.join();
}

double optc::toleranceOf(DType type, int64_t terms) {
  constexpr double kUnit = 0x1p-22;
  switch (type) {
  case DType::f64:
    return 1e-12;
  case DType::f16:
    return 2e-2 + kUnit * double(terms);
  case DType::bf16:
    return 4e-2 + kUnit * double(terms);
  default:
    return 2e-5 + kUnit * double(terms);
  }
}

std::string optc::compareValues(const Value &got, const Value &expected, double tolerance,
                                const std::vector<int64_t> &positions) {
  int64_t wrong = 0;
  std::ostringstream what;
  for (int64_t i = 0; i < expected.size(); ++i) {
    int64_t at = positions.empty() ? i : positions[size_t(i)];
    double a, b;
    load(got, at, 1, &a);
    load(expected, i, 1, &b);
    bool same = a == b;
    if (classOf(got.type) == Class::f64)
      same = same || (std::isnan(a) && std::isnan(b)) ||
             std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(b));
    if (!same && wrong++ == 0)
      what << "element " << at << " of " << got.size() << " is " << a << ", expected " << b;
  }
  if (wrong > 1)
    what << " (and " << wrong - 1 << " more)";
  return what.str();
}
