//===- Recurrent.cpp - Generator of recurrent layers ----------------------===//
//
//   for tile in [begin, end)                  tile -> (direction, up to kSequences rows of the batch)
//     for step                                h and c in scratch, h in two copies
//       for each product, for panel           16 units, forwards and backwards in turn
//         sum[row][gate] = x; sum += h[row][k] * weights[panel][k][gate]   for k
//         gates, new c and h, y               in registers
//
// A step reads all weights once; they stream from the L2 cache, which bounds its time: the gates' functions
// are to be so short that the next panel's loads are under way while they are computed. A step that begins
// with the panel that the last one ended with finds it in L1. Rows of a batch share the loads.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/GatePanel.h"
#include "codegen/cpu/Generators.h"
#include "codegen/cpu/RecurrentCell.h"
#include "codegen/cpu/RegisterTile.h"

using namespace mlir;
using namespace optc;

namespace {

using Values = SmallVector<Value>;

class RecurrentEmitter : RecurrentFrame {
public:
  RecurrentEmitter(KernelFunction &f, const RecurrentKernel &c) : RecurrentFrame(f, c), cell(f, c) {}
  LogicalResult run();

private:
  /// A block of rows on its way through time.
  struct Sequence : RecurrentStep {
    Value row; // the first one
    int64_t height;
    Value number;   // of the step
    Values lengths; // by row; empty: all steps
  };
  /// What of a panel's sums fits into the registers: rows from `row` on, units from place `unit` of the panel
  /// on.
  struct Pass {
    int64_t row, unit;
    Value weights;
    Values states, sums; // by row; as in GatePanel
  };
  /// A part of a panel that leaves room in L1.
  static constexpr int64_t kPartBytes = 16384;

  Value checkLengths(Value rowBegin, Value rowEnd, Value error);
  void forEachHeight(Value rowBegin, Value rowEnd, llvm::function_ref<void(Value, int64_t)> body);
  void emit(Sequence s);
  void initialise(const Sequence &s, RecurrentKernel::State state, BlockArgument from);
  void store(const Sequence &s, Value state, unsigned result);
  void step(Sequence &s);
  void locate(Sequence &s);
  void panel(const Sequence &s, size_t product, Value panel);
  Pass makePass(const Sequence &s, size_t product, const GatePanel &tile, Value panel, int64_t unit,
                int64_t row);
  Value sumsOf(const GatePanel &tile, const Pass &p);
  void storeSums(const GatePanel &tile, const Pass &p);
  Values loadSums(const GatePanel &tile, const Pass &p);

  RecurrentCell cell;
};

//===----------------------------------------------------------------------===//
// Tiles and time
//===----------------------------------------------------------------------===//

LogicalResult RecurrentEmitter::run() {
  Value batch = f.size(c.batch), blocks = f.size(c.rowBlocks());
  Value good = f.b.create<arith::ConstantIntOp>(f.loc, 0, 1);
  Values error = f.loop(f.begin, f.end, f.index(1), {good}, [&](Value tile, ValueRange carried) {
    Value block = f.modulo(tile, blocks);
    Value direction = c.directions.size() == 1 ? f.index(0) : f.divide(tile, blocks);
    // Rows are dealt out evenly over the blocks.
    Value rowBegin = f.divide(f.mul(batch, block), blocks);
    Value rowEnd = f.divide(f.mul(batch, f.add(block, f.index(1))), blocks);
    Value bad = checkLengths(rowBegin, rowEnd, carried[0]);
    forEachHeight(rowBegin, rowEnd, [&](Value row, int64_t height) {
      Sequence s;
      s.direction = direction;
      s.row = row;
      s.height = height;
      emit(s);
    });
    return Values{bad};
  });
  f.finish(error[0]);
  return success();
}

/// `error`, or whether a length is out of range.
Value RecurrentEmitter::checkLengths(Value rowBegin, Value rowEnd, Value error) {
  if (!c.lengths)
    return error;
  return f.loop(rowBegin, rowEnd, f.index(1), {error}, [&](Value row, ValueRange carried) {
    Type element = elementOf(c.lengths);
    Value length = f.resize(f.load(f.pointerTo(f.input(c.lengths.getArgNumber()), row, element), element, 1),
                            f.indexType());
    // Below 0 is far above as an unsigned number.
    Value bad = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ugt, length, f.size(c.steps));
    return Values{f.b.create<arith::OrIOp>(f.loc, carried[0], bad)};
  })[0];
}

