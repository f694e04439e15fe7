//===- Contraction.cpp - Generator of matrix products and convolutions ----===//
//
// One tile of registers serves both: h rows by a few vectors of columns, accumulators carried through
// the loop over k (and over the taps of a convolution).
//
//   for tile in [begin, end)                      tile -> (batch, block of columns, block of rows)
//     for each tile of registers in the block     h rows, panels * 16 columns
//       acc = 0
//       for tap, for k   acc[r][v] += a[r][k] * panel[k][v]
//       y = epilogue(acc)
//
// A row of the left operand is a pointer: into the matrix, or for a convolution the pixel under a tap
// (a row of zeros outside the image); where pixels have few channels, those under a line of the window. Panels are 16 columns wide on every level, so packed
// weights are shared between them. Source: Georganas et al., "Harnessing Deep Learning via a Single Building
// Block" (batch-reduce GEMM).
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/CompressedTile.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/ProductEpilogue.h"
#include "codegen/cpu/RegisterTile.h"
#include "codegen/cpu/SparseTile.h"
#include "codegen/cpu/WindowRows.h"

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

class ContractionEmitter {
public:
  ContractionEmitter(KernelFunction &f, const ContractionKernel &c)
      : f(f), c(c), registers(f, c.k, c.k * DimExpr(c.totalTaps() * kPanel)), lanes(registers.lanes),
        vectorsPerPanel(registers.vectorsPerPanel), epilogue(f, c, lanes), window(f, c, f.b.getF32Type()), f32(f.b.getF32Type()) {
    if (c.compressed)
      compressed.emplace(f, *c.compressed, lanes);
    if (c.sparse)
      sparse.emplace(f, *c.sparse, lanes);
  }
  LogicalResult run();

private:
  void compressedTile(Value batch, Value panel, Value columnBlock, Value rowBegin, Value rowEnd);
  void columnTile(Value batch, Value panel, Value columnBlock, Value rowBegin, Value rowEnd);
  int64_t widestGroup() const;
  void rowLoop(Value batch, Value panel, int64_t panels, bool partial, Value rowBegin, Value rowEnd);
  void tile(Value batch, Value panel, int64_t panels, bool partial, Value row, int64_t height);
  Values product(const Values &rows, Value panelBase, int64_t panels, int64_t height);
  Values copiedWindows(Value batch, Value row, int64_t height);
  Values windowProduct(Value batch, Value row, Value base, int64_t panels, int64_t height);
  void storePointers(Value batch, Value row, int64_t height);
  Value listedRows(Values &rows, Value panel);
  void planPrefetch(Value panel, int64_t panels, Value row);
  void pack(Value batch, Value panel, int64_t panels);
  bool weightsStayCached();

  Value scratchAt(const DimExpr &bytes) { return f.pointerTo(f.scratch, f.size(bytes), f.b.getI8Type()); }
  Value packedBase() { return f.scratch; }
  Value gatherBase() { return scratchAt(c.packedBytes()); }
  Value pointerBase() { return scratchAt(c.packedBytes() + c.gatherBytes()); }
  Value zeroBase() { return scratchAt(c.packedBytes() + c.gatherBytes() + c.pointerBytes()); }
  Value sumBase() { return scratchAt(c.packedBytes() + c.gatherBytes() + c.pointerBytes() + c.zeroBytes()); }

  KernelFunction &f;
  const ContractionKernel &c;
  RegisterTile registers;
  int64_t lanes, vectorsPerPanel;
  ProductEpilogue epilogue;
  WindowRows window;
  std::optional<CompressedTile> compressed;
  std::optional<SparseTile> sparse;
  /// Weights of few bits are dequantised in registers: there are few rows.
  bool direct = false;
  Type f32;
};

/// Weights that stay in L2 are gone through for each block of rows: rows are then read once, and whole rows of the results
/// are written one after the other. Larger weights are gone through once, for all rows.
bool ContractionEmitter::weightsStayCached() {
  constexpr int64_t kBytes = 512 * 1024;
  auto k = c.k.constant(), n = c.n.constant();
  return c.packed && k && n && *k * c.totalTaps() * *n * int64_t(sizeof(float)) <= kBytes;
}

