//===- Rows.cpp - Kernels that reduce rows on a device --------------------===//
//
// Who works on a row:
//
//   reduced dim innermost       a group of up to 32 threads of a warp, or a block; totals by shuffles, then
//                               through shared memory
//   reduced dim further out     a thread a row: neighbours read neighbouring elements; where rows are few and
//   long, as
//                               many warps as have a slice each, totals through shared memory
//
// The last is RowSlices.cpp's. A row of known length that the group covers in a few vectors a thread stays in
// registers from pass to pass. Otherwise each pass reads the row again and recomputes what an earlier one has
// made, unless it is a result.
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/DeviceRows.h"
#include "codegen/gpu/Generators.h"
#include "codegen/kernel/RowReduction.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace optc;

RowMapping DeviceRows::chooseMapping() const {
  RowMapping m;
  std::optional<int64_t> known = rows.length().constant();
  // A row that is alone has as many threads as a block may have.
  const int64_t block = rows.dims.size() == 1 ? 1024 : 256;
  if (!known) {
    m.group = block;
    return m;
  }
  unsigned bytes = 1;
  auto widen = [&](Type type) {
    if (dimsOf(type) == rows.dims)
      bytes = std::max(bytes,
                       memoryType(cast<RankedTensorType>(type).getElementType()).getIntOrFloatBitWidth() / 8);
  };
  llvm::for_each(f.kernel.getOperandTypes(), widen);
  llvm::for_each(f.kernel.getResultTypes(), widen);
  // A row's values stay in registers: few enough of them, over as few threads as that takes, whose totals are
  // then soon made. Narrower vectors where wider ones do not divide the row evenly.
  constexpr int64_t kMostElements = 16, kMostThreads = 512;
  for (int64_t lanes = 16 / bytes; lanes > 0; lanes /= 2) {
    if (*known % lanes != 0)
      continue;
    int64_t vectors = *known / lanes, mostSteps = std::max<int64_t>(1, kMostElements / lanes);
    auto spread = [&](int64_t group, int64_t steps) {
      m = {lanes, group, steps};
      return m;
    };
    if (vectors <= kWarp && llvm::isPowerOf2_64(vectors))
      return spread(vectors, 1);
    for (int64_t steps = mostSteps; steps > 0; --steps)
      if (vectors == steps * kWarp || (vectors % (steps * kWarp) == 0 && vectors / steps <= kMostThreads))
        return spread(vectors / steps, steps);
  }
  m.lanes = 16 / bytes;
  while (*known % m.lanes != 0)
    m.lanes /= 2;
  int64_t vectors = *known / m.lanes;
  m.group = vectors <= kWarp ? llvm::PowerOf2Ceil(vectors) : vectors <= 4 * kWarp ? kWarp : block;
  return m;
}

/// Names of the accumulators of a pass.
SmallVector<std::string> DeviceRows::carriedNames(unsigned p) const {
  SmallVector<std::string> names;
  for (Operation *op : rows.passes[p].reductions)
    if (auto arg = dyn_cast<ArgReduceOp>(op))
      names.append({arg.getKind().str(), "at"});
    else
      names.push_back(cast<ReduceOp>(op).getKind() == "mean" ? "sum" : cast<ReduceOp>(op).getKind().str());
  return names;
}

/// The index of row `number`: all dims but the axis, the last fastest.
void DeviceRows::setRow(Value number) {
  row.assign(rows.dims.size(), LaneIndex{f.index(0), 0});
  SmallVector<size_t> outer;
  for (size_t d = 0; d < rows.dims.size(); ++d)
    if (int64_t(d) != rows.axis)
      outer.push_back(d);
  Value rest = number;
  for (size_t i = outer.size(); i-- > 0;) {
    Value size = f.size(rows.dims[outer[i]]);
    row[outer[i]].base = i == 0 ? rest : f.modulo(rest, size);
    rest = i == 0 ? rest : f.divide(rest, size);
  }
}

LaneIndices DeviceRows::indexAt(Value along) const {
  LaneIndices index = row;
  index[rows.axis] = {along, map.lanes > 1};
  return index;
}

SmallVector<Value> DeviceRows::initialOf(unsigned p) const {
  SmallVector<Value> values;
  for (Operation *op : rows.passes[p].reductions)
    values.append(RowReduction(f, op).initial(map.lanes));
  return values;
}

