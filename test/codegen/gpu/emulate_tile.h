//===- emulate_tile.h - The tile library's instructions ---------*- C++ -*-===//
//
// Plain loops in place of what codegen/gpu/tile asks of the hardware: mbarrier, copies of boxes with their
// swizzle, cp.async, ldmatrix, mma.sync, wgmma with operands in swizzled shared memory. Part of emulate.h.
//
//===----------------------------------------------------------------------===//
#pragma once

struct TensorMap; // words here: address, bytes of an element, sizes[4], box[4], strides in bytes[4]

namespace emulated {

inline uint32_t offsetOf(const void *p) {
  ptrdiff_t offset = static_cast<const unsigned char *>(p) - launchMemory;
  if (offset < 0 || size_t(offset) >= launchBytes)
    fail("an address outside of the launch's memory");
  return uint32_t(offset);
}
/// By 4 bytes of the launch's memory: the thread, from 1 on, that has copied what is there and not made it known to warpgroups' products.
static std::vector<uint16_t> unpublished;
static std::vector<size_t> copiedWords[1024]; // by thread
/// Where byte `offset` of swizzled memory is.
inline unsigned char *swizzled(uint32_t offset) {
  offset ^= (offset >> 7 & 7) << 4;
  if (offset >= launchBytes)
    fail("a read beyond the launch's memory");
  return launchMemory + offset;
}
/// The same for a product to read.
inline unsigned char *multiplied(uint32_t offset) {
  unsigned char *p = swizzled(offset);
  if (size_t word = size_t(p - launchMemory) / 4; word < unpublished.size() && unpublished[word])
    fail("a product reads what was not made known to it");
  return p;
}

struct BoxCopy {
  unsigned char *to;
  uint64_t map[14];
  int64_t at[4];
  uint64_t bytes() const { return map[1] * map[6] * map[7] * map[8] * map[9]; }
};
inline void copyBox(const BoxCopy &c) {
  const uint64_t bytes = c.map[1], *sizes = c.map + 2, *box = c.map + 6, *strides = c.map + 10;
  uint32_t to = offsetOf(c.to);
  if (to % 128 || box[0] * bytes != 128 || box[2] != 1 || box[3] != 1)
    fail("a box that cannot be swizzled");
  for (uint64_t r = 0; r < box[1]; ++r)
    for (uint64_t i = 0; i < box[0]; ++i) {
      const int64_t at[4] = {c.at[0] + int64_t(i), c.at[1] + int64_t(r), c.at[2], c.at[3]};
      unsigned char *p = swizzled(to + uint32_t(r * 128 + i * bytes));
      if (!unpublished.empty())
        unpublished[size_t(p - launchMemory) / 4] = 0;
      uint64_t from = c.map[0];
      bool inside = true;
      for (int d = 0; d < 4; ++d) {
        inside &= at[d] >= 0 && at[d] < int64_t(sizes[d]);
        from += uint64_t(at[d]) * strides[d];
      }
      if (inside)
        std::memcpy(p, reinterpret_cast<const void *>(from), bytes);
      else
        std::memset(p, 0, bytes);
    }
}

/// The library's f8.
template <typename T> constexpr bool isE4m3 = sizeof(T) == 1 && std::is_class_v<T>;

/// An element as what products multiply.
inline float e4m3(uint8_t bits) {
  int exponent = bits >> 3 & 15, mantissa = bits & 7;
  float x = exponent ? std::ldexp(1 + mantissa / 8.0f, exponent - 7) : std::ldexp(mantissa / 8.0f, -6);
  if ((bits & 0x7f) == 0x7f)
    x = NAN;
  return bits & 0x80 ? -x : x;
}
template <typename Sum, typename T> Sum element(const void *p) {
  T x;
  std::memcpy(&x, p, sizeof x);
  if constexpr (isE4m3<T>) {
    return e4m3(x.bits);
  } else if constexpr (std::is_convertible_v<T, float>) {
    return Sum(x);
  } else if constexpr (sizeof(T) == 4) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits_to_float(bits & 0xffffe000);
  }
}

/// An element of the right operand.
template <typename T> using Right = std::conditional_t<std::is_same_v<T, unsigned char>, signed char, T>;

