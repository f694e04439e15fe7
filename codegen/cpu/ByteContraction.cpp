//===- ByteContraction.cpp - Generator of products of narrow operands -----===//
//
//   for tile in [begin, end)                      tile -> (batch, block of columns, block of rows)
//     for a few rows of the block                 copied where taps are gathered, else read where they are
//       for groups of panels of the block
//         sums = rows x panels                    of 8 bits in i32, of bf16 in f32
//         y = epilogue(sums)
//
// With AMX's tiles, which outrun memory, panels are the outer loop, and pixels of a convolution are read from the image (with
// padding, from a copy of a block's rows) where channels are whole steps. Other rows are copied: they are paddedK bytes long,
// panels [K/4][16][4] of bytes. Rows of bf16 are bytes, too; only the instructions that multiply differ.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/AmxTile.h"
#include "codegen/cpu/ByteTile.h"
#include "codegen/cpu/CodeExpander.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/ProductEpilogue.h"
#include "codegen/cpu/RegisterTile.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/cpu/WindowRows.h"
#include "runtime/Artefact.h"

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

/// Tiles take as long for a few k's as for 64, and vectors are slower beside them: where functions of the sums are most of the
/// work, few k's stay in registers. So do weights without zeros, which few rows read.
bool usesTiles(KernelFunction &f, const ContractionKernel &c) {
  constexpr int64_t kFew = 32;
  if (c.codes)
    return false;
  auto k = c.paddedK().constant();
  bool few = k && *k <= kFew && ProductEpilogue::hasFunctions(f.kernel);
  return !few && f.use(OPTC_CPU_AMX);
}

class ByteContraction {
public:
  ByteContraction(KernelFunction &f, const ContractionKernel &c)
      : f(f), c(c), i8(f.b.getI8Type()), rowBytes(f.size(c.paddedK())), amx(usesTiles(f, c)), registers(f, rowBytes, c.bfloat), epilogue(f, c, registers.lanes),
        window(f, c, widensRows() ? f.b.getIntegerType(16) : i8) {
    if (c.codes)
      expander.emplace(f, *c.codes);
  }
  LogicalResult run();

private:
  void byVectors(Value rowBegin, Value rowEnd);
  void byTiles(Value rowBegin, Value rowEnd);
  /// Rows of one of AMX's tiles: the first, where it lies, how many of them another tile stores, how many there are.
  struct RowTile {
    Value row, pointer, skip, height;
  };
  void overRows(AmxTile &tile, Value rowBegin, Value rowEnd);
  void overImage(AmxTile &tile, const ImageWindow &v, Value rowBegin, Value rowEnd);
  void pairs(AmxTile &tile, Value tileCount, llvm::function_ref<RowTile(Value)> tileOf, Value stride, AmxTile::Steps steps);
  void tiles(AmxTile &tile, ArrayRef<RowTile> tiles, Value stride, Value panel, int64_t panels, bool partial, AmxTile::Steps steps);
  void planPrefetch(AmxTile &tile, Value pair, Value panel, int64_t panels);
  bool widensRows() const { return !amx && registers.takesWideRows(); }
  Type rowElement() { return widensRows() ? f.b.getIntegerType(16) : i8; }
  Value rowsFrom(Value row, Value height, Value room);
  void copyRow(Value to, Value from);
  void forPanels(int64_t widest, llvm::function_ref<void(Value panel, int64_t panels, bool partial)> body);
  Value panelBase(Value panel);
  void pack();
  void packGroup(Value source, Value target, Value first, Value group, bool inside);
  ProductTile tileAt(Value row, Value panel, int64_t height, int64_t panels, bool partial) const;

  Value at(const DimExpr &bytes) { return f.pointerTo(f.scratch, f.size(bytes), i8); }
  Value gathered() { return at(c.packedBytes()); }
  Value sumBase() { return at(c.packedBytes() + c.gatherBytes()); }
  Value tileConfiguration() { return f.pointerTo(sumBase(), f.index(kByteTileRows * kByteTileColumns * 4), i8); }

  KernelFunction &f;
  const ContractionKernel &c;
  Type i8;
  Value rowBytes;
  bool amx;
  ByteTile registers;
  ProductEpilogue epilogue;
  WindowRows window;
  /// Of weights without zeros, which are spread in registers.
  std::optional<CodeExpander> expander;
  Value batch, block; // of the tile of work: its image, its first panel
};

