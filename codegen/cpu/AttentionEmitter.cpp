//===- AttentionEmitter.cpp - The frame of attention kernels --------------===//

#include "codegen/cpu/AttentionEmitter.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/kernel/Contraction.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace optc;

AttentionEmitter::AttentionEmitter(KernelFunction &f, const AttentionKernel &a)
    : f(f), a(a), op(a.op), f32(f.b.getF32Type()), lanes(std::min<int64_t>(f.target.lanes(4), kPanel)) {
  // Two panels fill the registers of AVX-512, one those of AVX2.
  panels = std::clamp<int64_t>(f.target.vectorRegisters / 16, 1, kAttentionQueries / kPanel);
  vectorsPerPanel = kPanel / lanes;
  vectors = panels * vectorsPerPanel;
}

void AttentionEmitter::run() {
  Value blocks = f.size(a.queryBlocks()), heads = f.size(a.heads), queries = f.size(a.queries);
  prepare();
  f.loop(f.begin, f.end, f.index(1), {}, [&](Value t, ValueRange) {
    Value block = f.modulo(t, blocks), rest = f.divide(t, blocks);
    Value head = f.modulo(rest, heads), batch = f.divide(rest, heads);
    Value begin = f.mul(block, f.index(a.blockQueries()));
    prepareTile(batch, groupOf(head));
    if (a.sharesKeys()) {
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
  release();
  f.finish();
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Value AttentionEmitter::rowOf(const StridedView &view, Value base, Value batch, Value head, Value i) {
  Value offset = f.add(f.size(view.offset), f.mul(batch, f.size(view.strides[0])));
  offset = f.add(offset, f.add(f.mul(head, f.size(view.strides[1])), f.mul(i, f.size(view.strides[2]))));
  return f.pointerTo(base, offset, view.base ? a.element : Type(f32));
}

Value AttentionEmitter::groupOf(Value head) {
  return a.groups == a.heads ? head : f.divide(f.mul(head, f.size(a.groups)), f.size(a.heads));
}

Value AttentionEmitter::rowsOf(Value first, int64_t p) {
  auto queries = a.queries.constant();
  if (queries && *queries % kAttentionQueries == 0)
    return f.index(kPanel);
  Value left = f.sub(f.size(a.queries), f.add(first, f.index(p * kPanel)));
  return f.max(f.index(0), f.min(left, f.index(kPanel)));
}

/// With a causal mask the keys after the last query are left out.
Value AttentionEmitter::keysFor(Value first) {
  Value keys = f.size(a.keys);
  if (!op.getCausal())
    return keys;
  Value last = f.add(f.add(first, f.index(panels * kPanel)), f.sub(keys, f.size(a.queries)));
  return f.max(f.index(0), f.min(keys, last));
}

SmallVector<int64_t> AttentionEmitter::known(const DimExpr &rows) {
  auto n = rows.constant();
  return n ? SmallVector<int64_t>{*n} : SmallVector<int64_t>{};
}

void AttentionEmitter::storeResult(Value batch, Value head, Value first, llvm::function_ref<Value(int64_t)> panelAt) {
  for (int64_t p = 0; p < panels; ++p) {
    Value target = rowOf(a.y, f.output(0), batch, head, f.add(first, f.index(p * kPanel)));
    unpackTransposed(f, panelAt(p), rowsOf(first, p), f.size(a.width), target, f.size(a.y.strides[2]));
  }
}

//===----------------------------------------------------------------------===//
// Mask
//===----------------------------------------------------------------------===//

Value AttentionEmitter::maskStride(unsigned d) {
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

Value AttentionEmitter::maskRow(Value batch, Value head, Value i) {
  Value offset = f.add(f.mul(batch, maskStride(0)), f.mul(head, maskStride(1)));
  return f.pointerTo(f.input(a.mask.getArgNumber()), f.add(offset, f.mul(i, maskStride(2))), f32);
}

void AttentionEmitter::prepareMask(Value batch, Value head, Value first, Value keys) {
  queryStart = first, keysAhead = f.sub(f.size(a.keys), f.size(a.queries));
  keyMask = isKeyMask() ? maskRow(batch, head, f.index(0)) : Value();
  if (!a.mask || isKeyMask())
    return;
  Value step = maskStride(3);
  for (int64_t p = 0; p < panels; ++p) {
    Value row = maskRow(batch, head, f.add(first, f.index(p * kPanel))), rows = rowsOf(first, p);
    Value target = maskAt(f.index(0), p * vectorsPerPanel);
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

Value AttentionEmitter::keyOffset(Value t) {
  return keyMask ? f.splat(f.load(f.pointerTo(keyMask, f.mul(t, maskStride(3)), f32), f32, 1), lanes) : Value();
}

Value AttentionEmitter::finished(Value s, Value t, int64_t v, Value offset) {
  s = capped(s);
  if (offset)
    s = f.b.create<arith::AddFOp>(f.loc, s, offset);
  else if (a.mask)
    s = f.b.create<arith::AddFOp>(f.loc, s, f.load(maskAt(t, v), f32, lanes));
  if (op.getCausal())
    s = f.b.create<arith::SelectOp>(f.loc, isSeen(t, v), s, vector(-INFINITY));
  return s;
}

/// c * tanh(s / c)
Value AttentionEmitter::capped(Value s) {
  double cap = op.getSoftcap().convertToDouble();
  if (cap <= 0)
    return s;
  s = f.b.create<math::TanhOp>(f.loc, f.b.create<arith::MulFOp>(f.loc, s, vector(1 / cap)));
  return f.b.create<arith::MulFOp>(f.loc, s, vector(cap));
}

/// Lanes whose query sees key t: t <= query + T - S.
Value AttentionEmitter::isSeen(Value t, int64_t v) {
  SmallVector<int32_t> steps;
  for (int64_t lane = 0; lane < lanes; ++lane)
    steps.push_back(v * lanes + lane);
  Type i32 = f.b.getI32Type();
  auto type = VectorType::get({lanes}, i32);
  Value query = f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(steps)));
  Value limit = f.splat(f.b.create<arith::TruncIOp>(f.loc, i32, f.sub(f.sub(t, keysAhead), queryStart)), lanes);
  return f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, query, limit);
}
