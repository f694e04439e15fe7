//===- RandomTensor.h - Made up values -------------------------*- C++ -*-===//
#ifndef OPTC_TOOLS_TENSORS_RANDOMTENSOR_H
#define OPTC_TOOLS_TENSORS_RANDOMTENSOR_H

#include "runtime/reference/Value.h"

namespace optc {

/// splitmix64, https://prng.di.unimi.it/splitmix64.c
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
};

/// Reals from 0 to 1, integers from 0 to `bound` less one, or as many as the type has. Not of strings and complex numbers.
void fillRandom(Value &value, int64_t bound, Random &random);

} // namespace optc

#endif // OPTC_TOOLS_TENSORS_RANDOMTENSOR_H