LogicalResult ByteContraction::run() {
  if (expander && !expander->isSupported())
    return f.kernel.emitError("the CPU does not spread weights without zeros");
  Value rows = f.size(c.m), rowBlocks = f.size(c.rowBlocks()), columnBlocks = f.size(c.columnBlocks());
  f.loop(f.begin, f.end, f.index(1), {}, [&](Value t, ValueRange) {
    // Rows are the inner dim: a block's panels stay in the caches.
    Value rowBlock = f.modulo(t, rowBlocks), rest = f.divide(t, rowBlocks);
    batch = f.divide(rest, columnBlocks);
    block = f.mul(f.modulo(rest, columnBlocks), f.index(c.panelsPerTile));
    // Of an image, whole rows.
    int64_t unit = c.image ? c.image->outWidth : 1;
    auto boundary = [&](Value block) {
      return f.mul(f.divide(f.mul(f.divide(rows, f.index(unit)), block), rowBlocks), f.index(unit));
    };
    Value rowBegin = boundary(rowBlock), rowEnd = boundary(f.add(rowBlock, f.index(1)));
    TensorEmitter::Scope scope(epilogue.emitter);
    if (!c.packed && !c.codes)
      pack();
    if (amx)
      byTiles(rowBegin, rowEnd);
    else
      byVectors(rowBegin, rowEnd);
    return Values{};
  });
  if (amx)
    AmxTile(f, rowBytes, 64, c.bfloat).release();
  f.finish();
  return success();
}

/// Visits the block's panels in groups; columns that are not known are checked panel by panel.
void ByteContraction::forPanels(int64_t widest, llvm::function_ref<void(Value, int64_t, bool)> body) {
  auto visit = [&](Value panel, int64_t panels, bool partial) {
    TensorEmitter::Scope scope(epilogue.emitter);
    body(panel, panels, partial);
  };
  Value end = f.add(block, f.index(c.panelsPerTile));
  auto columns = c.n.constant();
  if (!columns) {
    f.loop(block, f.min(end, f.size(c.panels())), f.index(1), {}, [&](Value panel, ValueRange) {
      visit(panel, 1, true);
      return Values{};
    });
    return;
  }
  int64_t panels = (*columns + kPanel - 1) / kPanel, whole = *columns / (kPanel * widest) * widest;
  if (whole > 0)
    f.loop(block, f.min(end, f.index(whole)), f.index(widest), {}, [&](Value panel, ValueRange) {
      visit(panel, widest, false);
      return Values{};
    });
  if (whole == panels)
    return;
  // What is left belongs to the last block.
  auto rest = [&] {
    for (int64_t p = whole; p < panels;) {
      bool partial = (p + 1) * kPanel > *columns;
      visit(f.index(p), 1, partial);
      ++p;
    }
  };
  if (panels <= c.panelsPerTile)
    return rest();
  f.when(f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::sge, end, f.index(panels)), rest);
}

Value ByteContraction::panelBase(Value panel) {
  Value panelBytes = f.mul(rowBytes, f.index(kPanel));
  if (c.packed)
    return f.pointerTo(f.input(c.rhs.getArgNumber()), f.mul(panel, panelBytes), i8);
  return f.pointerTo(f.scratch, f.mul(f.sub(panel, block), panelBytes), i8);
}

ProductTile ByteContraction::tileAt(Value row, Value panel, int64_t height, int64_t panels, bool partial) const {
  return {batch, row, f.mul(panel, f.index(kPanel)), height, panels * registers.vectorsPerPanel, partial ? registers.vectorsPerPanel : 0};
}

/// The first of `height` rows from `row` on: in the matrix, or copied to `room`. They are rowBytes apart.
Value ByteContraction::rowsFrom(Value row, Value height, Value room) {
  Value x = f.input(c.lhs.getArgNumber());
  if (c.isConv) {
    window.gather(batch, row, height, room, rowBytes);
    return room;
  }
  Value k = f.size(c.k), first = f.add(c.batched ? f.mul(batch, f.size(c.m)) : f.index(0), row);
  Value from = f.pointerTo(x, f.mul(first, k), i8);
  if (!c.copiesRows() && !widensRows())
    return from;
  f.loop(f.index(0), height, f.index(1), {}, [&](Value r, ValueRange) {
    Value to = f.pointerTo(room, f.mul(r, rowBytes), rowElement());
    copyRow(to, f.pointerTo(from, f.mul(r, k), i8));
    if (c.bfloat)
      window.fillTail(to);
    return Values{};
  });
  return room;
}

