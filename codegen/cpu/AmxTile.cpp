//===- AmxTile.cpp - A product of narrow operands in AMX's tiles ----------===//

#include "codegen/cpu/AmxTile.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

void AmxTile::call(StringRef intrinsic, ValueRange operands) {
  f.b.create<LLVM::CallIntrinsicOp>(f.loc, TypeRange(), intrinsic, operands);
}
Value AmxTile::tile(int64_t number) { return f.b.create<LLVM::ConstantOp>(f.loc, f.b.getI8Type(), f.b.getI8IntegerAttr(number)); }

void AmxTile::configure(Value memory, Value rows) {
  Type i8 = f.b.getI8Type(), i16 = f.b.getIntegerType(16), i64 = f.b.getI64Type();
  Value zero = buildConstant(f.b, f.loc, i64, 0);
  for (int64_t word = 0; word < 8; ++word)
    f.store(zero, f.pointerTo(memory, f.index(word), i64), i64);
  f.store(buildConstant(f.b, f.loc, i8, 1), memory, i8); // the palette
  // Bytes of a row from byte 16 on, 16 bits each; rows from byte 48 on.
  auto shape = [&](int64_t number, int64_t bytes, Value count) {
    f.store(buildConstant(f.b, f.loc, i16, double(bytes)), f.pointerTo(memory, f.index(16 + 2 * number), i8), i16);
    f.store(f.b.create<arith::TruncIOp>(f.loc, i8, count), f.pointerTo(memory, f.index(48 + number), i8), i8);
  };
  for (int64_t t = 0; t < 4; ++t)
    shape(t, 64, rows);
  for (int64_t t = 4; t < 6; ++t)
    shape(t, step, rows);
  for (int64_t t = 6; t < 8; ++t)
    shape(t, 64, f.index(step / 4));
  call("llvm.x86.ldtilecfg", {memory});
}

void AmxTile::alongRow(llvm::function_ref<void(Value, Value)> visit) {
  auto constant = KernelFunction::constantOf(k);
  if (constant && *constant == step)
    return visit(f.index(0), f.index(0));
  f.loop(f.index(0), k, f.index(step), {}, [&](Value at, ValueRange) {
    visit(at, at);
    return SmallVector<Value>{};
  });
}

void AmxTile::product(ArrayRef<Value> rows, Value stride, Value base, int64_t panels, ArrayRef<Value> sums, int64_t sumStride, Steps steps) {
  Type i8 = f.b.getI8Type();
  auto accumulator = [](size_t r, int64_t p) { return int64_t(2 * r) + p; };
  for (size_t r = 0; r < rows.size(); ++r)
    for (int64_t p = 0; p < panels; ++p)
      call("llvm.x86.tilezero", {tile(accumulator(r, p))});
  Value panelBytes = f.mul(k, f.index(kPanel)), line = f.index(64);
  steps([&](Value offset, Value at) {
    for (int64_t i = 0; prefetch && i < prefetchLines; ++i) {
      Value ahead = f.add(f.mul(f.divide(at, f.index(step)), f.index(prefetchLines * 64)), f.index(i * 64));
      f.b.create<LLVM::Prefetch>(f.loc, f.pointerTo(prefetch, ahead, i8), /*rw=*/0, /*hint=*/2, /*cache=*/1);
    }
    // A load before each product that needs it, so that loads and products overlap.
    for (int64_t p = 0; p < panels; ++p) {
      Value panel = f.pointerTo(f.pointerTo(base, f.mul(at, f.index(kPanel)), i8), f.mul(panelBytes, f.index(p)), i8);
      call("llvm.x86.tileloadd64", {tile(6 + p), panel, line});
      for (size_t r = 0; r < rows.size(); ++r) {
        if (p == 0)
          call("llvm.x86.tileloadd64", {tile(4 + r), f.pointerTo(rows[r], offset, i8), stride});
        call(bfloat ? "llvm.x86.tdpbf16ps" : rowsSigned ? "llvm.x86.tdpbsud" : "llvm.x86.tdpbusd", {tile(accumulator(r, p)), tile(4 + r), tile(6 + p)});
      }
    }
  });
  for (size_t r = 0; r < rows.size(); ++r)
    for (int64_t p = 0; p < panels; ++p)
      call("llvm.x86.tilestored64", {tile(accumulator(r, p)), f.pointerTo(sums[r], f.index(p * 64), i8), f.index(sumStride)});
}

void AmxTile::release() { call("llvm.x86.tilerelease", {}); }
