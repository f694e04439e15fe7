//===- LowerRecurrent.cpp - Kernels of recurrent layers -------------------===//
//
// The products with the input do not depend on the state: one matrix product makes them for all steps, with
// its weights packed and the biases added like in any other. What is left goes step by step in a kernel:
//
//   %y, %h, %c = recurrent %x, %w, %r, %bias
//   =>  %xg = add (contract %x, pack of %w), bias
//       %y, %h, %c = optc.kernel "recurrent" (%xg, pack of %r) { recurrent (unpack), (unpack) }
//
// The two directions of a layer share the product and the kernel, where each is a tile.
// codegen/kernel/Recurrent.h has the layouts.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/Recurrent.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Match.h"
#include "passes/Passes.h"

namespace optc {
#define GEN_PASS_DEF_LOWERRECURRENT
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// Why an op stays a library step; empty: it need not.
StringRef whyNot(RecurrentOp op) {
  if (!op.getW())
    return "has its products with the input already";
  for (Value v : {op.getX(), op.getW(), op.getR(), op.getBias(), op.getH0(), op.getC0(), op.getPeephole()})
    if (v && !elementOf(v).isF32())
      return "is not of f32";
  Dims x = dimsOf(op.getX()), w = dimsOf(op.getW()), r = dimsOf(op.getR());
  auto hidden = r[1].constant();
  if (!hidden || *hidden == 0)
    return "has a number of units that is not known";
  // What a library step would check at run time.
  DimExpr rows = gatesOf(op) * *hidden;
  auto isNot = [](Value v, const Dims &dims) { return v && dimsOf(v) != dims; };
  if (w != Dims{rows, x[2]} || r != Dims{rows, *hidden} || isNot(op.getBias(), {rows * DimExpr(2)}) ||
      isNot(op.getLengths(), {x[1]}) || isNot(op.getH0(), {x[1], *hidden}) ||
      isNot(op.getC0(), {x[1], *hidden}) || isNot(op.getPeephole(), {3 * *hidden}))
    return "has operands whose sizes are not known to fit";
  return activationsOf(op).empty() ? "has an activation that is not known" : "";
}

/// The concat that stacks result i of both directions: [T, 2, B, H] or [2, B, H]; null otherwise.
ConcatOp stackOf(OpResult result) {
  bool isY = result.getResultNumber() == 0;
  auto only = [](Value v) { return v.hasOneUse() ? *v.user_begin() : nullptr; };
  auto reshape = dyn_cast_or_null<ReshapeOp>(only(result));
  auto concat = reshape ? dyn_cast_or_null<ConcatOp>(only(reshape.getY())) : ConcatOp();
  if (!concat || concat.getXs().size() != 2 || concat.getAxis() != (isY ? 1 : 0))
    return {};
  Dims dims = dimsOf(result), stacked = dims;
  stacked.insert(stacked.begin() + (isY ? 1 : 0), DimExpr(2));
  return dimsOf(concat.getY()) == stacked ? concat : ConcatOp();
}

/// The ops of both directions of `op`'s layer, or `op` alone.
SmallVector<RecurrentOp> layerOf(RecurrentOp op) {
  SmallVector<RecurrentOp> layer;
  for (OpResult result : op->getResults()) {
    if (result.use_empty())
      continue;
    ConcatOp concat = stackOf(result);
    SmallVector<RecurrentOp> both;
    for (Value part : concat ? concat.getXs() : ValueRange())
      if (auto reshape = part.getDefiningOp<ReshapeOp>())
        if (auto direction = reshape.getX().getDefiningOp<RecurrentOp>())
          if (stackOf(direction->getResult(result.getResultNumber())) == concat)
            both.push_back(direction);
    if (both.size() != 2 || both[0] == both[1] || (!layer.empty() && layer != both))
      return {op};
    layer = both;
  }
  if (layer.empty())
    return {op};
  // Apart from the direction and the parameters they must be alike.
  RecurrentOp a = layer[0], b = layer[1];
  auto attributes = [](RecurrentOp op) {
    NamedAttrList list(op->getAttrs());
    list.erase(op.getReverseAttrName());
    return list.getDictionary(op.getContext());
  };
  bool alike = a->getBlock() == b->getBlock() && a.getX() == b.getX() && a.getLengths() == b.getLengths() &&
               attributes(a) == attributes(b);
  for (auto [p, q] : llvm::zip(a->getResults(), b->getResults()))
    alike &= p.use_empty() == q.use_empty();
  return alike && whyNot(a).empty() && whyNot(b).empty() && dimsOf(a.getR()) == dimsOf(b.getR())
             ? layer
             : SmallVector<RecurrentOp>{op};
}

/// Builds what replaces the ops of one layer.
class Lowering {
public:
  Lowering(PatternRewriter &b, ArrayRef<RecurrentOp> layer)
      : b(b), layer(layer), op(layer.front()), gates(gatesOf(op)), hidden(*dimsOf(op.getR())[1].constant()),
        panels((hidden + kUnitPanel - 1) / kUnitPanel), directions(layer.size()) {
    Dims x = dimsOf(op.getX());
    steps = x[0];
    batch = x[1];
    element = elementOf(op.getX());
    SmallVector<Location> locations;
    for (RecurrentOp direction : layer)
      locations.push_back(direction.getLoc());
    loc = b.getFusedLoc(locations);
  }
  void run();

private:
  using Build = llvm::function_ref<Value(RecurrentOp)>;

