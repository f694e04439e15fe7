//===- Kernels.h - Kernels as a compiler would emit them, by hand -*- C++ -*-===//
//
// A tile is one element: register 0 is the number of elements.
//
//===----------------------------------------------------------------------===//
#ifndef OPTC_TEST_RUNTIME_KERNELS_H
#define OPTC_TEST_RUNTIME_KERNELS_H

#include "runtime/Artefact.h"

namespace optc::test {

/// y = 2 x; may be in place.
inline int32_t doubleKernel(const OptcArgs *args, int64_t begin, int64_t end) {
  auto *x = static_cast<const float *>(args->buffers[0]);
  auto *y = static_cast<float *>(args->buffers[1]);
  for (int64_t i = begin; i < end; ++i)
    y[i] = 2 * x[i];
  return OPTC_KERNEL_OK;
}

/// z = x + y
inline int32_t addKernel(const OptcArgs *args, int64_t begin, int64_t end) {
  auto *x = static_cast<const float *>(args->buffers[0]);
  auto *y = static_cast<const float *>(args->buffers[1]);
  auto *z = static_cast<float *>(args->buffers[2]);
  for (int64_t i = begin; i < end; ++i)
    z[i] = x[i] + y[i];
  return OPTC_KERNEL_OK;
}

/// y[i] = i
inline int32_t iotaKernel(const OptcArgs *args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    static_cast<float *>(args->buffers[0])[i] = float(i);
  return OPTC_KERNEL_OK;
}

/// Writes all its scratch (256 bytes), then y[i] = what it finds there.
inline int32_t scratchKernel(const OptcArgs *args, int64_t begin, int64_t end) {
  auto *scratch = static_cast<float *>(args->scratch);
  for (int64_t i = begin; i < end; ++i) {
    for (int k = 0; k < 64; ++k)
      scratch[k] = float(i);
    static_cast<float *>(args->buffers[0])[i] = scratch[int(i) % 64];
  }
  return OPTC_KERNEL_OK;
}

/// Fails at tile 3.
inline int32_t failingKernel(const OptcArgs *, int64_t begin, int64_t end) {
  return begin <= 3 && 3 < end ? OPTC_KERNEL_INDEX_OUT_OF_RANGE : OPTC_KERNEL_OK;
}

} // namespace optc::test

#endif // OPTC_TEST_RUNTIME_KERNELS_H