// Warpgroups' products, in the order in which they were asked for.
struct Product {
  std::function<void()> run;
  int group;
};
struct Warpgroup {
  Meeting meeting;
  void *sums[128];
  std::vector<Product> products;
  int group = 0;
};
static Warpgroup warpgroups[8];
// What the threads of a warp show each other, for two turns.
static const void *shownRows[2][1024];
static uint32_t shownRegisters[2][1024][9];

static void resetTile() {
  pending.clear();
  unpublished.clear();
  for (auto &words : copiedWords)
    words.clear();
  for (Warpgroup &w : warpgroups)
    w = Warpgroup();
}
template <typename Action> void meetWarpgroup(Action action) {
  Warpgroup &w = warpgroups[current / 128];
  meet(w.meeting, 128, [&] { action(w); });
}
inline uint32_t meetWarp() {
  int first = current / 32 * 32;
  return meet(groups[first], std::min(32, blockThreads - first), [] {}) % 2;
}
inline uint32_t warpTurn() { return groups[current / 32 * 32].turn % 2; }
} // namespace emulated

inline uint32_t shared_address(const void *p) { return emulated::offsetOf(p); }

//===-- Barriers and copies of boxes --------------------------------------===//

struct Barrier {
  uint16_t arrivals;
  int16_t missing;
  int32_t state; // 2 * bytes that are still to come + the phase's parity
  void check() {
    if (missing == 0 && state >> 1 == 0) {
      missing = int16_t(arrivals);
      state ^= 1;
    }
  }
};
inline void barrier_init(Barrier *b, int arrivals) { *b = {uint16_t(arrivals), int16_t(arrivals), 0}; }
inline void barrier_init_done() {}
inline void barrier_arrive(Barrier *b) {
  if (b->missing-- <= 0)
    emulated::fail("too many arrivals at a barrier");
  b->check();
}
inline void barrier_expect(Barrier *b, int bytes) {
  b->state += 2 * bytes;
  barrier_arrive(b);
}
inline void barrier_wait(Barrier *b, uint32_t parity) {
  emulated::waitWhile(reinterpret_cast<const uint32_t *>(&b->state), 1, parity);
}
inline void prefetch_map(const TensorMap *) {}
inline void copy_box(void *to, const TensorMap *map, int x, int y, int z, int w, Barrier *arrived) {
  emulated::BoxCopy c{static_cast<unsigned char *>(to), {}, {x, y, z, w}};
  std::memcpy(c.map, map, sizeof c.map);
  auto run = [c, arrived] {
    emulated::copyBox(c);
    arrived->state -= 2 * int(c.bytes());
    arrived->check();
  };
  if (emulated::copiesAreLate())
    emulated::pending.push_back(run);
  else
    run();
}

inline void copy_box(void *to, const TensorMap *map, int x, int y, int z, Barrier *arrived) {
  copy_box(to, map, x, y, z, 0, arrived);
}

//===-- Copies of a few bytes ---------------------------------------------===//

namespace emulated {
inline void runCopy(const Copy &c) {
  unpublished.resize(std::max(unpublished.size(), launchBytes / 4 + 1));
  for (size_t i = 0, word = offsetOf(c.to) / 4; i < c.bytes / 4; ++i) {
    unpublished[word + i] = uint16_t(current + 1);
    copiedWords[current].push_back(word + i);
  }
  if (c.valid)
    std::memcpy(c.to, c.from, c.bytes);
  else
    std::memset(c.to, 0, c.bytes);
}
} // namespace emulated
template <int kBytes> void copy_bytes(void *to, const void *from, bool valid) {
  using namespace emulated;
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "a copy is of 4, 8 or 16 bytes");
  if (offsetOf(to) % kBytes || reinterpret_cast<uintptr_t>(from) % kBytes)
    fail("a copy elsewhere than at a multiple of its size");
  Copy c{to, from, valid, kBytes, threads[current].copyGroup};
  if (copiesAreLate())
    threads[current].copies.push_back(c);
  else
    runCopy(c);
}
inline void end_copies() { ++emulated::threads[emulated::current].copyGroup; }
template <int kGroups> void wait_copies() {
  emulated::Thread &t = emulated::threads[emulated::current];
  size_t n = 0;
  for (; n < t.copies.size() && t.copies[n].group < t.copyGroup - kGroups; ++n)
    emulated::runCopy(t.copies[n]);
  t.copies.erase(t.copies.begin(), t.copies.begin() + ptrdiff_t(n));
}
inline void publish_copies() {
  using namespace emulated;
  for (size_t word : copiedWords[current])
    if (unpublished[word] == current + 1)
      unpublished[word] = 0;
  copiedWords[current].clear();
}
template <int kCount> void give_registers() {}
template <int kCount> void take_registers() {}
inline void warp_barrier() { emulated::meetWarp(); }