LogicalResult ContractionEmitter::run() {
  Value rows = f.size(c.m), rowBlocks = f.size(c.rowBlocks()), columnBlocks = f.size(c.columnBlocks());
  if (c.isConv && !c.gatherRows) {
    // The row of zeros that taps outside the image read.
    Value zero = buildConstant(f.b, f.loc, f32, 0);
    f.loop(f.index(0), f.size(c.k), f.index(1), {}, [&](Value i, ValueRange) {
      f.store(zero, f.pointerTo(zeroBase(), i, f32), f32);
      return Values{};
    });
  }
  f.loop(f.begin, f.end, f.index(1), {}, [&](Value t, ValueRange) {
    bool columnsFirst = weightsStayCached();
    Value inner = columnsFirst ? columnBlocks : rowBlocks, outer = columnsFirst ? rowBlocks : columnBlocks;
    Value fast = f.modulo(t, inner), rest = f.divide(t, inner);
    Value slow = f.modulo(rest, outer), batch = f.divide(rest, outer);
    Value rowBlock = columnsFirst ? slow : fast, columnBlock = columnsFirst ? fast : slow;
    // Rows are dealt out evenly over the blocks.
    Value rowBegin = f.divide(f.mul(rows, rowBlock), rowBlocks);
    Value rowEnd = f.divide(f.mul(rows, f.add(rowBlock, f.index(1))), rowBlocks);
    Value panel = f.mul(columnBlock, f.index(c.panelsPerTile));
    if (c.isCompressed()) {
      compressedTile(batch, panel, columnBlock, rowBegin, rowEnd);
      return Values{};
    }
    if (!c.packed && !c.blocks)
      pack(batch, panel, c.panelsPerTile);
    columnTile(batch, panel, columnBlock, rowBegin, rowEnd);
    return Values{};
  });
  f.finish();
  return success();
}

/// Panels that a tile of registers takes: as many as leave room for several rows.
int64_t ContractionEmitter::widestGroup() const {
  // Each panel has its own list of k's.
  if (c.blocks)
    return 1;
  // Few rows: wide tiles, whose sums do not wait for each other.
  if (direct) {
    int64_t rows = c.m.constant().value_or(2), panels = c.panelsPerTile;
    while (panels > 1 && registers.maxRows(panels) < rows)
      panels /= 2;
    return panels;
  }
  int64_t widest = std::clamp<int64_t>(f.target.vectorRegisters / 16, 1, c.panelsPerTile);
  // Wider where several rows fit all the same, or there is one.
  if (c.panelsPerTile > 2 && !c.isCompressed() && (!c.gatherRows || f.target.vectorRegisters >= 32))
    widest = std::min<int64_t>(c.panelsPerTile, std::max<int64_t>(1, 8 / vectorsPerPanel));
  return widest;
}

