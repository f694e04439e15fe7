//===- Recurrent.cpp - Generator of recurrent layers ----------------------===//
//
//   for tile in [begin, end)                  tile -> (direction, up to kSequences rows of the batch)
//     for step                                h and c in scratch, h in two copies
//       for each product, for panel           16 units, forwards and backwards in turn
//         for group of rows                   one, if the weights stay in L2
//           sum[row][gate] = x; sum += h[row][k] * weights[panel][k][gate]   for k
//           gates, new c and h, y             in registers
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
  /// Groups of rows on their way through time, or one of them.
  struct Sequence : RecurrentStep {
    Value row; // of the batch: where the states' rows begin
    int64_t height = 0;
    Value groups;
    Value number; // of the step
  };
  /// What of a panel's sums fits into the registers: rows from `row` on, units from place `unit` of the panel
  /// on.
  struct Pass {
    int64_t row, unit;
    Value weights;
    Values states; // by row
  };
  /// A part of a panel that leaves room in L1.
  static constexpr int64_t kPartBytes = 16384;

  Value checkLengths(Value rowBegin, Value rowEnd, Value error);
  void forEachSequence(Value rowBegin, Value rowEnd,
                       llvm::function_ref<void(Value row, int64_t height, Value groups)> body);
  void forEachGroup(const Sequence &s, llvm::function_ref<void(Sequence &)> body);
  bool isOneGroup(const Sequence &s) { return KernelFunction::constantOf(s.groups) == 1; }
  void emit(Sequence s);
  void initialise(const Sequence &s, RecurrentKernel::State state, BlockArgument from);
  void store(const Sequence &s, Value state, unsigned result);
  void step(Sequence &s);
  Value rowOf(const Sequence &s, int64_t r);
  void locate(Sequence &s);
  void panel(const Sequence &s, size_t product, Value panel);
  SmallVector<Pass> passesOf(const Sequence &s, size_t product, const GatePanel &tile, Value panel);
  Values startOf(const Sequence &s, size_t product, const GatePanel &tile, Value panel, const Pass &p);
  void finish(const Sequence &s, size_t product, const GatePanel &tile, Value panel, const Pass &p,
              Values sums);
  Value sumsOf(const Sequence &s, const GatePanel &tile, const Pass &p);
  void storeSums(const Sequence &s, const GatePanel &tile, const Pass &p, const Values &sums);
  Values loadSums(const Sequence &s, const GatePanel &tile, const Pass &p);

  RecurrentCell cell;
};

//===----------------------------------------------------------------------===//
// Tiles and time
//===----------------------------------------------------------------------===//

