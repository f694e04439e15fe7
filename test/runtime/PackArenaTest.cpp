#include "runtime/Plan.h"
#include <gtest/gtest.h>
#include <random>

using namespace optc;

namespace {

void expectValid(const std::vector<Lifetime> &lifetimes, const std::vector<uint64_t> &offsets,
                 uint64_t total) {
  ASSERT_EQ(offsets.size(), lifetimes.size());
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(offsets[i] % 64, 0u);
    EXPECT_LE(offsets[i] + lifetimes[i].bytes, total);
    for (size_t j = 0; j < i; ++j) {
      bool together = lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
      bool apart =
          offsets[i] + lifetimes[i].bytes <= offsets[j] || offsets[j] + lifetimes[j].bytes <= offsets[i];
      bool empty = !lifetimes[i].bytes || !lifetimes[j].bytes;
      EXPECT_TRUE(!together || apart || empty) << i << " and " << j;
    }
  }
}

TEST(PackArena, NothingTakesNothing) {
  std::vector<uint64_t> offsets{7};
  EXPECT_EQ(packArena({}, offsets), 0u);
  EXPECT_TRUE(offsets.empty());
}

TEST(PackArena, ChainNeedsTwo) {
  std::vector<Lifetime> chain;
  for (uint32_t i = 0; i < 10; ++i)
    chain.push_back({1024, i, i + 1});
  std::vector<uint64_t> offsets;
  uint64_t total = packArena(chain, offsets);
  EXPECT_EQ(total, 2048u);
  expectValid(chain, offsets, total);
}

TEST(PackArena, SmallOnesGoIntoGaps) {
  // The two large ones leave a hole while the third is gone.
  std::vector<Lifetime> lifetimes{{1000, 0, 9}, {900, 0, 2}, {800, 0, 9}, {64, 3, 9}, {128, 4, 9}};
  std::vector<uint64_t> offsets;
  uint64_t total = packArena(lifetimes, offsets);
  expectValid(lifetimes, offsets, total);
  EXPECT_EQ(total, 1024u + 960u + 832u);
}

TEST(PackArena, Random) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> lifetimes(random() % 60);
    uint64_t sum = 0, most = 0;
    for (Lifetime &l : lifetimes) {
      l.bytes = random() % 5 ? random() % 10000 : 0;
      l.first = random() % 50;
      l.last = l.first + random() % 10;
      sum += (l.bytes + 63) / 64 * 64;
      most = std::max(most, l.bytes);
    }
    std::vector<uint64_t> offsets;
    uint64_t total = packArena(lifetimes, offsets);
    expectValid(lifetimes, offsets, total);
    EXPECT_LE(total, sum);
    EXPECT_GE(total, most);
  }
}

} // namespace
