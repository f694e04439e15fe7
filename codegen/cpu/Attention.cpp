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

#include "codegen/cpu/AttentionBytes.h"
#include "codegen/cpu/AttentionEmitter.h"
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

class FloatAttention : public AttentionEmitter {
public:
  FloatAttention(KernelFunction &f, const AttentionKernel &a)
      : AttentionEmitter(f, a), products(f, a.depth, a.depth * DimExpr(kPanel)), sums(f, a.keys, a.keys * DimExpr(kPanel)) {
    products.rowElement = sums.rowElement = a.element;
    if (a.fitsTiles && lanes == kPanel && f.use(OPTC_CPU_AMX))
      tiles.emplace(f, a, panels, region(5));
  }

private:
  void prepareTile(Value batch, Value group) override {
    if (tiles)
      tiles->packValues(rowOf(a.v, argument(a.v), batch, group, f.index(0)), f.size(a.v.strides[2]), region(4));
  }
  void release() override {
    if (tiles)
      tiles->release();
  }

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

  /// s[t] of panel p, vector v.
  Value scoreAt(Value t, int64_t v) {
    int64_t panel = v / vectorsPerPanel, lane = v % vectorsPerPanel * lanes;
    Value row = tiles ? f.add(f.mul(t, f.index(panels)), f.index(panel)) : f.add(f.mul(f.size(a.keys), f.index(panel)), t);
    return f.pointerTo(scoreBase(), f.add(f.mul(row, f.index(kPanel)), f.index(lane)), f32);
  }
  /// Scores are added to it; tiles do not add.
  Value maskAt(Value t, int64_t v) override {
    if (!tiles)
      return scoreAt(t, v);
    return f.pointerTo(region(6), f.mul(f.add(f.mul(f.size(a.keys), f.index(v)), t), f.index(kPanel)), f32);
  }

  void emitQueries(Value batch, Value head, Value first) override {
    Value group = groupOf(head);
    for (int64_t p = 0; p < panels; ++p) {
      Value row = rowOf(a.q, argument(a.q), batch, head, f.add(first, f.index(p * kPanel)));
      Value target = f.pointerTo(queryBase(), f.mul(f.size(a.depth), f.index(p * kPanel)), tiles ? a.element : Type(f32));
      if (tiles)
        tiles->packQueries(row, f.size(a.q.strides[2]), rowsOf(first, p), target);
      else
        packTransposed(f, row, f.size(a.q.strides[2]), rowsOf(first, p), f.size(a.depth), target, op.getScale().convertToDouble(), a.element);
    }
    Value keys = keysFor(first);
    prepareMask(batch, head, first, keys);
    emitScores(batch, group, keys);
    Values inverse = emitSoftmax(keys);
    emitResult(batch, head, group, first, keys, inverse);
  }

  //===--------------------------------------------------------------------===//
  // Scores
  //===--------------------------------------------------------------------===//

  void emitScores(Value batch, Value group, Value keys) {
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
        // One instruction, where the one that is carried is no NaN.
        Value larger = f.b.create<arith::CmpFOp>(f.loc, arith::CmpFPredicate::OGT, s, carried[v]);
        next.push_back(f.b.create<arith::SelectOp>(f.loc, larger, s, carried[v]));
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
    int64_t perPanel = vectorsPerPanel;
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
    storeResult(batch, head, first, [&](int64_t p) { return resultAt(f.index(0), p * perPanel); });
  }

  RegisterTile products, sums;
  std::optional<AttentionTiles> tiles;
};

} // namespace

LogicalResult optc::generateAttention(KernelFunction &f) {
  auto a = readAttention(f.kernel);
  if (!a)
    return f.kernel.emitError("the operands of a kernel of kind 'attention' must be views with contiguous rows");
  if (a->codes)
    emitByteAttention(f, *a);
  else
    FloatAttention(f, *a).run();
  return success();
}