  // Movement, by the dims of its result.
  Value reshape(Value x, const Dims &dims) {
    Type type = tensorType(dims, elementOf(x));
    return x.getType() == type ? x : Value(b.create<ReshapeOp>(loc, type, x));
  }
  Value transpose(Value x, ArrayRef<int64_t> permutation) {
    return b.create<TransposeOp>(loc, x, permutation);
  }
  Value slice(Value x, ArrayRef<int64_t> starts, const Dims &dims) {
    Type type = tensorType(dims, elementOf(x));
    return x.getType() == type ? x
                               : Value(b.create<SliceOp>(
                                     loc, type, x, DimsAttr::get(b.getContext(), starts),
                                     DimsAttr::get(b.getContext(), SmallVector<int64_t>(starts.size(), 1))));
  }
  Value pad(Value x, ArrayRef<int64_t> low, const Dims &dims) {
    Type type = tensorType(dims, elementOf(x));
    return x.getType() == type ? x
                               : Value(b.create<PadOp>(loc, type, x, Value(),
                                                       DimsAttr::get(b.getContext(), low), "constant"));
  }

  Value inPanels(Value x, int64_t count);
  /// build(direction) of each, stacked along a new first dim.
  Value stacked(Build build);
  /// Row d of a stack.
  Value unstacked(Value stack, int64_t d) {
    Dims dims = dimsOf(stack), one = dims;
    one.front() = 1;
    SmallVector<int64_t> starts(dims.size(), 0);
    starts.front() = d;
    return reshape(slice(stack, starts, one), Dims(dims.begin() + 1, dims.end()));
  }
  bool hasState(Build state);
  Value product();
  Value recurrence(Block *body, int64_t d);
  bool resetsAfter() { return op.getCell() == "gru" && op.getResetAfter(); }

