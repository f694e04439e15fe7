//===- CodeExpander.cpp - 8-bit codes without zeros, spread ---------------===//

#include "codegen/cpu/CodeExpander.h"
#include "codegen/kernel/Contraction.h"
#include "runtime/Artefact.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

using Values = CodeExpander::Values;

static constexpr int64_t kFour = 4, kGroupsPerWord = 8, kGroupCodes = kPanel * kFour;

CodeExpander::CodeExpander(KernelFunction &f, const SparseCodes &codes)
    : f(f), codes(codes), lanes(std::min<int64_t>(f.target.lanes(4), kPanel)), vectors(kPanel / lanes), i8(f.b.getI8Type()), i16(f.b.getI16Type()),
      i32(f.b.getI32Type()), i64(f.b.getI64Type()) {
  if (!codes.isTwoOfFour() || !isSupported())
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

bool CodeExpander::isSupported() const { return codes.isTwoOfFour() ? f.target.spreadsTwoOfFour() : f.target.spreadsMasks(); }
int64_t CodeExpander::unroll() const { return codes.isTwoOfFour() ? kGroupsPerWord : 4; }

Value CodeExpander::call(StringRef intrinsic, Type type, ValueRange operands) {
  return f.b.create<LLVM::CallIntrinsicOp>(f.loc, type, intrinsic, operands).getResults();
}

static int64_t paddedGroups(int64_t groups) { return (groups + kGroupsPerWord - 1) / kGroupsPerWord * kGroupsPerWord; }

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
    Value from = f.pointerTo(operand(codes.values), f.mul(panel, f.index(paddedGroups(codes.groups) * kPanel * 2)), i8);
    Value values = f.pointerTo(from, f.mul(group, f.index(kPanel * 2)), i8);
    values = f.pointerTo(values, f.index(step * kPanel * 2), i8);
    if (step % 2 == 0)
      prefetch(values, ahead);
    for (int64_t v = 0; v < vectors; ++v) {
      Value &masks = words[p * vectors + v];
      if (inWord == 0) {
        Value word = f.add(f.mul(panel, f.index(paddedGroups(codes.groups) / kGroupsPerWord)), f.divide(group, f.index(kGroupsPerWord)));
        Value row = f.pointerTo(operand(codes.masks), f.mul(word, f.index(kPanel)), i32);
        masks = f.load(f.pointerTo(row, f.index(step / kGroupsPerWord * kPanel + v * lanes), i32), i32, lanes);
      } else {
        masks = f.b.create<arith::ShRUIOp>(f.loc, masks, buildConstant(f.b, f.loc, withLanes(i32, lanes), kFour));
      }
      out.push_back(expandTwoOfFour(masks, f.pointerTo(values, f.index(v * lanes * 2), i8)));
    }
  }
  return out;
}