void RecurrentEmitter::forEachHeight(Value rowBegin, Value rowEnd,
                                     llvm::function_ref<void(Value, int64_t)> body) {
  if (auto rows = c.batch.constant()) {
    int64_t blocks = (*rows + kSequences - 1) / kSequences;
    std::set<int64_t> heights;
    if (blocks > 0)
      heights = {*rows / blocks, (*rows + blocks - 1) / blocks};
    if (!heights.empty())
      forHeight(f, f.sub(rowEnd, rowBegin), heights, [&](int64_t h) { body(rowBegin, h); });
    return;
  }
  Value at = rowBegin;
  for (int64_t h = kSequences; h >= 1; h /= 2) {
    Value next = f.add(at, f.mul(f.divide(f.sub(rowEnd, at), f.index(h)), f.index(h)));
    f.loop(at, next, f.index(h), {}, [&](Value row, ValueRange) {
      body(row, h);
      return Values{};
    });
    at = next;
  }
}

void RecurrentEmitter::emit(Sequence s) {
  initialise(s, RecurrentKernel::evenH, c.h0);
  if (c.isLstm())
    initialise(s, RecurrentKernel::cellState, c.c0);
  Value steps = f.size(c.steps);
  if (c.lengths)
    for (int64_t r = 0; r < s.height; ++r) {
      Type element = elementOf(c.lengths);
      Value address = f.pointerTo(f.input(c.lengths.getArgNumber()), f.add(s.row, f.index(r)), element);
      Value length = f.resize(f.load(address, element, 1), f.indexType());
      s.lengths.push_back(f.min(f.max(length, f.index(0)), steps));
    }
  Values last =
      f.loop(f.index(0), steps, f.index(1), {slot(RecurrentKernel::evenH), slot(RecurrentKernel::oddH)},
             [&](Value i, ValueRange h) {
               s.number = i;
               s.h = h[0];
               s.next = h[1];
               step(s);
               return Values{h[1], h[0]};
             });
  store(s, last[0], 1);
  if (c.isLstm())
    store(s, slot(RecurrentKernel::cellState), 2);
}

/// state[row][unit] = from[direction][row][unit], or zeros; zeros beyond the units.
void RecurrentEmitter::initialise(const Sequence &s, RecurrentKernel::State state, BlockArgument from) {
  Value base = slot(state);
  f.loop(f.index(0), f.index(c.paddedUnits()), f.index(lanes), {}, [&](Value unit, ValueRange) {
    for (int64_t r = 0; r < s.height; ++r) {
      Value v = vectorOf(0);
      if (from) {
        Value row = f.add(f.mul(s.direction, f.size(c.batch)), f.add(s.row, f.index(r)));
        Value address =
            f.pointerTo(f.input(from.getArgNumber()), f.add(f.mul(row, f.index(c.hidden)), unit), f32);
        v = f.load(address, f32, lanes, maskFrom(unit));
      }
      f.store(v, f.pointerTo(base, at(r, unit), f32), f32);
    }
    return Values{};
  });
}

