//===- FormRowKernels.cpp - Fuses reductions along a dim ------------------===//
//
// From each softmax, normalize or reduce outwards: ops of the same space [outer..., D, inner...] or with one
// element a row (1 at D, or without it) join, producers and consumers alike, up to what would be computed too early.
//
//===----------------------------------------------------------------------===//

#include "codegen/kernel/ScalarBody.h"
#include "ir/Shape.h"
#include "ir/eval/Weight.h"
#include "passes/KernelFormation.h"
#include "passes/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace optc {
#define GEN_PASS_DEF_FORMROWKERNELS
#include "passes/Passes.h.inc"
} // namespace optc

using namespace mlir;
using namespace optc;

namespace {

/// The dims over which an op reduces its operand; empty for other ops.
SmallVector<int64_t> reducedAxes(Operation *op) {
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return {int64_t(softmax.getAxis())};
  if (auto normalize = dyn_cast<NormalizeOp>(op))
    return llvm::to_vector(llvm::seq<int64_t>(normalize.getAxis(), tensorOf(normalize.getX()).getRank()));
  if (auto reduce = dyn_cast<ReduceOp>(op)) {
    SmallVector<int64_t> axes(reduce.getAxes());
    llvm::sort(axes);
    return axes;
  }
  if (auto arg = dyn_cast<ArgReduceOp>(op))
    return {int64_t(arg.getAxis())};
  return {};
}

/// The space of a kernel and what may live in it.
struct RowSpace {
  Dims dims;
  SmallVector<int64_t> axes;

  bool isReduced(int64_t d) const { return llvm::is_contained(axes, d); }
  bool isFull(Value v) const { return dimsOf(v) == dims; }
  /// One element a row.
  bool isRow(Value v) const {
    Dims kept = dims, without;
    for (int64_t d = 0; d < int64_t(dims.size()); ++d)
      if (isReduced(d))
        kept[d] = 1;
      else
        without.push_back(dims[d]);
    Dims own = dimsOf(v);
    return own == kept || own == without;
  }
  /// An operand broadcast to the space has the reduced dims wholly or not at all, so that they can be merged.
  bool fits(BroadcastOp op) const {
    Dims from = dimsOf(op.getX());
    int64_t missing = int64_t(dims.size()) - int64_t(from.size());
    unsigned present = 0, absent = 0;
    for (int64_t d = 0; d < int64_t(dims.size()); ++d) {
      DimExpr own = d < missing ? DimExpr(1) : from[d - missing];
      if (own != DimExpr(1) && own != dims[d])
        return false; // repeated or not: known at run time only
      if (isReduced(d) && dims[d] != DimExpr(1))
        ++(own == dims[d] ? present : absent);
    }
    return present == 0 || absent == 0;
  }
};

/// nullopt when no row kernel can be built around the op.
std::optional<RowSpace> spaceOf(Operation *op, bool gpu) {
  RowSpace space;
  space.axes = reducedAxes(op);
  if (space.axes.empty() || !hasEmittableTypes(op))
    return std::nullopt;
  Value x = op->getOperand(0);
  space.dims = dimsOf(x);
  // On a CPU exp and log have no polynomials of f64's precision.
  if (elementOf(x).isInteger(1) || (isa<SoftmaxOp>(op) && elementOf(x).isF64() && !gpu))
    return std::nullopt;
  // Neighbours, dims of size 1 aside: they are merged into one dim.
  bool some = false;
  for (int64_t d = space.axes.front(); d <= space.axes.back(); ++d) {
    if (space.dims[d] != DimExpr(1) && !space.isReduced(d))
      return std::nullopt;
    some |= space.dims[d] != DimExpr(1);
  }
  if (!some || (isa<ArgReduceOp>(op) && space.axes.size() != 1))
    return std::nullopt;
  return space;
}

/// Takes softmax and normalize apart.
class Decomposition {
public:
  Decomposition(OpBuilder &b, Operation *op, const RowSpace &space) : b(b), loc(op->getLoc()), space(space) {}

  Value softmax(SoftmaxOp op, Value x) {
    Type element = elementOf(x);
    x = toF32(x);
    auto max = b.create<ReduceOp>(loc, x, space.axes, "max");
    // A NaN in x makes the sum NaN, whichever maximum is found.
    max->setAttr("ignore_nan", b.getUnitAttr());
    Value shifted = b.create<SubOp>(loc, x, alongRow(max));
    Value e = b.create<ExpOp>(loc, shifted);
    Value sum = b.create<ReduceOp>(loc, e, space.axes, "sum");
    Value y = op.getLog() ? Value(b.create<SubOp>(loc, shifted, alongRow(b.create<LogOp>(loc, sum))))
                          : Value(b.create<MulOp>(loc, e, alongRow(b.create<ReciprocalOp>(loc, sum))));
    return fromF32(y, element);
  }

