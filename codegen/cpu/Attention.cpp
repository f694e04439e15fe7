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
// With AMX's tiles scores are [t][panels][16], scaled where they are limited and masked, and exponentials go through panels of bf16.
// See codegen/kernel/Attention.h for the layout.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Attention.h"
#include "codegen/cpu/AttentionTiles.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/RegisterTile.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/Contraction.h"
#include "runtime/Artefact.h"
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
    products.rowElement = sums.rowElement = a.element;
    if (a.fitsTiles && lanes == kPanel && f.use(OPTC_CPU_AMX))
      tiles.emplace(f, a, panels, region(5));
  }

  void run() {
    Value blocks = f.size(a.queryBlocks()), heads = f.size(a.heads), queries = f.size(a.queries);
    f.loop(f.begin, f.end, f.index(1), {}, [&](Value t, ValueRange) {
      Value block = f.modulo(t, blocks), rest = f.divide(t, blocks);
      Value head = f.modulo(rest, heads), batch = f.divide(rest, heads);
      Value begin = f.mul(block, f.index(a.blockQueries()));
      if (tiles)
        tiles->packValues(rowOf(a.v, argument(a.v), batch, groupOf(head), f.index(0)), f.size(a.v.strides[2]), region(4));
      if (a.fitsTiles) {
        Value end = f.min(queries, f.add(begin, f.index(a.blockQueries())));
        f.loop(begin, end, f.index(panels * kPanel), {}, [&](Value first, ValueRange) {
          emitQueries(batch, head, first);
          return Values{};
        });
        return Values{};
      }
      for (int64_t at = 0; at < kAttentionQueries; at += panels * kPanel) {
        Value first = f.add(begin, f.index(at));
        if (at == 0)
          emitQueries(batch, head, first);
        else
          f.when(f.less(first, queries), [&] { emitQueries(batch, head, first); });
      }
      return Values{};
    });
    if (tiles)
      tiles->release();
    f.finish();
  }

