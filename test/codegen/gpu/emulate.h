//===- emulate.h - Printed CUDA as host C++ ---------------------*- C++ -*-===//
//
// Put before a printed kernel, it makes host code of it: the threads of a block take turns on stacks of their
// own, and one that waits passes its turn on. In which order they take turns is the schedule's business, as is that of the blocks: what
// depends on it is a missing barrier. Copies and products that run by themselves (emulate_tile.h) run as late
// as they may, or at once; what a block hands to others is there once it may be relied on, or at once. What it cannot see: the order of other stores.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#define OPTC_EMULATED
#define __global__
#define __device__
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static // blocks run one after the other
#define __syncthreads() emulated::meetBlock()

namespace emulated {

/// Orders in which threads take turns, and when what runs by itself is done.
enum Schedule { kInOrder, kReversed, kRandom, kWarpByWarp, kScheduleCount };
static Schedule schedule = kInOrder;
enum Late { kNothingLate, kAllLate, kProductsLate, kCopiesLate };
static Late late = kNothingLate;
static bool copiesAreLate() { return late == kAllLate || late == kCopiesLate; }
static bool productsAreLate() { return late == kAllLate || late == kProductsLate; }

[[noreturn]] static void fail(const char *what) {
  std::fprintf(stderr, "emulation: %s\n", what);
  std::abort();
}

struct Copy {
  void *to;
  const void *from;
  bool valid;
  size_t bytes;
  int group;
};
struct Thread {
  void *stackPointer = nullptr;
  std::unique_ptr<char[]> stack;
  /// It waits while the masked word has this value.
  const uint32_t *word = nullptr;
  uint32_t mask = 0, value = 0;
  bool done = false;
  std::vector<Copy> copies;
  int copyGroup = 0;
};
/// Where threads meet: the last one to come lets all go on.
struct Meeting {
  uint32_t turn = 0;
  int arrived = 0;
};

static std::vector<Thread> threads;
static int blockThreads, current, alive;
static void *scheduler;
static std::function<void()> body;
static Meeting block, groups[1024];
static unsigned char slots[1024][8];
static uint32_t randomState = 1;
/// Done when nothing else can go on, in the schedule's order: what was asked for first need not be there first.
static std::vector<std::function<void()>> pending;
alignas(1024) static unsigned char launchMemory[256 << 10];
static size_t launchBytes;

#ifndef __x86_64__
#error "the switch of stacks is written for x86-64"
#endif
extern "C" void optc_switch_stack(void **save, void *to);
asm(".text\n.globl optc_switch_stack\n.type optc_switch_stack,@function\noptc_switch_stack:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
    ".size optc_switch_stack,.-optc_switch_stack\n");

static void yield() { optc_switch_stack(&threads[current].stackPointer, scheduler); }
static void waitWhile(const uint32_t *word, uint32_t mask, uint32_t value) {
  Thread &t = threads[current];
  t.word = word, t.mask = mask, t.value = value;
  while ((*static_cast<const volatile uint32_t *>(word) & mask) == value)
    yield();
  t.word = nullptr;
}

/// Waits for `count` threads; the last one does `action` first. Gives the turn that ended.
template <typename Action> uint32_t meet(Meeting &m, int count, Action action) {
  uint32_t turn = m.turn;
  if (++m.arrived >= count) {
    action();
    m.arrived = 0;
    ++m.turn;
  } else {
    waitWhile(&m.turn, ~0u, turn);
  }
  return turn;
}
static void meetBlock() {
  meet(block, alive, [] {});
}

static void runThread() {
  body();
  threads[current].done = true;
  if (--alive > 0 && block.arrived >= alive) {
    block.arrived = 0;
    ++block.turn;
  }
  yield();
}

template <typename T> T exchange(T x, int offset, int group) {
  Meeting &m = groups[current / group * group];
  std::memcpy(slots[current], &x, sizeof x);
  meet(m, group, [] {});
  std::memcpy(&x, slots[current ^ offset], sizeof x);
  meet(m, group, [] {}); // the slots are free again
  return x;
}
} // namespace emulated

/// CUDA's: of pi times x.
inline void sincospi(double x, double *sine, double *cosine) {
  *sine = std::sin(M_PI * std::fmod(x, 2));
  *cosine = std::cos(M_PI * std::fmod(x, 2));
}