//===-- Warps of several blocks -------------------------------------------===//

namespace emulated {
/// 16 bytes for others, stored before the warp has met so often.
struct Store {
  void *to;
  unsigned char bytes[16];
  int warp;
  uint32_t turn;
  void run() const { std::memcpy(to, bytes, sizeof bytes); }
};
static std::vector<Store> handedOver;
} // namespace emulated
inline void hand_over(void *p, const void *value) {
  using namespace emulated;
  int warp = current / 32;
  Store store{p, {}, warp, groups[warp * 32].turn};
  std::memcpy(store.bytes, value, sizeof store.bytes);
  if (reinterpret_cast<uintptr_t>(p) % 16)
    fail("16 bytes are handed over elsewhere than at a multiple of 16");
  if (copiesAreLate())
    handedOver.push_back(store);
  else
    store.run();
}
/// Others see what the warp's threads stored before they met.
inline bool arrives_last(int *counter, int count) {
  using namespace emulated;
  static int before[32];
  int warp = current / 32;
  if (current % 32 == 0) {
    std::erase_if(handedOver, [&](const Store &store) {
      bool isSeen = store.warp == warp && store.turn != groups[warp * 32].turn;
      if (isSeen)
        store.run();
      return isSeen;
    });
    before[warp] = *counter;
    *counter = before[warp] >= count - 1 ? 0 : before[warp] + 1;
  }
  meetWarp();
  return before[warp] == count - 1;
}

//===-- Products of a warp ------------------------------------------------===//

namespace emulated {
inline void loadMatrices(uint32_t (&x)[4], const void *row, bool transposed) {
  if (offsetOf(row) % 16)
    fail("a matrix's row elsewhere than at a multiple of 16");
  int first = current / 32 * 32, lane = current % 32;
  shownRows[warpTurn()][current] = row;
  uint32_t turn = meetWarp();
  for (int i = 0; i < 4; ++i)
    for (int half = 0; half < 2; ++half) {
      int r = transposed ? lane % 4 * 2 + half : lane / 4,
          column = transposed ? lane / 4 : lane % 4 * 2 + half;
      std::memcpy(reinterpret_cast<char *>(&x[i]) + 2 * half,
                  static_cast<const char *>(shownRows[turn][first + 8 * i + r]) + 2 * column, 2);
    }
}
} // namespace emulated
inline void load_matrices(uint32_t (&x)[4], const void *row) { emulated::loadMatrices(x, row, false); }
inline void load_matrices_transposed(uint32_t (&x)[4], const void *row) {
  emulated::loadMatrices(x, row, true);
}

inline uint32_t times_256(uint32_t halves) {
  f16 pair[2];
  std::memcpy(pair, &halves, 4);
  for (f16 &half : pair)
    half = f16(256 * float(half));
  std::memcpy(&halves, pair, 4);
  return halves;
}

template <typename T, typename Sum>
void multiply_registers(T, Sum (&sums)[4], const uint32_t (&lhs)[4], uint32_t rhs0, uint32_t rhs1) {
  using namespace emulated;
  constexpr int kPerRegister = 4 / sizeof(T);
  int first = current / 32 * 32, lane = current % 32;
  uint32_t *mine = shownRegisters[warpTurn()][current];
  std::copy(lhs, lhs + 4, mine);
  mine[4] = rhs0, mine[5] = rhs1;
  uint32_t turn = meetWarp();
  for (int h = 0; h < 2; ++h)
    for (int c = 0; c < 2; ++c) {
      Sum sum = sums[2 * h + c];
      for (int part = 0; part < 2; ++part)
        for (int t = 0; t < 4; ++t)
          for (int e = 0; e < kPerRegister; ++e) {
            const uint32_t *a = shownRegisters[turn][first + lane / 4 * 4 + t];
            const uint32_t *b = shownRegisters[turn][first + (lane % 4 * 2 + c) * 4 + t];
            sum += element<Sum, T>(reinterpret_cast<const char *>(a + h + 2 * part) + e * sizeof(T)) *
                   element<Sum, Right<T>>(reinterpret_cast<const char *>(b + 4 + part) + e * sizeof(T));
          }
      sums[2 * h + c] = sum;
    }
}

