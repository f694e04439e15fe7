//===- TensorEmitter.cpp - One element (or vector) of a tensor ------------===//

#include "codegen/kernel/TensorEmitter.h"
#include "codegen/kernel/RowReduction.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace optc;

SmallVector<Value> TensorEmitter::sizesOf(Type type) {
  SmallVector<Value> sizes;
  for (const DimExpr &d : dimsOf(type))
    sizes.push_back(f.size(d));
  return sizes;
}

TensorEmitter::Offset TensorEmitter::offsetOf(RankedTensorType type, const LaneIndices &index) {
  Dims dims = dimsOf(type);
  Offset offset{f.index(0), 0};
  DimExpr stride(1);
  for (int64_t i = int64_t(dims.size()) - 1; i >= 0; --i) {
    if (dims[i] != DimExpr(1)) {
      offset.base = f.add(offset.base, f.mul(index[i].base, f.size(stride)));
      if (index[i].stride != 0) {
        auto constant = stride.constant();
        if (!constant)
          offset.stride = std::nullopt;
        else if (offset.stride)
          *offset.stride += index[i].stride * *constant;
      }
    }
    stride = stride * dims[i];
  }
  return offset;
}

Value TensorEmitter::loadArgument(Value pointer, RankedTensorType type, const LaneIndices &index, int64_t lanes, Value mask) {
  Type element = type.getElementType();
  Offset offset = offsetOf(type, index);
  if (lanes == 1)
    return f.load(f.pointerTo(pointer, offset.base, element), element, 1);
  if (offset.stride == 0)
    return f.splat(f.load(f.pointerTo(pointer, offset.base, element), element, 1), lanes);
  if (offset.stride == 1)
    return f.load(f.pointerTo(pointer, offset.base, element), element, lanes, mask);
  return {};
}

/// The general way: each lane by itself. Lanes outside the mask read nothing and are 0.
Value TensorEmitter::byLane(Value tensor, const LaneIndices &index, int64_t lanes, Value mask) {
  Type scalar = registerType(tensorOf(tensor).getElementType());
  Value vector = buildConstant(f.b, f.loc, withLanes(scalar, lanes), 0);
  DenseIntElementsAttr known;
  if (mask)
    matchPattern(mask, m_Constant(&known));
  for (int64_t lane = 0; lane < lanes; ++lane) {
    if (known && !known.getValues<bool>()[lane])
      continue;
    LaneIndices one;
    for (const LaneIndex &i : index)
      one.push_back({f.add(i.base, f.index(i.stride * lane)), 0});
    Value x;
    if (mask && !known) {
      Value inside = f.b.create<vector::ExtractOp>(f.loc, mask, lane);
      x = f.branch(
          inside, scalar,
          [&] {
            Scope scope(*this);
            return at(tensor, one, 1);
          },
          [&] { return buildConstant(f.b, f.loc, scalar, 0); });
    } else {
      x = at(tensor, one, 1);
    }
    vector = f.b.create<vector::InsertOp>(f.loc, x, vector, lane);
  }
  return vector;
}

Value TensorEmitter::at(Value tensor, const LaneIndices &index, int64_t lanes, Value mask) {
  std::vector<const void *> key{tensor.getAsOpaquePointer(), reinterpret_cast<const void *>(lanes), mask.getAsOpaquePointer()};
  for (const LaneIndex &i : index) {
    // Equal constants are equal indices.
    auto constant = KernelEmitter::constantOf(i.base);
    key.push_back(constant ? reinterpret_cast<const void *>(*constant * 2 + 1) : i.base.getAsOpaquePointer());
    key.push_back(reinterpret_cast<const void *>(i.stride));
  }
  if (auto it = emitted.find(key); it != emitted.end())
    return it->second;
  Value value = compute(tensor, index, lanes, mask);
  emitted[key] = value;
  return value;
}

/// True when a dim of size `from` is repeated in a result of size `to`; nullopt: known at run time only.
static std::optional<bool> isRepeated(const DimExpr &from, const DimExpr &to) {
  if (from == DimExpr(1))
    return to != DimExpr(1);
  if (from == to || from.isConstant())
    return false;
  return std::nullopt;
}