/// Weights of few bits: in registers for few rows, else through scratch.
void ContractionEmitter::compressedTile(Value batch, Value panel, Value columnBlock, Value rowBegin, Value rowEnd) {
  auto inRegisters = [&] {
    TensorEmitter::Scope scope(epilogue.emitter);
    direct = true;
    columnTile(batch, panel, columnBlock, rowBegin, rowEnd);
  };
  auto throughScratch = [&] {
    TensorEmitter::Scope scope(epilogue.emitter);
    direct = false;
    Value end = f.min(f.add(panel, f.index(c.panelsPerTile)), f.size(c.panels()));
    c.sparse ? sparse->unpack(panel, end, packedBase()) : compressed->unpack(panel, end, packedBase());
    columnTile(batch, panel, columnBlock, rowBegin, rowEnd);
  };
  if (!c.mayUnpack())
    return inRegisters();
  if (c.m.isConstant())
    return throughScratch();
  auto op = f.b.create<scf::IfOp>(f.loc, f.less(f.size(c.m), f.index(kDirectRows + 1)), /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPoint(op.thenBlock()->getTerminator());
  inRegisters();
  f.b.setInsertionPoint(op.elseBlock()->getTerminator());
  throughScratch();
}

/// All rows of the panels of one tile of work.
void ContractionEmitter::columnTile(Value batch, Value panel, Value columnBlock, Value rowBegin, Value rowEnd) {
  auto columns = c.n.constant();
  if (!columns) {
    // Any number of columns may be left: one panel at a time, each partial.
    f.loop(panel, f.min(f.add(panel, f.index(c.panelsPerTile)), f.size(c.panels())), f.index(1), {}, [&](Value p, ValueRange) {
      rowLoop(batch, p, 1, true, rowBegin, rowEnd);
      return Values{};
    });
    return;
  }
  int64_t widest = widestGroup();
  int64_t panels = (*columns + kPanel - 1) / kPanel, blockColumns = kPanel * c.panelsPerTile;
  int64_t whole = *columns / blockColumns; // blocks of whole panels
  bool hasLast = *columns % blockColumns != 0;
  auto wholeBlock = [&] {
    for (int64_t p = 0; p < c.panelsPerTile; p += widest)
      rowLoop(batch, f.add(panel, f.index(p)), std::min(widest, c.panelsPerTile - p), false, rowBegin, rowEnd);
  };
  auto lastBlock = [&] {
    int64_t first = whole * c.panelsPerTile;
    for (int64_t p = first; p < panels;) {
      int64_t group = std::min(widest, panels - p);
      bool partial = (p + group) * kPanel > *columns;
      rowLoop(batch, f.index(p), group, partial, rowBegin, rowEnd);
      p += group;
    }
  };
  if (whole == 0) {
    lastBlock();
  } else if (!hasLast) {
    wholeBlock();
  } else {
    auto op = f.b.create<scf::IfOp>(f.loc, f.less(columnBlock, f.index(whole)), /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPoint(op.thenBlock()->getTerminator());
    {
      TensorEmitter::Scope scope(epilogue.emitter);
      wholeBlock();
    }
    f.b.setInsertionPoint(op.elseBlock()->getTerminator());
    TensorEmitter::Scope scope(epilogue.emitter);
    lastBlock();
  }
}

void ContractionEmitter::rowLoop(Value batch, Value panel, int64_t panels, bool partial, Value rowBegin, Value rowEnd) {
  SmallVector<int64_t> counts = c.blockHeights();
  // Dequantising is much code: no more heights than a few rows need.
  // Pixels of a line are near each other in memory: with many of them LLVM loads all before it multiplies any, and spills.
  constexpr int64_t kMaxPixels = 8;
  int64_t limit = c.gatherRows && !c.blocks ? std::min<int64_t>(registers.maxRows(panels), kMaxPixels) : direct && counts.empty() ? std::min<int64_t>(registers.maxRows(panels), 4) : registers.maxRows(panels);
  forRowTiles(f, rowBegin, rowEnd, counts, limit, [&](Value row, int64_t height) {
    TensorEmitter::Scope scope(epilogue.emitter);
    tile(batch, panel, panels, partial, row, height);
  });
}

void ContractionEmitter::tile(Value batch, Value panel, int64_t panels, bool partial, Value row, int64_t height) {
  Values rows;
  Value k = f.size(c.k);
  if (!c.isConv) {
    Value base = f.mul(f.add(c.batched ? f.mul(batch, f.size(c.m)) : f.index(0), row), k);
    for (int64_t r = 0; r < height; ++r)
      rows.push_back(f.pointerTo(f.input(c.lhs.getArgNumber()), f.add(base, f.mul(k, f.index(r))), f32));
  } else if (!c.gatherRows) {
    storePointers(batch, row, height);
  } else if (c.blocks) {
    rows = copiedWindows(batch, row, height);
  }
  Value panelBytes = f.mul(f.mul(k, f.index(c.totalTaps())), f.index(kPanel));
  Value base = c.packed ? f.pointerTo(f.input(c.rhs.getArgNumber()), f.mul(panel, panelBytes), f32)
                        : f.pointerTo(packedBase(), f.mul(f.modulo(panel, f.index(c.panelsPerTile)), panelBytes), f32);
  planPrefetch(panel, panels, row);
  if (c.blocks)
    base = listedRows(rows, panel);
  ProductTile tile{batch, row, f.mul(panel, f.index(kPanel)), height, panels * vectorsPerPanel, partial ? vectorsPerPanel : 0};
  auto fewRows = [&](auto &weights) { return weights->sum(registers.zeros(panels, height), rows, panel, panels, height); };
  Values sums = c.gatherRows && !c.blocks ? windowProduct(batch, row, base, panels, height) : !direct ? product(rows, base, panels, height) : c.sparse ? fewRows(sparse) : fewRows(compressed);
  epilogue.store(sums, tile, sumBase());
}

/// The blocks of a panel. Their positions count from the first panel on.
Value ContractionEmitter::listedRows(Values &rows, Value panel) {
  Value first = f.mul(panel, f.index(c.blocks->count()));
  registers.length = f.index(c.blocks->count());
  registers.positions = f.pointerTo(f.input(cast<BlockArgument>(c.blocks->rows).getArgNumber()), first, f.b.getI32Type());
  for (Value &row : rows)
    row = f.pointerTo(row, f.sub(f.index(0), f.mul(panel, f.index(c.blocks->k))), f32);
  return f.pointerTo(f.input(c.rhs.getArgNumber()), f.mul(first, f.index(kPanel)), f32);
}

/// Weights are read from memory once where few rows share them, at its speed: while some panels are used the next are
/// brought into L2, a part by each tile of registers.
void ContractionEmitter::planPrefetch(Value panel, int64_t panels, Value row) {
  registers.prefetch = {};
  auto k = c.k.constant();
  auto rows = c.m.constant();
  if ((!c.packed && !c.compressed) || direct || !k || *k < RegisterTile::kUnroll || (rows && (*rows == 0 || *rows > 4 * kRowBlock)))
    return;
  int64_t bytes = c.compressed ? compressed->panelBytes() : *k * c.totalTaps() * kPanel * int64_t(sizeof(float));
  int64_t limit = registers.maxRows(panels), tiles = rows ? (*rows + limit - 1) / limit : RegisterTile::kUnroll;
  int64_t height = rows ? (*rows + tiles - 1) / tiles : limit;
  registers.prefetchLines = (RegisterTile::kUnroll + tiles - 1) / tiles;
  registers.prefetchStride = bytes;
  int64_t steps = c.totalTaps() * (*k / RegisterTile::kUnroll);
  Value done = f.mul(f.divide(row, f.index(height)), f.index(registers.prefetchLines * steps * RegisterTile::kLine));
  // Panels that are unpacked are needed with the rest of their tile.
  Value next = f.mul(f.add(panel, f.index(c.compressed ? c.panelsPerTile : panels)), f.index(bytes));
  // Once all of it is on the way, what is in the caches already.
  Value isLeft = f.less(done, f.index(bytes));
  Value offset = f.b.create<arith::SelectOp>(f.loc, isLeft, f.add(next, done), f.mul(panel, f.index(bytes)));
  registers.prefetch = f.pointerTo(f.input(c.rhs.getArgNumber()), offset, f.b.getI8Type());
}

/// acc[r * vectors + v] over all taps and k.
Values ContractionEmitter::product(const Values &rows, Value base, int64_t panels, int64_t height) {
  Values acc = registers.zeros(panels, height);
  if (!rows.empty())
    return registers.sum(acc, rows, base, panels, height);
  Type pointer = LLVM::LLVMPointerType::get(f.b.getContext());
  return f.loop(f.index(0), f.index(c.taps), f.index(1), acc, [&](Value tap, ValueRange carried) {
    Values pixels;
    Value table = f.pointerTo(pointerBase(), f.mul(tap, f.index(height)), f.b.getI64Type());
    for (int64_t r = 0; r < height; ++r)
      pixels.push_back(f.b.create<LLVM::LoadOp>(f.loc, pointer, f.pointerTo(table, f.index(r), f.b.getI64Type()), 8));
    RegisterTile atTap = registers;
    if (registers.prefetch) {
      Value bytes = f.mul(tap, f.index(*c.k.constant() / RegisterTile::kUnroll * registers.prefetchLines * RegisterTile::kLine));
      atTap.prefetch = f.pointerTo(registers.prefetch, bytes, f.b.getI8Type());
    }
    Value tapBase = f.pointerTo(base, f.mul(f.mul(tap, f.size(c.k)), f.index(kPanel)), f32);
    return atTap.sum(Values(carried), pixels, tapBase, panels, height);
  });
}

/// The taps of each row together.
Values ContractionEmitter::copiedWindows(Value batch, Value row, int64_t height) {
  window.gather(batch, row, f.index(height), gatherBase(), f.size(c.k));
  Values rows;
  for (int64_t r = 0; r < height; ++r)
    rows.push_back(f.pointerTo(gatherBase(), f.mul(f.size(c.k), f.index(r)), f32));
  return rows;
}

/// A window of few channels: its lines where they are in the image, if all taps of all rows are inside it; else copied together.
Values ContractionEmitter::windowProduct(Value batch, Value row, Value base, int64_t panels, int64_t height) {
  auto copied = [&] { return product(copiedWindows(batch, row, height), base, panels, height); };
  int64_t lines = window.lines();
  if (lines == 0)
    return copied();
  Value inside;
  Value first = window.firstTap(batch, row, height, inside);
  Values zeros = registers.zeros(panels, height);
  auto op = f.b.create<scf::IfOp>(f.loc, ValueRange(zeros).getTypes(), inside, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToStart(op.thenBlock());
  Values sums = f.loop(f.index(0), f.index(lines), f.index(1), zeros, [&](Value line, ValueRange carried) {
    Values rows;
    for (int64_t r = 0; r < height; ++r)
      rows.push_back(f.pointerTo(f.pointerTo(first, f.mul(line, window.linePitch()), f32), f.index(r * window.tapPitch()), f32));
    RegisterTile ofLine = registers;
    ofLine.prefetch = {};
    ofLine.length = f.index(window.lineLength());
    return ofLine.sum(Values(carried), rows, f.pointerTo(base, f.mul(line, f.index(window.lineLength() * kPanel)), f32), panels, height);
  });
  f.b.create<scf::YieldOp>(f.loc, sums);
  f.b.setInsertionPointToStart(op.elseBlock());
  f.b.create<scf::YieldOp>(f.loc, copied());
  return Values(op.getResults());
}

/// pointers[tap][r] = the pixel of row + r under the tap.
void ContractionEmitter::storePointers(Value batch, Value row, int64_t height) {
  Value x = f.input(c.lhs.getArgNumber());
  for (int64_t r = 0; r < height; ++r)
    window.forEachTap(batch, f.add(row, f.index(r)), [&](Value tap, Value inside, Value offset) {
      Value pixel = f.b.create<arith::SelectOp>(f.loc, inside, f.pointerTo(x, offset, f32), zeroBase());
      Value slot = f.pointerTo(pointerBase(), f.add(f.mul(tap, f.index(height)), f.index(r)), f.b.getI64Type());
      f.b.create<LLVM::StoreOp>(f.loc, pixel, slot, 8);
    });
}

/// Panels of an activation into scratch: packed[p][k][j] = rhs[k][(panel + p) * 16 + j], zeros beyond its columns.
void ContractionEmitter::pack(Value batch, Value panel, int64_t panels) {
  Value k = f.size(c.k), n = f.size(c.n), source = f.input(c.rhs.getArgNumber());
  Value base = c.rhsBatched ? f.mul(f.mul(batch, k), n) : f.index(0);
  Value zero = buildConstant(f.b, f.loc, f32, 0), zeros = f.splat(zero, lanes);
  f.loop(f.index(0), f.index(panels), f.index(1), {}, [&](Value p, ValueRange) {
    Value first = f.mul(f.add(panel, p), f.index(kPanel));
    Value target = f.pointerTo(packedBase(), f.mul(f.mul(p, k), f.index(kPanel)), f32);
    auto element = [&](Value i, Value j) { // row i of k, column first + j
      Value column = f.add(first, j);
      Value offset = c.rhsTransposed ? f.add(f.mul(column, k), i) : f.add(f.mul(i, n), column);
      return f.branch(
          f.less(column, n), f32, [&] { return f.load(f.pointerTo(source, f.add(base, offset), f32), f32, 1); }, [&] { return zero; });
    };
    Value full = f.less(f.add(first, f.index(kPanel - 1)), n);
    auto op = f.b.create<scf::IfOp>(f.loc, full, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPoint(op.thenBlock()->getTerminator());
    f.loop(f.index(0), k, f.index(1), {}, [&](Value i, ValueRange) {
      Value to = f.pointerTo(target, f.mul(i, f.index(kPanel)), f32);
      for (int64_t j = 0; j < kPanel; j += lanes) {
        Value v;
        if (c.rhsTransposed) {
          v = zeros;
          for (int64_t lane = 0; lane < lanes; ++lane) {
            Value offset = f.add(base, f.add(f.mul(f.add(first, f.index(j + lane)), k), i));
            v = f.b.create<vector::InsertOp>(f.loc, f.load(f.pointerTo(source, offset, f32), f32, 1), v, lane);
          }
        } else {
          Value offset = f.add(base, f.add(f.mul(i, n), f.add(first, f.index(j))));
          v = f.load(f.pointerTo(source, offset, f32), f32, lanes);
        }
        f.store(v, f.pointerTo(to, f.index(j), f32), f32);
      }
      return Values{};
    });
    f.b.setInsertionPoint(op.elseBlock()->getTerminator());
    f.loop(f.index(0), k, f.index(1), {}, [&](Value i, ValueRange) {
      Value to = f.pointerTo(target, f.mul(i, f.index(kPanel)), f32);
      f.loop(f.index(0), f.index(kPanel), f.index(1), {}, [&](Value j, ValueRange) {
        f.store(element(i, j), f.pointerTo(to, j, f32), f32);
        return Values{};
      });
      return Values{};
    });
    return Values{};
  });
}

} // namespace

LogicalResult optc::generateContraction(KernelFunction &f) {
  auto c = readContraction(f.kernel);
  if (!c)
    return f.kernel.emitError("not in the canonical form of a contraction");
  return c->narrow ? generateByteContraction(f, *c) : ContractionEmitter(f, *c).run();
}