namespace emulated {
/// Which of its four k's a value is, number s of 16 of row g of 16, from what the warp's threads give (those from `first` on).
inline int positionOf(const uint32_t *(*ofThread)(uint32_t turn, int thread), uint32_t turn, int first, int row, int s) {
  auto bits = [&](int value) { return *ofThread(turn, first + row % 8 * 4 + value / 8) >> (row / 8 * 16 + value % 8 * 2) & 3; };
  if (bits(s & ~1) >= bits(s | 1))
    fail("positions that are not in order");
  return int(bits(s));
}
} // namespace emulated

template <typename T>
void multiply_sparse(T, float (&sums)[4], const uint32_t (&lhs)[4], const uint32_t (&rhs)[4], uint32_t positions) {
  using namespace emulated;
  int first = current / 32 * 32, lane = current % 32;
  uint32_t *mine = shownRegisters[warpTurn()][current];
  std::copy(lhs, lhs + 4, mine);
  std::copy(rhs, rhs + 4, mine + 4);
  mine[8] = positions;
  uint32_t turn = meetWarp();
  auto positionsOf = [](uint32_t t, int thread) -> const uint32_t * { return &shownRegisters[t][thread][8]; };
  for (int h = 0; h < 2; ++h)
    for (int c = 0; c < 2; ++c)
      for (int s = 0; s < 16; ++s) {
        int k = s / 2 * 4 + positionOf(positionsOf, turn, first, lane / 4 + 8 * h, s);
        const uint32_t *a = shownRegisters[turn][first + lane / 4 * 4 + s % 8 / 2] + h + s / 8 * 2;
        const uint32_t *b = shownRegisters[turn][first + (lane % 4 * 2 + c) * 4 + k % 8 / 2] + 4 + k / 8;
        sums[2 * h + c] += element<float, T>(reinterpret_cast<const char *>(a) + s % 2 * 2) * element<float, T>(reinterpret_cast<const char *>(b) + k % 2 * 2);
      }
}

//===-- Products of a warpgroup -------------------------------------------===//

/// An operand: its offset, and the bytes from one box of 64 columns to the next.
inline uint64_t operand_along_k(const void *tile) { return emulated::offsetOf(tile); }
template <int kDepth> uint64_t operand_along_n(const void *tile) {
  return emulated::offsetOf(tile) | uint64_t(kDepth * 128) << 32;
}
inline uint64_t advance(uint64_t operand, int bytes) { return operand + uint64_t(bytes); }
inline void begin_products() {}
inline void end_products() {
  emulated::meetWarpgroup([](emulated::Warpgroup &w) { ++w.group; });
}
template <int kGroups> void wait_products() {
  emulated::meetWarpgroup([](emulated::Warpgroup &w) {
    size_t n = 0;
    for (; n < w.products.size() && w.products[n].group < w.group - kGroups; ++n)
      w.products[n].run();
    w.products.erase(w.products.begin(), w.products.begin() + ptrdiff_t(n));
  });
}
template <typename Sum, int N> void hold(Sum (&)[N]) {}
template <typename T> uint32_t pack_pair(T, float x, float y) {
  T pair[2] = {T(x), T(y)};
  uint32_t bits;
  std::memcpy(&bits, pair, 4);
  return bits;
}
inline float exp2_fast(float x) { return std::exp2(x); }

namespace emulated {
/// `left`: the left operand, row by row.
template <typename T, typename Sum, int N, bool kAlongN, int kDepth = 32 / int(sizeof(T))>
void multiplyTiles(void *const *threadSums, const std::vector<Sum> &left, uint64_t rhs, bool keep) {
  constexpr int kColumns = 2 * N;
  static Sum a[64][kDepth], b[kDepth][kColumns], y[64][kColumns];
  uint32_t right = uint32_t(rhs), boxBytes = uint32_t(rhs >> 32);
  std::copy(left.begin(), left.end(), &a[0][0]);
  for (uint32_t n = 0; n < kColumns; ++n)
    for (uint32_t k = 0; k < kDepth; ++k)
      b[k][n] = element<Sum, Right<T>>(kAlongN ? multiplied(right + n / 64 * boxBytes + k * 128 + n % 64 * sizeof(T))
                                        : multiplied(right + n * 128 + k * sizeof(T)));
  std::memset(y, 0, sizeof y);
  for (int r = 0; r < 64; ++r)
    for (int k = 0; k < kDepth; ++k)
      for (int n = 0; n < kColumns; ++n)
        y[r][n] += a[r][k] * b[k][n];
  for (int t = 0; t < 128; ++t)
    for (int i = 0; i < N; ++i) {
      Sum &sum = static_cast<Sum *>(threadSums[t])[i];
      int row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8, column = i / 4 * 8 + t % 4 * 2 + i % 2;
      sum = (keep ? sum : Sum(0)) + y[row][column];
      // What a warpgroup sums of e4m3 has 13 bits of fraction.
      if constexpr (isE4m3<T>)
        sum = bits_to_float(std::bit_cast<uint32_t>(sum) & 0xfffffc00);
    }
}
} // namespace emulated

