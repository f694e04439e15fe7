//===- ByteTile.cpp - A product of narrow operands in registers -----------===//

#include "codegen/cpu/ByteTile.h"
#include "codegen/cpu/CodeExpander.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

ByteTile::ByteTile(KernelFunction &f, Value k, bool bfloat)
    : lanes(std::min<int64_t>(f.target.lanes(4), kPanel)), vectorsPerPanel(kPanel / lanes), f(f), k(k), bfloat(bfloat) {
  uint64_t feature = bfloat ? f.target.bfloatDot() : f.target.byteDot();
  hasDot = feature && f.use(feature);
}

int64_t ByteTile::widestGroup() const { return f.target.vectorRegisters >= 32 && hasDot ? 2 : 1; }

int64_t ByteTile::maxRows(int64_t panels) const {
  // Accumulators, a step's vectors of columns and a row's element; of pairs, one vector of results at a time in two halves. Of
  // bf16 without a dot product, both halves of columns and row.
  int64_t vectors = takesWideRows() ? 2 : panels * vectorsPerPanel, others = hasDot || !bfloat ? vectors + 1 : 2 * vectors + 2;
  return std::clamp<int64_t>((int64_t(f.target.vectorRegisters) - others) / vectors, 1, kMaxTileRows);
}

Value ByteTile::call(StringRef intrinsic, Type type, ValueRange operands) {
  return f.b.create<LLVM::CallIntrinsicOp>(f.loc, type, intrinsic, operands).getResults();
}

/// Steps of four bytes, `unroll` of them in an iteration; a length that is not known is a multiple of 64.
ByteTile::Values ByteTile::overK(Values acc, int64_t unroll, llvm::function_ref<void(Values &, Value, int64_t)> step) {
  int64_t main = unroll * kStep;
  Value all = length ? length : k;
  auto constant = KernelFunction::constantOf(all);
  Value end = constant ? f.index(*constant / main * main) : all;
  if (!constant || *constant >= main)
    acc = f.loop(f.index(0), end, f.index(main), acc, [&](Value at, ValueRange carried) {
      Values next(carried);
      for (int64_t u = 0; u < unroll; ++u)
        step(next, at, u * kStep);
      return next;
    });
  if (constant)
    for (int64_t at = *constant / main * main; at < *constant; at += kStep)
      step(acc, f.index(0), at);
  return acc;
}

ByteTile::Values ByteTile::product(const Values &rows, Value base, int64_t panels) {
  int64_t perRow = panels * vectorsPerPanel;
  if (!takesWideRows()) {
    Type i8 = f.b.getI8Type();
    auto next = [&](MutableArrayRef<Value>, Value at, int64_t offset) {
      Values words;
      Value first = f.pointerTo(base, f.mul(at, f.index(kPanel)), i8);
      for (int64_t v = 0; v < perRow; ++v) {
        Value panel = f.pointerTo(first, f.mul(f.mul(k, f.index(kPanel)), f.index(v / vectorsPerPanel)), i8);
        words.push_back(f.load(f.pointerTo(panel, f.index(offset * kPanel + v % vectorsPerPanel * lanes * kStep), i8), f.b.getI32Type(), lanes));
      }
      return words;
    };
    return dots(rows, {{}, 4, next}, panels);
  }
  Values sums(rows.size() * perRow);
  for (int64_t v = 0; v < perRow; ++v) {
    Value panel = f.pointerTo(base, f.mul(f.mul(k, f.index(kPanel)), f.index(v / vectorsPerPanel)), f.b.getI8Type());
    Values column = pairs(rows, f.pointerTo(panel, f.index(v % vectorsPerPanel * lanes * kStep), f.b.getI8Type()));
    for (size_t r = 0; r < rows.size(); ++r)
      sums[r * perRow + v] = column[r];
  }
  return sums;
}

ByteTile::Values ByteTile::product(const Values &rows, CodeExpander &expander, Value panel, int64_t panels) {
  auto next = [&](MutableArrayRef<Value> carried, Value at, int64_t offset) { return expander.next(carried, at, offset); };
  return dots(rows, {expander.start(panel, panels), expander.unroll(), next}, panels);
}

ByteTile::Values ByteTile::dots(const Values &rows, Columns columns, int64_t panels) {
  Type i32 = f.b.getI32Type(), sums = VectorType::get({lanes}, bfloat ? Type(f.b.getF32Type()) : i32);
  if (!bfloat) {
    StringRef dot = lanes == 16 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256";
    return overWords(rows, columns, panels, [&](Value acc, Value word, Value words) {
      Value row = f.splat(word, lanes);
      return rowsSigned ? call(dot, sums, {acc, words, row}) : call(dot, sums, {acc, row, words});
    });
  }
  if (hasDot) {
    Type pairs = VectorType::get({2 * lanes}, f.b.getBF16Type());
    auto asPairs = [&](Value x) { return f.b.create<vector::BitCastOp>(f.loc, pairs, x); };
    return overWords(rows, columns, panels, [&](Value acc, Value word, Value words) {
      return call("llvm.x86.avx512bf16.dpbf16ps.512", sums, {acc, asPairs(f.splat(word, lanes)), asPairs(words)});
    });
  }
  return overWords(rows, columns, panels, [&](Value acc, Value word, Value words) {
    for (bool upper : {false, true}) {
      Value x = f.splat(bfloatHalf(word, upper), lanes);
      acc = f.b.create<vector::FMAOp>(f.loc, x, bfloatHalf(words, upper), acc);
    }
    return acc;
  });
}

