//===- RecurrentCell.cpp - Gates and states of recurrent layers -----------===//

#include "codegen/cpu/RecurrentCell.h"
#include "codegen/cpu/Gate.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace optc;

Value RecurrentFrame::maskFrom(Value unit) {
  if (c.hidden % kUnitPanel == 0)
    return {};
  return f.lanesBelow(f.sub(f.index(c.hidden), unit), lanes);
}

Value RecurrentCell::activate(size_t i, Value x) { return buildGate(f.b, f.loc, activations[i], clip(x)); }
Value RecurrentCell::fma(Value x, Value y, Value z) { return f.b.create<math::FmaOp>(f.loc, x, y, z); }
Value RecurrentCell::mul(Value x, Value y) { return f.b.create<arith::MulFOp>(f.loc, x, y); }
Value RecurrentCell::sub(Value x, Value y) { return f.b.create<arith::SubFOp>(f.loc, x, y); }

Value RecurrentCell::clip(Value x) {
  double bound = op.getClip().convertToDouble();
  if (bound <= 0)
    return x;
  x = f.b.create<arith::MaxNumFOp>(f.loc, x, vectorOf(-bound));
  return f.b.create<arith::MinNumFOp>(f.loc, x, vectorOf(bound));
}

void RecurrentCell::finish(const RecurrentStep &s, size_t index, Value panel, int64_t inside, int64_t row,
                           ArrayRef<Value> sums) {
  if (c.isLstm())
    return finishLstm(s, panel, inside, row, sums);
  Value unit = f.add(f.mul(panel, f.index(kUnitPanel)), f.index(inside)),
        previous = load(s.h, at(s, row, unit));
  if (op.getCell() == "rnn")
    return setState(s, row, unit, activate(0, sums[0]), previous);
  auto put = [&](RecurrentKernel::State state, Value v) {
    f.store(v, f.pointerTo(slot(state), at(s, row, unit), f32), f32);
  };
  Value update, candidate;
  if (resetsBefore() && index == 0) {
    put(RecurrentKernel::updateGate, activate(0, sums[0]));
    return put(RecurrentKernel::resetState, mul(activate(0, sums[1]), previous));
  }
  if (resetsBefore()) {
    update = load(slot(RecurrentKernel::updateGate), at(s, row, unit));
    candidate = activate(1, sums[0]);
  } else {
    update = activate(0, sums[0]);
    Value x = load(s.inputs[row],
                   f.add(f.mul(panel, f.index(gates * kUnitPanel)), f.index(2 * kUnitPanel + inside)));
    candidate = activate(1, fma(activate(0, sums[1]), sums[2], x));
  }
  // (1 - z) * candidate + z * h
  setState(s, row, unit, fma(update, sub(previous, candidate), candidate), previous);
}

void RecurrentCell::finishLstm(const RecurrentStep &s, Value panel, int64_t inside, int64_t row,
                               ArrayRef<Value> sums) {
  Value unit = f.add(f.mul(panel, f.index(kUnitPanel)), f.index(inside));
  Value address = f.pointerTo(slot(RecurrentKernel::cellState), at(s, row, unit), f32),
        old = f.load(address, f32, lanes);
  auto peep = [&](Value sum, int64_t gate, Value state) {
    if (!c.peephole)
      return sum;
    Value place = f.add(f.mul(s.direction, f.index(c.panels())), panel);
    Value offset = f.add(f.mul(place, f.index(3 * kUnitPanel)), f.index(gate * kUnitPanel + inside));
    return fma(load(f.input(c.peephole.getArgNumber()), offset), state, sum);
  };
  Value input = activate(0, peep(sums[0], 0, old));
  Value forget = op.getInputForget() ? sub(vectorOf(1), input) : activate(0, peep(sums[2], 2, old));
  Value cell = fma(forget, old, mul(input, activate(1, sums[3])));
  Value output = activate(0, peep(sums[1], 1, cell));
  Value h = mul(output, buildGate(f.b, f.loc, activations[2], cell));
  if (c.lengths)
    cell = f.b.create<arith::SelectOp>(f.loc, s.active[row], cell, old);
  f.store(cell, address, f32);
  setState(s, row, unit, h, c.lengths ? load(s.h, at(s, row, unit)) : Value());
}

/// h of the next step, and y. `previous`: h of this one, needed with lengths.
void RecurrentCell::setState(const RecurrentStep &s, int64_t row, Value unit, Value h, Value previous) {
  Value y = h;
  if (c.lengths) {
    h = f.b.create<arith::SelectOp>(f.loc, s.active[row], h, previous);
    y = f.b.create<arith::SelectOp>(f.loc, s.active[row], y, vectorOf(0));
  }
  f.store(h, f.pointerTo(s.next, at(s, row, unit), f32), f32);
  if (s.outputs[row])
    f.store(y, f.pointerTo(s.outputs[row], unit, f32), f32, maskFrom(unit));
}
