//===- Rows.cpp - Generator of kernels that reduce rows -------------------===//
//
// A tile is one row, or where the reduced dim is not the innermost a block of rows side by side. Each pass goes
// over the row once, for all of its reductions, in vectors:
//
//   reduced dim innermost         lanes along the row, four accumulators, a masked tail, lanes folded at the end
//   reduced dim further out       lanes across rows: no folding
//
// A short row of known length is unrolled: its elements stay in registers from pass to pass.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Generators.h"
#include "codegen/kernel/RowReduction.h"
#include "codegen/kernel/Rows.h"
#include "codegen/kernel/TensorEmitter.h"

using namespace mlir;
using namespace optc;

namespace {

/// A vector of elements of the tile.
struct Site {
  LaneIndices index; // in the whole space
  Value mask;        // null: all lanes are inside
  Value slot;        // its offset in a kept row
};

class RowEmitter {
public:
  RowEmitter(KernelFunction &f, const RowKernel &rows)
      : f(f), emitter(f), rows(rows), yield(cast<YieldOp>(f.kernel.getBody().front().getTerminator())) {
    length = f.size(rows.length());
    sizes = emitter.sizesOf(tensorType(rows.dims, f.b.getF32Type()));
  }

  void run();

private:
  bool isInnermost() const { return rows.isInnermost(); }
  int64_t chooseLanes() const;
  void emitTile(Value tile);
  void emitAlong();
  void emitAcross(bool full);
  void hoistRowValues();
  void forget();
  void emitPass(unsigned p, ArrayRef<Site> sites, ValueRange in, SmallVectorImpl<Value> &out);
  unsigned carriedWidth(unsigned p) const;
  SmallVector<Value> loopInBlocks(unsigned p, unsigned sets, Value from, Value to, int64_t step, ValueRange carried,
                                  KernelEmitter::LoopBody body);
  SmallVector<Value> initialOf(unsigned p, unsigned sets) const;
  void defineResults(unsigned p, unsigned sets, ValueRange carried);
  void defineKept(unsigned p);
  void storeRowResults();
  Value keptPointer(const KeptValue &k, Value slot);

