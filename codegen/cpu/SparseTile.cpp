//===- SparseTile.cpp - Products with weights without zeros ---------------===//

#include "codegen/cpu/SparseTile.h"
#include "codegen/kernel/Contraction.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

using Values = SparseTile::Values;

/// k's that are emitted without a loop.
static constexpr int64_t kStep = 4;

static unsigned argumentOf(Value v) { return cast<BlockArgument>(v).getArgNumber(); }

SparseTile::SparseTile(KernelFunction &f, const SparsePanels &weights, int64_t lanes)
    : f(f), w(weights), lanes(lanes), valueBytes(elementOf(weights.values).getIntOrFloatBitWidth() / 8), element(elementOf(w.values)), f32(f.b.getF32Type()), i32(f.b.getI32Type()) {}

Value SparseTile::masksOf(Value panel) {
  return f.pointerTo(f.input(argumentOf(w.masks)), f.mul(panel, f.index(w.k)), f.b.getI16Type());
}
Value SparseTile::startOf(Value panel) {
  Value start = f.load(f.pointerTo(f.input(argumentOf(w.starts)), panel, i32), i32, 1);
  return f.resize(start, f.indexType());
}
Value SparseTile::countBits(Value mask) { return f.resize(f.b.create<math::CtPopOp>(f.loc, mask), f.indexType()); }

/// The values at `pointer` in the lanes whose bits are set in the lowest of `mask`, one after the other; 0 in the others.
Value SparseTile::expandLanes(Value mask, Value pointer) {
  Type floats = withLanes(f32, lanes), integers = withLanes(i32, lanes);
  Value zero = buildConstant(f.b, f.loc, floats, 0);
  auto intrinsic = [&](StringRef name, ValueRange operands) {
    return f.b.create<LLVM::CallIntrinsicOp>(f.loc, floats, f.b.getStringAttr(name), operands).getResult(0);
  };
  if (f.target.vectorBytes == 64) {
    Value bits = f.b.create<arith::TruncIOp>(f.loc, f.b.getI16Type(), mask);
    bits = f.b.create<LLVM::BitcastOp>(f.loc, VectorType::get({lanes}, f.b.getI1Type()), bits);
    return intrinsic("llvm.x86.avx512.mask.expand.v16f32", {f.load(pointer, element, lanes), zero, bits});
  }
  SmallVector<int32_t> own, below;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    own.push_back(1 << lane);
    below.push_back((1 << lane) - 1);
  }
  auto constant = [&](ArrayRef<int32_t> values) {
    return f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(cast<VectorType>(integers), values));
  };
  Value all = f.splat(mask, lanes);
  Value isThere = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ne, f.b.create<arith::AndIOp>(f.loc, all, constant(own)),
                                            buildConstant(f.b, f.loc, integers, 0));
  Value before = f.b.create<math::CtPopOp>(f.loc, f.b.create<arith::AndIOp>(f.loc, all, constant(below)));
  Value x;
  if (f.target.vectorBytes == 32) {
    x = intrinsic("llvm.x86.avx2.permps", {f.load(pointer, element, lanes), before});
  } else {
    x = zero;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      Value at = f.resize(f.b.create<vector::ExtractOp>(f.loc, before, lane), f.indexType());
      x = f.b.create<vector::InsertOp>(f.loc, f.load(f.pointerTo(pointer, at, element), element, 1), x, lane);
    }
  }
  return f.b.create<arith::SelectOp>(f.loc, isThere, x, zero);
}

Values SparseTile::expand(Value mask, Value &position) {
  Values columns;
  Value values = f.input(argumentOf(w.values));
  for (int64_t lane = 0; lane < kPanel; lane += lanes) {
    Value part = mask;
    if (lanes < kPanel) {
      part = f.b.create<arith::ShRUIOp>(f.loc, mask, f.b.create<arith::ConstantIntOp>(f.loc, lane, 32));
      part = f.b.create<arith::AndIOp>(f.loc, part, f.b.create<arith::ConstantIntOp>(f.loc, (1 << lanes) - 1, 32));
    }
    columns.push_back(expandLanes(part, f.pointerTo(values, position, element)));
    position = f.add(position, countBits(part));
  }
  return columns;
}

