//===- CodeExpander.cpp - 8-bit codes without zeros, spread ---------------===//

#include "codegen/cpu/CodeExpander.h"
#include "codegen/kernel/Contraction.h"
#include "runtime/Artefact.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

using Values = CodeExpander::Values;

static constexpr int64_t kFour = 4, kGroupsPerWord = 8, kGroupCodes = kPanel * kFour, kLine = 64;

CodeExpander::CodeExpander(KernelFunction &f, const SparseCodes &codes)
    : f(f), codes(codes), lanes(std::min<int64_t>(f.target.lanes(4), kPanel)), vectors(kPanel / lanes), i8(f.b.getI8Type()), i16(f.b.getI16Type()),
      i32(f.b.getI32Type()), i64(f.b.getI64Type()) {
  if (!codes.isTwoOfFour() || !hasVectors())
    return;
  // The byte of a column's word that each k takes; a word's upper half is 0.
  SmallVector<int32_t> shuffles(lanes), offsets(lanes);
  for (uint32_t mask = 0; mask < 16; ++mask)
    if (llvm::popcount(mask) == 2) {
      uint32_t taken = 0, shuffle = 0;
      for (int64_t t = 0; t < kFour; ++t)
        shuffle |= (mask >> t & 1 ? taken++ : 2u) << (8 * t);
      for (uint32_t above = 0; above < lanes; above += 8)
        shuffles[above + mask % 8] = int32_t(shuffle);
    }
  for (int64_t i = 0; i < lanes; ++i)
    offsets[i] = int32_t(i % 4 * 0x04040404);
  auto constant = [&](ArrayRef<int32_t> values) {
    return f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(cast<VectorType>(withLanes(i32, lanes)), values));
  };
  table = constant(shuffles);
  columns = constant(offsets);
}

bool CodeExpander::hasVectors() const {
  if (codes.isTwoOfFour())
    return f.target.vectorBytes >= 32;
  return f.target.vectorBytes == 64 && f.target.has(OPTC_CPU_AVX512_VBMI2);
}
int64_t CodeExpander::unroll() const { return codes.isTwoOfFour() ? kGroupsPerWord : 4; }

Value CodeExpander::call(StringRef intrinsic, Type type, ValueRange operands) {
  return f.b.create<LLVM::CallIntrinsicOp>(f.loc, type, intrinsic, operands).getResults();
}

static int64_t paddedGroups(int64_t groups) { return (groups + kGroupsPerWord - 1) / kGroupsPerWord * kGroupsPerWord; }

Value CodeExpander::valuesOf(Value panel) {
  Value at;
  if (codes.isTwoOfFour())
    at = f.mul(panel, f.index(paddedGroups(codes.groups) * kPanel * 2));
  else
    at = f.resize(f.load(f.pointerTo(operand(codes.starts), panel, i32), i32, 1), f.indexType());
  return f.pointerTo(operand(codes.values), at, i8);
}

int64_t CodeExpander::averageBytes(int64_t count) const { return tensorOf(codes.values).getNumElements() * count / codes.panels; }

/// What will be read next is brought into L2.
void CodeExpander::prefetch(Value pointer, Value ahead) {
  f.b.create<LLVM::Prefetch>(f.loc, f.pointerTo(pointer, ahead, i8), /*rw=*/0, /*hint=*/2, /*cache=*/1);
}

//===----------------------------------------------------------------------===//
// One group
//===----------------------------------------------------------------------===//

Value CodeExpander::expandMasked(Value mask, Value values) {
  f.use(OPTC_CPU_AVX512_VBMI2);
  Type bytes = withLanes(i8, kGroupCodes);
  Value bits = f.b.create<LLVM::BitcastOp>(f.loc, VectorType::get({kGroupCodes}, f.b.getI1Type()), mask);
  Value x = call("llvm.x86.avx512.mask.expand.v64i8", bytes, {f.load(values, i8, kGroupCodes), buildConstant(f.b, f.loc, bytes, 0), bits});
  return f.b.create<vector::BitCastOp>(f.loc, cast<VectorType>(withLanes(i32, lanes)), x);
}

Value CodeExpander::expandTwoOfFour(Value masks, Value values) {
  bool wide = lanes == 16;
  auto words = cast<VectorType>(withLanes(i32, lanes)), bytes = cast<VectorType>(withLanes(i8, lanes * kFour));
  Value pairs = f.b.create<arith::ExtUIOp>(f.loc, words, f.load(values, i16, lanes));
  Value shuffle = wide ? call("llvm.x86.avx512.permvar.si.512", words, {table, masks}) : call("llvm.x86.avx2.permd", words, {table, masks});
  shuffle = f.b.create<arith::OrIOp>(f.loc, shuffle, columns);
  Value x = call(wide ? "llvm.x86.avx512.pshuf.b.512" : "llvm.x86.avx2.pshuf.b", bytes,
                 {f.b.create<vector::BitCastOp>(f.loc, bytes, pairs), f.b.create<vector::BitCastOp>(f.loc, bytes, shuffle)});
  return f.b.create<vector::BitCastOp>(f.loc, words, x);
}

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

Values CodeExpander::start(Value panel, int64_t panels) {
  first = panel;
  count = panels;
  words.assign(panels * vectors, Value());
  Values carried;
  if (codes.isTwoOfFour()) {
    ahead = f.index(paddedGroups(codes.groups) * kPanel * 2 * panels);
    return carried;
  }
  auto startOf = [&](Value p) { return f.resize(f.load(f.pointerTo(operand(codes.starts), p, i32), i32, 1), f.indexType()); };
  for (int64_t p = 0; p < count; ++p)
    carried.push_back(startOf(f.add(panel, f.index(p))));
  ahead = f.sub(startOf(f.min(f.add(panel, f.index(count)), f.index(codes.panels))), carried[0]);
  return carried;
}

