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