  Value normalize(NormalizeOp op, Value x, Value scale, Value bias) {
    Type element = elementOf(x);
    x = toF32(x);
    if (op.getKind() == "layer")
      x = b.create<SubOp>(loc, x, alongRow(b.create<ReduceOp>(loc, x, space.axes, "mean")));
    Value variance = b.create<ReduceOp>(loc, b.create<MulOp>(loc, x, x), space.axes, "mean");
    auto type = tensorOf(variance);
    Type scalar = RankedTensorType::get({}, type.getElementType());
    Value epsilon = b.create<ConstantOp>(
        loc, DenseElementsAttr::get(cast<ShapedType>(scalar), Attribute(b.getFloatAttr(type.getElementType(), op.getEpsilon().convertToDouble()))));
    Value shifted = b.create<AddOp>(loc, variance, b.create<BroadcastOp>(loc, type, epsilon));
    Value y = b.create<MulOp>(loc, x, alongRow(b.create<RsqrtOp>(loc, shifted)));
    if (scale)
      y = b.create<MulOp>(loc, y, toF32(b.create<BroadcastOp>(loc, tensorType(space.dims, elementOf(scale)), scale)));
    if (bias)
      y = b.create<AddOp>(loc, y, toF32(b.create<BroadcastOp>(loc, tensorType(space.dims, elementOf(bias)), bias)));
    return fromF32(y, element);
  }

private:
  /// One element a row, repeated along it.
  Value alongRow(Value v) {
    Dims kept = space.dims;
    for (int64_t d : space.axes)
      kept[d] = 1;
    Value column = b.create<ReshapeOp>(loc, tensorType(kept, elementOf(v)), v);
    return b.create<BroadcastOp>(loc, tensorType(space.dims, elementOf(v)), column);
  }
  Value toF32(Value v) {
    Type element = elementOf(v);
    return element.isF16() || element.isBF16() ? Value(b.create<CastOp>(loc, tensorType(space.dims, b.getF32Type()), v)) : v;
  }
  Value fromF32(Value v, Type element) {
    return elementOf(v) == element ? v : Value(b.create<CastOp>(loc, tensorType(space.dims, element), v));
  }

  OpBuilder &b;
  Location loc;
  const RowSpace &space;
};

/// The ops of one kernel while it grows.
class RowGroup {
public:
  RowGroup(Operation *seed, RowSpace space, bool gpu) : space(std::move(space)), last(seed), gpu(gpu) { members.insert(seed); }

  void grow() {
    constexpr size_t kMaxOps = 64;
    // An op may have to wait for another that comes before it.
    for (size_t before = 0; before != members.size();) {
      before = members.size();
      for (size_t i = 0; i < members.size() && members.size() < kMaxOps; ++i) {
        for (Value operand : members[i]->getOperands())
          if (Operation *producer = operand.getDefiningOp())
            addProducer(producer);
        for (Operation *user : llvm::to_vector(members[i]->getUsers()))
          addConsumer(user);
      }
    }
  }
  void build(llvm::SmallPtrSetImpl<Operation *> &erased);

private:
  /// May live in the space.
  bool belongs(Operation *op) const {
    if (op->getBlock() != last->getBlock() || op->getNumResults() != 1 || !hasEmittableTypes(op, gpu) || (isWeight(op->getResult(0)) && !isFree(op)))
      return false;
    Value result = op->getResult(0);
    if (op->hasTrait<Elementwise>())
      return hasScalarBody(op, gpu) && (space.isFull(result) || space.isRow(result));
    if (auto broadcast = dyn_cast<BroadcastOp>(op))
      return (space.isFull(result) && space.fits(broadcast)) || (space.isRow(result) && tensorOf(broadcast.getX()).getRank() == 0);
    if (isa<ReshapeOp>(op))
      return space.isRow(result) && space.isRow(op->getOperand(0));
    std::optional<RowSpace> own = spaceOf(op, gpu);
    return own && own->dims == space.dims && own->axes == space.axes;
  }
  /// Costs nothing to repeat: other users keep the op that stays outside.
  static bool isRepeatable(Operation *op) { return isa<ReshapeOp, BroadcastOp>(op) || isFree(op); }

