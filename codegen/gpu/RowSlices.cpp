//===- RowSlices.cpp - Rows that lie side by side on a device -------------===//
//
// A thread a row, so that neighbours read neighbouring elements; where rows are few and long, 32 of them are
// a block's, whose warps have a slice each:
//
//   accumulate elements slice, slice + slices, ...
//   partial[slice][row] = what that gives; barrier; total over the slices
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/DeviceRows.h"
#include "codegen/kernel/RowReduction.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace optc;

/// Slices of rows that are long, so that there are threads enough.
int64_t DeviceRows::chooseSlices(const DimExpr &count) const {
  constexpr int64_t kEnoughRows = 1 << 17, kShort = 64, kMost = 32, kPerSlice = 16;
  std::optional<int64_t> known = rows.length().constant(), rowCount = count.constant();
  if ((known && *known < kShort) || (rowCount && *rowCount >= kEnoughRows))
    return 1;
  // Threads beyond the last row go along it, and may not write what it still reads.
  if (llvm::any_of(rows.passes, [](const RowPass &p) { return !p.results.empty(); }) &&
      !(rowCount && *rowCount % kWarp == 0))
    return 1;
  return known ? std::min<int64_t>(kMost, llvm::bit_floor(uint64_t(*known / kPerSlice))) : kMost / 4;
}

/// Accumulators of whole rows in every thread, from those of the slices.
SmallVector<Value> DeviceRows::totalOfSlices(unsigned p, ValueRange carried) {
  if (map.slices == 1 || carried.empty())
    return llvm::to_vector(carried);
  SmallVector<Value> partials;
  for (Value v : carried)
    partials.push_back(f.shared(v.getType(), map.slices * kWarp, "partial"));
  auto slot = [&](size_t i, Value thread) {
    return f.b.create<LLVM::GEPOp>(f.loc, partials[i].getType(), carried[i].getType(), partials[i],
                                   ArrayRef<LLVM::GEPArg>{thread}, true);
  };
  for (size_t i = 0; i < carried.size(); ++i)
    f.b.create<LLVM::StoreOp>(f.loc, carried[i], slot(i, f.thread()));
  f.barrier();
  auto loadAt = [&](Value thread) {
    SmallVector<Value> values;
    for (size_t i = 0; i < carried.size(); ++i)
      values.push_back(f.b.create<LLVM::LoadOp>(f.loc, carried[i].getType(), slot(i, thread)));
    return values;
  };
  auto total = f.loop(f.add(lane, f.index(kWarp)), f.index(map.slices * kWarp), f.index(kWarp), loadAt(lane),
                      [&](Value at, ValueRange in) { return mergeAll(p, in, loadAt(at)); });
  f.nameCarried(total, carriedNames(p));
  return total;
}

void DeviceRows::emitThreads() {
  DimExpr count = 1;
  for (size_t d = 0; d < rows.dims.size(); ++d)
    if (int64_t(d) != rows.axis)
      count = count * rows.dims[d];
  map.slices = chooseSlices(count);
  f.items = count;
  Value number, slice = f.index(0);
  if (map.slices > 1) {
    f.threads = map.slices * kWarp;
    f.itemsPerBlock = kWarp;
    lane = f.named(f.modulo(f.thread(), f.index(kWarp)), "lane");
    slice = f.named(f.divide(f.thread(), f.index(kWarp)), "slice");
    number = f.named(f.add(f.mul(f.block(), f.index(kWarp)), lane), "row");
  } else {
    f.itemsPerBlock = f.threads;
    number = f.named(f.threadInGrid(), "row");
  }
  Value exists = f.less(number, f.size(count));
  auto emit = [&](Value first) {
    setRow(number);
    for (unsigned p = 0; p < rows.passes.size(); ++p) {
      hoistRowValues();
      // Several elements a turn, whose loads do not wait for each other.
      constexpr int64_t kAtOnce = 8;
      std::optional<int64_t> known = rows.length().constant();
      int64_t atOnce = !known || *known % map.slices ? 1 : std::gcd(*known / map.slices, kAtOnce);
      SmallVector<Value> carried =
          f.loop(first, length, f.index(map.slices * atOnce), initialOf(p), [&](Value d, ValueRange in) {
            TensorEmitter::Scope scope(emitter);
            SmallVector<Value> next = llvm::to_vector(in);
            for (int64_t i = 0; i < atOnce; ++i)
              next = emitPass(p, f.add(d, f.index(i * map.slices)), next);
            return next;
          });
      f.nameCarried(carried, carriedNames(p));
      defineResults(p, totalOfSlices(p, carried));
      readBack(p);
    }
  };
  if (map.slices == 1)
    return f.when(exists, [&] {
      emit(slice);
      storeRowResults();
    });
  // All threads meet at the barriers: those beyond the last row go along it.
  number = f.named(f.min(number, f.sub(f.size(count), f.index(1))), "row");
  emit(slice);
  if (rows.rowResults.empty())
    return;
  Value isFirst = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, slice, f.index(0));
  f.when(f.b.create<arith::AndIOp>(f.loc, isFirst, exists), [&] {
    TensorEmitter::Scope scope(emitter);
    storeRowResults();
  });
}