LogicalResult RecurrentEmitter::run() {
  Value batch = f.size(c.batch), blocks = f.size(c.rowBlocks());
  // Rows are dealt out evenly over the blocks; whole groups, where a tile has several.
  int64_t unit = c.rowsPerTile() == kSequences ? 1 : kSequences;
  Value units = f.size(DimExpr::ceildiv(c.batch, unit));
  auto firstRow = [&](Value block) {
    Value row = f.mul(f.divide(f.mul(units, block), blocks), f.index(unit));
    return unit == 1 ? row : f.min(row, batch);
  };
  Value good = f.b.create<arith::ConstantIntOp>(f.loc, 0, 1);
  Values error = f.loop(f.begin, f.end, f.index(1), {good}, [&](Value tile, ValueRange carried) {
    Value block = f.modulo(tile, blocks);
    Value direction = c.directions.size() == 1 ? f.index(0) : f.divide(tile, blocks);
    Value rowBegin = firstRow(block), rowEnd = firstRow(f.add(block, f.index(1)));
    Value bad = checkLengths(rowBegin, rowEnd, carried[0]);
    forEachSequence(rowBegin, rowEnd, [&](Value row, int64_t height, Value groups) {
      Sequence s;
      s.direction = direction;
      s.row = row;
      s.height = height;
      s.groups = groups;
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

/// Groups of kSequences rows, then what is left.
void RecurrentEmitter::forEachSequence(Value rowBegin, Value rowEnd,
                                       llvm::function_ref<void(Value, int64_t, Value)> body) {
  if (auto rows = c.batch.constant()) {
    int64_t blocks = *c.rowBlocks().constant(), unit = c.rowsPerTile() == kSequences ? 1 : kSequences;
    std::set<int64_t> counts;
    int64_t units = (*rows + unit - 1) / unit;
    for (int64_t block = 0; block < blocks; ++block)
      counts.insert(std::min(*rows, units * (block + 1) / blocks * unit) - units * block / blocks * unit);
    if (counts.empty())
      return;
    return forHeight(f, f.sub(rowEnd, rowBegin), counts, [&](int64_t count) {
      int64_t groups = count / kSequences, rest = count % kSequences;
      if (groups > 0)
        body(rowBegin, kSequences, f.index(groups));
      if (rest > 0)
        body(f.add(rowBegin, f.index(groups * kSequences)), rest, f.index(1));
    });
  }
  Value at = rowBegin;
  for (int64_t h = kSequences; h >= 1; h /= 2) {
    Value groups = f.divide(f.sub(rowEnd, at), f.index(h)), next = f.add(at, f.mul(groups, f.index(h)));
    if (h == kSequences && c.rowsPerTile() > kSequences)
      f.when(f.less(at, next), [&] { body(at, h, groups); });
    else
      f.when(f.less(at, next), [&] { body(at, h, f.index(1)); });
    at = next;
  }
}

void RecurrentEmitter::forEachGroup(const Sequence &s, llvm::function_ref<void(Sequence &)> body) {
  Sequence group = s;
  group.first = f.index(0);
  if (isOneGroup(s))
    return body(group);
  f.loop(f.index(0), s.groups, f.index(1), {}, [&](Value i, ValueRange) {
    group.first = f.mul(i, f.index(s.height));
    body(group);
    return Values{};
  });
}

void RecurrentEmitter::emit(Sequence s) {
  forEachGroup(s, [&](Sequence &group) {
    initialise(group, RecurrentKernel::evenH, c.h0);
    if (c.isLstm())
      initialise(group, RecurrentKernel::cellState, c.c0);
  });
  Values last =
      f.loop(f.index(0), f.size(c.steps), f.index(1),
             {slot(RecurrentKernel::evenH), slot(RecurrentKernel::oddH)}, [&](Value i, ValueRange h) {
               s.number = i;
               s.h = h[0];
               s.next = h[1];
               step(s);
               return Values{h[1], h[0]};
             });
  forEachGroup(s, [&](Sequence &group) {
    store(group, last[0], 1);
    if (c.isLstm())
      store(group, slot(RecurrentKernel::cellState), 2);
  });
}

/// Row r of a group, in the batch.
Value RecurrentEmitter::rowOf(const Sequence &s, int64_t r) {
  return f.add(f.add(s.row, s.first), f.index(r));
}

/// state[row][unit] = from[direction][row][unit], or zeros; zeros beyond the units.
void RecurrentEmitter::initialise(const Sequence &s, RecurrentKernel::State state, BlockArgument from) {
  Value base = slot(state);
  f.loop(f.index(0), f.index(c.paddedUnits()), f.index(lanes), {}, [&](Value unit, ValueRange) {
    for (int64_t r = 0; r < s.height; ++r) {
      Value v = vectorOf(0);
      if (from) {
        Value row = f.add(f.mul(s.direction, f.size(c.batch)), rowOf(s, r));
        Value address =
            f.pointerTo(f.input(from.getArgNumber()), f.add(f.mul(row, f.index(c.hidden)), unit), f32);
        v = f.load(address, f32, lanes, maskFrom(unit));
      }
      f.store(v, f.pointerTo(base, at(s, r, unit), f32), f32);
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
        Value row = f.add(f.mul(s.direction, f.size(c.batch)), rowOf(s, r));
        Value address = f.pointerTo(f.output(i), f.add(f.mul(row, f.index(c.hidden)), unit), f32);
        f.store(load(state, at(s, r, unit)), address, f32, maskFrom(unit));
      }
      return Values{};
    });
  }
}

void RecurrentEmitter::step(Sequence &s) {
  if (isOneGroup(s)) {
    s.first = f.index(0);
    locate(s);
  }
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
    Value row = rowOf(s, r), length = f.size(c.steps);
    if (c.lengths) {
      Type element = elementOf(c.lengths);
      Value given = f.load(f.pointerTo(f.input(c.lengths.getArgNumber()), row, element), element, 1);
      length = f.min(f.max(f.resize(given, f.indexType()), f.index(0)), length);
    }
    Value backwards = f.sub(f.sub(length, f.index(1)), s.number);
    Value time = f.b.create<arith::SelectOp>(f.loc, isReverse, backwards, s.number);
    if (c.lengths) {
      // Past its end a row keeps its state and its y is 0.
      s.active.push_back(f.less(s.number, length));
      time = f.b.create<arith::SelectOp>(f.loc, s.active.back(), time, s.number);
    }
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
  bool isOnePass = tile.rows >= s.height && tile.vectors * lanes == kUnitPanel;
  if (isOneGroup(s) && isOnePass) {
    Pass p = passesOf(s, index, tile, panel).front();
    Values sums = startOf(s, index, tile, panel, p);
    return finish(s, index, tile, panel, p, tile.sum(sums, p.states, p.weights, f.index(0), f.index(main)));
  }
  auto forEachPass = [&](llvm::function_ref<void(Sequence &, const Pass &)> body) {
    forEachGroup(s, [&](Sequence &group) {
      if (!isOneGroup(s))
        locate(group);
      for (const Pass &p : passesOf(group, index, tile, panel))
        body(group, p);
    });
  };
  // A part of the panel at a time, which stays in L1 for all passes; between the parts the sums are in
  // scratch.
  int64_t steps = std::max<int64_t>(1, kPartBytes / (tile.gates * kUnitPanel * 4) / GatePanel::kUnroll);
  Value part = f.index(steps * GatePanel::kUnroll);
  forEachPass([&](Sequence &group, const Pass &p) {
    storeSums(group, tile, p, startOf(group, index, tile, panel, p));
  });
  f.loop(f.index(0), f.index(main), part, {}, [&](Value from, ValueRange) {
    Value to = f.min(f.add(from, part), f.index(main));
    forEachPass([&](Sequence &group, const Pass &p) {
      storeSums(group, tile, p, tile.sum(loadSums(group, tile, p), p.states, p.weights, from, to));
    });
    return Values{};
  });
  forEachPass([&](Sequence &group, const Pass &p) {
    finish(group, index, tile, panel, p, loadSums(group, tile, p));
  });
}

SmallVector<RecurrentEmitter::Pass> RecurrentEmitter::passesOf(const Sequence &s, size_t index,
                                                               const GatePanel &tile, Value panel) {
  SmallVector<Pass> passes;
  Value place = f.add(f.mul(s.direction, f.index(c.panels())), panel);
  Value states = index == 1 ? slot(RecurrentKernel::resetState) : s.h;
  for (int64_t unit = 0; unit < kUnitPanel; unit += tile.vectors * lanes)
    for (int64_t row = 0; row < s.height; row += tile.rows) {
      Pass p{row, unit, {}, {}};
      Value offset = f.add(f.mul(place, f.index(c.hidden * tile.gates * kUnitPanel)), f.index(unit));
      p.weights = f.pointerTo(f.input(c.weights[index].getArgNumber()), offset, f32);
      for (int64_t r = row; r < std::min(row + tile.rows, s.height); ++r)
        p.states.push_back(f.pointerTo(states, at(s, r, f.index(0)), f32));
      passes.push_back(p);
    }
  return passes;
}

/// What a pass's sums start from: x, with the biases.
Values RecurrentEmitter::startOf(const Sequence &s, size_t index, const GatePanel &tile, Value panel,
                                 const Pass &p) {
  Values sums;
  int64_t firstGate = index == 1 ? 2 : 0;
  for (size_t r = 0; r < p.states.size(); ++r) {
    Value x = f.pointerTo(s.inputs[p.row + r], f.mul(panel, f.index(gates * kUnitPanel)), f32);
    for (int64_t g = 0; g < tile.gates; ++g)
      for (int64_t v = 0; v < tile.vectors; ++v) {
        int64_t inside = p.unit + v * lanes;
        Value place = f.add(f.mul(s.direction, f.index(c.panels())), panel);
        if (!resetsAfter() || g != 2)
          sums.push_back(load(x, f.index((firstGate + g) * kUnitPanel + inside)));
        else if (c.resetBias) // the candidate's product is scaled before x is added
          sums.push_back(load(f.input(c.resetBias.getArgNumber()),
                              f.add(f.mul(place, f.index(kUnitPanel)), f.index(inside))));
        else
          sums.push_back(vectorOf(0));
      }
  }
  return sums;
}

void RecurrentEmitter::finish(const Sequence &s, size_t index, const GatePanel &tile, Value panel,
                              const Pass &p, Values sums) {
  int64_t main = c.hidden / GatePanel::kUnroll * GatePanel::kUnroll;
  sums = tile.sumRest(sums, p.states, p.weights, main, c.hidden);
  for (size_t r = 0; r < p.states.size(); ++r)
    for (int64_t v = 0; v < tile.vectors; ++v) {
      Values ofUnits;
      for (int64_t g = 0; g < tile.gates; ++g)
        ofUnits.push_back(sums[(r * tile.gates + g) * tile.vectors + v]);
      cell.finish(s, index, panel, p.unit + v * lanes, p.row + r, ofUnits);
    }
}

/// A pass's sums in scratch, after the states.
Value RecurrentEmitter::sumsOf(const Sequence &s, const GatePanel &tile, const Pass &p) {
  int64_t place = (p.row * kUnitPanel + p.unit * int64_t(p.states.size())) * tile.gates;
  Value base = f.pointerTo(f.scratch, f.index(c.stateCount() * c.stateBytes() + place * 4), f.b.getI8Type());
  return f.pointerTo(base, f.mul(s.first, f.index(tile.gates * kUnitPanel)), f32);
}
void RecurrentEmitter::storeSums(const Sequence &s, const GatePanel &tile, const Pass &p,
                                 const Values &sums) {
  for (auto [i, sum] : llvm::enumerate(sums))
    f.store(sum, f.pointerTo(sumsOf(s, tile, p), f.index(i * lanes), f32), f32);
}
Values RecurrentEmitter::loadSums(const Sequence &s, const GatePanel &tile, const Pass &p) {
  Values sums;
  for (size_t i = 0; i < p.states.size() * tile.gates * tile.vectors; ++i)
    sums.push_back(load(sumsOf(s, tile, p), f.index(i * lanes)));
  return sums;
}

} // namespace

LogicalResult optc::generateRecurrent(KernelFunction &f) {
  auto c = readRecurrent(f.kernel);
  if (!c)
    return f.kernel.emitError("not in the canonical form of a recurrence");
  return RecurrentEmitter(f, *c).run();
}