/// What lies behind the copy is multiplied with zeros.
void ByteContraction::copyRow(Value to, Value from) {
  if (auto k = c.k.constant())
    window.copy(to, from, *k);
  else
    window.copy(to, from, f.size(c.k));
}

//===----------------------------------------------------------------------===//
// In vector registers
//===----------------------------------------------------------------------===//

void ByteContraction::byVectors(Value rowBegin, Value rowEnd) {
  // What spreading takes goes on beside sums that do not wait for each other.
  int64_t widest = registers.widestGroup() * (expander ? 2 : 1);
  forRowTiles(f, rowBegin, rowEnd, c.blockHeights(c.image ? c.image->outWidth : 1), registers.maxRows(widest), [&](Value row, int64_t height) {
    TensorEmitter::Scope scope(epilogue.emitter);
    Value first = rowsFrom(row, f.index(height), gathered());
    forPanels(widest, [&](Value panel, int64_t panels, bool partial) {
      Values rows;
      for (int64_t r = 0; r < height; ++r)
        rows.push_back(f.pointerTo(first, f.mul(f.index(r), rowBytes), rowElement()));
      Values sums = expander ? registers.product(rows, *expander, panel, panels) : registers.product(rows, panelBase(panel), panels);
      epilogue.store(sums, tileAt(row, panel, height, panels, partial), sumBase());
    });
  });
}

//===----------------------------------------------------------------------===//
// In AMX's tiles
//===----------------------------------------------------------------------===//

/// Panels come first: they are read from memory once, while those before them are multiplied with all rows.
void ByteContraction::byTiles(Value rowBegin, Value rowEnd) {
  auto known = c.k.constant();
  AmxTile tile(f, rowBytes, c.image ? c.image->step : known ? byteStep(*known) : 64, c.bfloat);
  if (c.image)
    overImage(tile, *c.image, rowBegin, rowEnd);
  else
    overRows(tile, rowBegin, rowEnd);
}

/// All tiles of a block, in pairs, for each group of panels.
void ByteContraction::pairs(AmxTile &tile, Value tileCount, llvm::function_ref<RowTile(Value)> tileOf, Value stride, AmxTile::Steps steps) {
  Value one = f.index(1), two = f.index(2), pairCount = f.divide(tileCount, two);
  forPanels(kByteTileColumns / kPanel, [&](Value panel, int64_t panels, bool partial) {
    f.loop(f.index(0), pairCount, one, {}, [&](Value pair, ValueRange) {
      TensorEmitter::Scope scope(epilogue.emitter);
      planPrefetch(tile, pair, panel, panels);
      Value t = f.mul(pair, two);
      tiles(tile, {tileOf(t), tileOf(f.add(t, one))}, stride, panel, panels, partial, steps);
      return Values{};
    });
    Value odd = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ne, f.mul(pairCount, two), tileCount);
    f.when(odd, [&] {
      TensorEmitter::Scope scope(epilogue.emitter);
      planPrefetch(tile, pairCount, panel, panels);
      tiles(tile, {tileOf(f.sub(tileCount, one))}, stride, panel, panels, partial, steps);
    });
  });
}

/// Rows of a matrix, dealt out over tiles of one height; the last overlaps the one before it where they do not fit.
void ByteContraction::overRows(AmxTile &tile, Value rowBegin, Value rowEnd) {
  Value count = f.sub(rowEnd, rowBegin), one = f.index(1);
  Value tileCount = f.divide(f.add(count, f.index(AmxTile::kRows - 1)), f.index(AmxTile::kRows));
  Value height = f.divide(f.sub(f.add(count, tileCount), one), f.max(tileCount, one));
  tile.configure(tileConfiguration(), height);
  Value first = rowsFrom(rowBegin, count, gathered()), last = f.sub(count, height);
  auto tileOf = [&](Value t) {
    Value start = f.min(f.mul(t, height), last);
    return RowTile{f.add(rowBegin, start), f.pointerTo(first, f.mul(start, rowBytes), i8), f.sub(f.mul(t, height), start), height};
  };
  pairs(tile, tileCount, tileOf, rowBytes, [&](auto step) { tile.alongRow(step); });
}

