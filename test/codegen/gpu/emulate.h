//===- emulate.h - Printed CUDA as host C++ ---------------------*- C++ -*-===//
//
// Put before a printed kernel, it makes host code of it: the threads of a block take turns on stacks of their
// own, a barrier or a shuffle passes the turn on until all who take part have arrived. What it cannot see:
// memory order and what a missing barrier would do.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <ucontext.h>
#include <utility>
#include <vector>

#define OPTC_EMULATED
#define __global__
#define __device__
#define __launch_bounds__(threads)
#define __shared__ static // blocks run one after the other
#define __syncthreads() emulated::meet(0, emulated::blockThreads)

namespace emulated {
struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  unsigned meetings = 0;
  bool done = false;
};
static std::vector<Thread> threads;
static int blockThreads, current;
static ucontext_t scheduler;
static std::function<void()> body;
static unsigned char slots[1024][8];

/// Waits for the threads [first, first + count).
static void meet(int first, int count) {
  unsigned turn = ++threads[current].meetings;
  auto isMissing = [&] {
    for (int t = first; t < first + count; ++t)
      if (!threads[t].done && threads[t].meetings < turn)
        return true;
    return false;
  };
  while (isMissing())
    swapcontext(&threads[current].context, &scheduler);
}

static void runThread() {
  body();
  threads[current].done = true;
}

template <typename T> T exchange(T x, int offset, int group) {
  int first = current / group * group;
  std::memcpy(slots[current], &x, sizeof x);
  meet(first, group);
  std::memcpy(&x, slots[current ^ offset], sizeof x);
  meet(first, group); // the slots are free again
  return x;
}
} // namespace emulated

struct Index3 {
  unsigned x;
};
static Index3 blockIdx;
struct ThreadIndex {
  struct {
    operator int() const { return emulated::current; }
  } x;
};
static ThreadIndex threadIdx;

using f16 = _Float16;
struct bf16 {
  uint16_t bits;
  bf16() = default;
  explicit bf16(float x) {
    uint32_t wide;
    std::memcpy(&wide, &x, 4);
    bits = x != x ? 0x7fff : (wide + 0x7fff + (wide >> 16 & 1)) >> 16;
  }
  operator float() const {
    uint32_t wide = uint32_t(bits) << 16;
    float x;
    std::memcpy(&x, &wide, 4);
    return x;
  }
};
static float bits_to_float(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
template <int kGroup, typename T> T shuffle_xor(T x, int offset) {
  return emulated::exchange(x, offset, kGroup);
}

/// What the device would trap on.
static void store_16_bytes(void *p, const void *value) {
  if (reinterpret_cast<uintptr_t>(p) % 16) {
    std::fprintf(stderr, "a store of 16 bytes at %p\n", p);
    std::abort();
  }
  std::memcpy(p, value, 16);
}

/// Launches a kernel; each slot holds a pointer or an integer.
template <typename... P>
void launch(void (*kernel)(P...), const uint64_t *arguments, int64_t blocks, int threads) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    emulated::body = [&] { kernel((P)arguments[I]...); };
  }
  (std::index_sequence_for<P...>{});
  constexpr size_t kStack = 64 << 10;
  emulated::blockThreads = threads;
  emulated::threads.resize(threads);
  for (int64_t block = 0; block < blocks; ++block) {
    blockIdx.x = unsigned(block);
    for (emulated::Thread &t : emulated::threads) {
      if (!t.stack)
        t.stack.reset(new char[kStack]);
      t.meetings = 0;
      t.done = false;
      getcontext(&t.context);
      t.context.uc_stack = {t.stack.get(), 0, kStack};
      t.context.uc_link = &emulated::scheduler;
      makecontext(&t.context, emulated::runThread, 0);
    }
    for (bool running = true; running;) {
      running = false;
      for (int i = 0; i < threads; ++i)
        if (!emulated::threads[i].done) {
          running = true;
          emulated::current = i;
          swapcontext(&emulated::scheduler, &emulated::threads[i].context);
        }
    }
  }
}
