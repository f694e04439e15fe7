//===- Attention.cpp - Generator of attention kernels ---------------------===//
//
//   for tile in [begin, end)                 tile -> (batch, head, 32 queries)
//     for each group of panels of 16 queries
//       qt[d][16] = scale * q^T
//       s[t][16]  = k qt (+ mask)             tiles of registers: rows are keys, columns queries
//       s         = exp(s - max over t),  sum over t
//       yt[e][16] = v^T s                     tiles of registers: rows are v's columns
//       y         = (yt / sum)^T
//
// See codegen/kernel/Attention.h for the layout.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Attention.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/RegisterTile.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/Contraction.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

class AttentionEmitter {
public:
  AttentionEmitter(KernelFunction &f, const AttentionKernel &a)
      : f(f), a(a), op(a.op), products(f, a.depth, a.depth * DimExpr(kPanel)), sums(f, a.keys, a.keys * DimExpr(kPanel)), lanes(products.lanes),
        f32(f.b.getF32Type()) {
    // Two panels fill the registers of AVX-512, one those of AVX2.
    panels = std::clamp<int64_t>(f.target.vectorRegisters / 16, 1, kAttentionQueries / kPanel);
    vectors = panels * products.vectorsPerPanel;
  }

  void run() {
    Value blocks = f.size(a.queryBlocks()), heads = f.size(a.heads), queries = f.size(a.queries);
    f.loop(f.begin, f.end, f.index(1), {}, [&](Value t, ValueRange) {
      Value block = f.modulo(t, blocks), rest = f.divide(t, blocks);
      Value head = f.modulo(rest, heads), batch = f.divide(rest, heads);
      for (int64_t at = 0; at < kAttentionQueries; at += panels * kPanel) {
        Value first = f.add(f.mul(block, f.index(kAttentionQueries)), f.index(at));
        if (at == 0)
          emitQueries(batch, head, first);
        else
          f.when(f.less(first, queries), [&] { emitQueries(batch, head, first); });
      }
      return Values{};
    });
    f.finish();
  }

private:
  Value queryBase() { return f.scratch; }
  Value scoreBase() { return f.pointerTo(f.scratch, f.size(a.queryFloats()), f32); }
  Value resultBase() { return f.pointerTo(f.scratch, f.size(a.queryFloats() + a.scoreFloats()), f32); }
  Value vector(double x) { return buildConstant(f.b, f.loc, withLanes(f32, lanes), x); }

  /// The element [batch, head, i, 0] of a view.
  Value rowOf(const StridedView &view, Value base, Value batch, Value head, Value i) {
    Value offset = f.add(f.size(view.offset), f.mul(batch, f.size(view.strides[0])));
    offset = f.add(offset, f.add(f.mul(head, f.size(view.strides[1])), f.mul(i, f.size(view.strides[2]))));
    return f.pointerTo(base, offset, f32);
  }
  Value argument(const StridedView &view) { return f.input(cast<BlockArgument>(view.base).getArgNumber()); }
  /// s[t] of panel p, vector v.
  Value scoreAt(Value t, int64_t v) {
    int64_t panel = v / products.vectorsPerPanel, lane = v % products.vectorsPerPanel * lanes;
    Value row = f.add(f.mul(f.size(a.keys), f.index(panel)), t);
    return f.pointerTo(scoreBase(), f.add(f.mul(row, f.index(kPanel)), f.index(lane)), f32);
  }
  /// Rows of panel p that are queries.
  Value rowsOf(Value first, int64_t p) {
    auto queries = a.queries.constant();
    if (queries && *queries % kAttentionQueries == 0)
      return f.index(kPanel);
    Value left = f.sub(f.size(a.queries), f.add(first, f.index(p * kPanel)));
    return f.max(f.index(0), f.min(left, f.index(kPanel)));
  }

  void emitQueries(Value batch, Value head, Value first) {
    Value group = head;
    if (a.groups != a.heads)
      group = f.divide(f.mul(head, f.size(a.groups)), f.size(a.heads));
    for (int64_t p = 0; p < panels; ++p) {
      Value row = rowOf(a.q, argument(a.q), batch, head, f.add(first, f.index(p * kPanel)));
      Value target = f.pointerTo(queryBase(), f.mul(f.size(a.depth), f.index(p * kPanel)), f32);
      packTransposed(f, row, f.size(a.q.strides[2]), rowsOf(first, p), f.size(a.depth), target, op.getScale().convertToDouble());
    }
    // With a causal mask the keys after the last query are left out.
    Value keys = f.size(a.keys), ahead = f.sub(keys, f.size(a.queries));
    if (op.getCausal()) {
      Value last = f.add(f.add(first, f.index(panels * kPanel)), ahead);
      keys = f.max(f.index(0), f.min(keys, last));
    }
    prepareMask(batch, head, first, keys);
    emitScores(batch, head, group, first, keys, ahead);
    Values inverse = emitSoftmax(keys);
    emitResult(batch, head, group, first, keys, inverse);
  }