/// Pixels of rows of the result: a tile's rows lie in a row of the image, under each tap further on. Padded rows are copied once
/// for all taps.
void ByteContraction::overImage(AmxTile &tile, const ImageWindow &v, Value rowBegin, Value rowEnd) {
  int64_t perRow = (v.outWidth + AmxTile::kRows - 1) / AmxTile::kRows, height = (v.outWidth + perRow - 1) / perRow;
  Value outWidth = f.index(v.outWidth), firstRow = f.divide(rowBegin, outWidth), rows = f.sub(f.divide(rowEnd, outWidth), firstRow);
  tile.configure(tileConfiguration(), f.index(height));
  Value top = f.sub(f.mul(firstRow, f.index(v.strideRow)), f.index(v.padRow)), base;
  Value x = f.pointerTo(f.input(c.lhs.getArgNumber()), f.mul(batch, f.index(v.height * v.width * v.channels)), i8);
  int64_t pitch = (v.copies ? v.padded : v.width) * v.channels;
  if (v.copies) {
    base = gathered();
    Value count = f.add(f.mul(f.sub(rows, f.index(1)), f.index(v.strideRow)), f.index(v.imageRows(1)));
    window.padRows(x, v, top, count, base);
  } else {
    base = f.pointerTo(x, f.mul(top, f.index(pitch)), i8);
  }
  auto tileOf = [&](Value t) {
    Value row = f.divide(t, f.index(perRow)), wanted = f.mul(f.modulo(t, f.index(perRow)), f.index(height));
    Value column = f.min(wanted, f.index(v.outWidth - height));
    Value offset = f.add(f.mul(row, f.index(v.strideRow * pitch)), f.mul(column, f.index(v.stride * v.channels)));
    return RowTile{f.add(f.mul(f.add(firstRow, row), outWidth), column), f.pointerTo(base, offset, i8), f.sub(wanted, column), f.index(height)};
  };
  auto steps = [&](llvm::function_ref<void(Value, Value)> step) {
    auto each = [&](int64_t count, int64_t by, llvm::function_ref<void(Value)> body) {
      if (count <= by)
        return body(f.index(0));
      f.loop(f.index(0), f.index(count), f.index(by), {}, [&](Value i, ValueRange) {
        body(i);
        return Values{};
      });
    };
    int64_t runs = v.runIsRow ? 1 : v.kernelWidth;
    each(v.kernelHeight, 1, [&](Value row) {
      each(runs, 1, [&](Value column) {
        each(v.run, v.step, [&](Value byte) {
          Value pixel = f.add(f.mul(row, f.index(v.dilationRow * pitch)), f.mul(column, f.index(v.dilation * v.channels)));
          Value run = f.add(f.mul(row, f.index(runs)), column);
          step(f.add(pixel, byte), f.add(f.mul(run, f.index(v.run)), byte));
        });
      });
    });
  };
  pairs(tile, f.mul(rows, f.index(perRow)), tileOf, f.index(v.stride * v.channels), steps);
}

/// The panels after these are brought into L2, a part by each of the block's products, where they come from memory.
void ByteContraction::planPrefetch(AmxTile &tile, Value pair, Value panel, int64_t panels) {
  constexpr int64_t kCached = 256 * 1024, kLine = 64;
  auto n = c.n.constant(), k = c.k.constant();
  auto heights = c.blockHeights();
  tile.prefetch = {};
  if (!c.packed || heights.empty() || !n || !k || paddedBytes(*k) * *n <= kCached)
    return;
  int64_t products = (std::max<int64_t>(1, heights.back()) + kByteTileRows - 1) / kByteTileRows, steps = *k / tile.bytes();
  int64_t lines = panels * paddedBytes(*k) * kPanel / kLine;
  tile.prefetchLines = (lines + products * steps - 1) / (products * steps);
  Value next = f.pointerTo(panelBase(panel), f.mul(rowBytes, f.index(panels * kPanel)), i8);
  tile.prefetch = f.pointerTo(next, f.mul(pair, f.index(tile.prefetchLines * steps * kLine)), i8);
}

/// One or two tiles of rows times a group of panels.
void ByteContraction::tiles(AmxTile &tile, ArrayRef<RowTile> tiles, Value stride, Value panel, int64_t panels, bool partial,
                            AmxTile::Steps steps) {
  constexpr int64_t kStride = kByteTileColumns * 4;
  SmallVector<Value> rows, sums;
  for (auto [t, rowTile] : llvm::enumerate(tiles)) {
    rows.push_back(rowTile.pointer);
    sums.push_back(f.pointerTo(sumBase(), f.index(t * AmxTile::kRows * kStride), i8));
  }
  tile.product(rows, stride, panelBase(panel), panels, sums, kStride, steps);
  for (auto [t, rowTile] : llvm::enumerate(tiles))
    epilogue.storeRows(sums[t], f.index(kByteTileColumns), rowTile.skip, rowTile.height, tileAt(rowTile.row, panel, 1, panels, partial));
}