  KernelFunction &f;
  TensorEmitter emitter;
  const RowKernel &rows;
  YieldOp yield;
  int64_t lanes = 1;
  Value length;
  SmallVector<Value> sizes;
  LaneIndices row; // the tile's index; its entry at the axis is open
  /// Across rows: the first column of each vector.
  SmallVector<Value> columns, columnMasks;
  bool unrolled = false;
};

/// The widest element of the space decides, so that no vector needs more than one register.
int64_t RowEmitter::chooseLanes() const {
  unsigned bytes = 1;
  auto widen = [&](Value v) {
    if (dimsOf(v) == rows.dims)
      bytes = std::max(bytes, registerType(elementOf(v)).getIntOrFloatBitWidth() / 8);
  };
  for (Value argument : f.kernel.getBody().getArguments())
    widen(argument);
  for (Operation &op : f.kernel.getBody().front())
    for (Value result : op.getResults())
      widen(result);
  for (auto op : f.kernel.getBody().getOps<ReduceOp>())
    bytes = std::max(bytes, registerType(accumulatorOf(op)).getIntOrFloatBitWidth() / 8);
  return std::clamp<int64_t>(f.target.lanes(bytes), 2, kRowColumns);
}

unsigned RowEmitter::carriedWidth(unsigned p) const {
  unsigned width = 0;
  for (Operation *op : rows.passes[p].reductions)
    width += RowReduction(f, op).width();
  return width;
}

SmallVector<Value> RowEmitter::initialOf(unsigned p, unsigned sets) const {
  SmallVector<Value> values;
  for (unsigned s = 0; s < sets; ++s)
    for (Operation *op : rows.passes[p].reductions)
      values.append(RowReduction(f, op).initial(lanes));
  return values;
}

/// A loop over a part of the row. Sums of floats are taken in blocks of 16 steps: in one run over n elements the error
/// grows with n, in blocks with 16 + n/16. A variance as E[x^2] - mean^2 shows the difference.
SmallVector<Value> RowEmitter::loopInBlocks(unsigned p, unsigned sets, Value from, Value to, int64_t step, ValueRange carried,
                                            KernelEmitter::LoopBody body) {
  constexpr int64_t kSteps = 16;
  auto a = KernelFunction::constantOf(from), b = KernelFunction::constantOf(to);
  bool isShort = a && b && *b - *a <= 2 * kSteps * step;
  bool sums = llvm::any_of(rows.passes[p].reductions, [&](Operation *op) { return RowReduction(f, op).isFloatSum(); });
  if (isShort || !sums)
    return f.loop(from, to, f.index(step), carried, body);
  return f.loop(from, to, f.index(kSteps * step), carried, [&](Value begin, ValueRange sofar) {
    Value end = f.min(to, f.add(begin, f.index(kSteps * step)));
    SmallVector<Value> block = f.loop(begin, end, f.index(step), initialOf(p, sets), body);
    SmallVector<Value> merged;
    for (unsigned s = 0; s < sets; ++s)
      for (Operation *op : rows.passes[p].reductions) {
        RowReduction reduction(f, op);
        unsigned at = merged.size();
        merged.append(reduction.merge(sofar.slice(at, reduction.width()), ValueRange(block).slice(at, reduction.width())));
      }
    return merged;
  });
}

Value RowEmitter::keptPointer(const KeptValue &k, Value slot) {
  Type element = registerType(elementOf(k.value));
  Value base = f.pointerTo(f.scratch, f.size(k.offset), f.b.getI8Type());
  return f.pointerTo(base, slot, element);
}

/// What pass `p` does with a few vectors; `in` holds one set of accumulators a site.
void RowEmitter::emitPass(unsigned p, ArrayRef<Site> sites, ValueRange in, SmallVectorImpl<Value> &out) {
  const RowPass &pass = rows.passes[p];
  unsigned next = 0;
  for (const Site &site : sites) {
    for (Operation *op : pass.reductions) {
      RowReduction reduction(f, op);
      Value x = emitter.at(reduction.input(), site.index, lanes, site.mask);
      LaneIndex along = site.index[rows.axis];
      // Lanes across rows are never mixed: those outside need no care.
      Value mask = isInnermost() ? site.mask : Value();
      out.append(reduction.step(in.slice(next, reduction.width()), x, along.base, along.stride, mask));
      next += reduction.width();
    }
    for (const KeptValue &k : rows.kept)
      if (k.pass == p && k.result < 0 && !unrolled)
        f.store(emitter.at(k.value, site.index, lanes, site.mask), keptPointer(k, site.slot), registerType(elementOf(k.value)), site.mask);
    for (unsigned i : pass.results) {
      Value result = yield.getValues()[i];
      Value value = emitter.at(result, site.index, lanes, site.mask);
      auto offset = emitter.offsetOf(tensorOf(result), site.index);
      f.store(value, f.pointerTo(f.output(i), offset.base, elementOf(result)), elementOf(result), site.mask);
    }
  }
}

/// From here on the results of pass `p` are values; across rows there is one set a column block.
void RowEmitter::defineResults(unsigned p, unsigned sets, ValueRange carried) {
  unsigned width = carriedWidth(p), next = 0;
  for (Operation *op : rows.passes[p].reductions) {
    RowReduction reduction(f, op);
    unsigned n = reduction.width();
    SmallVector<Value> results;
    if (isInnermost()) {
      // Pairwise, so that the order is that of a tree.
      SmallVector<SmallVector<Value>> parts;
      for (unsigned s = 0; s < sets; ++s)
        parts.push_back(llvm::to_vector(carried.slice(s * width + next, n)));
      while (parts.size() > 1) {
        for (size_t i = 0; i < parts.size() / 2; ++i)
          parts[i] = reduction.merge(parts[2 * i], parts[2 * i + 1]);
        if (parts.size() % 2)
          parts[parts.size() / 2] = parts.back();
        parts.resize((parts.size() + 1) / 2);
      }
      results.push_back(reduction.finish(parts[0], length, false));
    } else {
      for (unsigned s = 0; s < sets; ++s)
        results.push_back(reduction.finish(carried.slice(s * width + next, n), length, true));
    }
    next += n;
    emitter.define(reduction.result(), [this, results](const LaneIndices &index, int64_t n, Value) -> Value {
      if (results.size() == 1)
        return f.splat(results[0], n);
      size_t s = llvm::find(columns, index.back().base) - columns.begin();
      return results[s < results.size() ? s : 0];
    });
  }
}

/// A tile's code may be emitted twice: the second time nothing is computed yet.
void RowEmitter::forget() {
  for (const RowPass &pass : rows.passes)
    for (Operation *op : pass.reductions)
      emitter.undefine(op->getResult(0));
  for (const KeptValue &k : rows.kept)
    emitter.undefine(k.value);
}

/// Later passes read back what pass `p` has kept.
void RowEmitter::defineKept(unsigned p) {
  if (unrolled)
    return;
  for (const KeptValue &k : rows.kept) {
    if (k.pass != p)
      continue;
    emitter.define(k.value, [this, &k](const LaneIndices &index, int64_t n, Value mask) -> Value {
      if (k.result >= 0) {
        auto offset = emitter.offsetOf(tensorOf(k.value), index);
        return f.load(f.pointerTo(f.output(k.result), offset.base, elementOf(k.value)), elementOf(k.value), n, mask);
      }
      Value slot = index[rows.axis].base;
      if (!isInnermost()) {
        size_t s = llvm::find(columns, index.back().base) - columns.begin();
        slot = f.add(f.mul(slot, f.index(kRowColumns)), f.index(int64_t(s) * lanes));
      }
      return f.load(keptPointer(k, slot), registerType(elementOf(k.value)), n, mask);
    });
  }
}

/// Values with one element a row (1/sum, sqrt(variance + epsilon)) are computed before the pass that uses them.
void RowEmitter::hoistRowValues() {
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
    for (size_t s = 0; s < std::max<size_t>(1, columns.size()); ++s) {
      LaneIndices index;
      bool perRow = true;
      for (size_t i = 0; i < from.size(); ++i) {
        size_t d = i + missing;
        bool repeated = from[i] == DimExpr(1);
        perRow &= repeated || (int64_t(d) != rows.axis && from[i] == rows.dims[d]);
        if (repeated)
          index.push_back({f.index(0), 0});
        else if (d + 1 == rows.dims.size() && !columns.empty())
          index.push_back({columns[s], 1});
        else
          index.push_back(row[d]);
      }
      if (!perRow)
        break;
      bool vector = !index.empty() && index.back().stride != 0;
      emitter.at(op.getX(), index, vector ? lanes : 1, vector ? columnMasks[s] : Value());
    }
  }
}

