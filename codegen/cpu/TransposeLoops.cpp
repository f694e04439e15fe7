//===- TransposeLoops.cpp - Generator of loops over a turned operand ------===//
//
//   for tile in [begin, end)                    tile -> (outer dims, block of 16 rows)
//     for j in steps of L                       L lanes; the last step ends at the last column
//       x_c = x[.., j + c, rows ..]             L vectors along the operand's innermost dim
//       t_r = transpose x                       L vectors along the result's
//       y[row r, j ..] = f(t_r, ...)            for the rows that are there
//
// Of few columns:
//
//     for rows r in steps of L
//       v_c = f(x)[r .., c]                     L vectors along the operand's innermost dim
//       y[r .., :] = interleave v_0, v_1, ...
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/TransposeLoop.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/TensorEmitter.h"

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

class TransposeEmitter {
public:
  TransposeEmitter(KernelFunction &f, const TransposeLoop &loop) : f(f), loop(loop), op(loop.op), emitter(f) {
    result = cast<YieldOp>(f.kernel.getBody().front().getTerminator()).getValues().front();
    lanes = std::min<int64_t>(f.target.lanes(4), kTransposeRows);
  }

  void run() {
    Values sizes = emitter.sizesOf(result.getType());
    f.loop(f.begin, f.end, f.index(1), {}, [&](Value tile, ValueRange) {
      LaneIndices index(loop.dims.size());
      Value block = f.modulo(tile, f.size(loop.blocks())), rest = f.divide(tile, f.size(loop.blocks()));
      for (size_t d = loop.dims.size() - 1; d-- > 0;) {
        if (d == loop.rowDim)
          continue;
        index[d] = {f.modulo(rest, sizes[d]), 0};
        rest = f.divide(rest, sizes[d]);
      }
      if (loop.narrow) {
        Value first = f.mul(block, f.index(kNarrowRows));
        narrowRows(index, first, f.min(sizes[loop.rowDim], f.add(first, f.index(kNarrowRows))));
        return Values{};
      }
      Value first = f.mul(block, f.index(kTransposeRows)), columns = sizes.back();
      Value rows = f.min(f.index(kTransposeRows), f.sub(sizes[loop.rowDim], first));
      Value hasSquares = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, columns, f.index(lanes));
      auto branch = f.b.create<scf::IfOp>(f.loc, hasSquares, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(f.b);
      f.b.setInsertionPoint(branch.thenBlock()->getTerminator());
      f.loop(f.index(0), columns, f.index(lanes), {}, [&](Value j, ValueRange) {
        // The last step goes over some columns again rather than beyond them.
        Value at = f.min(j, f.sub(columns, f.index(lanes)));
        for (int64_t r = 0; r < kTransposeRows; r += lanes)
          f.when(f.less(f.index(r), rows), [&] { square(index, first, rows, r, at); });
        return Values{};
      });
      f.b.setInsertionPoint(branch.elseBlock()->getTerminator());
      f.loop(f.index(0), rows, f.index(1), {}, [&](Value r, ValueRange) {
        f.loop(f.index(0), columns, f.index(1), {}, [&](Value j, ValueRange) {
          store(index, f.add(first, r), {j, 0}, 1);
          return Values{};
        });
        return Values{};
      });
      return Values{};
    });
    f.finish();
  }

private:
  void store(LaneIndices index, Value row, LaneIndex column, int64_t n) {
    TensorEmitter::Scope scope(emitter);
    index[loop.rowDim] = {row, 0};
    index.back() = column;
    Value value = emitter.at(result, index, n);
    auto offset = emitter.offsetOf(tensorOf(result), index);
    f.store(value, f.pointerTo(f.output(0), offset.base, elementOf(result)), elementOf(result));
  }

  /// Rows [first, end) of few columns.
  void narrowRows(const LaneIndices &outer, Value first, Value end) {
    Value whole = f.add(first, f.mul(f.divide(f.sub(end, first), f.index(lanes)), f.index(lanes)));
    f.loop(first, whole, f.index(lanes), {}, [&](Value row, ValueRange) {
      TensorEmitter::Scope scope(emitter);
      LaneIndices index = outer;
      Values columns;
      for (int64_t c = 0; c < loop.narrow; ++c) {
        index[loop.rowDim] = {row, 1};
        index.back() = {f.index(c), 0};
        columns.push_back(emitter.at(result, index, lanes));
      }
      index[loop.rowDim] = {row, 0};
      index.back() = {f.index(0), 0};
      Value start = f.pointerTo(f.output(0), emitter.offsetOf(tensorOf(result), index).base, elementOf(result));
      for (auto [i, part] : llvm::enumerate(interleaved(columns)))
        f.store(part, f.pointerTo(start, f.index(int64_t(i) * lanes), elementOf(result)), elementOf(result));
      return Values{};
    });
    f.loop(whole, end, f.index(1), {}, [&](Value row, ValueRange) {
      for (int64_t c = 0; c < loop.narrow; ++c)
        store(outer, row, {f.index(c), 0}, 1);
      return Values{};
    });
  }

  /// The vectors that memory has in a row: element e of them is lane e / n of the e % n-th of n.
  Values interleaved(const Values &columns) {
    int64_t n = int64_t(columns.size());
    Values parts;
    for (int64_t p = 0; p < n; ++p) {
      Value part = columns[0];
      for (int64_t c = 1; c < n; ++c) {
        SmallVector<int64_t> mask;
        for (int64_t l = 0; l < lanes; ++l) {
          int64_t e = p * lanes + l;
          mask.push_back(e % n == c ? lanes + e / n : c > 1 ? l : e / n);
        }
        part = f.b.create<vector::ShuffleOp>(f.loc, part, columns[c], mask);
      }
      parts.push_back(part);
    }
    return parts;
  }

  void square(const LaneIndices &outer, Value first, Value rows, int64_t r, Value column) {
    TensorEmitter::Scope scope(emitter);
    Value mask;
    if (KernelFunction::constantOf(rows) != kTransposeRows)
      mask = f.lanesBelow(rows, lanes, r);
    Values vectors;
    for (int64_t c = 0; c < lanes; ++c) {
      LaneIndices index = outer;
      index[loop.rowDim] = {f.add(first, f.index(r)), 1};
      index.back() = {f.add(column, f.index(c)), 0};
      vectors.push_back(emitter.at(op.getY(), index, lanes, mask));
    }
    vectors = transposeSquare(f, vectors);
    for (int64_t i = 0; i < lanes; ++i)
      f.when(f.less(f.index(r + i), rows), [&] {
        Value turned = vectors[i];
        emitter.define(op.getY(), [turned](const LaneIndices &, int64_t, Value) { return turned; });
        store(outer, f.add(first, f.index(r + i)), {column, 1}, lanes);
        emitter.undefine(op.getY());
      });
  }

  KernelFunction &f;
  const TransposeLoop &loop;
  TransposeOp op;
  TensorEmitter emitter;
  Value result;
  int64_t lanes;
};

} // namespace

void optc::generateTransposeLoop(KernelFunction &f, const TransposeLoop &loop) { TransposeEmitter(f, loop).run(); }
