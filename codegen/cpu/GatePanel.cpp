//===- GatePanel.cpp - Products of states with a panel of gates -----------===//

#include "codegen/cpu/GatePanel.h"
#include "codegen/kernel/Recurrent.h"

using namespace mlir;
using namespace optc;

GatePanel::GatePanel(KernelFunction &f, int64_t gates, int64_t lanes, int64_t height)
    : f(f), gates(gates), lanes(lanes) {
  int64_t registers = f.target.vectorRegisters, best = 0;
  for (int64_t v = kUnitPanel / lanes; v >= 1; v /= 2) {
    int64_t columns = gates * v, fitting = std::min(height, (registers - 1 - columns) / columns);
    // One row takes the panel's vectors as operands in memory.
    if (fitting < 1 && columns + 2 <= registers)
      fitting = 1;
    if (fitting > best) {
      best = rows = fitting;
      vectors = v;
    }
  }
}

GatePanel::Values GatePanel::sum(Values sums, const Values &states, Value base, Value from, Value to) const {
  // Few sums would wait for each other: more of them, over every second or fourth k.
  constexpr int64_t kChains = 8;
  size_t count = sums.size();
  size_t chains = std::clamp<size_t>(llvm::bit_floor(size_t(kChains) / count), 1, kUnroll);
  sums.resize(count * chains, buildConstant(f.b, f.loc, withLanes(f.b.getF32Type(), lanes), 0));
  sums = f.loop(from, to, f.index(kUnroll), sums, [&](Value k, ValueRange carried) {
    Values next(carried);
    for (int64_t u = 0; u < kUnroll; ++u)
      step(next.data() + u % chains * count, states, base, k, u);
    return next;
  });
  for (; chains > 1; chains /= 2)
    for (size_t i = 0; i < count * chains / 2; ++i)
      sums[i] = f.b.create<arith::AddFOp>(f.loc, sums[i], sums[i + count * chains / 2]);
  sums.resize(count);
  return sums;
}

GatePanel::Values GatePanel::sumRest(Values sums, const Values &states, Value base, int64_t from,
                                     int64_t to) const {
  for (int64_t k = from; k < to; ++k)
    step(sums.data(), states, base, f.index(from), k - from);
  return sums;
}

/// One k: sums[row][gate][v] += states[row][k + offset] * base[k + offset][gate][v].
void GatePanel::step(Value *sums, const Values &states, Value base, Value k, int64_t offset) const {
  Type f32 = f.b.getF32Type();
  int64_t stride = gates * kUnitPanel;
  Value at = f.pointerTo(base, f.mul(k, f.index(stride)), f32);
  Values columns;
  for (int64_t g = 0; g < gates; ++g)
    for (int64_t v = 0; v < vectors; ++v)
      columns.push_back(
          f.load(f.pointerTo(at, f.index(offset * stride + g * kUnitPanel + v * lanes), f32), f32, lanes));
  for (Value state : states) {
    Value h = f.splat(f.load(f.pointerTo(f.pointerTo(state, k, f32), f.index(offset), f32), f32, 1), lanes);
    for (Value column : columns) {
      *sums = f.b.create<vector::FMAOp>(f.loc, h, column, *sums);
      ++sums;
    }
  }
}