private:
  /// Parts of scratch: queries, scores, results; of tiles, probabilities, v, shapes, a mask, results again.
  Value region(int number) {
    const DimExpr sizes[] = {a.queryFloats(), a.scoreFloats(), a.resultFloats(), a.probabilityFloats(), a.valueFloats(), 16, a.maskFloats()};
    DimExpr offset(0);
    for (int i = 0; i < number; ++i)
      offset = offset + sizes[i];
    return f.pointerTo(f.scratch, f.size(offset), f32);
  }
  Value queryBase() { return region(0); }
  Value scoreBase() { return region(1); }
  Value resultBase() { return region(2); }
  Value vector(double x) { return buildConstant(f.b, f.loc, withLanes(f32, lanes), x); }

  /// The element [batch, head, i, 0] of a view.
  Value rowOf(const StridedView &view, Value base, Value batch, Value head, Value i) {
    Value offset = f.add(f.size(view.offset), f.mul(batch, f.size(view.strides[0])));
    offset = f.add(offset, f.add(f.mul(head, f.size(view.strides[1])), f.mul(i, f.size(view.strides[2]))));
    return f.pointerTo(base, offset, view.base ? a.element : Type(f32));
  }
  Value argument(const StridedView &view) { return f.input(cast<BlockArgument>(view.base).getArgNumber()); }
  /// s[t] of panel p, vector v.
  Value scoreAt(Value t, int64_t v) {
    int64_t panel = v / products.vectorsPerPanel, lane = v % products.vectorsPerPanel * lanes;
    Value row = tiles ? f.add(f.mul(t, f.index(panels)), f.index(panel)) : f.add(f.mul(f.size(a.keys), f.index(panel)), t);
    return f.pointerTo(scoreBase(), f.add(f.mul(row, f.index(kPanel)), f.index(lane)), f32);
  }
  /// Where a mask that differs between queries is: tiles do not add to it.
  Value maskAt(Value t, int64_t v) {
    if (!tiles)
      return scoreAt(t, v);
    return f.pointerTo(region(6), f.mul(f.add(f.mul(f.size(a.keys), f.index(v)), t), f.index(kPanel)), f32);
  }
  /// Rows of panel p that are queries.
  Value rowsOf(Value first, int64_t p) {
    auto queries = a.queries.constant();
    if (queries && *queries % kAttentionQueries == 0)
      return f.index(kPanel);
    Value left = f.sub(f.size(a.queries), f.add(first, f.index(p * kPanel)));
    return f.max(f.index(0), f.min(left, f.index(kPanel)));
  }

  Value groupOf(Value head) {
    return a.groups == a.heads ? head : f.divide(f.mul(head, f.size(a.groups)), f.size(a.heads));
  }

  void emitQueries(Value batch, Value head, Value first) {
    Value group = groupOf(head);
    for (int64_t p = 0; p < panels; ++p) {
      Value row = rowOf(a.q, argument(a.q), batch, head, f.add(first, f.index(p * kPanel)));
      Value target = f.pointerTo(queryBase(), f.mul(f.size(a.depth), f.index(p * kPanel)), tiles ? a.element : Type(f32));
      if (tiles)
        tiles->packQueries(row, f.size(a.q.strides[2]), rowsOf(first, p), target);
      else
        packTransposed(f, row, f.size(a.q.strides[2]), rowsOf(first, p), f.size(a.depth), target, op.getScale().convertToDouble(), a.element);
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
      Value target = maskAt(f.index(0), p * products.vectorsPerPanel);
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
    keyMask = isKeyMask() ? maskRow(batch, head, f.index(0)) : Value();
    queryStart = first, keysAhead = ahead;
    if (tiles)
      return tiles->scores(rowOf(a.k, argument(a.k), batch, group, f.index(0)), f.size(a.k.strides[2]), keys, queryBase(), scoreBase());
    SmallVector<int64_t> counts = op.getCausal() ? SmallVector<int64_t>() : known(a.keys);
    forRowTiles(f, f.index(0), keys, counts, products.maxRows(panels), [&](Value t, int64_t height) {
      Values rows;
      Value key = rowOf(a.k, argument(a.k), batch, group, t);
      for (int64_t r = 0; r < height; ++r)
        rows.push_back(f.pointerTo(key, f.mul(f.size(a.k.strides[2]), f.index(r)), a.element));
      Values acc = products.sum(products.zeros(panels, height), rows, queryBase(), panels, height);
      for (int64_t r = 0; r < height; ++r) {
        Value at = f.add(t, f.index(r)), offset = keyOffset(at);
        for (int64_t v = 0; v < vectors; ++v)
          f.store(finished(acc[r * vectors + v], at, v, offset), scoreAt(at, v), f32);
      }
    });
  }

  /// What the mask adds to all scores of a key; null where it does not.
  Value keyOffset(Value t) {
    return keyMask ? f.splat(f.load(f.pointerTo(keyMask, f.mul(t, maskStride(3)), f32), f32, 1), lanes) : Value();
  }
  /// Scores of key t limited and masked.
  Value finished(Value s, Value t, int64_t v, Value offset) {
    s = capped(s);
    if (offset)
      s = f.b.create<arith::AddFOp>(f.loc, s, offset);
    else if (a.mask)
      s = f.b.create<arith::AddFOp>(f.loc, s, f.load(maskAt(t, v), f32, lanes));
    if (op.getCausal())
      s = f.b.create<arith::SelectOp>(f.loc, isSeen(t, queryStart, keysAhead, v), s, vector(-INFINITY));
    return s;
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
      Value offset = tiles ? keyOffset(t) : Value();
      for (int64_t v = 0; v < vectors; ++v) {
        Value s = f.load(scoreAt(t, v), f32, lanes);
        if (tiles) {
          s = finished(f.b.create<arith::MulFOp>(f.loc, s, vector(op.getScale().convertToDouble())), t, v, offset);
          f.store(s, scoreAt(t, v), f32);
        }
        next.push_back(f.b.create<arith::MaxNumFOp>(f.loc, carried[v], s));
      }
      return next;
    });
    Values sum = tiles ? pairedExponentials(keys, largest) : f.loop(zero, keys, one, Values(vectors, vector(0)), [&](Value t, ValueRange carried) {
      Values next;
      for (int64_t v = 0; v < vectors; ++v) {
        Value e = f.b.create<arith::SubFOp>(f.loc, f.load(scoreAt(t, v), f32, lanes), largest[v]);
        e = f.b.create<math::ExpOp>(f.loc, e);
        f.store(e, scoreAt(t, v), f32);
        next.push_back(f.b.create<arith::AddFOp>(f.loc, carried[v], e));
      }
      return next;
    });
    return inverseOf(sum);
  }

  /// Exponentials as pairs of bf16, 0 up to the end of a step of tiles; their sums.
  Values pairedExponentials(Value keys, const Values &largest) {
    Value end = tiles->wholeSteps(keys), one = f.index(1);
    f.loop(keys, end, one, {}, [&](Value t, ValueRange) {
      for (int64_t v = 0; v < vectors; ++v)
        f.store(vector(-INFINITY), scoreAt(t, v), f32);
      return Values{};
    });
    return f.loop(f.index(0), end, f.index(2), Values(vectors, vector(0)), [&](Value t, ValueRange carried) {
      Values next;
      for (int64_t v = 0; v < vectors; ++v) {
        auto exponential = [&](Value at) {
          return f.b.create<math::ExpOp>(f.loc, f.b.create<arith::SubFOp>(f.loc, f.load(scoreAt(at, v), f32, lanes), largest[v]));
        };
        Value even = exponential(t), odd = exponential(f.add(t, one));
        Value row = f.add(f.mul(f.size(a.paddedKeys()), f.index(v)), t);
        tiles->storePair(even, odd, f.pointerTo(region(3), f.mul(row, f.index(kPanel)), f.b.getI16Type()));
        next.push_back(f.b.create<arith::AddFOp>(f.loc, carried[v], f.b.create<arith::AddFOp>(f.loc, even, odd)));
      }
      return next;
    });
  }

  Values inverseOf(const Values &sum) {
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

  /// By tiles, in the panels that are turned.
  void emitResultByTiles(Value keys, const Values &inverse, llvm::function_ref<Value(Value e, int64_t v)> resultAt) {
    Value raw = region(7);
    tiles->results(region(4), region(3), keys, raw);
    f.loop(f.index(0), f.size(a.width), f.index(1), {}, [&](Value e, ValueRange) {
      for (int64_t v = 0; v < vectors; ++v) {
        Value y = f.load(f.pointerTo(raw, f.mul(f.add(f.mul(e, f.index(panels)), f.index(v)), f.index(kPanel)), f32), f32, lanes);
        f.store(f.b.create<arith::MulFOp>(f.loc, y, inverse[v]), resultAt(e, v), f32);
      }
      return Values{};
    });
  }

  void emitResult(Value batch, Value head, Value group, Value first, Value keys, const Values &inverse) {
    sums.rowStep = f.size(a.v.strides[2]);
    sums.length = keys;
    Value column = rowOf(a.v, argument(a.v), batch, group, f.index(0));
    int64_t perPanel = products.vectorsPerPanel;
    auto resultAt = [&](Value e, int64_t v) {
      Value row = f.add(f.mul(f.size(a.width), f.index(v / perPanel)), e);
      return f.pointerTo(resultBase(), f.add(f.mul(row, f.index(kPanel)), f.index(v % perPanel * lanes)), f32);
    };
    if (tiles)
      emitResultByTiles(keys, inverse, resultAt);
    else
      forRowTiles(f, f.index(0), f.size(a.width), known(a.width), sums.maxRows(panels), [&](Value e, int64_t height) {
      Values rows;
      for (int64_t r = 0; r < height; ++r)
        rows.push_back(f.pointerTo(f.pointerTo(column, e, a.element), f.index(r), a.element));
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
  std::optional<AttentionTiles> tiles;
  Value keyMask, queryStart, keysAhead; // of the queries that are emitted
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