/// result[direction][row][unit] = state[row][unit] for the results that are this one.
void RecurrentEmitter::store(const Sequence &s, Value state, unsigned result) {
  for (auto [i, kind] : llvm::enumerate(c.results)) {
    if (kind != result && !(kind == 2 && result == 1 && !c.isLstm()))
      continue;
    f.loop(f.index(0), f.index(c.paddedUnits()), f.index(lanes), {}, [&, i = i](Value unit, ValueRange) {
      for (int64_t r = 0; r < s.height; ++r) {
        Value row = f.add(f.mul(s.direction, f.size(c.batch)), f.add(s.row, f.index(r)));
        Value address = f.pointerTo(f.output(i), f.add(f.mul(row, f.index(c.hidden)), unit), f32);
        f.store(load(state, at(r, unit)), address, f32, maskFrom(unit));
      }
      return Values{};
    });
  }
}

void RecurrentEmitter::step(Sequence &s) {
  locate(s);
  Value odd = f.b.create<arith::TruncIOp>(f.loc, f.b.getI1Type(), s.number), panels = f.index(c.panels());
  for (size_t p = 0; p < c.weights.size(); ++p)
    f.loop(f.index(0), panels, f.index(1), {}, [&](Value i, ValueRange) {
      Value backwards = f.sub(f.index(c.panels() - 1), i);
      panel(s, p, f.b.create<arith::SelectOp>(f.loc, odd, backwards, i));
      return Values{};
    });
}

/// Where the step's x and y are, by row.
void RecurrentEmitter::locate(Sequence &s) {
  int64_t directions = c.directions.size(), width = directions * c.panels() * gates * kUnitPanel;
  Value batch = f.size(c.batch), isReverse;
  for (auto [d, recurrence] : llvm::enumerate(c.directions)) {
    RecurrentOp direction = recurrence;
    Value reverse = f.b.create<arith::ConstantIntOp>(f.loc, direction.getReverse(), 1);
    Value isThis = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, s.direction, f.index(d));
    isReverse = isReverse ? Value(f.b.create<arith::SelectOp>(f.loc, isThis, reverse, isReverse)) : reverse;
  }
  s.inputs.clear();
  s.outputs.clear();
  s.active.clear();
  for (int64_t r = 0; r < s.height; ++r) {
    Value length = c.lengths ? s.lengths[r] : f.size(c.steps);
    Value backwards = f.sub(f.sub(length, f.index(1)), s.number);
    Value time = f.b.create<arith::SelectOp>(f.loc, isReverse, backwards, s.number);
    if (c.lengths) {
      // Past its end a row keeps its state and its y is 0.
      s.active.push_back(f.less(s.number, length));
      time = f.b.create<arith::SelectOp>(f.loc, s.active.back(), time, s.number);
    }
    Value row = f.add(s.row, f.index(r));
    Value in = f.add(f.mul(f.add(f.mul(time, batch), row), f.index(width)),
                     f.mul(s.direction, f.index(width / directions)));
    Value out = f.add(f.mul(f.add(f.mul(time, f.index(directions)), s.direction), batch), row);
    s.inputs.push_back(f.pointerTo(f.input(c.input.getArgNumber()), in, f32));
    Value base;
    for (auto [i, kind] : llvm::enumerate(c.results))
      if (kind == 0)
        base = f.pointerTo(f.output(i), f.mul(out, f.index(c.hidden)), f32);
    s.outputs.push_back(base);
  }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void RecurrentEmitter::panel(const Sequence &s, size_t index, Value panel) {
  GatePanel tile(f, productsOf(op)[index], lanes, s.height);
  int64_t main = c.hidden / GatePanel::kUnroll * GatePanel::kUnroll;
  SmallVector<Pass> passes;
  for (int64_t unit = 0; unit < kUnitPanel; unit += tile.vectors * lanes)
    for (int64_t row = 0; row < s.height; row += tile.rows)
      passes.push_back(makePass(s, index, tile, panel, unit, row));
  if (passes.size() == 1) {
    Pass &p = passes.front();
    p.sums = tile.sum(p.sums, p.states, p.weights, f.index(0), f.index(main));
  } else {
    // A part of the panel at a time, which stays in L1 for all passes; between the parts the sums are in
    // scratch.
    int64_t part = std::max<int64_t>(1, kPartBytes / (tile.gates * kUnitPanel * 4) / GatePanel::kUnroll) *
                   GatePanel::kUnroll;
    for (Pass &p : passes)
      storeSums(tile, p);
    f.loop(f.index(0), f.index(main), f.index(part), {}, [&](Value from, ValueRange) {
      Value to = f.min(f.add(from, f.index(part)), f.index(main));
      for (Pass p : passes) {
        p.sums = tile.sum(loadSums(tile, p), p.states, p.weights, from, to);
        storeSums(tile, p);
      }
      return Values{};
    });
    for (Pass &p : passes)
      p.sums = loadSums(tile, p);
  }
  for (Pass &p : passes) {
    Values sums = tile.sumRest(p.sums, p.states, p.weights, main, c.hidden);
    for (size_t r = 0; r < p.states.size(); ++r)
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Values ofUnits;
        for (int64_t g = 0; g < tile.gates; ++g)
          ofUnits.push_back(sums[(r * tile.gates + g) * tile.vectors + v]);
        cell.finish(s, index, panel, p.unit + v * lanes, p.row + r, ofUnits);
      }
  }
}