  //===--------------------------------------------------------------------===//
  // Mask
  //===--------------------------------------------------------------------===//

  Value maskStride(unsigned d) {
    Dims dims = dimsOf(a.mask), scores{a.batch, a.heads, a.queries, a.keys};
    SmallVector<DimExpr> strides = denseStrides(dims);
    if (dims[d] == DimExpr(1) && scores[d] != DimExpr(1))
      return f.index(0);
    if (dims[d] == scores[d] || dims[d].isConstant())
      return f.size(strides[d]);
    // Repeated or not: known at run time only.
    Value one = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, f.size(dims[d]), f.index(1));
    return f.b.create<arith::SelectOp>(f.loc, one, f.index(0), f.size(strides[d]));
  }
  /// A mask that is the same for all queries is one number a key.
  bool isKeyMask() { return a.mask && dimsOf(a.mask)[2] == DimExpr(1); }
  Value maskRow(Value batch, Value head, Value i) {
    Value offset = f.add(f.mul(batch, maskStride(0)), f.mul(head, maskStride(1)));
    return f.pointerTo(f.input(a.mask.getArgNumber()), f.add(offset, f.mul(i, maskStride(2))), f32);
  }
  /// A mask that differs between queries lies along the keys: it is transposed into the scores, which are added to it.
  void prepareMask(Value batch, Value head, Value first, Value keys) {
    if (!a.mask || isKeyMask())
      return;
    Value step = maskStride(3);
    for (int64_t p = 0; p < panels; ++p) {
      Value row = maskRow(batch, head, f.add(first, f.index(p * kPanel))), rows = rowsOf(first, p);
      Value target = scoreAt(f.index(0), p * products.vectorsPerPanel);
      if (KernelFunction::constantOf(step) == 1) {
        packTransposed(f, row, maskStride(2), rows, keys, target);
        continue;
      }
      // One number a query, or not known until now.
      f.loop(f.index(0), keys, f.index(1), {}, [&](Value t, ValueRange) {
        f.loop(f.index(0), rows, f.index(1), {}, [&](Value r, ValueRange) {
          Value x = f.load(f.pointerTo(row, f.add(f.mul(r, maskStride(2)), f.mul(t, step)), f32), f32, 1);
          f.store(x, f.pointerTo(target, f.add(f.mul(t, f.index(kPanel)), r), f32), f32);
          return Values{};
        });
        return Values{};
      });
    }
  }

  //===--------------------------------------------------------------------===//
  // Scores
  //===--------------------------------------------------------------------===//

  /// Known numbers of rows of a loop, for tiles of even heights.
  SmallVector<int64_t> known(const DimExpr &rows) {
    auto n = rows.constant();
    return n ? SmallVector<int64_t>{*n} : SmallVector<int64_t>{};
  }

  void emitScores(Value batch, Value head, Value group, Value first, Value keys, Value ahead) {
    Value mask = isKeyMask() ? maskRow(batch, head, f.index(0)) : Value();
    SmallVector<int64_t> counts = op.getCausal() ? SmallVector<int64_t>() : known(a.keys);
    forRowTiles(f, f.index(0), keys, counts, products.maxRows(panels), [&](Value t, int64_t height) {
      Values rows;
      Value key = rowOf(a.k, argument(a.k), batch, group, t);
      for (int64_t r = 0; r < height; ++r)
        rows.push_back(f.pointerTo(key, f.mul(f.size(a.k.strides[2]), f.index(r)), f32));
      Values acc = products.sum(products.zeros(panels, height), rows, queryBase(), panels, height);
      for (int64_t r = 0; r < height; ++r) {
        Value at = f.add(t, f.index(r)), offset;
        if (mask)
          offset = f.splat(f.load(f.pointerTo(mask, f.mul(at, maskStride(3)), f32), f32, 1), lanes);
        for (int64_t v = 0; v < vectors; ++v) {
          Value s = capped(acc[r * vectors + v]);
          if (offset)
            s = f.b.create<arith::AddFOp>(f.loc, s, offset);
          else if (a.mask)
            s = f.b.create<arith::AddFOp>(f.loc, s, f.load(scoreAt(at, v), f32, lanes));
          if (op.getCausal())
            s = f.b.create<arith::SelectOp>(f.loc, isSeen(at, first, ahead, v), s, vector(-INFINITY));
          f.store(s, scoreAt(at, v), f32);
        }
      }
    });
  }

  /// c * tanh(s / c)
  Value capped(Value s) {
    double cap = op.getSoftcap().convertToDouble();
    if (cap <= 0)
      return s;
    s = f.b.create<math::TanhOp>(f.loc, f.b.create<arith::MulFOp>(f.loc, s, vector(1 / cap)));
    return f.b.create<arith::MulFOp>(f.loc, s, vector(cap));
  }

  /// Lanes whose query sees key t: t <= query + T - S.
  Value isSeen(Value t, Value first, Value ahead, int64_t v) {
    SmallVector<int32_t> steps;
    for (int64_t lane = 0; lane < lanes; ++lane)
      steps.push_back(v * lanes + lane);
    Type i32 = f.b.getI32Type();
    auto type = VectorType::get({lanes}, i32);
    Value query = f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(steps)));
    Value limit = f.splat(f.b.create<arith::TruncIOp>(f.loc, i32, f.sub(f.sub(t, ahead), first)), lanes);
    return f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, query, limit);
  }

  /// Exponentials in place of the scores; 1 / sum of each query.
  Values emitSoftmax(Value keys) {
    Value zero = f.index(0), one = f.index(1);
    // Starting above -inf keeps a row that is masked throughout from being NaN.
    Values largest = f.loop(zero, keys, one, Values(vectors, vector(-3.4028234663852886e38)), [&](Value t, ValueRange carried) {
      Values next;
      for (int64_t v = 0; v < vectors; ++v)
        next.push_back(f.b.create<arith::MaxNumFOp>(f.loc, carried[v], f.load(scoreAt(t, v), f32, lanes)));
      return next;
    });
    Values sum = f.loop(zero, keys, one, Values(vectors, vector(0)), [&](Value t, ValueRange carried) {
      Values next;
      for (int64_t v = 0; v < vectors; ++v) {
        Value e = f.b.create<arith::SubFOp>(f.loc, f.load(scoreAt(t, v), f32, lanes), largest[v]);
        e = f.b.create<math::ExpOp>(f.loc, e);
        f.store(e, scoreAt(t, v), f32);
        next.push_back(f.b.create<arith::AddFOp>(f.loc, carried[v], e));
      }
      return next;
    });
    Values inverse;
    for (Value s : sum) {
      Value none = f.b.create<arith::CmpFOp>(f.loc, arith::CmpFPredicate::OEQ, s, vector(0));
      inverse.push_back(f.b.create<arith::SelectOp>(f.loc, none, vector(0), f.b.create<arith::DivFOp>(f.loc, vector(1), s)));
    }
    return inverse;
  }

  //===--------------------------------------------------------------------===//
  // Result
  //===--------------------------------------------------------------------===//

  void emitResult(Value batch, Value head, Value group, Value first, Value keys, const Values &inverse) {
    sums.rowStep = f.size(a.v.strides[2]);
    sums.length = keys;
    Value column = rowOf(a.v, argument(a.v), batch, group, f.index(0));
    int64_t perPanel = products.vectorsPerPanel;
    auto resultAt = [&](Value e, int64_t v) {
      Value row = f.add(f.mul(f.size(a.width), f.index(v / perPanel)), e);
      return f.pointerTo(resultBase(), f.add(f.mul(row, f.index(kPanel)), f.index(v % perPanel * lanes)), f32);
    };
    forRowTiles(f, f.index(0), f.size(a.width), known(a.width), sums.maxRows(panels), [&](Value e, int64_t height) {
      Values rows;
      for (int64_t r = 0; r < height; ++r)
        rows.push_back(f.pointerTo(f.pointerTo(column, e, f32), f.index(r), f32));
      Values acc = sums.sum(sums.zeros(panels, height), rows, scoreBase(), panels, height);
      for (int64_t r = 0; r < height; ++r)
        for (int64_t v = 0; v < vectors; ++v) {
          Value y = f.b.create<arith::MulFOp>(f.loc, acc[r * vectors + v], inverse[v]);
          f.store(y, resultAt(f.add(e, f.index(r)), v), f32);
        }
    });
    for (int64_t p = 0; p < panels; ++p) {
      Value target = rowOf(a.y, f.output(0), batch, head, f.add(first, f.index(p * kPanel)));
      unpackTransposed(f, resultAt(f.index(0), p * perPanel), rowsOf(first, p), f.size(a.width), target, f.size(a.y.strides[2]));
    }
  }

  KernelFunction &f;
  const AttentionKernel &a;
  AttentionOp op;
  RegisterTile products, sums;
  int64_t lanes, panels, vectors;
  Type f32;
};

} // namespace

LogicalResult optc::generateAttention(KernelFunction &f) {
  auto a = readAttention(f.kernel);
  if (!a)
    return f.kernel.emitError("the operands of a kernel of kind 'attention' must be views with contiguous rows");
  AttentionEmitter(f, *a).run();
  return success();
}