void TensorEmitter::storeResults(const LaneIndices &index, int64_t lanes, Value mask) {
  auto results = cast<YieldOp>(f.kernel.getBody().front().getTerminator()).getValues();
  SmallVector<Value> values;
  for (Value result : results)
    values.push_back(at(result, index, lanes, mask));
  for (auto [i, result] : llvm::enumerate(results))
    f.store(values[i], f.pointerTo(f.output(i), offsetOf(tensorOf(result), index).base, elementOf(result)), elementOf(result), mask);
}

Value TensorEmitter::compute(Value tensor, const LaneIndices &index, int64_t lanes, Value mask) {
  if (auto it = sources.find(tensor); it != sources.end())
    return it->second(index, lanes, mask);
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    Value v = loadArgument(f.input(argument.getArgNumber()), tensorOf(tensor), index, lanes, mask);
    return v ? v : byLane(tensor, index, lanes, mask);
  }
  // Uniform over the lanes: one scalar for all.
  if (lanes > 1 && llvm::all_of(index, [](const LaneIndex &i) { return i.stride == 0; }))
    return f.splat(at(tensor, index, 1), lanes);
  Operation *op = tensor.getDefiningOp();
  if (op->hasTrait<Elementwise>()) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(at(operand, index, lanes, mask));
    // A table is memory, which a target has its own ways with.
    if (auto lookup = dyn_cast<LookupOp>(op))
      return f.lookup(lookup.getTable(), operands.front());
    return buildScalar(f.b, op, operands);
  }
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](ConstantOp o) { return atConstant(o, lanes); })
      .Case([&](BroadcastOp o) -> Value {
        Dims from = dimsOf(o.getX()), to = dimsOf(o.getY());
        LaneIndices inner;
        for (size_t i = 0; i < from.size(); ++i) {
          LaneIndex at = index[i + to.size() - from.size()];
          auto repeated = isRepeated(from[i], to[i + to.size() - from.size()]);
          if (!repeated) {
            if (at.stride != 0 && lanes > 1)
              return byLane(tensor, index, lanes, mask);
            Value one = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::eq, f.size(from[i]), f.index(1));
            at.base = f.b.create<arith::SelectOp>(f.loc, one, f.index(0), at.base);
          } else if (*repeated) {
            at = {f.index(0), 0};
          }
          inner.push_back(at);
        }
        return this->at(o.getX(), inner, lanes, mask);
      })
      .Case([&](TransposeOp o) {
        LaneIndices inner(index.size());
        for (auto [i, p] : llvm::enumerate(o.getPermutation()))
          inner[p] = index[i];
        return at(o.getX(), inner, lanes, mask);
      })
      .Case([&](SliceOp o) -> Value {
        LaneIndices inner;
        for (size_t i = 0; i < index.size(); ++i) {
          DimExpr stride = o.getStrides().dim(i);
          if (!stride.isConstant() && index[i].stride != 0)
            return byLane(tensor, index, lanes, mask);
          Value base = f.add(f.size(o.getStarts().dim(i)), f.mul(index[i].base, f.size(stride)));
          inner.push_back({base, index[i].stride * stride.constant().value_or(0)});
        }
        return at(o.getX(), inner, lanes, mask);
      })
      .Case([&](ReshapeOp o) { return atReshape(o, index, lanes, mask); })
      .Case([&](PadOp o) { return atPad(o, index, lanes, mask); })
      .Case([&](ConcatOp o) { return atConcat(o, index, lanes, mask); })
      .Case([&](GatherOp o) { return atGather(o, index, lanes, mask); })
      .Case([&](ReduceOp o) { return atReduce(o, index, lanes, mask); })
      .Case([&](PoolOp o) { return atPool(o, index, lanes, mask); })
      .Case([&](ResizeOp o) { return atResize(o, index, lanes, mask); })
      .Case([&](IotaOp o) { return atIota(o, index, lanes); });
}