void SparseTile::prefetch(Value position, Value ahead) {
  constexpr int64_t kLine = 64;
  int64_t all = tensorOf(w.values).getNumElements(), rows = tensorOf(w.masks).getNumElements();
  int64_t bytes = std::max<int64_t>(1, all * valueBytes * kStep / std::max<int64_t>(rows, 1));
  Value first = f.pointerTo(f.input(argumentOf(w.values)), f.add(position, ahead), element);
  for (int64_t line = 0; line < bytes; line += kLine)
    f.b.create<LLVM::Prefetch>(f.loc, f.pointerTo(first, f.index(line), f.b.getI8Type()), /*rw=*/0, /*hint=*/2, /*cache=*/1);
}

Values SparseTile::sum(Values acc, const Values &rows, Value panel, int64_t panels, int64_t height) {
  int64_t vectors = panels * kPanel / lanes;
  Values masks, carried = acc;
  for (int64_t p = 0; p < panels; ++p) {
    masks.push_back(masksOf(f.add(panel, f.index(p))));
    carried.push_back(startOf(f.add(panel, f.index(p))));
  }
  Value ahead = f.sub(startOf(f.min(f.add(panel, f.index(panels)), f.size(dimsOf(w.masks)[0]))), startOf(panel));
  auto steps = [&](Value k, int64_t count, Values next) {
    for (Value position : ArrayRef(next).take_back(panels))
      prefetch(position, ahead);
    for (int64_t u = 0; u < count; ++u) {
      Values columns;
      for (int64_t p = 0; p < panels; ++p) {
        Value mask = f.load(f.pointerTo(f.pointerTo(masks[p], k, f.b.getI16Type()), f.index(u), f.b.getI16Type()), f.b.getI16Type(), 1);
        columns.append(expand(f.b.create<arith::ExtUIOp>(f.loc, i32, mask), next[height * vectors + p]));
      }
      for (int64_t r = 0; r < height; ++r) {
        Value a = f.splat(f.load(f.pointerTo(f.pointerTo(rows[r], k, f32), f.index(u), f32), f32, 1), lanes);
        for (int64_t v = 0; v < vectors; ++v)
          next[r * vectors + v] = f.b.create<vector::FMAOp>(f.loc, a, columns[v], next[r * vectors + v]);
      }
    }
    return next;
  };
  int64_t main = w.k / kStep * kStep;
  if (main > 0)
    carried = f.loop(f.index(0), f.index(main), f.index(kStep), carried, [&](Value k, ValueRange c) { return steps(k, kStep, Values(c)); });
  if (main < w.k)
    carried = steps(f.index(main), w.k - main, carried);
  carried.truncate(height * vectors);
  return carried;
}

void SparseTile::unpack(Value panel, Value end, Value target) {
  f.loop(panel, end, f.index(1), {}, [&](Value p, ValueRange) {
    Value masks = masksOf(p), to = f.pointerTo(target, f.mul(f.sub(p, panel), f.index(w.k * kPanel)), f32);
    f.loop(f.index(0), f.index(w.k), f.index(1), {startOf(p)}, [&](Value k, ValueRange carried) {
      Value position = carried[0];
      Value mask = f.load(f.pointerTo(masks, k, f.b.getI16Type()), f.b.getI16Type(), 1);
      Value row = f.pointerTo(to, f.mul(k, f.index(kPanel)), f32);
      for (auto [v, column] : llvm::enumerate(expand(f.b.create<arith::ExtUIOp>(f.loc, i32, mask), position)))
        f.store(column, f.pointerTo(row, f.index(v * lanes), f32), f32);
      return Values{position};
    });
    return Values{};
  });
}