/// Results with one element a row.
void RowEmitter::storeRowResults() {
  for (unsigned i : rows.rowResults) {
    Value result = yield.getValues()[i];
    auto type = tensorOf(result);
    bool keepsDim = type.getRank() == int64_t(rows.dims.size());
    for (size_t s = 0; s < std::max<size_t>(1, columns.size()); ++s) {
      LaneIndices index;
      for (size_t d = 0; d < rows.dims.size(); ++d) {
        if (int64_t(d) == rows.axis) {
          if (keepsDim)
            index.push_back({f.index(0), 0});
        } else if (d + 1 == rows.dims.size()) {
          index.push_back(columns.empty() ? row[d] : LaneIndex{columns[s], 1});
        } else {
          index.push_back(row[d]);
        }
      }
      Value mask = columns.empty() ? Value() : columnMasks[s];
      Value value = emitter.at(result, index, columns.empty() ? 1 : lanes, mask);
      auto offset = emitter.offsetOf(type, index);
      f.store(value, f.pointerTo(f.output(i), offset.base, elementOf(result)), elementOf(result), mask);
    }
  }
}

/// One row, lanes along it.
void RowEmitter::emitAlong() {
  forget();
  auto siteAt = [&](Value j, Value mask = {}) {
    Site site{row, mask, j};
    site.index[rows.axis] = {j, 1};
    return site;
  };
  std::optional<int64_t> known = rows.length().constant();
  int64_t vectors = known ? (*known + lanes - 1) / lanes : 0;
  unrolled = known && vectors <= f.target.vectorRegisters / 2;
  if (unrolled) {
    SmallVector<Site> sites;
    for (int64_t v = 0; v < vectors; ++v) {
      bool whole = (v + 1) * lanes <= *known;
      sites.push_back(siteAt(f.index(v * lanes), whole ? Value() : f.lanesBelow(f.index(*known - v * lanes), lanes)));
    }
    unsigned sets = std::clamp<int64_t>(vectors, 1, 4);
    for (unsigned p = 0; p < rows.passes.size(); ++p) {
      hoistRowValues();
      SmallVector<Value> carried = initialOf(p, sets);
      for (size_t first = 0; first < sites.size(); first += sets) {
        SmallVector<Value> next;
        emitPass(p, ArrayRef<Site>(sites).slice(first, std::min<size_t>(sets, sites.size() - first)), carried, next);
        llvm::copy(next, carried.begin());
      }
      defineResults(p, sets, carried);
    }
    return storeRowResults();
  }

  unsigned sets = llvm::range_size(f.kernel.getBody().front()) < 48 ? 4 : 2;
  for (unsigned p = 0; p < rows.passes.size(); ++p) {
    hoistRowValues();
    SmallVector<Value> carried = initialOf(p, sets);
    unsigned width = carriedWidth(p);
    // Several vectors at a time, then one, then a part of one.
    Value zero = f.index(0), wide = f.index(sets * lanes), one = f.index(lanes);
    Value afterWide = f.mul(f.divide(length, wide), wide), afterOne = f.mul(f.divide(length, one), one);
    carried = loopInBlocks(p, sets, zero, afterWide, sets * lanes, carried, [&](Value j, ValueRange in) {
      TensorEmitter::Scope scope(emitter);
      SmallVector<Site> sites;
      for (unsigned s = 0; s < sets; ++s)
        sites.push_back(siteAt(f.add(j, f.index(s * lanes))));
      SmallVector<Value> out;
      emitPass(p, sites, in, out);
      return out;
    });
    auto single = [&](Value from, Value to, bool masked) {
      auto a = KernelFunction::constantOf(from), b = KernelFunction::constantOf(to);
      if (a && b && *a >= *b)
        return;
      SmallVector<Value> first(carried.begin(), carried.begin() + width);
      first = f.loop(from, to, one, first, [&](Value j, ValueRange in) {
        TensorEmitter::Scope scope(emitter);
        SmallVector<Value> out;
        // With a length that is known so is the mask.
        Value rest = a && b ? f.index(*b - *a) : f.sub(length, j);
        emitPass(p, siteAt(j, masked ? f.lanesBelow(rest, lanes) : Value()), in, out);
        return out;
      });
      llvm::copy(first, carried.begin());
    };
    single(afterWide, afterOne, false);
    single(afterOne, length, true);
    defineResults(p, sets, carried);
    defineKept(p);
  }
  storeRowResults();
}

