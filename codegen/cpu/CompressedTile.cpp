//===- CompressedTile.cpp - Products with weights of few bits -------------===//

#include "codegen/cpu/CompressedTile.h"

using namespace mlir;
using namespace optc;

using Values = CompressedTile::Values;

/// k's that are emitted without a loop: a line or more of each panel.
static constexpr int64_t kStep = 8;
static constexpr int64_t kLine = 64;

static unsigned argumentOf(Value v) { return cast<BlockArgument>(v).getArgNumber(); }

CompressedTile::CompressedTile(KernelFunction &f, const CompressedPanels &weights, int64_t lanes)
    : f(f), w(weights), lanes(lanes), vectorsPerPanel(kPanel / lanes), element(elementOf(w.words)), f32(f.b.getF32Type()) {
  wordBytes = element.getIntOrFloatBitWidth() / 8;
  if (w.perWord() == 8 && f.target.vectorBytes == 64) {
    SmallVector<float> values;
    for (int i = 0; i < 16; ++i)
      values.push_back(float(i < 8 ? i : i - 16));
    table = f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(VectorType::get({16}, f32), ArrayRef(values)));
  }
}

//===----------------------------------------------------------------------===//
// A block's words, scales and zero points
//===----------------------------------------------------------------------===//

/// Of a panel's scales or zero points for one block, in elements.
Value CompressedTile::offsetOf(Value panel, Value block) const {
  int64_t blocks = *dimsOf(w.scales)[1].constant();
  return f.mul(f.add(f.mul(panel, f.index(blocks)), block), f.index(kPanel));
}

Values CompressedTile::loadScales(Value operand, Type type, Value panel, Value block, int64_t panels) {
  Values out;
  for (int64_t p = 0; p < panels; ++p) {
    Value base = f.pointerTo(f.input(argumentOf(operand)), offsetOf(f.add(panel, f.index(p)), block), type);
    for (int64_t v = 0; v < vectorsPerPanel; ++v) {
      Value x = f.load(f.pointerTo(base, f.index(v * lanes), type), type, lanes);
      // Codes come as their values / 256.
      if (operand == w.scales && isa<Float8E4M3FNType>(element))
        x = f.b.create<arith::MulFOp>(f.loc, x, buildConstant(f.b, f.loc, withLanes(f32, lanes), 256));
      if (type.isInteger(8)) {
        x = f.b.create<arith::ExtSIOp>(f.loc, withLanes(f.b.getI32Type(), lanes), x);
        x = f.b.create<arith::SIToFPOp>(f.loc, withLanes(f32, lanes), x);
      }
      out.push_back(x);
    }
  }
  return out;
}

CompressedTile::Block CompressedTile::blockOf(Value panel, Value block, int64_t panels) {
  Block out;
  out.panels = panels;
  int64_t words = w.rows() / w.perWord();
  for (int64_t p = 0; p < panels; ++p) {
    Value first = f.mul(block, f.index(w.block / w.perWord()));
    Value row = f.add(f.mul(f.add(panel, f.index(p)), f.index(words)), first);
    out.words.push_back(f.pointerTo(f.input(argumentOf(w.words)), f.mul(row, f.index(kPanel)), element));
  }
  if (w.zeros)
    out.zeros = loadScales(w.zeros, f.b.getI8Type(), panel, block, panels);
  return out;
}

/// words[p * vectors + v] of the word that k + offset is in.
Values CompressedTile::loadWords(const Block &block, Value k, int64_t offset) {
  Values out;
  Value at = f.mul(f.divide(k, f.index(w.perWord())), f.index(kPanel));
  for (Value base : block.words)
    for (int64_t v = 0; v < vectorsPerPanel; ++v) {
      Value pointer = f.pointerTo(f.pointerTo(base, at, element), f.index(offset / w.perWord() * kPanel + v * lanes), element);
      // Floats of 8 bits are widened by code(), all at a time.
      out.push_back(f.load(pointer, isFloat8(element) ? f.b.getI8Type() : element, lanes));
    }
  return out;
}

/// The code of the j-th k of a word, less its zero point, as f32; of f8E4M3FN the 256th part of it.
Value CompressedTile::code(const Block &block, const Values &words, int64_t j, int64_t vector) {
  Value x = words[vector];
  Type i32 = withLanes(f.b.getI32Type(), lanes), floats = withLanes(f32, lanes);
  if (w.perWord() == 8) {
    auto constant = [&](int64_t c) { return buildConstant(f.b, f.loc, i32, double(c)); };
    if (table) {
      // The lowest four bits choose, the others are not looked at.
      Value index = j == 0 ? x : Value(f.b.create<arith::ShRUIOp>(f.loc, x, constant(4 * j)));
      x = f.b.create<LLVM::CallIntrinsicOp>(f.loc, floats, f.b.getStringAttr("llvm.x86.avx512.permvar.sf.512"), ValueRange{table, index}).getResult(0);
    } else {
      x = j == 7 ? x : Value(f.b.create<arith::ShLIOp>(f.loc, x, constant(28 - 4 * j)));
      x = f.b.create<arith::SIToFPOp>(f.loc, floats, f.b.create<arith::ShRSIOp>(f.loc, x, constant(28)));
    }
  } else if (isFloat8(element)) {
    x = f.b.create<arith::ExtFOp>(f.loc, floats, widenFloat8ToHalf(f.b, f.loc, element, x));
  } else if (element.isInteger(8)) {
    x = f.b.create<arith::SIToFPOp>(f.loc, floats, f.b.create<arith::ExtSIOp>(f.loc, i32, x));
  }
  return w.zeros ? Value(f.b.create<arith::SubFOp>(f.loc, x, block.zeros[vector])) : x;
}

