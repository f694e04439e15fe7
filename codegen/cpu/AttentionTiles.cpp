//===- AttentionTiles.cpp - Attention's products in AMX's tiles -----------===//

#include "codegen/cpu/AttentionTiles.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

using Values = SmallVector<Value>;

AttentionTiles::AttentionTiles(KernelFunction &f, const AttentionKernel &a, int64_t panels, Value shapes)
    : f(f), a(a), panels(panels), shapes(shapes), f32(f.b.getF32Type()), i8(f.b.getI8Type()), i16(f.b.getI16Type()), i32(f.b.getI32Type()) {}

Value AttentionTiles::wholeSteps(Value keys) {
  Value step = f.index(kAttentionKeys);
  return f.mul(f.divide(f.add(keys, f.index(kAttentionKeys - 1)), step), step);
}

/// A pair of bf16 is moved as an f32.
void AttentionTiles::packQueries(Value rows, Value stride, Value count, Value panel) {
  packTransposed(f, rows, f.divide(stride, f.index(2)), count, f.index(*a.depth.constant() / 2), panel);
}

void optc::productByTiles(KernelFunction &f, AmxTile &tile, Value count, int64_t panels,
                          llvm::function_ref<std::pair<Value, Value>(Value)> rowsAndSums, Value stride, Value base, AmxTile::Steps steps) {
  Value two = f.index(2), pairs = f.divide(count, two);
  auto emit = [&](ArrayRef<Value> numbers) {
    Values rows, sums;
    for (Value n : numbers) {
      auto [row, sum] = rowsAndSums(n);
      rows.push_back(row);
      sums.push_back(sum);
    }
    tile.product(rows, stride, base, panels, sums, panels * kPanel * int64_t(sizeof(float)), steps);
  };
  f.loop(f.index(0), pairs, f.index(1), {}, [&](Value i, ValueRange) {
    Value first = f.mul(i, two);
    emit({first, f.add(first, f.index(1))});
    return Values{};
  });
  Value isOdd = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ne, f.mul(pairs, two), count);
  f.when(isOdd, [&] { emit({f.sub(count, f.index(1))}); });
}

/// The last tile overlaps the one before it.
void AttentionTiles::scores(Value rows, Value stride, Value keys, Value queries, Value scores) {
  int64_t bytes = 2 * *a.depth.constant();
  AmxTile tile(f, f.index(bytes), byteStep(bytes), /*bfloat=*/true);
  // There may be no keys, but no tiles without rows.
  Value tileRows = f.index(AmxTile::kRows), height = f.max(f.index(1), f.min(tileRows, keys));
  tile.configure(shapes, height);
  Value count = f.divide(f.add(keys, f.index(AmxTile::kRows - 1)), tileRows), last = f.sub(keys, height);
  auto at = [&](Value n) {
    Value t = f.min(f.mul(n, tileRows), last);
    return std::pair(f.pointerTo(rows, f.mul(t, stride), a.element), f.pointerTo(scores, f.mul(t, f.index(panels * kPanel)), f32));
  };
  productByTiles(f, tile, count, panels, at, f.mul(stride, f.index(2)), queries, [&](auto step) { tile.alongRow(step); });
}

void AttentionTiles::storePair(Value e, Value next, Value target) {
  int64_t lanes = cast<VectorType>(e.getType()).getNumElements();
  Type words = VectorType::get({lanes}, i32);
  auto wide = [&](Value x) { return f.b.create<arith::ExtUIOp>(f.loc, words, f.bfloatBits(x)); };
  Value upper = f.b.create<arith::ShLIOp>(f.loc, wide(next), buildConstant(f.b, f.loc, words, 16));
  f.store(f.b.create<arith::OrIOp>(f.loc, wide(e), upper), target, i32);
}

/// Squares of 16 pairs of keys by 16 columns; a key that is missing is read as zeros.
void AttentionTiles::packValues(Value rows, Value stride, Value target) {
  int64_t width = *a.width.constant();
  Value keys = f.size(a.keys);
  Type vector = VectorType::get({kPanel}, i16), words = VectorType::get({kPanel}, f32);
  Value zero = buildConstant(f.b, f.loc, vector, 0), perRow = f.size(a.paddedKeys());
  SmallVector<int64_t> inTurns;
  for (int64_t i = 0; i < kPanel; ++i)
    inTurns.append({i, kPanel + i});
  auto square = [&](Value t, bool whole) {
    f.loop(f.index(0), f.index(width), f.index(kPanel), {}, [&](Value e, ValueRange) {
      Values pairs;
      auto row = [&](int64_t i) {
        Value at = f.add(t, f.index(i));
        auto load = [&] { return f.load(f.pointerTo(rows, f.add(f.mul(at, stride), e), i16), i16, kPanel); };
        return whole ? load() : f.branch(f.less(at, keys), vector, load, [&] { return zero; });
      };
      for (int64_t i = 0; i < kAttentionKeys; i += 2)
        pairs.push_back(f.b.create<vector::BitCastOp>(f.loc, words, f.b.create<vector::ShuffleOp>(f.loc, row(i), row(i + 1), inTurns)));
      pairs = transposeSquare(f, pairs);
      for (int64_t i = 0; i < kPanel; ++i)
        f.store(pairs[i], f.pointerTo(target, f.add(f.mul(f.add(e, f.index(i)), perRow), t), i16), f32);
      return Values{};
    });
  };
  Value step = f.index(kAttentionKeys), main = f.mul(f.divide(keys, step), step);
  f.loop(f.index(0), main, step, {}, [&](Value t, ValueRange) {
    square(t, true);
    return Values{};
  });
  f.when(f.less(main, keys), [&] { square(main, false); });
}

void AttentionTiles::results(Value values, Value probabilities, Value keys, Value results) {
  constexpr int64_t kStep = 2 * kAttentionKeys;
  Value rowBytes = f.mul(f.size(a.paddedKeys()), f.index(2));
  AmxTile tile(f, rowBytes, kStep, /*bfloat=*/true);
  tile.configure(shapes, f.index(AmxTile::kRows));
  auto at = [&](Value n) {
    Value e = f.mul(n, f.index(AmxTile::kRows));
    return std::pair(f.pointerTo(values, f.mul(e, rowBytes), i8), f.pointerTo(results, f.mul(e, f.index(panels * kPanel)), f32));
  };
  productByTiles(f, tile, f.index(*a.width.constant() / kPanel), panels, at, rowBytes, probabilities, [&](auto step) {
    f.loop(f.index(0), f.mul(wholeSteps(keys), f.index(2)), f.index(kStep), {}, [&](Value byte, ValueRange) {
      step(byte, byte);
      return Values{};
    });
  });
}

void AttentionTiles::release() { AmxTile(f, f.index(64), 64, true).release(); }