/// A pass with its sums at what they start from.
RecurrentEmitter::Pass RecurrentEmitter::makePass(const Sequence &s, size_t index, const GatePanel &tile,
                                                  Value panel, int64_t unit, int64_t row) {
  Pass p;
  p.unit = unit;
  p.row = row;
  Value place = f.add(f.mul(s.direction, f.index(c.panels())), panel);
  Value offset = f.add(f.mul(place, f.index(c.hidden * tile.gates * kUnitPanel)), f.index(unit));
  p.weights = f.pointerTo(f.input(c.weights[index].getArgNumber()), offset, f32);
  int64_t firstGate = index == 1 ? 2 : 0;
  for (int64_t r = row; r < std::min(row + tile.rows, s.height); ++r) {
    p.states.push_back(
        f.pointerTo(index == 1 ? slot(RecurrentKernel::resetState) : s.h, f.index(r * c.paddedUnits()), f32));
    Value x = f.pointerTo(s.inputs[r], f.mul(panel, f.index(gates * kUnitPanel)), f32);
    for (int64_t g = 0; g < tile.gates; ++g)
      for (int64_t v = 0; v < tile.vectors; ++v) {
        int64_t inside = unit + v * lanes;
        if (!resetsAfter() || g != 2)
          p.sums.push_back(load(x, f.index((firstGate + g) * kUnitPanel + inside)));
        else if (c.resetBias) // the candidate's product is scaled before x is added
          p.sums.push_back(load(f.input(c.resetBias.getArgNumber()),
                                f.add(f.mul(place, f.index(kUnitPanel)), f.index(inside))));
        else
          p.sums.push_back(vectorOf(0));
      }
  }
  return p;
}

/// A pass's sums in scratch, after the states.
Value RecurrentEmitter::sumsOf(const GatePanel &tile, const Pass &p) {
  int64_t place = (p.row * kUnitPanel + p.unit * int64_t(p.states.size())) * tile.gates;
  return f.pointerTo(f.scratch, f.index(c.stateCount() * c.stateBytes() + place * 4), f.b.getI8Type());
}
void RecurrentEmitter::storeSums(const GatePanel &tile, const Pass &p) {
  for (auto [i, sum] : llvm::enumerate(p.sums))
    f.store(sum, f.pointerTo(sumsOf(tile, p), f.index(i * lanes), f32), f32);
}
Values RecurrentEmitter::loadSums(const GatePanel &tile, const Pass &p) {
  Values sums;
  for (size_t i = 0; i < p.sums.size(); ++i)
    sums.push_back(load(sumsOf(tile, p), f.index(i * lanes)));
  return sums;
}

} // namespace

LogicalResult optc::generateRecurrent(KernelFunction &f) {
  auto c = readRecurrent(f.kernel);
  if (!c)
    return f.kernel.emitError("not in the canonical form of a recurrence");
  return RecurrentEmitter(f, *c).run();
}