/// What pass `p` does with the elements from `along` on; `in`: nothing is accumulated yet where it is empty.
SmallVector<Value> DeviceRows::emitPass(unsigned p, Value along, ValueRange in) {
  const RowPass &pass = rows.passes[p];
  LaneIndices index = indexAt(along);
  SmallVector<Value> out;
  for (Operation *op : pass.reductions) {
    RowReduction reduction(f, op);
    Value x = emitter.at(reduction.input(), index, map.lanes);
    if (in.empty() && isa<ReduceOp>(op)) { // the first elements are what is accumulated
      out.push_back(x);
      continue;
    }
    SmallVector<Value> carried =
        in.empty() ? reduction.initial(map.lanes) : llvm::to_vector(in.slice(out.size(), reduction.width()));
    out.append(reduction.step(carried, x, along, index[rows.axis].stride, {}));
  }
  for (unsigned i : pass.results) {
    Value result = yield.getValues()[i];
    Value value = emitter.at(result, index, map.lanes);
    auto offset = emitter.offsetOf(tensorOf(result), index);
    f.store(value, f.pointerTo(f.output(i), offset.base, elementOf(result)), elementOf(result));
  }
  return out;
}

SmallVector<Value> DeviceRows::mergeAll(unsigned p, ValueRange a, ValueRange b) const {
  SmallVector<Value> merged;
  for (Operation *op : rows.passes[p].reductions) {
    RowReduction reduction(f, op);
    size_t next = merged.size(), n = reduction.width();
    merged.append(reduction.merge(a.slice(next, n), b.slice(next, n)));
  }
  return merged;
}

/// Accumulators of the whole row, in every thread of the group: lanes, then the warp, then the block's warps.
/// The order is that of a tree and does not depend on the data.
SmallVector<Value> DeviceRows::totalOf(unsigned p, ValueRange carried) {
  if (carried.empty())
    return {};
  SmallVector<SmallVector<Value>> parts;
  for (int64_t lane = 0; lane < map.lanes; ++lane) {
    SmallVector<Value> part;
    for (Value v : carried)
      part.push_back(map.lanes > 1 ? Value(f.b.create<vector::ExtractOp>(f.loc, v, lane)) : v);
    parts.push_back(part);
  }
  for (; parts.size() > 1; parts.resize(parts.size() / 2))
    for (size_t i = 0; i < parts.size() / 2; ++i)
      parts[i] = mergeAll(p, parts[2 * i], parts[2 * i + 1]);
  SmallVector<Value> total = parts[0];

  int64_t group = std::min(map.group, kWarp);
  if (group > 1)
    total = f.shortLoop(0, llvm::Log2_64(group), "step", total, [&](Value step, ValueRange in) {
      Value half = f.b.create<arith::ConstantIntOp>(f.loc, group / 2, 32);
      Value offset = f.b.create<arith::ShRSIOp>(f.loc, half, step);
      SmallVector<Value> others;
      for (Value v : in)
        others.push_back(f.shuffleXor(v, offset, group));
      return mergeAll(p, in, others);
    });
  f.nameCarried(total, carriedNames(p));
  if (!map.isBlock())
    return total;

  SmallVector<Value> partials;
  for (Value v : total)
    partials.push_back(f.shared(v.getType(), map.group / kWarp, "partial"));
  auto slot = [&](size_t i, Value warp) {
    return f.b.create<LLVM::GEPOp>(f.loc, partials[i].getType(), total[i].getType(), partials[i],
                                   ArrayRef<LLVM::GEPArg>{warp}, true);
  };
  auto loadAt = [&](Value warp) {
    SmallVector<Value> values;
    for (size_t i = 0; i < total.size(); ++i)
      values.push_back(f.b.create<LLVM::LoadOp>(f.loc, total[i].getType(), slot(i, warp)));
    return values;
  };
  Value first = f.modulo(f.thread(), f.index(kWarp)),
        warp = f.named(f.divide(f.thread(), f.index(kWarp)), "warp");
  f.when(f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, first, f.index(0)), [&] {
    for (size_t i = 0; i < total.size(); ++i)
      f.b.create<LLVM::StoreOp>(f.loc, total[i], slot(i, warp));
  });
  f.barrier();
  Value zero = f.b.create<arith::ConstantIntOp>(f.loc, 0, 32);
  total = f.shortLoop(1, map.group / kWarp, "w", loadAt(zero),
                      [&](Value w, ValueRange in) { return mergeAll(p, in, loadAt(w)); });
  f.nameCarried(total, carriedNames(p));
  return total;
}

void DeviceRows::defineResults(unsigned p, ValueRange carried) {
  unsigned next = 0;
  for (Operation *op : rows.passes[p].reductions) {
    RowReduction reduction(f, op);
    Value result = reduction.finish(carried.slice(next, reduction.width()), length, true);
    if (auto reduce = dyn_cast<ReduceOp>(op))
      f.named(result, reduce.getKind());
    next += reduction.width();
    emitter.define(reduction.result(),
                   [this, result](const LaneIndices &, int64_t n, Value) { return f.splat(result, n); });
  }
}