/// The first or second bf16 of words (i32, a scalar or a vector), as f32.
Value ByteTile::bfloatHalf(Value words, bool upper) {
  auto constant = [&](int64_t value) { return buildConstant(f.b, f.loc, words.getType(), double(value)); };
  Value bits = upper ? Value(f.b.create<arith::AndIOp>(f.loc, words, constant(-65536))) : Value(f.b.create<arith::ShLIOp>(f.loc, words, constant(16)));
  auto vector = dyn_cast<VectorType>(words.getType());
  return f.b.create<arith::BitcastOp>(f.loc, withLanes(f.b.getF32Type(), vector ? vector.getNumElements() : 1), bits);
}

ByteTile::Values ByteTile::overWords(const Values &rows, const Columns &columns, int64_t panels, Step step) {
  Type i8 = f.b.getI8Type(), i32 = f.b.getI32Type(), sums = VectorType::get({lanes}, bfloat ? Type(f.b.getF32Type()) : i32);
  size_t perRow = panels * vectorsPerPanel, count = rows.size() * perRow;
  Values acc(count, buildConstant(f.b, f.loc, sums, 0));
  acc.append(columns.carried);
  acc = overK(acc, columns.unroll, [&](Values &next, Value at, int64_t offset) {
    Values words = columns.next(MutableArrayRef(next).drop_front(count), at, offset);
    for (size_t r = 0; r < rows.size(); ++r) {
      Value word = f.b.create<LLVM::LoadOp>(f.loc, i32, f.pointerTo(f.pointerTo(rows[r], at, i8), f.index(offset), i8), 1);
      for (size_t v = 0; v < perRow; ++v)
        next[r * perRow + v] = step(next[r * perRow + v], word, words[v]);
    }
  });
  acc.truncate(count);
  return acc;
}

/// Sums of one vector of columns. A step multiplies four k's of half of them at a time: [column][4] widened to 16 bits, whose
/// products are summed in pairs; the pairs' sums are added at the end.
ByteTile::Values ByteTile::pairs(const Values &rows, Value base) {
  Type i8 = f.b.getI8Type(), i16 = f.b.getIntegerType(16), i32 = f.b.getI32Type(), i64 = f.b.getI64Type();
  Type sums = VectorType::get({lanes}, i32), wide = VectorType::get({2 * lanes}, i16);
  StringRef intrinsic = lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512" : lanes == 8 ? "llvm.x86.avx2.pmadd.wd" : "llvm.x86.sse2.pmadd.wd";
  Values acc(rows.size() * 2, buildConstant(f.b, f.loc, sums, 0));
  // One step an iteration: several would be added up in another order, which needs more registers.
  acc = overK(acc, 1, [&](Values &next, Value at, int64_t offset) {
    Value first = f.pointerTo(base, f.mul(at, f.index(kPanel)), i8);
    Values columns;
    for (int64_t half = 0; half < 2; ++half) {
      Value codes = f.load(f.pointerTo(first, f.index(offset * kPanel + half * 2 * lanes), i8), i8, 2 * lanes);
      columns.push_back(rowsSigned ? Value(f.b.create<arith::ExtUIOp>(f.loc, wide, codes)) : Value(f.b.create<arith::ExtSIOp>(f.loc, wide, codes)));
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      Value four = f.b.create<LLVM::LoadOp>(f.loc, i64, f.pointerTo(f.pointerTo(rows[r], at, i16), f.index(offset), i16), 2);
      Value x = f.b.create<vector::BitCastOp>(f.loc, wide, f.splat(four, lanes / 2));
      for (int64_t half = 0; half < 2; ++half) {
        Value products = call(intrinsic, sums, {x, columns[half]});
        next[2 * r + half] = f.b.create<arith::AddIOp>(f.loc, next[2 * r + half], products);
      }
    }
  });
  SmallVector<int64_t> even, odd;
  for (int64_t i = 0; i < lanes; ++i) {
    even.push_back(2 * i);
    odd.push_back(2 * i + 1);
  }
  Values whole;
  for (size_t i = 0; i < acc.size(); i += 2) {
    Value low = f.b.create<vector::ShuffleOp>(f.loc, acc[i], acc[i + 1], even);
    Value high = f.b.create<vector::ShuffleOp>(f.loc, acc[i], acc[i + 1], odd);
    whole.push_back(f.b.create<arith::AddIOp>(f.loc, low, high));
  }
  return whole;
}
