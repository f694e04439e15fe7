//===- fake_launch.h - Launches of emulated kernels -------------*- C++ -*-===//
//
// Put between emulate.h and the kernels of an image, so that FakeDriver.cpp can call them as a driver does: by the addresses of
// their parameters' values.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <cstddef>

namespace fake {

template <typename P> uint64_t slotOf(void *argument) {
  if constexpr (std::is_class_v<P>) {
    return reinterpret_cast<uint64_t>(argument);
  } else {
    P value;
    std::memcpy(&value, argument, sizeof value);
    return uint64_t(value);
  }
}

/// Bytes of each parameter; the number of them.
template <typename... P> int sizesOf(void (*)(P...), size_t *sizes) {
  size_t all[] = {sizeof(std::conditional_t<std::is_class_v<std::remove_const_t<P>>, char[128], P>)...};
  std::memcpy(sizes, all, sizeof all);
  return int(sizeof...(P));
}

template <typename... P> void launchWith(void (*kernel)(P...), void **arguments, int64_t blocks, int threads, int64_t shared) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    uint64_t slots[] = {slotOf<std::remove_const_t<P>>(arguments[I])...};
    launch(kernel, slots, blocks, threads, shared);
  }(std::index_sequence_for<P...>{});
}

} // namespace fake