/// A block of rows side by side, lanes across them.
void RowEmitter::emitAcross(bool full) {
  forget();
  size_t sets = columns.size();
  columnMasks.assign(sets, Value());
  if (!full)
    for (size_t s = 0; s < sets; ++s)
      columnMasks[s] = f.lanesBelow(f.sub(sizes.back(), columns[s]), lanes);
  auto sitesAt = [&](Value d) {
    SmallVector<Site> sites;
    for (size_t s = 0; s < sets; ++s) {
      Site site{row, columnMasks[s], f.add(f.mul(d, f.index(kRowColumns)), f.index(int64_t(s) * lanes))};
      site.index[rows.axis] = {d, 0};
      site.index.back() = {columns[s], 1};
      sites.push_back(site);
    }
    return sites;
  };
  std::optional<int64_t> known = rows.length().constant();
  unrolled = known && *known * int64_t(sets) <= f.target.vectorRegisters;
  for (unsigned p = 0; p < rows.passes.size(); ++p) {
    hoistRowValues();
    SmallVector<Value> carried = initialOf(p, sets);
    if (unrolled) {
      for (int64_t d = 0; d < *known; ++d) {
        SmallVector<Value> next;
        emitPass(p, sitesAt(f.index(d)), carried, next);
        carried = next;
      }
    } else {
      carried = loopInBlocks(p, sets, f.index(0), length, 1, carried, [&](Value d, ValueRange in) {
        TensorEmitter::Scope scope(emitter);
        SmallVector<Value> out;
        emitPass(p, sitesAt(d), in, out);
        return out;
      });
    }
    defineResults(p, sets, carried);
    defineKept(p);
  }
  storeRowResults();
}