//===----------------------------------------------------------------------===//
// Packing of an activation
//===----------------------------------------------------------------------===//

/// Panels of the block into scratch: packed[p][k / 4][column][k % 4], zeros beyond what there is.
void ByteContraction::pack() {
  Value k = f.size(c.k), n = f.size(c.n), source = f.input(c.rhs.getArgNumber());
  source = f.pointerTo(source, c.rhsBatched ? f.mul(f.mul(batch, k), n) : f.index(0), i8);
  Value four = f.index(4), groups = f.divide(rowBytes, four), panelBytes = f.mul(rowBytes, f.index(kPanel));
  f.loop(f.index(0), f.index(c.panelsPerTile), f.index(1), {}, [&](Value p, ValueRange) {
    Value first = f.mul(f.add(block, p), f.index(kPanel)), target = f.pointerTo(f.scratch, f.mul(p, panelBytes), i8);
    // Groups of four k's that are all there, in a panel whose columns are.
    Value whole = f.b.create<arith::SelectOp>(f.loc, f.less(n, f.add(first, f.index(kPanel))), f.index(0), f.divide(k, four));
    for (bool inside : {true, false})
      f.loop(inside ? f.index(0) : whole, inside ? whole : groups, f.index(1), {}, [&](Value group, ValueRange) {
        packGroup(source, f.pointerTo(target, f.mul(group, f.index(kPanel * 4)), i8), first, group, inside);
        return Values{};
      });
    return Values{};
  });
}

void ByteContraction::packGroup(Value source, Value target, Value first, Value group, bool inside) {
  Value k = f.size(c.k), n = f.size(c.n), begin = f.mul(group, f.index(4));
  Type i32 = f.b.getI32Type();
  if (inside && c.rhsTransposed) {
    for (int64_t column = 0; column < kPanel; ++column) {
      Value from = f.pointerTo(source, f.add(f.mul(f.add(first, f.index(column)), k), begin), i8);
      Value word = f.b.create<LLVM::LoadOp>(f.loc, i32, from, 1);
      f.b.create<LLVM::StoreOp>(f.loc, word, f.pointerTo(target, f.index(column), i32), 1);
    }
    return;
  }
  if (inside) {
    // Four rows of 16 columns: bytes, then pairs of bytes, in turns.
    Values rows;
    for (int64_t r = 0; r < 4; ++r)
      rows.push_back(f.load(f.pointerTo(source, f.add(f.mul(f.add(begin, f.index(r)), n), first), i8), i8, kPanel));
    auto pairs = VectorType::get({kPanel}, f.b.getIntegerType(16));
    Value low = f.b.create<vector::BitCastOp>(f.loc, pairs, inTurns(f, rows[0], rows[1]));
    Value high = f.b.create<vector::BitCastOp>(f.loc, pairs, inTurns(f, rows[2], rows[3]));
    f.b.create<LLVM::StoreOp>(f.loc, inTurns(f, low, high), target, 1);
    return;
  }
  Value zero = buildConstant(f.b, f.loc, i8, 0);
  f.loop(f.index(0), f.index(kPanel), f.index(1), {}, [&](Value column, ValueRange) {
    for (int64_t r = 0; r < 4; ++r) {
      Value row = f.add(begin, f.index(r)), at = f.add(first, column);
      Value there = f.b.create<arith::AndIOp>(f.loc, f.less(row, k), f.less(at, n));
      Value offset = c.rhsTransposed ? f.add(f.mul(at, k), row) : f.add(f.mul(row, n), at);
      Value byte = f.branch(
          there, i8, [&] { return f.load(f.pointerTo(source, offset, i8), i8, 1); }, [&] { return zero; });
      f.store(byte, f.pointerTo(target, f.add(f.mul(column, f.index(4)), f.index(r)), i8), i8);
    }
    return Values{};
  });
}

} // namespace

LogicalResult optc::generateByteContraction(KernelFunction &f, const ContractionKernel &c) { return ByteContraction(f, c).run(); }
