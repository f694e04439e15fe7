//===- ByteTile.cpp - A product of bytes in registers ---------------------===//

#include "codegen/cpu/ByteTile.h"
#include "codegen/kernel/Contraction.h"
#include "runtime/Artefact.h"

using namespace mlir;
using namespace optc;

ByteTile::ByteTile(KernelFunction &f, Value k)
    : lanes(std::min<int64_t>(f.target.lanes(4), kPanel)), vectorsPerPanel(kPanel / lanes), f(f), k(k) {
  hasDot = f.target.vectorBytes == 64   ? f.use(OPTC_CPU_AVX512_VNNI)
           : f.target.vectorBytes == 32 ? f.use(OPTC_CPU_AVX_VNNI)
                                        : false;
}

int64_t ByteTile::widestGroup() const { return f.target.vectorRegisters >= 32 && hasDot ? 2 : 1; }

int64_t ByteTile::maxRows(int64_t panels) const {
  // A step's vectors of columns, a row's element and, where bytes are widened, one more.
  int64_t vectors = panels * accumulators(), taken = hasDot ? vectors + 1 : 3;
  return std::clamp<int64_t>((int64_t(f.target.vectorRegisters) - taken) / vectors, 1, kMaxTileRows);
}

Value ByteTile::call(StringRef intrinsic, Type type, ValueRange operands) {
  return f.b.create<LLVM::CallIntrinsicOp>(f.loc, type, intrinsic, operands).getResults();
}

/// acc + the products of neighbouring bytes (`hasDot`: four, else 16-bit pairs).
Value ByteTile::dot(Value acc, Value x, Value w) {
  Type type = acc.getType();
  if (hasDot)
    return call(lanes == 16 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256", type, {acc, x, w});
  StringRef multiply = lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512" : lanes == 8 ? "llvm.x86.avx2.pmadd.wd" : "llvm.x86.sse2.pmadd.wd";
  return f.b.create<arith::AddIOp>(f.loc, acc, call(multiply, type, {x, w}));
}

/// Four k's: acc[r][v] += rows[r][k + offset ..] * base[k + offset ..][v].
void ByteTile::step(Values &acc, const Values &rows, Value base, Value at, int64_t offset, int64_t panels) {
  Type i8 = f.b.getI8Type(), i16 = f.b.getIntegerType(16), i32 = f.b.getI32Type(), i64 = f.b.getI64Type();
  int64_t perPanel = accumulators(), vectors = panels * perPanel, bytes = kPanel * 4 / perPanel;
  Value first = f.pointerTo(base, f.mul(at, f.index(kPanel)), i8);
  Values columns;
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t v = 0; v < perPanel; ++v) {
      Value panel = f.pointerTo(first, f.mul(f.mul(k, f.index(kPanel)), f.index(p)), i8);
      Value pointer = f.pointerTo(panel, f.index(offset * kPanel + v * bytes), i8);
      if (hasDot)
        columns.push_back(f.load(pointer, i32, lanes));
      else
        columns.push_back(f.b.create<arith::ExtSIOp>(f.loc, VectorType::get({bytes}, i16), f.load(pointer, i8, bytes)));
    }
  for (size_t r = 0; r < rows.size(); ++r) {
    Value pointer = f.pointerTo(f.pointerTo(rows[r], at, i8), f.index(offset), i8), x;
    if (hasDot) {
      x = f.splat(f.b.create<LLVM::LoadOp>(f.loc, i32, pointer, 1), lanes);
    } else {
      Value four = f.b.create<arith::ExtUIOp>(f.loc, VectorType::get({4}, i16), f.load(pointer, i8, 4));
      Value word = f.b.create<vector::BitCastOp>(f.loc, VectorType::get({1}, i64), four);
      word = f.splat(f.b.create<vector::ExtractOp>(f.loc, word, 0), bytes / 4);
      x = f.b.create<vector::BitCastOp>(f.loc, VectorType::get({bytes}, i16), word);
    }
    for (int64_t v = 0; v < vectors; ++v)
      acc[r * vectors + v] = dot(acc[r * vectors + v], x, columns[v]);
  }
}

ByteTile::Values ByteTile::product(const Values &rows, Value base, int64_t panels) {
  constexpr int64_t kStep = 4, kMain = kUnroll * kStep;
  Type sums = VectorType::get({lanes}, f.b.getI32Type());
  int64_t perRow = panels * accumulators();
  Values acc(rows.size() * perRow, buildConstant(f.b, f.loc, sums, 0));
  auto constant = KernelFunction::constantOf(k);
  Value main = constant ? f.index(*constant / kMain * kMain) : f.mul(f.divide(k, f.index(kMain)), f.index(kMain));
  if (!constant || *constant >= kMain)
    acc = f.loop(f.index(0), main, f.index(kMain), acc, [&](Value at, ValueRange carried) {
      Values next(carried);
      for (int64_t u = 0; u < kUnroll; ++u)
        step(next, rows, base, at, u * kStep, panels);
      return next;
    });
  // A length that is not known is a multiple of 64.
  if (constant)
    for (int64_t at = *constant / kMain * kMain; at < *constant; at += kStep)
      step(acc, rows, base, f.index(0), at, panels);
  if (hasDot)
    return acc;
  // Halves of a sum lie side by side: even and odd lanes of two accumulators.
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