/// A result that pass `p` has stored is read back by the thread that stored it.
void DeviceRows::readBack(unsigned p) {
  for (const KeptValue &k : rows.kept)
    if (k.pass == p && k.result >= 0)
      emitter.define(k.value, [this, &k](const LaneIndices &index, int64_t n, Value) {
        auto offset = emitter.offsetOf(tensorOf(k.value), index);
        return f.load(f.pointerTo(f.output(k.result), offset.base, elementOf(k.value)), elementOf(k.value),
                      n);
      });
}

/// Values with one element a row (1/sum, sqrt(variance + epsilon)) are computed before the pass that uses
/// them.
void DeviceRows::hoistRowValues() {
  std::function<bool(Value)> ready = [&](Value v) {
    Operation *op = v.getDefiningOp();
    if (!op || emitter.isDefined(v))
      return true;
    return !isa<ReduceOp, ArgReduceOp>(op) && llvm::all_of(op->getOperands(), ready);
  };
  for (auto op : f.kernel.getBody().getOps<BroadcastOp>()) {
    if (dimsOf(op.getY()) != rows.dims || !ready(op.getX()))
      continue;
    Dims from = dimsOf(op.getX());
    size_t missing = rows.dims.size() - from.size();
    LaneIndices index;
    bool perRow = true;
    for (size_t i = 0; i < from.size(); ++i) {
      size_t d = i + missing;
      bool repeated = from[i] == DimExpr(1);
      perRow &= repeated || (int64_t(d) != rows.axis && from[i] == rows.dims[d]);
      index.push_back(repeated ? LaneIndex{f.index(0), 0} : row[d]);
    }
    if (perRow)
      emitter.at(op.getX(), index, 1);
  }
}

/// Results with one element a row.
void DeviceRows::storeRowResults() {
  for (unsigned i : rows.rowResults) {
    Value result = yield.getValues()[i];
    auto type = tensorOf(result);
    bool keepsDim = type.getRank() == int64_t(rows.dims.size());
    LaneIndices index;
    for (size_t d = 0; d < rows.dims.size(); ++d)
      if (int64_t(d) != rows.axis)
        index.push_back(row[d]);
      else if (keepsDim)
        index.push_back({f.index(0), 0});
    auto offset = emitter.offsetOf(type, index);
    f.store(emitter.at(result, index, 1), f.pointerTo(f.output(i), offset.base, elementOf(result)),
            elementOf(result));
  }
}

void DeviceRows::emitRow() {
  Value from = f.named(f.mul(lane, f.index(map.lanes)), map.steps > 0 ? "j" : "first"),
        step = f.index(map.group * map.lanes);
  SmallVector<Value> positions; // the same values in each pass: what was computed of them is found again
  for (int64_t s = 0; s < map.steps; ++s)
    positions.push_back(f.add(from, f.index(s * map.group * map.lanes)));
  for (unsigned p = 0; p < rows.passes.size(); ++p) {
    hoistRowValues();
    SmallVector<Value> carried;
    for (Value at : positions)
      carried = emitPass(p, at, carried);
    if (positions.empty()) {
      carried = f.loop(from, length, step, initialOf(p), [&](Value j, ValueRange in) {
        TensorEmitter::Scope scope(emitter);
        return emitPass(p, j, in);
      });
      f.nameCarried(carried, carriedNames(p));
    }
    defineResults(p, totalOf(p, carried));
    if (map.steps == 0)
      readBack(p);
  }
  if (rows.rowResults.empty())
    return;
  f.when(f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, lane, f.index(0)), [&] {
    TensorEmitter::Scope scope(emitter);
    storeRowResults();
  });
}

void DeviceRows::emitGroups() {
  map = chooseMapping();
  DimExpr count = numElements(ArrayRef<DimExpr>(rows.dims).drop_back());
  if (map.isBlock()) {
    f.threads = map.group;
    f.items = count;
    lane = f.thread();
    setRow(f.block());
    return emitRow();
  }
  f.threads = 128;
  int64_t rowsPerBlock = f.threads / map.group;
  f.items = count;
  f.itemsPerBlock = rowsPerBlock;
  lane = f.named(f.modulo(f.thread(), f.index(map.group)), "lane");
  Value number = f.named(
      f.add(f.mul(f.block(), f.index(rowsPerBlock)), f.divide(f.thread(), f.index(map.group))), "row");
  f.when(f.less(number, f.size(count)), [&] {
    setRow(number);
    emitRow();
  });
}

LogicalResult optc::generateDeviceRows(DeviceFunction &f) {
  std::optional<RowKernel> rows = readRows(f.kernel);
  if (!rows)
    return failure();
  DeviceRows(f, *rows).run();
  return success();
}