/// A splat; kernel formation leaves other constants outside.
Value TensorEmitter::atConstant(ConstantOp op, int64_t lanes) {
  Type type = registerType(op.getValue().getElementType());
  TypedAttr attribute;
  if (isa<FloatType>(type)) {
    APFloat value = op.getValue().getSplatValue<APFloat>();
    bool lossy;
    value.convert(cast<FloatType>(type).getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
    attribute = FloatAttr::get(type, value);
  } else {
    Type element = op.getValue().getElementType();
    APInt bits = isa<FloatType>(element) ? op.getValue().getSplatValue<APFloat>().bitcastToAPInt() : op.getValue().getSplatValue<APInt>();
    unsigned width = type.getIntOrFloatBitWidth();
    attribute = IntegerAttr::get(type, element.isSignlessInteger() ? bits.sextOrTrunc(width) : bits.zextOrTrunc(width));
  }
  Type full = withLanes(type, lanes);
  if (lanes > 1)
    attribute = DenseElementsAttr::get(cast<VectorType>(full), Attribute(attribute));
  return f.b.create<arith::ConstantOp>(f.loc, attribute);
}

Value TensorEmitter::atIota(IotaOp op, const LaneIndices &index, int64_t lanes) {
  Type type = registerType(elementOf(op.getY()));
  LaneIndex i = index[op.getAxis()];
  Value x = f.splat(i.base, lanes);
  if (lanes > 1 && i.stride != 0) {
    SmallVector<Attribute> steps;
    for (int64_t lane = 0; lane < lanes; ++lane)
      steps.push_back(f.b.getIntegerAttr(f.indexType(), lane * i.stride));
    auto vector = VectorType::get({lanes}, f.indexType());
    x = f.b.create<arith::AddIOp>(f.loc, x, f.b.create<arith::ConstantOp>(f.loc, DenseElementsAttr::get(vector, steps)));
  }
  if (isa<FloatType>(type))
    return f.b.create<arith::SIToFPOp>(f.loc, withLanes(type, lanes), x);
  return f.resize(x, type);
}

/// Dims that stay as they are (from the back) keep their index; the rest goes through the flat position.
Value TensorEmitter::atReshape(ReshapeOp op, const LaneIndices &index, int64_t lanes, Value mask) {
  Dims from = dimsOf(op.getX()), to = dimsOf(op.getY());
  auto drop1 = [](const Dims &dims) {
    SmallVector<size_t> kept;
    for (size_t i = 0; i < dims.size(); ++i)
      if (dims[i] != DimExpr(1))
        kept.push_back(i);
    return kept;
  };
  SmallVector<size_t> keptFrom = drop1(from), keptTo = drop1(to);
  LaneIndices inner(from.size(), LaneIndex{f.index(0), 0});
  // Match equal dims from the back, 1s aside.
  size_t a = keptFrom.size(), c = keptTo.size();
  while (a > 0 && c > 0 && from[keptFrom[a - 1]] == to[keptTo[c - 1]]) {
    inner[keptFrom[a - 1]] = index[keptTo[c - 1]];
    --a, --c;
  }
  if (a > 0) {
    // The flat position over the dims in front.
    Value flat = f.index(0);
    int64_t laneStride = 0;
    bool regular = true;
    DimExpr stride(1);
    for (size_t i = c; i-- > 0;) {
      const LaneIndex &at = index[keptTo[i]];
      flat = f.add(flat, f.mul(at.base, f.size(stride)));
      if (at.stride != 0) {
        regular &= stride.isConstant();
        laneStride += at.stride * stride.constant().value_or(0);
      }
      stride = stride * to[keptTo[i]];
    }
    if (lanes > 1 && laneStride != 0) {
      // One dim takes the flat position as it is; with more a vector must not wrap: it is a whole part of the last one.
      auto whole = [&](const DimExpr &size) { return size.isConstant() && *size.constant() % lanes == 0; };
      const LaneIndex &last = index[keptTo[c - 1]];
      bool isPart = laneStride == 1 && last.stride == 1 && last.base == aligned && whole(from[keptFrom[a - 1]]) && whole(to[keptTo[c - 1]]);
      if (!regular || (a != 1 && !isPart))
        return byLane(op.getY(), index, lanes, mask);
    }
    if (!regular && lanes > 1)
      return byLane(op.getY(), index, lanes, mask);
    for (size_t i = a; i-- > 0;) {
      Value size = f.size(from[keptFrom[i]]);
      inner[keptFrom[i]] = {i == 0 ? flat : f.modulo(flat, size), i + 1 == a ? laneStride : 0};
      if (i > 0)
        flat = f.divide(flat, size);
    }
  }
  return at(op.getX(), inner, lanes, mask);
}

Value TensorEmitter::atPad(PadOp op, const LaneIndices &index, int64_t lanes, Value mask) {
  Dims from = dimsOf(op.getX()), to = dimsOf(op.getY());
  StringRef mode = op.getMode();
  LaneIndices inner = index;
  Value inside;
  for (size_t i = 0; i < index.size(); ++i) {
    DimExpr low = op.getLow().dim(i);
    if (low == DimExpr(0) && from[i] == to[i])
      continue;
    if (index[i].stride != 0 && lanes > 1)
      return byLane(op.getY(), index, lanes, mask);
    Value size = f.size(from[i]), zero = f.index(0);
    Value x = f.sub(index[i].base, f.size(low));
    if (mode == "constant") {
      Value ok = f.b.create<arith::CmpIOp>(f.loc, arith::CmpIPredicate::ult, x, size);
      inside = inside ? f.b.create<arith::AndIOp>(f.loc, inside, ok) : ok;
    } else if (mode == "edge") {
      x = f.max(zero, f.min(x, f.sub(size, f.index(1))));
    } else if (mode == "wrap") {
      Value r = f.b.create<arith::RemSIOp>(f.loc, x, size);
      x = f.b.create<arith::SelectOp>(f.loc, f.less(r, zero), f.add(r, size), r);
    } else {
      // Mirror with period 2*(size-1); a dim of size 1 has only its element.
      Value last = f.sub(size, f.index(1)), period = f.max(f.mul(last, f.index(2)), f.index(1));
      Value r = f.b.create<arith::RemSIOp>(f.loc, x, period);
      r = f.b.create<arith::SelectOp>(f.loc, f.less(r, zero), f.add(r, period), r);
      x = f.b.create<arith::SelectOp>(f.loc, f.less(last, r), f.sub(period, r), r);
    }
    inner[i] = {x, index[i].stride};
  }
  if (!inside)
    return at(op.getX(), inner, lanes, mask);
  Type type = withLanes(registerType(elementOf(op.getX())), lanes);
  return f.branch(
      inside, type,
      [&] {
        Scope scope(*this);
        return at(op.getX(), inner, lanes, mask);
      },
      [&]() -> Value {
        Scope scope(*this);
        if (!op.getValue())
          return buildConstant(f.b, f.loc, type, 0);
        LaneIndices first(tensorOf(op.getValue()).getRank(), LaneIndex{f.index(0), 0});
        return f.splat(at(op.getValue(), first, 1), lanes);
      });
}

Value TensorEmitter::atConcat(ConcatOp op, const LaneIndices &index, int64_t lanes, Value mask) {
  int64_t axis = op.getAxis();
  // Lanes along the axis: all of a vector in one part, or each by itself.
  auto isWhole = [&](Value x) {
    auto size = dimsOf(x)[axis].constant();
    return size && *size % lanes == 0;
  };
  bool inOnePart = index[axis].stride == 1 && index[axis].base == aligned && llvm::all_of(op.getXs(), isWhole);
  if (index[axis].stride != 0 && lanes > 1 && !inOnePart)
    return byLane(op.getY(), index, lanes, mask);
  Type type = withLanes(registerType(elementOf(op.getY())), lanes);
  // if (i < end of part k) part k else the rest
  std::function<Value(size_t, Value)> from = [&](size_t k, Value begin) -> Value {
    Value x = op.getXs()[k];
    LaneIndices inner = index;
    inner[axis].base = f.sub(index[axis].base, begin);
    if (k + 1 == op.getXs().size()) {
      Scope scope(*this);
      return at(x, inner, lanes, mask);
    }
    Value end = f.add(begin, f.size(dimsOf(x)[axis]));
    return f.branch(
        f.less(index[axis].base, end), type,
        [&] {
          Scope scope(*this);
          return at(x, inner, lanes, mask);
        },
        [&] { return from(k + 1, end); });
  };
  return from(0, f.index(0));
}

/// An index out of range is clamped here; the kernel's check of its indices reports it (see Loops.cpp).
Value TensorEmitter::atGather(GatherOp op, const LaneIndices &index, int64_t lanes, Value mask) {
  int64_t axis = op.getAxis(), rank = tensorOf(op.getIndices()).getRank();
  LaneIndices where(index.begin() + axis, index.begin() + axis + rank);
  if (lanes > 1 && llvm::any_of(where, [](const LaneIndex &i) { return i.stride != 0; }))
    return byLane(op.getY(), index, lanes, mask);
  // Wrapped and clamped as i64, whatever the type of indices is: a narrower one would hide an index out of range.
  Type i64 = f.b.getI64Type();
  Value i = f.resize(at(op.getIndices(), where, 1), i64), size = f.resize(f.size(dimsOf(op.getX())[axis]), i64);
  f.checkIndex(i, size);
  Value zero = f.b.create<arith::ConstantIntOp>(f.loc, 0, 64), one = f.b.create<arith::ConstantIntOp>(f.loc, 1, 64);
  i = f.b.create<arith::SelectOp>(f.loc, f.less(i, zero), f.b.create<arith::AddIOp>(f.loc, i, size), i);
  i = f.max(zero, f.min(i, f.b.create<arith::SubIOp>(f.loc, size, one)));
  i = f.resize(i, f.indexType());
  LaneIndices inner(index.begin(), index.begin() + axis);
  inner.push_back({i, 0});
  inner.append(index.begin() + axis + rank, index.end());
  return at(op.getX(), inner, lanes, mask);
}

/// Loops over the reduced dims. Where the lanes lie along a dim that stays, each lane accumulates by itself; a scalar
/// result is accumulated in vectors along the innermost reduced dim.
Value TensorEmitter::atReduce(ReduceOp op, const LaneIndices &index, int64_t lanes, Value mask) {
  StringRef kind = op.getKind() == "mean" ? "sum" : op.getKind();
  Type element = accumulatorOf(op);
  Dims dims = dimsOf(op.getX());
  SmallVector<bool> reduced(dims.size());
  for (int64_t axis : op.getAxes())
    reduced[axis] = true;
  LaneIndices inner(dims.size());
  SmallVector<size_t> axes;
  size_t next = 0;
  for (size_t i = 0; i < dims.size(); ++i)
    if (reduced[i])
      axes.push_back(i);
    else
      inner[i] = index[next++];
  unsigned bytes = std::max(1u, registerType(element).getIntOrFloatBitWidth() / 8);
  int64_t width = lanes == 1 && !axes.empty() && axes.back() + 1 == dims.size() ? f.lanes(bytes) : 1;
  auto constant = dims.empty() ? std::optional<int64_t>() : dims.back().constant();
  if (width > 1 && constant && *constant < width)
    width = 1;

  std::function<Value(size_t, Value)> nest = [&](size_t k, Value carried) -> Value {
    Value zero = f.index(0);
    if (k == axes.size()) {
      Value x = widenToAccumulator(f, op, at(op.getX(), inner, lanes, mask));
      return buildCombine(f.b, f.loc, kind, element, carried, x);
    }
    Value size = f.size(dims[axes[k]]);
    bool last = k + 1 == axes.size();
    if (last && width > 1) {
      Value main = f.mul(f.divide(size, f.index(width)), f.index(width));
      Value vector = buildIdentity(f.b, f.loc, kind, element, width);
      vector = f.loop(zero, main, f.index(width), vector, [&](Value i, ValueRange c) {
        Scope scope(*this);
        inner[axes[k]] = {i, 1};
        Value x = widenToAccumulator(f, op, at(op.getX(), inner, width));
        return SmallVector<Value>{buildCombine(f.b, f.loc, kind, element, c[0], x)};
      })[0];
      carried = buildCombine(f.b, f.loc, kind, element, carried, f.reduceLanes(kind, element, vector));
      zero = main;
    }
    return f.loop(zero, size, f.index(1), carried, [&](Value i, ValueRange c) {
      Scope scope(*this);
      inner[axes[k]] = {i, 0};
      return SmallVector<Value>{nest(k + 1, c[0])};
    })[0];
  };
  Value sum = nest(0, buildIdentity(f.b, f.loc, kind, element, lanes));
  DimExpr count(1);
  for (size_t axis : axes)
    count = count * dims[axis];
  return finishReduction(f, op, sum, f.size(count));
}

/// Windows, clipped to the input: the loops run over the positions that are inside. Lanes lie along the channels (nhwc),
/// or there is one.
Value TensorEmitter::atPool(PoolOp op, const LaneIndices &index, int64_t lanes, Value mask) {
  bool nhwc = op.getLayout() == "nhwc";
  size_t rank = index.size(), first = nhwc ? 1 : 2, spatial = rank - 2;
  for (size_t i = 0; i < spatial; ++i)
    if (lanes > 1 && index[first + i].stride != 0)
      return byLane(op.getY(), index, lanes, mask);
  Type element = elementOf(op.getX());
  Dims dims = dimsOf(op.getX());
  bool mean = op.getKind() == "mean";
  bool norm = op.getKind() == "lp";
  StringRef kind = op.getKind() == "max" ? "max" : "sum";
  LaneIndices inner = index;
  Value count = f.index(1), zero = f.index(0);
  SmallVector<std::pair<Value, Value>> ranges; // window positions [begin, end)
  for (size_t i = 0; i < spatial; ++i) {
    Value size = f.size(dims[first + i]);
    Value dilation = f.index(op.getDilations()[i]), window = f.index(op.getWindow()[i]);
    Value start = f.sub(f.mul(index[first + i].base, f.index(op.getStrides()[i])), f.index(op.getPadsLow()[i]));
    // start + k*dilation >= 0 and < size
    Value begin = f.divide(f.add(f.max(zero, f.sub(zero, start)), f.index(op.getDilations()[i] - 1)), dilation);
    Value end = f.min(window, f.divide(f.max(zero, f.add(f.sub(size, start), f.index(op.getDilations()[i] - 1))), dilation));
    ranges.push_back({begin, end});
    Value n = f.sub(end, begin);
    if (op.getCountPadding()) {
      // Positions inside the padded input.
      Value padded = f.add(size, f.index(op.getPadsHigh()[i]));
      n = f.min(window, f.divide(f.max(zero, f.add(f.sub(padded, start), f.index(op.getDilations()[i] - 1))), dilation));
    }
    count = f.mul(count, n);
  }
  auto constant = [&](double v) { return buildConstant(f.b, f.loc, withLanes(registerType(element), lanes), v); };
  auto power = [&](Value x, int64_t p) -> Value {
    if (p == 2)
      return f.b.create<arith::MulFOp>(f.loc, x, x);
    x = f.b.create<math::AbsFOp>(f.loc, x);
    return p == 1 ? x : f.b.create<math::PowFOp>(f.loc, x, constant(double(p)));
  };
  std::function<Value(size_t, Value)> nest = [&](size_t k, Value carried) -> Value {
    if (k == spatial) {
      Value x = at(op.getX(), inner, lanes, mask);
      return buildCombine(f.b, f.loc, kind, element, carried, norm ? power(x, op.getP()) : x);
    }
    Value start = f.sub(f.mul(index[first + k].base, f.index(op.getStrides()[k])), f.index(op.getPadsLow()[k]));
    return f.loop(ranges[k].first, ranges[k].second, f.index(1), carried, [&](Value i, ValueRange c) {
      Scope scope(*this);
      inner[first + k] = {f.add(start, f.mul(i, f.index(op.getDilations()[k]))), 0};
      return SmallVector<Value>{nest(k + 1, c[0])};
    })[0];
  };
  Value result = nest(0, buildIdentity(f.b, f.loc, kind, element, lanes));
  if (norm && op.getP() == 2)
    return f.b.create<math::SqrtOp>(f.loc, result);
  if (norm)
    return op.getP() == 1 ? result : f.b.create<math::PowFOp>(f.loc, result, constant(1.0 / double(op.getP())));
  if (!mean)
    return result;
  Value n = f.b.create<arith::SIToFPOp>(f.loc, registerType(element), count);
  return f.b.create<arith::DivFOp>(f.loc, result, f.splat(n, lanes));
}