  PatternRewriter &b;
  ArrayRef<RecurrentOp> layer;
  RecurrentOp op;
  int64_t gates, hidden, panels, directions;
  DimExpr steps = 1, batch = 1;
  Type element;
  Location loc = b.getUnknownLoc();
  /// Places of the kernel's operands; -1: absent.
  int64_t resetBias = -1, peephole = -1, lengths = -1, h0 = -1, c0 = -1;
};

/// [count * H, ...] => [P, count, 16, ...], zeros beyond the units.
Value Lowering::inPanels(Value x, int64_t count) {
  Dims rest = dimsOf(x), apart{count, hidden}, padded{count, panels * kUnitPanel},
       split{count, panels, kUnitPanel};
  rest.erase(rest.begin());
  SmallVector<int64_t> permutation{1, 0, 2};
  for (Dims *dims : {&apart, &padded, &split})
    dims->append(rest.begin(), rest.end());
  for (size_t i = 0; i < rest.size(); ++i)
    permutation.push_back(3 + i);
  x = pad(reshape(x, apart), SmallVector<int64_t>(apart.size(), 0), padded);
  return transpose(reshape(x, split), permutation);
}

Value Lowering::stacked(Build build) {
  SmallVector<Value> parts;
  for (RecurrentOp direction : layer) {
    Value part = build(direction);
    Dims dims = dimsOf(part);
    dims.insert(dims.begin(), DimExpr(1));
    parts.push_back(reshape(part, dims));
  }
  return parts.size() == 1 ? parts.front() : Value(b.create<ConcatOp>(loc, parts, 0));
}

/// False where every direction starts from zeros.
bool Lowering::hasState(Build state) {
  return llvm::any_of(layer, [&](RecurrentOp direction) {
    Value v = state(direction);
    while (v && isa_and_nonnull<SliceOp, ReshapeOp, BroadcastOp>(v.getDefiningOp()))
      v = v.getDefiningOp()->getOperand(0);
    return v && splatValue(v) != 0.0;
  });
}

/// x * w + biases: [T, B, D * P * G * 16].
Value Lowering::product() {
  int64_t width = directions * panels * gates * kUnitPanel;
  Dims x = dimsOf(op.getX());
  Value weights = stacked([&](RecurrentOp d) { return inPanels(d.getW(), gates); });
  weights = reshape(weights, {width, x[2]});
  ArrayRef<int64_t> none;
  auto y = b.create<ContractOp>(loc, op.getX(), weights, none, none, ArrayRef<int64_t>{2}, ArrayRef<int64_t>{1});
  y->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  if (!op.getBias())
    return y;
  Value biases = stacked([&](RecurrentOp d) {
    int64_t rows = gates * hidden, kept = resetsAfter() ? 2 * hidden : rows;
    Value ofX = slice(d.getBias(), {0}, {rows}), ofH = slice(d.getBias(), {rows}, {kept});
    return inPanels(b.create<AddOp>(loc, ofX, pad(ofH, {0}, {rows})), gates);
  });
  Value all = b.create<BroadcastOp>(loc, y.getType(), reshape(biases, {width}));
  return b.create<AddOp>(loc, y, all);
}

/// The recurrence of direction d on unpacked operands.
Value Lowering::recurrence(Block *body, int64_t d) {
  RecurrentOp from = layer[d];
  int64_t units = panels * kUnitPanel;
  auto argument = [&](int64_t i) { return i < 0 ? Value() : Value(body->getArgument(i)); };
  Value x = reshape(argument(0), {steps, batch, directions, panels, gates, kUnitPanel});
  x = reshape(transpose(x, {0, 1, 2, 4, 3, 5}), {steps, batch, directions, gates, units});
  x = reshape(slice(x, {0, 0, d, 0, 0}, {steps, batch, 1, gates, hidden}), {steps, batch, gates * hidden});
  SmallVector<Value> products;
  for (auto [i, n] : llvm::enumerate(productsOf(op))) {
    // [P, H, n, 16] => [n * H, H]
    Value r = transpose(unstacked(argument(1 + i), d), {2, 0, 3, 1});
    products.push_back(
        reshape(slice(reshape(r, {n, units, hidden}), {0, 0, 0}, {n, hidden, hidden}), {n * hidden, hidden}));
  }
  Value r = products.size() == 1 ? products.front() : Value(b.create<ConcatOp>(loc, products, 0));
  Value bias, peep;
  if (resetBias >= 0)
    bias = pad(slice(unstacked(argument(resetBias), d), {0}, {hidden}), {(2 * gates - 1) * hidden},
               {2 * gates * hidden});
  if (peephole >= 0) {
    // [P, 3, 16] => [3 * H]
    peep = reshape(transpose(unstacked(argument(peephole), d), {1, 0, 2}), {3, units});
    peep = reshape(slice(peep, {0, 0}, {3, hidden}), {3 * hidden});
  }
  auto stateOf = [&](int64_t i) { return i < 0 ? Value() : unstacked(argument(i), d); };
  auto result = b.create<RecurrentOp>(
      from.getLoc(), x, Value(), r, bias, argument(lengths), stateOf(h0), stateOf(c0), peep,
      from.getCellAttr(), from.getReverseAttr(), from.getActivationsAttr(), from.getAlphaAttr(),
      from.getBetaAttr(), from.getClipAttr(), from.getInputForgetAttr(), from.getResetAfterAttr());
  return result.getY();
}

void Lowering::run() {
  RecurrentOp last = layer.back();
  b.setInsertionPoint(last->isBeforeInBlock(op) ? op : last);
  SmallVector<Value> operands{product()};
  auto addOperand = [&](Value v) {
    operands.push_back(v);
    return int64_t(operands.size() - 1);
  };
  int64_t firstGate = 0;
  for (int64_t n : productsOf(op)) {
    // [n * H, H] => [P, H, n, 16]
    addOperand(stacked([&](RecurrentOp d) {
      return transpose(inPanels(slice(d.getR(), {firstGate * hidden, 0}, {n * hidden, hidden}), n),
                       {0, 3, 1, 2});
    }));
    firstGate += n;
  }
  if (resetsAfter() && op.getBias())
    resetBias =
        addOperand(reshape(stacked([&](RecurrentOp d) {
                             return inPanels(slice(d.getBias(), {(2 * gates - 1) * hidden}, {hidden}), 1);
                           }),
                           {directions, panels * kUnitPanel}));
  if (op.getPeephole())
    peephole = addOperand(stacked([&](RecurrentOp d) { return inPanels(d.getPeephole(), 3); }));
  if (op.getLengths())
    lengths = addOperand(op.getLengths());
  auto first = [](RecurrentOp d) -> Value { return d.getH0(); };
  auto firstCell = [](RecurrentOp d) -> Value { return d.getC0(); };
  if (hasState(first))
    h0 = addOperand(stacked(first));
  if (hasState(firstCell))
    c0 = addOperand(stacked(firstCell));

  // Results are those that somebody uses; a layer of two directions has them stacked.
  SmallVector<OpResult> used;
  SmallVector<Value> replaced;
  SmallVector<Type> types;
  for (OpResult result : op->getResults())
    if (!result.use_empty()) {
      used.push_back(result);
      replaced.push_back(directions == 1 ? Value(result) : Value(stackOf(result).getY()));
      types.push_back(replaced.back().getType());
    }
  auto kernel = b.create<KernelOp>(loc, types, operands, "recurrent");
  {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&kernel.getBody());
    for (Value operand : operands)
      body->addArgument(operand.getType(), operand.getLoc());
    SmallVector<Operation *> recurrences;
    for (int64_t d = 0; d < directions; ++d)
      recurrences.push_back(recurrence(body, d).getDefiningOp());
    SmallVector<Value> yielded;
    for (OpResult result : used) {
      int64_t axis = result.getResultNumber() == 0 ? 1 : 0;
      SmallVector<Value> parts;
      for (Operation *of : recurrences) {
        Value part = of->getResult(result.getResultNumber());
        Dims dims = dimsOf(part);
        dims.insert(dims.begin() + axis, DimExpr(1));
        parts.push_back(directions == 1 ? part : reshape(part, dims));
      }
      yielded.push_back(directions == 1 ? parts.front() : Value(b.create<ConcatOp>(loc, parts, axis)));
    }
    b.create<YieldOp>(loc, yielded);
  }
  for (auto [from, to] : llvm::zip(replaced, kernel.getResults()))
    b.replaceAllUsesWith(from, to);
}

struct LowerLayer : OpRewritePattern<RecurrentOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(RecurrentOp op, PatternRewriter &rewriter) const override {
    if (StringRef reason = whyNot(op); !reason.empty())
      return rewriter.notifyMatchFailure(op, reason);
    if (op.use_empty())
      return rewriter.notifyMatchFailure(op, "is not used");
    SmallVector<RecurrentOp> layer = layerOf(op);
    Lowering(rewriter, layer).run();
    // The stacks are the kernel's results now.
    for (RecurrentOp direction : layer) {
      for (Operation *part : llvm::make_early_inc_range(direction->getUsers())) {
        for (Operation *stack : llvm::make_early_inc_range(part->getUsers()))
          rewriter.eraseOp(stack);
        rewriter.eraseOp(part);
      }
      rewriter.eraseOp(direction);
    }
    return success();
  }
};

struct LowerRecurrent : optc::impl::LowerRecurrentBase<LowerRecurrent> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerLayer>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
