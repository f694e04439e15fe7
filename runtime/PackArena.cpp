//===- PackArena.cpp - Greedy placement of buffers by lifetime ------------===//
//
// The same packer runs in the compiler (static plans) and in the runtime (once for each set of
// sizes of a dynamic plan).
//
//===----------------------------------------------------------------------===//

#include "runtime/Plan.h"
#include <algorithm>
#include <numeric>

using namespace optc;

uint64_t optc::packArena(const std::vector<Lifetime> &lifetimes, std::vector<uint64_t> &offsets) {
  constexpr uint64_t kAlign = 64;
  offsets.assign(lifetimes.size(), 0);
  std::vector<uint32_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return lifetimes[a].bytes != lifetimes[b].bytes ? lifetimes[a].bytes > lifetimes[b].bytes : a < b;
  });
  uint64_t total = 0;
  std::vector<uint32_t> placed; // by offset
  for (uint32_t i : order) {
    uint64_t need = (lifetimes[i].bytes + kAlign - 1) / kAlign * kAlign, at = 0;
    for (uint32_t p : placed) {
      if (lifetimes[p].last < lifetimes[i].first || lifetimes[i].last < lifetimes[p].first)
        continue;
      uint64_t size = (lifetimes[p].bytes + kAlign - 1) / kAlign * kAlign;
      if (offsets[p] >= at + need)
        break;
      at = std::max(at, offsets[p] + size);
    }
    offsets[i] = at;
    total = std::max(total, at + need);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](uint32_t a, uint32_t b) { return offsets[a] < offsets[b]; }),
                  i);
  }
  return total;
}