/// While some panels are used, the same part of those that come next is brought into L2.
void CompressedTile::prefetchWords(const Block &block, Value k, int64_t count) {
  int64_t bytes = (count + w.perWord() - 1) / w.perWord() * kPanel * wordBytes;
  int64_t ahead = panelBytes() * block.panels;
  Value at = f.mul(f.divide(k, f.index(w.perWord())), f.index(kPanel * wordBytes));
  for (Value base : block.words)
    for (int64_t line = 0; line < bytes; line += kLine) {
      Value pointer = f.pointerTo(f.pointerTo(base, at, f.b.getI8Type()), f.index(ahead + line), f.b.getI8Type());
      f.b.create<LLVM::Prefetch>(f.loc, pointer, /*rw=*/0, /*hint=*/2, /*cache=*/1);
    }
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

Values CompressedTile::overBlock(int64_t count, Values carried, int64_t step, llvm::function_ref<Values(Value, int64_t, Values)> body) {
  int64_t main = count / step * step;
  if (main == step)
    carried = body(f.index(0), step, carried);
  else if (main > 0)
    carried = f.loop(f.index(0), f.index(main), f.index(step), carried, [&](Value k, ValueRange c) { return body(k, step, Values(c)); });
  for (int64_t k = main; k < count; k += kStep)
    carried = body(f.index(k), std::min(kStep, count - k), carried);
  return carried;
}

Values CompressedTile::overBlocks(Values carried, llvm::function_ref<Values(Value, int64_t, Values)> body) {
  int64_t whole = w.k / w.block, rest = w.k % w.block;
  if (whole == 1)
    carried = body(f.index(0), w.block, carried);
  else if (whole > 1)
    carried = f.loop(f.index(0), f.index(whole), f.index(1), carried, [&](Value i, ValueRange c) { return body(i, w.block, Values(c)); });
  return rest ? body(f.index(whole), rest, carried) : carried;
}

Values CompressedTile::sum(Values acc, const Values &rows, Value panel, int64_t panels, int64_t height) {
  int64_t vectors = panels * vectorsPerPanel;
  // A short block as a whole, where that is not too much code: a loop in a loop costs.
  int64_t step = w.block <= 32 && height == 1 ? w.block : kStep;
  step = std::max(kStep, step / kStep * kStep);
  return overBlocks(acc, [&](Value i, int64_t count, Values total) {
    Block block = blockOf(panel, i, panels);
    Value first = f.mul(i, f.index(w.block));
    Values sums = w.scales ? Values(height * vectors, buildConstant(f.b, f.loc, withLanes(f32, lanes), 0)) : total;
    sums = overBlock(count, sums, step, [&](Value k, int64_t count, Values next) {
      prefetchWords(block, k, count);
      Values words;
      for (int64_t u = 0; u < count; ++u) {
        if (u % w.perWord() == 0)
          words = loadWords(block, k, u);
        Values columns;
        for (int64_t v = 0; v < vectors; ++v)
          columns.push_back(code(block, words, u % w.perWord(), v));
        for (int64_t r = 0; r < height; ++r) {
          Value x = f.load(f.pointerTo(f.pointerTo(rows[r], f.add(first, k), f32), f.index(u), f32), f32, 1);
          Value a = f.splat(x, lanes);
          for (int64_t v = 0; v < vectors; ++v)
            next[r * vectors + v] = f.b.create<vector::FMAOp>(f.loc, a, columns[v], next[r * vectors + v]);
        }
      }
      return next;
    });
    if (!w.scales)
      return sums;
    Values scales = loadScales(w.scales, elementOf(w.scales), panel, i, panels);
    for (int64_t r = 0; r < height; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        total[r * vectors + v] = f.b.create<vector::FMAOp>(f.loc, sums[r * vectors + v], scales[v], total[r * vectors + v]);
    return total;
  });
}

void CompressedTile::unpack(Value panel, Value end, Value target) {
  f.loop(panel, end, f.index(1), {}, [&](Value p, ValueRange) {
    Value to = f.pointerTo(target, f.mul(f.sub(p, panel), f.index(w.k * kPanel)), f32);
    overBlocks({}, [&](Value i, int64_t count, Values) {
      Block block = blockOf(p, i, 1);
      Values scales = w.scales ? loadScales(w.scales, elementOf(w.scales), p, i, 1) : Values();
      Value at = f.pointerTo(to, f.mul(i, f.index(w.block * kPanel)), f32);
      return overBlock(count, {}, kStep, [&](Value k, int64_t count, Values) {
        Values words;
        for (int64_t u = 0; u < count; ++u) {
          if (u % w.perWord() == 0)
            words = loadWords(block, k, u);
          for (int64_t v = 0; v < vectorsPerPanel; ++v) {
            Value x = code(block, words, u % w.perWord(), v);
            if (w.scales)
              x = f.b.create<arith::MulFOp>(f.loc, x, scales[v]);
            f.store(x, f.pointerTo(f.pointerTo(at, f.mul(k, f.index(kPanel)), f32), f.index(u * kPanel + v * lanes), f32), f32);
          }
        }
        return Values{};
      });
    });
    return Values{};
  });
}