  /// Users outside the kernel come after `position`.
  bool usersAllowThat(Operation *op, Operation *position) const {
    return llvm::all_of(op->getUsers(), [&](Operation *user) {
      if (user == position)
        return true;
      if (members.contains(user))
        return !isRepeatable(user) || usersAllowThat(user, position);
      Operation *ancestor = position->getBlock()->findAncestorOpInBlock(*user);
      return ancestor && position->isBeforeInBlock(ancestor);
    });
  }
  /// A repeatable op may have users anywhere as long as it can stay where it is: its operand is not computed inside.
  bool mayJoin(Operation *op, Operation *position) const {
    Operation *producer = op->getOperand(0).getDefiningOp();
    return (isRepeatable(op) && !(producer && members.contains(producer))) || usersAllowThat(op, position);
  }
  void addProducer(Operation *op) {
    if (!members.contains(op) && belongs(op) && mayJoin(op, last))
      members.insert(op);
  }
  void addConsumer(Operation *op) {
    if (members.contains(op) || !belongs(op))
      return;
    Operation *position = last->isBeforeInBlock(op) ? op : last;
    if (position != last && !llvm::all_of(members, [&](Operation *m) { return mayJoin(m, position); }))
      return;
    if (!mayJoin(op, position))
      return;
    members.insert(op);
    last = position;
  }
  Value cloneInto(OpBuilder &builder, Operation *op, IRMapping &mapping);

  RowSpace space;
  llvm::SetVector<Operation *> members;
  Operation *last; // the kernel takes its place
  bool gpu;
};

Value RowGroup::cloneInto(OpBuilder &builder, Operation *op, IRMapping &mapping) {
  auto mapped = [&](Value v) { return v ? mapping.lookup(v) : v; };
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return Decomposition(builder, op, space).softmax(softmax, mapped(softmax.getX()));
  if (auto normalize = dyn_cast<NormalizeOp>(op))
    return Decomposition(builder, op, space)
        .normalize(normalize, mapped(normalize.getX()), mapped(normalize.getScale()), mapped(normalize.getBias()));
  return builder.clone(*op, mapping)->getResult(0);
}

void RowGroup::build(llvm::SmallPtrSetImpl<Operation *> &erased) {
  // In program order; what is repeated for nobody inside stays outside.
  SmallVector<Operation *> ordered(members.begin(), members.end());
  llvm::sort(ordered, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  SmallVector<Operation *> staying;
  for (size_t i = ordered.size(); i-- > 0;)
    if (isRepeatable(ordered[i]) && llvm::none_of(ordered[i]->getUsers(), [&](Operation *u) { return members.contains(u); })) {
      members.remove(ordered[i]);
      staying.push_back(ordered[i]);
      ordered.erase(ordered.begin() + i);
    }
  // A repeatable op with users outside is there twice.
  std::function<bool(Operation *)> isNeededOutside = [&](Operation *op) {
    return llvm::any_of(op->getUsers(), [&](Operation *user) {
      return !members.contains(user) || (isRepeatable(user) && isNeededOutside(user));
    });
  };
  SmallVector<Value> results;
  for (Operation *op : ordered)
    if (isNeededOutside(op)) {
      if (isRepeatable(op))
        staying.push_back(op);
      else
        results.push_back(op->getResult(0));
    }
  KernelOp kernel = buildKernel(ordered, results, "rows", last, [&](OpBuilder &builder, Operation *op, IRMapping &mapping) {
    mapping.map(op->getResult(0), cloneInto(builder, op, mapping));
  });
  Operation *end = kernel;
  llvm::sort(staying, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  llvm::SmallPtrSet<Operation *, 4> after{kernel};
  for (Operation *op : staying)
    if (llvm::any_of(op->getOperands(), [&](Value v) { return after.contains(v.getDefiningOp()); })) {
      op->moveAfter(end);
      after.insert(op);
      end = op;
    }
  for (Operation *op : llvm::reverse(ordered))
    if (op->use_empty()) {
      erased.insert(op);
      op->erase();
    }
}

struct FormRowKernels : optc::impl::FormRowKernelsBase<FormRowKernels> {
  using FormRowKernelsBase::FormRowKernelsBase;
  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation().walk([&](Block *block) {
      if (!isa<KernelOp>(block->getParentOp()))
        blocks.push_back(block);
    });
    for (Block *block : blocks) {
      SmallVector<Operation *> ops;
      for (Operation &op : *block)
        ops.push_back(&op);
      llvm::SmallPtrSet<Operation *, 32> erased;
      for (Operation *op : llvm::reverse(ops)) {
        if (erased.contains(op) || op->use_empty() || op->getNumResults() != 1 || isWeight(op->getResult(0)))
          continue;
        std::optional<RowSpace> space = spaceOf(op, gpu);
        if (!space)
          continue;
        RowGroup group(op, *space, gpu);
        group.grow();
        group.build(erased);
      }
    }
  }
};
} // namespace