void RowEmitter::emitTile(Value tile) {
  row.assign(rows.dims.size(), LaneIndex{f.index(0), 0});
  Value rest = tile;
  // Number of tiles along each dim; the outermost takes the rest.
  SmallVector<std::pair<size_t, Value>> counts;
  for (size_t d = 0; d < rows.dims.size(); ++d)
    if (int64_t(d) != rows.axis)
      counts.push_back({d, d + 1 == rows.dims.size() ? f.size(DimExpr::ceildiv(rows.dims[d], kRowColumns)) : sizes[d]});
  for (size_t i = counts.size(); i-- > 0;) {
    bool outermost = i == 0;
    row[counts[i].first].base = outermost ? rest : f.modulo(rest, counts[i].second);
    rest = outermost ? rest : f.divide(rest, counts[i].second);
  }
  if (isInnermost()) {
    emitAlong();
    return;
  }
  const DimExpr &width = rows.dims.back();
  std::optional<int64_t> known = width.constant();
  Value first = known && *known <= kRowColumns ? f.index(0) : f.mul(row.back().base, f.index(kRowColumns));
  int64_t sets = kRowColumns / lanes;
  if (known)
    sets = std::clamp<int64_t>((*known + lanes - 1) / lanes, 1, sets);
  columns.clear();
  for (int64_t s = 0; s < sets; ++s)
    columns.push_back(f.add(first, f.index(s * lanes)));
  if (known && *known % (sets * lanes) == 0)
    return emitAcross(true);
  if (known && *known <= kRowColumns)
    return emitAcross(false);
  Value inside = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sle, f.add(first, f.index(kRowColumns)), sizes.back());
  for (bool full : {true, false}) {
    Value wanted = full ? inside : Value(f.b.create<arith::XOrIOp>(f.loc, inside, f.b.create<arith::ConstantIntOp>(f.loc, 1, 1)));
    f.when(wanted, [&] {
      TensorEmitter::Scope scope(emitter);
      emitAcross(full);
    });
  }
}

void RowEmitter::run() {
  lanes = chooseLanes();
  f.loop(f.begin, f.end, f.index(1), {}, [&](Value tile, ValueRange) {
    TensorEmitter::Scope scope(emitter);
    emitTile(tile);
    return SmallVector<Value>{};
  });
  f.finish();
}

} // namespace

LogicalResult optc::generateRows(KernelFunction &f) {
  std::optional<RowKernel> rows = readRows(f.kernel);
  if (!rows)
    return f.kernel.emitError("the reductions of a kernel of kind 'rows' must be along one dim of one space");
  RowEmitter(f, *rows).run();
  return success();
}