Values CodeExpander::next(MutableArrayRef<Value> carried, Value at, int64_t offset) {
  Values out;
  Value group = f.divide(at, f.index(kFour));
  int64_t step = offset / kFour;
  for (int64_t p = 0; p < count; ++p) {
    Value panel = f.add(first, f.index(p));
    if (!codes.isTwoOfFour()) {
      Value masks = f.pointerTo(operand(codes.masks), f.add(f.mul(panel, f.index(codes.groups)), group), i64);
      Value mask = f.load(f.pointerTo(masks, f.index(step), i64), i64, 1);
      Value values = f.pointerTo(operand(codes.values), carried[p], i8);
      // A line is read in the time of one to four groups.
      prefetch(values, ahead);
      out.push_back(expandMasked(mask, values));
      carried[p] = f.add(carried[p], f.resize(f.b.create<math::CtPopOp>(f.loc, mask), f.indexType()));
      continue;
    }
    int64_t inWord = step % kGroupsPerWord;
    Value values = f.pointerTo(valuesOf(panel), f.mul(group, f.index(kPanel * 2)), i8);
    values = f.pointerTo(values, f.index(step * kPanel * 2), i8);
    if (step % 2 == 0)
      prefetch(values, ahead);
    for (int64_t v = 0; v < vectors; ++v) {
      Value &masks = words[p * vectors + v];
      if (inWord == 0) {
        Value word = f.add(f.mul(panel, f.index(paddedGroups(codes.groups) / kGroupsPerWord)), f.divide(group, f.index(kGroupsPerWord)));
        Value from = f.pointerTo(operand(codes.masks), f.mul(word, f.index(kPanel)), i32);
        masks = f.load(f.pointerTo(from, f.index(step / kGroupsPerWord * kPanel + v * lanes), i32), i32, lanes);
      } else {
        masks = f.b.create<arith::ShRUIOp>(f.loc, masks, buildConstant(f.b, f.loc, withLanes(i32, lanes), kFour));
      }
      out.push_back(expandTwoOfFour(masks, f.pointerTo(values, f.index(v * lanes * 2), i8)));
    }
  }
  return out;
}

void CodeExpander::unpack(Value panel, Value end, Value target) {
  f.loop(panel, end, f.index(1), {}, [&](Value p, ValueRange) {
    Value to = f.pointerTo(target, f.mul(f.sub(p, panel), f.index(codes.groups * kGroupCodes)), i8);
    hasVectors() ? unpackByVectors(p, to) : unpackByElements(p, to);
    return Values{};
  });
}

void CodeExpander::unpackByVectors(Value panel, Value target) {
  auto steps = [&](Value at, int64_t from, int64_t groups, Values carried) {
    for (int64_t g = from; g < from + groups; ++g) {
      Value to = f.pointerTo(target, f.mul(at, f.index(kPanel)), i8);
      for (auto [v, x] : llvm::enumerate(next(carried, at, g * kFour)))
        f.store(x, f.pointerTo(to, f.index(g * kGroupCodes + int64_t(v) * lanes * kFour), i8), i32);
    }
    return carried;
  };
  Values carried = start(panel, 1);
  int64_t step = unroll(), main = codes.groups / step * step;
  if (main > 0)
    carried = f.loop(f.index(0), f.index(main * kFour), f.index(step * kFour), carried, [&](Value at, ValueRange c) { return steps(at, 0, step, Values(c)); });
  steps(f.index(0), main, codes.groups - main, carried);
}

/// Without such instructions: code by code.
void CodeExpander::unpackByElements(Value panel, Value target) {
  Value zero = buildConstant(f.b, f.loc, i8, 0), one = f.index(1);
  bool words = codes.isTwoOfFour();
  Type word = words ? i32 : i64;
  int64_t fours = words ? kPanel : 1, bits = words ? kFour : kGroupCodes;
  f.loop(f.index(0), f.index(codes.groups), one, {valuesOf(panel)}, [&](Value group, ValueRange carried) {
    return f.loop(f.index(0), f.index(fours), one, carried, [&](Value column, ValueRange carried) {
      Value slot;
      if (words) {
        Value row = f.add(f.mul(panel, f.index(paddedGroups(codes.groups) / kGroupsPerWord)), f.divide(group, f.index(kGroupsPerWord)));
        slot = f.add(f.mul(row, f.index(kPanel)), column);
      } else {
        slot = f.add(f.mul(panel, f.index(codes.groups)), group);
      }
      Value mask = f.resize(f.load(f.pointerTo(operand(codes.masks), slot, word), word, 1), f.indexType());
      if (words)
        mask = f.b.create<arith::ShRUIOp>(f.loc, mask, f.mul(f.modulo(group, f.index(kGroupsPerWord)), f.index(kFour)));
      Value to = f.pointerTo(target, f.add(f.mul(group, f.index(kGroupCodes)), f.mul(column, f.index(kFour))), i8);
      return f.loop(f.index(0), f.index(bits), one, carried, [&](Value i, ValueRange carried) {
        Value bit = f.b.create<arith::AndIOp>(f.loc, f.b.create<arith::ShRUIOp>(f.loc, mask, i), one);
        Value isThere = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ne, bit, f.index(0));
        Value code = f.b.create<arith::SelectOp>(f.loc, isThere, f.load(carried[0], i8, 1), zero);
        f.store(code, f.pointerTo(to, i, i8), i8);
        return Values{f.pointerTo(carried[0], bit, i8)};
      });
    });
  });
}