struct Index3 {
  unsigned x;
};
static Index3 blockIdx, gridDim;
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
static uint32_t byte_permute(uint32_t x, uint32_t y, uint32_t which) {
  uint64_t bytes = uint64_t(y) << 32 | x;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i)
    result |= uint32_t(bytes >> 8 * (which >> 4 * i & 7) & 0xff) << 8 * i;
  return result;
}
static float bits_to_float(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
template <int kGroup, typename T> T shuffle_xor(T x, int offset) {
  return emulated::exchange(x, offset, kGroup);
}
/// Threads take turns between statements only.
static int64_t atomicMax(long long *p, long long x) {
  long long old = *p;
  *p = std::max(old, x);
  return old;
}
static unsigned char *launch_memory() { return emulated::launchMemory; }

/// What the device would trap on.
static void store_16_bytes(void *p, const void *value) {
  if (reinterpret_cast<uintptr_t>(p) % 16)
    emulated::fail("a store of 16 bytes elsewhere than at a multiple of 16");
  std::memcpy(p, value, 16);
}

#include "emulate_tile.h"

namespace emulated {

static uint32_t nextRandom() {
  randomState = randomState * 1664525u + 1013904223u;
  return randomState >> 8;
}

/// A turn of each thread that can go on; false: none could.
static bool runRound(std::vector<int> &order) {
  bool progress = false;
  auto turn = [&](int i) {
    Thread &t = threads[i];
    if (t.done || (t.word && (*t.word & t.mask) == t.value))
      return false;
    current = i;
    optc_switch_stack(&scheduler, t.stackPointer);
    return true;
  };
  if (schedule == kRandom)
    for (size_t i = order.size() - 1; i > 0; --i)
      std::swap(order[i], order[nextRandom() % (i + 1)]);
  for (size_t first = 0; first < order.size(); first += 32)
    for (bool again = true; again;) {
      again = false;
      for (size_t i = first; i < std::min(order.size(), first + 32); ++i)
        again |= turn(order[i]);
      progress |= again;
      again &= schedule == kWarpByWarp;
    }
  return progress;
}

static void runBlock(int count) {
  constexpr size_t kStack = 64 << 10;
  blockThreads = alive = count;
  threads.resize(size_t(std::max<size_t>(threads.size(), size_t(count))));
  std::vector<int> order;
  for (int i = 0; i < count; ++i) {
    Thread &t = threads[i];
    if (!t.stack)
      t.stack.reset(new char[kStack]);
    t.done = false;
    t.word = nullptr;
    t.copies.clear();
    t.copyGroup = 0;
    // As runThread were called: its return address is never used.
    void **top = reinterpret_cast<void **>((reinterpret_cast<uintptr_t>(t.stack.get()) + kStack - 64) &
                                           ~uintptr_t(63));
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(runThread);
    for (int k = 0; k < 6; ++k)
      *--top = nullptr;
    t.stackPointer = top;
    order.push_back(schedule == kReversed ? count - 1 - i : i);
  }
  block = {};
  std::fill(std::begin(groups), std::end(groups), Meeting());
  // What the block before has not counted stays where nobody sees it.
  for (Store &store : handedOver)
    store.warp = -1;
  resetTile();
  std::memset(launchMemory, 0xff, launchBytes);
  while (alive > 0)
    if (!runRound(order)) {
      if (pending.empty())
        fail("no thread can go on");
      size_t place = schedule == kReversed ? pending.size() - 1 : schedule == kRandom ? nextRandom() % pending.size() : 0;
      auto next = std::move(pending[place]);
      pending.erase(pending.begin() + ptrdiff_t(place));
      next();
    }
}

template <typename P> P argument(uint64_t slot) {
  if constexpr (std::is_class_v<P>)
    return *reinterpret_cast<const P *>(slot);
  else
    return (P)slot;
}
} // namespace emulated

/// Launches a kernel; each slot holds a pointer (to the value of a class) or an integer.
template <typename... P>
void launch(void (*kernel)(P...), const uint64_t *arguments, int64_t blocks, int threads, int64_t shared) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    emulated::body = [=] { kernel(emulated::argument<std::remove_const_t<P>>(arguments[I])...); };
  }
  (std::index_sequence_for<P...>{});
  if (size_t(shared) > sizeof(emulated::launchMemory))
    emulated::fail("more shared memory than there is");
  emulated::launchBytes = size_t(shared);
  gridDim.x = unsigned(blocks);
  std::vector<unsigned> order(static_cast<size_t>(blocks));
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = unsigned(emulated::schedule == emulated::kReversed ? order.size() - 1 - i : i);
  if (emulated::schedule == emulated::kRandom)
    for (size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[emulated::nextRandom() % i]);
  for (unsigned block : order) {
    blockIdx.x = block;
    emulated::runBlock(threads);
  }
  for (const emulated::Store &store : emulated::handedOver)
    store.run();
  emulated::handedOver.clear();
}