namespace emulated {
inline void addProduct(Warpgroup &w, std::function<void()> run) {
  if (productsAreLate())
    w.products.push_back({std::move(run), w.group});
  else
    run();
}
} // namespace emulated

template <bool kAlongN, typename T, typename Sum, int N>
void multiply(T, Sum (&sums)[N], uint64_t lhs, uint64_t rhs, bool keep) {
  using namespace emulated;
  warpgroups[current / 128].sums[current % 128] = sums;
  meetWarpgroup([&](Warpgroup &w) {
    addProduct(w, [=, all = std::vector<void *>(w.sums, w.sums + 128)] {
      constexpr uint32_t kDepth = 32 / sizeof(T);
      std::vector<Sum> left;
      for (uint32_t i = 0; i < 64 * kDepth; ++i)
        left.push_back(element<Sum, T>(multiplied(uint32_t(lhs) + i / kDepth * 128 + i % kDepth * sizeof(T))));
      multiplyTiles<T, Sum, N, kAlongN>(all.data(), left, rhs, keep);
    });
  });
}

template <typename T, int N>
void multiply_registers(T, float (&sums)[N], const uint32_t (&lhs)[4], uint64_t rhs, bool keep) {
  using namespace emulated;
  warpgroups[current / 128].sums[current % 128] = sums;
  std::copy(lhs, lhs + 4, shownRegisters[0][current]);
  meetWarpgroup([&](Warpgroup &w) {
    // Registers are read when the product is asked for.
    std::vector<float> left(64 * 16);
    for (int t = 0; t < 128; ++t)
      for (int i = 0; i < 4; ++i)
        for (int e = 0; e < 2; ++e) {
          int row = t / 32 * 16 + t % 32 / 4 + i % 2 * 8, k = t % 4 * 2 + i / 2 * 8 + e;
          const auto *registers = reinterpret_cast<const char *>(shownRegisters[0][current / 128 * 128 + t]);
          left[size_t(row * 16 + k)] = element<float, T>(registers + 4 * i + 2 * e);
        }
    addProduct(w, [=, all = std::vector<void *>(w.sums, w.sums + 128)] {
      multiplyTiles<T, float, N, true>(all.data(), left, rhs, keep);
    });
  });
}

template <typename T, int N>
void multiply_sparse(T, float (&sums)[N], uint64_t lhs, uint64_t rhs, uint32_t positions, bool keep) {
  using namespace emulated;
  warpgroups[current / 128].sums[current % 128] = sums;
  shownRegisters[0][current][0] = positions;
  meetWarpgroup([&](Warpgroup &w) {
    // Registers are read when the product is asked for.
    std::vector<int> places;
    auto positionsOf = [](uint32_t, int thread) -> const uint32_t * { return &shownRegisters[0][thread][0]; };
    for (int i = 0; i < 64 * 16; ++i)
      places.push_back(i % 16 / 2 * 4 + positionOf(positionsOf, 0, current / 128 * 128 + i / 256 * 32, i / 16 % 16, i % 16));
    addProduct(w, [=, all = std::vector<void *>(w.sums, w.sums + 128)] {
      std::vector<float> left(64 * 32);
      for (uint32_t i = 0; i < 64 * 16; ++i)
        left[i / 16 * 32 + uint32_t(places[i])] = element<float, T>(multiplied(uint32_t(lhs) + i / 16 * 128 + i % 16 * 2));
      multiplyTiles<T, float, N, false, 32>(all.data(), left, rhs, keep);
    });
  });
}
