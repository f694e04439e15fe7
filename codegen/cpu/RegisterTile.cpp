//===- RegisterTile.cpp - A matrix product in registers -------------------===//

#include "codegen/cpu/RegisterTile.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

RegisterTile::RegisterTile(KernelFunction &f, DimExpr k, DimExpr panelStride)
    : f(f), lanes(std::min<int64_t>(f.target.lanes(4), kPanel)), vectorsPerPanel(kPanel / lanes), k(std::move(k)),
      panelStride(std::move(panelStride)) {}

int64_t RegisterTile::maxRows(int64_t panels) const {
  int64_t vectors = panels * vectorsPerPanel;
  return std::clamp<int64_t>((int64_t(f.target.vectorRegisters) - vectors - 1) / vectors, 1, kMaxTileRows);
}

RegisterTile::Values RegisterTile::zeros(int64_t panels, int64_t height) {
  return Values(height * panels * vectorsPerPanel, buildConstant(f.b, f.loc, withLanes(f.b.getF32Type(), lanes), 0));
}

RegisterTile::Values RegisterTile::sum(Values acc, const Values &rows, Value base, int64_t panels, int64_t height) {
  Value size = length ? length : f.size(k);
  auto constant = KernelFunction::constantOf(size);
  Value main = constant ? f.index(*constant / kUnroll * kUnroll) : f.mul(f.divide(size, f.index(kUnroll)), f.index(kUnroll));
  if (!constant || *constant >= kUnroll)
    acc = f.loop(f.index(0), main, f.index(kUnroll), acc, [&](Value i, ValueRange carried) {
      Values next(carried);
      for (int64_t p = 0; prefetch && p < panels; ++p)
        for (int64_t line = 0; line < prefetchLines; ++line) {
          Value at = f.add(f.mul(i, f.index(prefetchLines * kLine / kUnroll)), f.index(line * kLine));
          at = f.add(at, prefetchStride ? f.index(p * prefetchStride) : f.mul(f.size(panelStride), f.index(p * sizeof(float))));
          f.b.create<LLVM::Prefetch>(f.loc, f.pointerTo(prefetch, at, f.b.getI8Type()), /*rw=*/0, /*hint=*/2, /*cache=*/1);
        }
      for (int64_t u = 0; u < kUnroll; ++u)
        step(next, rows, base, i, u, panels, height);
      return next;
    });
  if (constant) {
    for (int64_t u = *constant / kUnroll * kUnroll; u < *constant; ++u)
      step(acc, rows, base, f.index(0), u, panels, height);
    return acc;
  }
  return f.loop(main, size, f.index(1), acc, [&](Value i, ValueRange carried) {
    Values next(carried);
    step(next, rows, base, i, 0, panels, height);
    return next;
  });
}

/// One k: acc[r][v] += rows[r][k + offset] * base[k + offset][v].
void RegisterTile::step(Values &acc, const Values &rows, Value base, Value k, int64_t offset, int64_t panels, int64_t height) {
  Type f32 = f.b.getF32Type();
  int64_t vectors = panels * vectorsPerPanel;
  Value at = f.pointerTo(base, f.mul(k, f.index(kPanel)), f32);
  Values columns;
  for (int64_t p = 0; p < panels; ++p) {
    Value panel = f.pointerTo(at, f.mul(f.size(panelStride), f.index(p)), f32);
    for (int64_t v = 0; v < vectorsPerPanel; ++v)
      columns.push_back(f.load(f.pointerTo(panel, f.index(offset * kPanel + v * lanes), f32), f32, lanes));
  }
  Value position;
  if (positions) {
    Type i32 = f.b.getI32Type();
    position = f.resize(f.load(f.pointerTo(f.pointerTo(positions, k, i32), f.index(offset), i32), i32, 1), f.indexType());
  }
  for (int64_t r = 0; r < height; ++r) {
    Type element = rowElement ? rowElement : f32;
    Value x = position ? f.pointerTo(rows[r], position, element) : rowStep ? f.pointerTo(rows[r], f.mul(f.add(k, f.index(offset)), rowStep), element)
                      : f.pointerTo(f.pointerTo(rows[r], k, element), f.index(offset), element);
    x = f.load(x, element, 1);
    Value a = f.splat(x, lanes);
    for (int64_t v = 0; v < vectors; ++v)
      acc[r * vectors + v] = f.b.create<vector::FMAOp>(f.loc, a, columns[v], acc[r * vectors + v]);
  }
}

void optc::forRowTiles(KernelFunction &f, Value begin, Value end, ArrayRef<int64_t> counts, int64_t limit,
                       llvm::function_ref<void(Value, int64_t)> body) {
  using Values = SmallVector<Value>;
  Value count = f.sub(end, begin);
  if (!counts.empty()) {
    std::set<int64_t> heights;
    for (int64_t n : counts)
      heights.merge(evenHeights(n, limit));
    if (heights.empty())
      return;
    Value tiles = f.divide(f.add(count, f.index(limit - 1)), f.index(limit));
    f.loop(f.index(0), tiles, f.index(1), {}, [&](Value i, ValueRange) {
      Value from = f.add(begin, f.divide(f.mul(count, i), tiles));
      Value to = f.add(begin, f.divide(f.mul(count, f.add(i, f.index(1))), tiles));
      forHeight(f, f.sub(to, from), heights, [&](int64_t height) { body(from, height); });
      return Values{};
    });
    return;
  }
  // Unknown rows: full tiles, then halves of what is left.
  Value at = begin;
  for (int64_t h = limit; h >= 1; h = h == limit ? int64_t(llvm::bit_floor(uint64_t(limit - 1))) : h / 2) {
    Value tiles = f.divide(f.sub(end, at), f.index(h));
    Value next = f.add(at, f.mul(tiles, f.index(h)));
    f.loop(at, next, f.index(h), {}, [&](Value row, ValueRange) {
      body(row, h);
      return Values{};
    });
    at = next;
    if (h == 1)
      break;
  }
}

std::set<int64_t> optc::evenHeights(int64_t rows, int64_t limit) {
  if (rows == 0)
    return {};
  int64_t tiles = (rows + limit - 1) / limit;
  return {rows / tiles, (rows + tiles - 1) / tiles};
}

void optc::forHeight(KernelFunction &f, Value height, const std::set<int64_t> &heights, llvm::function_ref<void(int64_t)> body) {
  if (heights.size() == 1)
    return body(*heights.begin());
  for (int64_t h : heights) {
    Value isThis = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, height, f.index(h));
    f.when(isThis, [&] { body(h); });
  }
}
