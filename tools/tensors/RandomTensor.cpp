//===- RandomTensor.cpp - Made up values ----------------------------------===//

#include "tools/tensors/RandomTensor.h"
#include "runtime/reference/Reference.h"
#include <algorithm>

using namespace optc;

void optc::fillRandom(Value &value, int64_t bound, Random &random) {
  constexpr int64_t kBlock = 256;
  double reals[kBlock];
  int64_t integers[kBlock];
  if (value.type == DType::boolean)
    bound = 2;
  if (value.type == DType::u2 || value.type == DType::i2 || value.type == DType::i4)
    bound = std::min<int64_t>(bound, value.type == DType::i4 ? 8 : 2);
  else if (value.type == DType::u4)
    bound = std::min<int64_t>(bound, 16);
  for (int64_t done = 0, total = value.size(); done < total; done += kBlock) {
    int64_t n = std::min(kBlock, total - done);
    for (int64_t i = 0; i < n; ++i) {
      uint64_t r = random.next();
      reals[i] = double(r >> 11) * 0x1p-53;
      integers[i] = int64_t(r % uint64_t(bound));
    }
    if (classOf(value.type) == Class::f64)
      store(value, done, n, reals);
    else
      store(value, done, n, integers);
  }
}

std::optional<int64_t> optc::sizeOfDim(const std::string &expression, const std::map<std::string, int64_t> &symbols, std::optional<int64_t> unknown) {
  int64_t sum = 0, product = 1, sign = 1;
  for (size_t at = 0; at <= expression.size();) {
    size_t end = std::min(expression.find_first_of("+-*", at), expression.size());
    std::string term = expression.substr(at, end - at);
    term.erase(std::remove(term.begin(), term.end(), ' '), term.end());
    char next = end < expression.size() ? expression[end] : '+';
    if (!(term.empty() && at == 0)) { // a sign comes first
      auto known = symbols.find(term);
      bool isNumber = !term.empty() && term.size() < 19 && term.find_first_not_of("0123456789") == std::string::npos;
      std::optional<int64_t> factor = known != symbols.end() ? known->second : isNumber ? std::stoll(term) : unknown;
      if (!factor || __builtin_mul_overflow(product, *factor, &product))
        return std::nullopt;
    }
    if (next != '*') {
      if (!(term.empty() && at == 0) && __builtin_add_overflow(sum, sign * product, &sum))
        return std::nullopt;
      product = 1;
      sign = next == '-' ? -1 : 1;
    }
    at = end + 1;
  }
  return sum >= 0 && expression.find('(') == std::string::npos ? std::optional(sum) : std::nullopt;
}
