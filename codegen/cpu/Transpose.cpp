//===- Transpose.cpp - Matrices turned in registers -----------------------===//
//
// Squares of lanes x lanes elements; what does not fill a square, element by element.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/Contraction.h"

using namespace mlir;
using namespace optc;

using Values = SmallVector<Value>;

Value optc::inTurns(KernelFunction &f, Value x, Value y) {
  SmallVector<int64_t> mask;
  int64_t size = cast<VectorType>(x.getType()).getNumElements();
  for (int64_t i = 0; i < size; ++i)
    mask.append({i, size + i});
  return f.b.create<vector::ShuffleOp>(f.loc, x, y, mask);
}

Values optc::transposeSquare(KernelFunction &f, Values rows) {
  int64_t n = rows.size();
  // Eklundh: swap the off-diagonal blocks of size d, for all d.
  for (int64_t d = n / 2; d >= 1; d /= 2) {
    SmallVector<int64_t> low, high; // lanes of the first operand are 0 .. n-1, of the second n .. 2n-1
    for (int64_t lane = 0; lane < n; ++lane) {
      low.push_back(lane & d ? n + lane - d : lane);
      high.push_back(lane & d ? n + lane : lane + d);
    }
    for (int64_t i = 0; i < n; ++i) {
      if (i & d)
        continue;
      Value a = rows[i], b = rows[i + d];
      rows[i] = f.b.create<vector::ShuffleOp>(f.loc, a, b, low);
      rows[i + d] = f.b.create<vector::ShuffleOp>(f.loc, a, b, high);
    }
  }
  return rows;
}

namespace {

/// Visits a matrix of 16 rows and `columns` columns: squares where all rows are there, the rest by element. `square`
/// has the first row and column, `element` both of its own; outside of the rows `element` is told so.
void visit(KernelFunction &f, int64_t lanes, Value rows, Value columns, llvm::function_ref<void(int64_t row, Value column)> square,
           llvm::function_ref<void(Value row, Value column)> element) {
  Value all = f.index(kPanel), main = f.mul(f.divide(columns, f.index(lanes)), f.index(lanes));
  auto byElement = [&](Value from) {
    f.loop(from, columns, f.index(1), {}, [&](Value c, ValueRange) {
      f.loop(f.index(0), all, f.index(1), {}, [&](Value r, ValueRange) {
        element(r, c);
        return Values{};
      });
      return Values{};
    });
  };
  auto bySquare = [&] {
    f.loop(f.index(0), main, f.index(lanes), {}, [&](Value c, ValueRange) {
      for (int64_t r = 0; r < kPanel; r += lanes)
        square(r, c);
      return Values{};
    });
    byElement(main);
  };
  if (KernelFunction::constantOf(rows) == kPanel)
    return bySquare();
  Value full = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, rows, all);
  auto op = f.b.create<scf::IfOp>(f.loc, full, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPoint(op.thenBlock()->getTerminator());
  bySquare();
  f.b.setInsertionPoint(op.elseBlock()->getTerminator());
  byElement(f.index(0));
}

} // namespace

void optc::packTransposed(KernelFunction &f, Value matrix, Value stride, Value rows, Value columns, Value panel,
                          std::optional<double> factor, Type element) {
  Type f32 = f.b.getF32Type();
  element = element ? element : f32;
  int64_t lanes = std::min<int64_t>(f.target.lanes(4), kPanel);
  auto scaled = [&](Value x) -> Value {
    return factor && *factor != 1 ? Value(f.b.create<arith::MulFOp>(f.loc, x, buildConstant(f.b, f.loc, x.getType(), *factor))) : x;
  };
  visit(
      f, lanes, rows, columns,
      [&](int64_t r, Value c) {
        Values square;
        for (int64_t i = 0; i < lanes; ++i)
          square.push_back(scaled(f.load(f.pointerTo(matrix, f.add(f.mul(f.index(r + i), stride), c), element), element, lanes)));
        square = transposeSquare(f, square);
        for (int64_t i = 0; i < lanes; ++i)
          f.store(square[i], f.pointerTo(panel, f.add(f.mul(f.add(c, f.index(i)), f.index(kPanel)), f.index(r)), f32), f32);
      },
      [&](Value r, Value c) {
        Value x = f.branch(
            f.less(r, rows), f32, [&] { return scaled(f.load(f.pointerTo(matrix, f.add(f.mul(r, stride), c), element), element, 1)); },
            [&] { return buildConstant(f.b, f.loc, f32, 0); });
        f.store(x, f.pointerTo(panel, f.add(f.mul(c, f.index(kPanel)), r), f32), f32);
      });
}

void optc::unpackTransposed(KernelFunction &f, Value panel, Value rows, Value columns, Value matrix, Value stride) {
  Type f32 = f.b.getF32Type();
  int64_t lanes = std::min<int64_t>(f.target.lanes(4), kPanel);
  visit(
      f, lanes, rows, columns,
      [&](int64_t r, Value c) {
        Values square;
        for (int64_t i = 0; i < lanes; ++i)
          square.push_back(f.load(f.pointerTo(panel, f.add(f.mul(f.add(c, f.index(i)), f.index(kPanel)), f.index(r)), f32), f32, lanes));
        square = transposeSquare(f, square);
        for (int64_t i = 0; i < lanes; ++i)
          f.store(square[i], f.pointerTo(matrix, f.add(f.mul(f.index(r + i), stride), c), f32), f32);
      },
      [&](Value r, Value c) {
        f.when(f.less(r, rows), [&] {
          Value x = f.load(f.pointerTo(panel, f.add(f.mul(c, f.index(kPanel)), r), f32), f32, 1);
          f.store(x, f.pointerTo(matrix, f.add(f.mul(r, stride), c), f32), f32);
        });
      });
}
